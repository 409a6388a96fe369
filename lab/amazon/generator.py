# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes orders in Amazon's 2026-01-01 shape, always the same for the same arguments.

Each order carries every data set; what a request sees of it is decided when it is served. Whatever could
name a buyer is made up and contains the word in CANARY, so that a test can prove where it never arrives.
"""

from __future__ import annotations

import copy
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from lab.amazon.catalogue import BY_SKU, PRODUCTS
from lab.amazon.clock import iso
from lab.amazon.drafts import Draft, Line
from lab.amazon.marketplaces import MARKETPLACES

CANARY = "CANARY-BUYER"
FRANCE = "A13V1IB3VIYZZH"
# Statuses in which an order has no price yet.
UNPRICED = ("PENDING", "PENDING_AVAILABILITY")
CANCELLERS = ("BUYER", "MERCHANT", "AMAZON")
REASONS = {"BUYER": "Commandé par erreur", "MERCHANT": "Article endommagé à l’entrepôt", "AMAZON": "Paiement refusé"}

Order = dict[str, Any]


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """Amazon's money: a decimal as text; yen have no fraction."""
    return {"amount": f"{amount:.0f}" if currency == "JPY" else f"{amount:.2f}", "currencyCode": currency}


def _breakdowns(item: Decimal, shipping: Decimal, currency: str) -> list[dict[str, Any]]:
    rows = [{"type": "ITEM", "subtotal": money(item, currency)}]
    if shipping:
        rows.append({"type": "SHIPPING", "subtotal": money(shipping, currency)})
    return rows


def _product(draft: Draft, line: Line, currency: str) -> dict[str, Any]:
    product: dict[str, Any] = {
        "asin": line.product.asin,
        "title": line.product.title,
        "sellerSku": line.product.sku,
        "condition": {"conditionType": "NEW", "conditionSubtype": "NEW"},
    }
    if draft.status not in UNPRICED and line.priced:
        product["price"] = {"unitPrice": money(line.unit, currency)}
    if "customized" in draft.extras:
        product["customization"] = {"customizedUrl": f"https://custom.amazon.example/t/{CANARY}-{draft.number}"}
    return product


def _item(draft: Draft, position: int, line: Line, currency: str) -> dict[str, Any]:
    shipped = line.quantity if draft.status == "SHIPPED" else 0
    if draft.status == "PARTIALLY_SHIPPED" and position == 0:
        shipped = line.quantity
    item: dict[str, Any] = {
        "orderItemId": str(20_000_000_000_000 + draft.number * 10 + position),
        "quantityOrdered": line.quantity,
        "product": _product(draft, line, currency),
        "fulfillment": {"quantityFulfilled": shipped, "quantityUnfulfilled": line.quantity - shipped},
    }
    if draft.status not in UNPRICED and (line.quantity or draft.cancelled_lines_priced):
        subtotal = line.unit * line.quantity
        item["proceeds"] = {
            "proceedsTotal": money(subtotal + line.shipping, currency),
            "breakdowns": _breakdowns(subtotal, line.shipping, currency),
        }
        item["tax"] = {"taxCollections": [{"model": "MARKETPLACE_FACILITATOR", "responsibleParty": "Amazon"}]}
    if line.quantity == 0:
        who = CANCELLERS[draft.number % len(CANCELLERS)]
        item["cancellation"] = {"cancellationExecution": {"cancelledBy": who, "cancelReason": REASONS[who]}}
        if who == "BUYER":
            item["cancellation"]["cancellationRequest"] = {"requester": who, "cancelReason": REASONS[who]}
    if "gift" in draft.extras and position == 0:
        gift = {"giftMessage": f"{CANARY}-{draft.number} : joyeux anniversaire, à très bientôt !"}
        item["fulfillment"]["packing"] = {"giftOption": {**gift, "giftWrapLevel": "PREMIUM"}}
    if "promotion" in draft.extras:
        item["promotion"] = {"breakdowns": [{"promotionId": "FR-SOLDES-ETE-2025"}]}
        points = {"pointsNumber": 10, "pointsMonetaryValue": money(Decimal("0.10"), currency)}
        item["expense"] = {"pointsCost": {"pointsGranted": points}}
    return item


def _buyer(draft: Draft) -> dict[str, Any]:
    mark = f"{CANARY}-{draft.number}"
    return {
        "buyer": {"buyerName": f"{mark} Prénom", "buyerEmail": f"{mark}@marketplace.amazon.example"},
        "recipient": {
            "deliveryAddress": {
                "name": f"{mark} Prénom",
                "addressLine1": f"{mark} rue Fictive",
                "city": f"{mark}-Ville",
                "postalCode": f"{mark}-00000",
                "countryCode": "FR",
                "phone": f"{mark}-tel",
                "addressType": "RESIDENTIAL",
            },
            "deliveryPreference": {"addressInstruction": f"{mark} : sonner à l’étage"},
        },
    }


def _package(draft: Draft, order: Order) -> dict[str, Any]:
    shipped_at = min(draft.created + timedelta(hours=20), draft.updated)
    return {
        "packageReferenceId": "1",
        "createdTime": iso(shipped_at),
        "packageStatus": {"status": "DELIVERED" if draft.status == "SHIPPED" else "SHIPPED"},
        "carrier": "Colissimo",
        "shipTime": iso(shipped_at),
        "shippingService": "Domicile sans signature",
        "trackingNumber": f"LAB{draft.number:011d}FR",
        "packageItems": [
            {"orderItemId": item["orderItemId"], "quantity": item["fulfillment"]["quantityFulfilled"]}
            for item in order["orderItems"]
            if item["fulfillment"]["quantityFulfilled"]
        ],
    }


def build(draft: Draft) -> Order:
    """The order of a draft."""
    marketplace = MARKETPLACES[draft.marketplace_id]
    currency = marketplace.currency
    programs = ["PRIME"] if draft.channel == "AMAZON" else []
    if "business" in draft.extras:
        programs.append("AMAZON_BUSINESS")
    order: Order = {
        "orderId": draft.order_id,
        "createdTime": iso(draft.created),
        "lastUpdatedTime": iso(draft.updated, milliseconds=True),
        "programs": programs,
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": marketplace.id,
            "marketplaceName": marketplace.name,
        },
        **_buyer(draft),
        "fulfillment": {
            "fulfillmentStatus": draft.status,
            "fulfilledBy": draft.channel,
            "fulfillmentServiceLevel": "SECOND_DAY" if draft.channel == "AMAZON" else "STANDARD",
            "shipByWindow": {
                "earliestDateTime": iso(draft.created),
                "latestDateTime": iso(draft.created + timedelta(days=2)),
            },
        },
        "orderItems": [_item(draft, at, line, currency) for at, line in enumerate(draft.lines)],
    }
    if draft.channel == "MERCHANT":
        order["orderAliases"] = [{"aliasId": f"FR-{draft.number}", "aliasType": "SELLER_ORDER_ID"}]
        order["fulfillmentOrders"] = [{"fulfillmentOrderId": f"FO{draft.number:09d}"}]
    if "business" in draft.extras:
        name = f"{CANARY}-{draft.number} SARL"
        registration = {"entityType": "BUYER", "legalName": name, "taxRegistrationType": "VAT"}
        order["tax"] = {"taxRegistrations": [registration]}
    total = draft.total_text or (money(draft.total, currency)["amount"] if draft.total is not None else None)
    if total is not None and draft.status not in UNPRICED:
        grand_total = {"amount": total, "currencyCode": currency}
        goods = sum((line.unit * line.quantity for line in draft.lines), Decimal(0))
        shipping = sum((line.shipping for line in draft.lines), Decimal(0))
        order["proceeds"] = {"grandTotal": grand_total, "breakdowns": _breakdowns(goods, shipping, currency)}
        order["payment"] = {"paymentExecutions": [{"paymentMethod": "CreditCard", "paymentAmount": grand_total}]}
    if draft.status in ("SHIPPED", "PARTIALLY_SHIPPED"):
        order["packages"] = [_package(draft, order)]
    return order


def change(order: Order, *, status: str, at: datetime) -> Order:
    """The same order later: in another status, last updated at ``at``; a cancelled one loses its quantities."""
    later = copy.deepcopy(order)
    number = (int(order["orderItems"][0]["orderItemId"]) - 20_000_000_000_000) // 10
    marketplace_id = order["salesChannel"]["marketplaceId"]
    lines = []
    for item in order["orderItems"]:
        product = BY_SKU[item["product"]["sellerSku"]]
        price = item["product"].get("price", {}).get("unitPrice", {}).get("amount")
        shipping = sum(
            (
                Decimal(part["subtotal"]["amount"])
                for part in item.get("proceeds", {}).get("breakdowns", [])
                if part["type"] == "SHIPPING"
            ),
            Decimal(0),
        )
        quantity = 0 if status == "CANCELLED" else item["quantityOrdered"]
        unit = Decimal(price) if price else product.price
        lines.append(Line(product, quantity, unit, Decimal(0) if status == "CANCELLED" else shipping))
    draft = Draft(
        number=number,
        order_id=order["orderId"],
        created=datetime.fromisoformat(order["createdTime"]),
        updated=at,
        status=status,
        channel=order["fulfillment"]["fulfilledBy"],
        lines=tuple(lines),
        marketplace_id=marketplace_id,
        total=None if status == "CANCELLED" else sum((line.total for line in lines), Decimal(0)),
    )
    for name in ("proceeds", "payment", "packages"):
        later.pop(name, None)
    later.update(build(draft))
    return later


def synthetic_orders(
    count: int, seed: int, start: datetime, end: datetime, *, marketplace_id: str = FRANCE
) -> list[Order]:
    """``count`` orders created between two times (both inclusive, whole seconds), oldest first.

    About one in ten is cancelled, one in fifty pending, and one in forty has one cancelled line beside a
    shipped one. Ids differ between seeds.
    """
    rng = random.Random(f"keybuzz {seed} {count}")  # noqa: S311 - no secret, always the same
    first = int(start.astimezone(UTC).timestamp())
    last = int(end.astimezone(UTC).timestamp())
    moments = sorted(rng.randint(first, last) for _ in range(count))
    middle = seed * 2_654_435_761 % 10_000_000
    ids = [f"{400 + at % 9}-{middle:07d}-{at:07d}" for at in range(count)]
    return [
        build(_random_draft(rng, seed * 10_000_000 + at, order_id, moment, marketplace_id))
        for at, (order_id, moment) in enumerate(zip(ids, moments, strict=True))
    ]


def _random_draft(rng: random.Random, number: int, order_id: str, moment: int, marketplace_id: str) -> Draft:
    status = rng.choices(("SHIPPED", "CANCELLED", "UNSHIPPED", "PENDING"), (85, 10, 3, 2))[0]
    channel = rng.choice(("AMAZON", "MERCHANT"))
    lines = []
    for position in range(rng.choices((1, 2, 3), (82, 14, 4))[0]):
        product = rng.choice(PRODUCTS)
        quantity = 0 if status == "CANCELLED" else rng.choices((1, 2, 3), (85, 12, 3))[0]
        shipping = Decimal("4.99") if channel == "MERCHANT" and position == 0 and quantity else Decimal(0)
        lines.append(Line(product, quantity, product.price, shipping))
    if status == "SHIPPED" and number % 40 == 0:
        lines.append(Line(rng.choice(PRODUCTS), 0, Decimal(0), Decimal(0), priced=False))
    created = datetime.fromtimestamp(moment, UTC)
    return Draft(
        number=number,
        order_id=order_id,
        created=created,
        updated=created + timedelta(seconds=rng.randint(600, 4 * 86_400), milliseconds=rng.randint(0, 999)),
        status=status,
        channel=channel,
        lines=tuple(lines),
        marketplace_id=marketplace_id,
        total=None if status == "CANCELLED" else sum((line.total for line in lines), Decimal(0)),
    )
