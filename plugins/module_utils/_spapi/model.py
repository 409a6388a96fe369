# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Orders as the product stores them, made from Amazon's Orders API 2026-01-01.

Only the fields named here are read. Buyer, recipient, gift message, customization, cancellation text and tax
registrations are never looked at, so they cannot be stored by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

GRAND_TOTAL = "GRAND_TOTAL"
"""Basis of an order's amount: ``proceeds.grandTotal``, what the seller receives. Not comparable with API v0."""
ACTIVE, CANCELLED, CANCELLED_ZERO_QUANTITY = "ACTIVE", "CANCELLED", "CANCELLED_ZERO_QUANTITY"
LARGEST_QUANTITY = 2**31 - 1
MONEY_DIGITS = 30


@dataclass(frozen=True)
class Item:
    """One line of an order; the names are those of the product's columns."""

    externalItemId: str
    sku: str | None
    asin: str | None
    title: str | None
    quantityOrdered: int
    quantityFulfilled: int | None
    unitPrice: Decimal | None
    lineTotal: Decimal | None
    currency: str | None
    lineStatus: str

    def row(self) -> dict[str, Any]:
        """The line as a mapping of columns."""
        return asdict(self)


@dataclass(frozen=True)
class Order:
    """One order with its lines. Times are aware and in UTC; money is exact or ``None`` where Amazon gives none."""

    externalOrderId: str
    orderRef: str
    marketplaceId: str
    orderDate: datetime
    totalAmount: Decimal | None
    currency: str | None
    amountBasis: str | None
    orderStatus: str
    fulfillmentChannel: str | None
    lastUpdatedAt: datetime
    items: tuple[Item, ...]

    def row(self) -> dict[str, Any]:
        """The order as a mapping of columns, without its lines."""
        return {name: value for name, value in vars(self).items() if name != "items"}


@dataclass(frozen=True)
class Rejected:
    """A row that cannot be stored, with no content of it: which order, which field, what is wrong with it.

    :param order_id: Amazon's order id, or empty when even that is missing.
    :param reason: ``missing``, ``wrong_type``, ``wrong_value``, ``unstorable_character`` or ``conflicting_items``.
    :param lines: number of lines that are rejected with it.
    """

    order_id: str
    reason: str
    field: str
    lines: int


class _Unusable(Exception):
    def __init__(self, reason: str, field: str) -> None:
        self.reason = reason
        self.field = field
        super().__init__(f"{reason} {field}")


def parse_order(raw: object, where: str) -> Order | Rejected:
    """Normalise one element of ``orders``. ``where`` (``page 3 row 17``) names it when it has no usable id."""
    order_id, lines = "", 0
    try:
        order = _mapping(raw, "order")
        order_id = _text(order, "orderId")
        lines = len(order["orderItems"]) if isinstance(order.get("orderItems"), list) else 0
        return _order(order, order_id)
    except _Unusable as error:
        field = error.field if order_id else f"{where}: {error.field}"
        return Rejected(order_id, error.reason, field, lines)


def _order(order: Mapping[str, Any], order_id: str) -> Order:
    fulfillment = _mapping(order.get("fulfillment"), "fulfillment")
    channel = _mapping(order.get("salesChannel"), "salesChannel")
    raw_items = order.get("orderItems")
    if not isinstance(raw_items, list):
        raise _Unusable("missing" if raw_items is None else "wrong_type", "orderItems")
    items: dict[str, Item] = {}
    for raw_item in raw_items:
        item = _item(_mapping(raw_item, "orderItems"))
        known = items.setdefault(item.externalItemId, item)
        if known != item:
            raise _Unusable("conflicting_items", "orderItems.orderItemId")
    total, currency = _money(_optional(order, "proceeds"), "grandTotal", "proceeds.grandTotal")
    return Order(
        externalOrderId=order_id,
        orderRef=reference(order_id),
        marketplaceId=_text(channel, "marketplaceId", "salesChannel.marketplaceId"),
        orderDate=_moment(order, "createdTime"),
        totalAmount=total,
        currency=currency,
        amountBasis=GRAND_TOTAL if total is not None else None,
        orderStatus=_text(fulfillment, "fulfillmentStatus", "fulfillment.fulfillmentStatus").upper(),
        fulfillmentChannel=(_maybe_text(fulfillment, "fulfilledBy", "fulfillment.fulfilledBy") or "").upper() or None,
        lastUpdatedAt=_moment(order, "lastUpdatedTime"),
        items=tuple(items.values()),
    )


def _item(raw: Mapping[str, Any]) -> Item:
    product = _mapping(raw.get("product"), "orderItems.product")
    quantity = _quantity(raw.get("quantityOrdered"), "orderItems.quantityOrdered")
    if quantity is None:
        raise _Unusable("missing", "orderItems.quantityOrdered")
    unit, unit_currency = _money(_optional(product, "price"), "unitPrice", "orderItems.product.price.unitPrice")
    line, line_currency = _money(_item_subtotal(raw), "subtotal", "orderItems.proceeds.breakdowns.subtotal")
    return Item(
        externalItemId=_text(raw, "orderItemId", "orderItems.orderItemId"),
        sku=_maybe_text(product, "sellerSku", "orderItems.product.sellerSku"),
        asin=_maybe_text(product, "asin", "orderItems.product.asin"),
        title=_maybe_text(product, "title", "orderItems.product.title"),
        quantityOrdered=quantity,
        quantityFulfilled=_quantity(
            _optional(raw, "fulfillment").get("quantityFulfilled"), "orderItems.fulfillment.quantityFulfilled"
        ),
        unitPrice=unit,
        lineTotal=line,
        currency=line_currency or unit_currency,
        lineStatus=_line_status(raw, quantity),
    )


def reference(order_id: str) -> str:
    """What the product shows for an order: ``#`` and the last six digits of Amazon's id."""
    return "#" + "".join(character for character in order_id if character.isalnum())[-6:]


def _line_status(item: Mapping[str, Any], quantity: int) -> str:
    # Amazon keeps a cancelled line and sets its quantity to 0; the word for it is ours.
    if quantity == 0:
        return CANCELLED_ZERO_QUANTITY
    return CANCELLED if _optional(_optional(item, "cancellation"), "cancellationExecution") else ACTIVE


def _item_subtotal(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The breakdown of type ITEM: the line's goods, without shipping, gift wrap and separately reported tax."""
    breakdowns = _optional(item, "proceeds").get("breakdowns")
    for part in breakdowns if isinstance(breakdowns, list) else ():
        if isinstance(part, dict) and part.get("type") == "ITEM":
            return part
    return {}


def _optional(container: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = container.get(name)
    return value if isinstance(value, dict) else {}


def _mapping(value: object, field: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise _Unusable("missing" if value is None else "wrong_type", field)


def _text(container: Mapping[str, Any], name: str, field: str | None = None) -> str:
    value = _maybe_text(container, name, field or name)
    if not value:
        raise _Unusable("missing", field or name)
    return value


def _maybe_text(container: Mapping[str, Any], name: str, field: str) -> str | None:
    value = container.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _Unusable("wrong_type", field)
    # PostgreSQL stores neither NUL nor a lone surrogate in a text.
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise _Unusable("unstorable_character", field)
    return value


def _moment(container: Mapping[str, Any], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(container, name))
    except ValueError:
        raise _Unusable("wrong_value", name) from None
    if moment.tzinfo is None:
        raise _Unusable("wrong_value", name)
    return moment.astimezone(UTC)


def _quantity(value: object, field: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Unusable("wrong_type", field)
    if not 0 <= value <= LARGEST_QUANTITY:
        raise _Unusable("wrong_value", field)
    return value


def _money(container: Mapping[str, Any], name: str, field: str) -> tuple[Decimal | None, str | None]:
    """Amount and currency; both or neither: an amount whose currency is unknown is no amount."""
    money = container.get(name)
    if money is None:
        return None, None
    if not isinstance(money, dict):
        raise _Unusable("wrong_type", field)
    # A JSON number has gone through a float already: Amazon promises a decimal as text.
    raw, currency = money.get("amount"), _text(money, "currencyCode", f"{field}.currencyCode")
    if not isinstance(raw, str):
        raise _Unusable("missing" if raw is None else "wrong_type", f"{field}.amount")
    try:
        amount = Decimal(raw)
    except InvalidOperation:
        raise _Unusable("wrong_value", f"{field}.amount") from None
    if not amount.is_finite() or len(raw) > MONEY_DIGITS or abs(amount.adjusted()) > MONEY_DIGITS:
        raise _Unusable("wrong_value", f"{field}.amount")
    return amount, currency
