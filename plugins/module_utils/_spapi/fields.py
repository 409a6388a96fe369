# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Single fields of Amazon's answers: each is read into its type, or says what is wrong with it. Never their content."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

LARGEST_QUANTITY = 2**31 - 1
MONEY_DIGITS = 30


class Unusable(Exception):
    """A field that cannot be stored: ``reason`` as in ``Rejected``, and the field's path in Amazon's names."""

    def __init__(self, reason: str, field: str) -> None:
        self.reason = reason
        self.field = field
        super().__init__(f"{reason} {field}")


def optional(container: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A mapping under this name, or an empty one."""
    value = container.get(name)
    return value if isinstance(value, dict) else {}


def mapping(value: object, field: str) -> Mapping[str, Any]:
    """The value, which must be a mapping."""
    if isinstance(value, dict):
        return value
    raise Unusable("missing" if value is None else "wrong_type", field)


def text(container: Mapping[str, Any], name: str, field: str | None = None) -> str:
    """A text that must be there. ``field`` names it where its own name does not."""
    value = maybe_text(container, name, field or name)
    if not value:
        raise Unusable("missing", field or name)
    return value


def maybe_text(container: Mapping[str, Any], name: str, field: str) -> str | None:
    """A text that may be absent."""
    value = container.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unusable("wrong_type", field)
    # PostgreSQL stores neither NUL nor a lone surrogate in a text.
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Unusable("unstorable_character", field)
    return value


def moment(container: Mapping[str, Any], name: str) -> datetime:
    """A time with a zone, in UTC."""
    try:
        moment = datetime.fromisoformat(text(container, name))
    except ValueError:
        raise Unusable("wrong_value", name) from None
    if moment.tzinfo is None:
        raise Unusable("wrong_value", name)
    return moment.astimezone(UTC)


def quantity(value: object, field: str) -> int | None:
    """A number of pieces that may be absent."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unusable("wrong_type", field)
    if not 0 <= value <= LARGEST_QUANTITY:
        raise Unusable("wrong_value", field)
    return value


def money(container: Mapping[str, Any], name: str, field: str) -> tuple[Decimal | None, str | None]:
    """Amount and currency of API 2026-01-01; both or neither: an amount whose currency is unknown is no amount."""
    return _money(container.get(name), field, "amount", "currencyCode")


def money_v0(container: Mapping[str, Any], name: str, field: str) -> tuple[Decimal | None, str | None]:
    """The same in v0's words."""
    return _money(container.get(name), field, "Amount", "CurrencyCode")


def _money(value: object, field: str, amount_name: str, currency_name: str) -> tuple[Decimal | None, str | None]:
    if value is None:
        return None, None
    if not isinstance(value, dict):
        raise Unusable("wrong_type", field)
    currency = text(value, currency_name, f"{field}.{currency_name}")
    return amount(value.get(amount_name), f"{field}.{amount_name}"), currency


def amount(raw: object, field: str) -> Decimal:
    """A decimal number as text. A JSON number has gone through a float already: Amazon promises text."""
    if not isinstance(raw, str):
        raise Unusable("missing" if raw is None else "wrong_type", field)
    try:
        number = Decimal(raw)
    except InvalidOperation:
        raise Unusable("wrong_value", field) from None
    if not number.is_finite() or len(raw) > MONEY_DIGITS or abs(number.adjusted()) > MONEY_DIGITS:
        raise Unusable("wrong_value", field)
    return number
