# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of an API operation, after the gateway let it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lab.amazon.answers import Answer, Refused, invalid_input, unauthorized
from lab.amazon.clock import parse_iso
from lab.amazon.config import Seller
from lab.amazon.marketplaces import MARKETPLACES
from lab.amazon.world import World

# The two-minute rule in Amazon's words (seen in airbytehq/airbyte issue 52592).
TWO_MINUTES = timedelta(minutes=2)
TOO_RECENT = (
    "The input you have submitted is not valid. Note that the error may be due to a systematic delay in data "
    "retrieval. The most updated data is 2 minutes after an order is created or last updated. If you set the "
    "CreatedBefore or LastUpdatedBefore parameters, please provide a date that is at least 2 minutes before "
    "current time and try again."
)


@dataclass(frozen=True)
class Call:
    """``query`` holds each parameter once, repeated ones joined by commas; ``path`` what the URL names;
    ``body`` is the JSON object of a POST, ``host`` the Host header.
    """

    operation: str
    seller: Seller
    query: dict[str, str]
    path: dict[str, str]
    fault: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    host: str = ""


Handler = Callable[[World, Call], Answer]


def listed(call: Call, name: str, *, allowed: frozenset[str] | None = None, most: int | None = None) -> list[str]:
    """A comma-separated parameter; refuses values outside ``allowed`` and more than ``most`` of them."""
    if name not in call.query:
        return []
    values = [value.strip() for value in call.query[name].split(",")]
    for value in values:
        if not value or (allowed is not None and value not in allowed):
            raise invalid_input(f"Invalid value {value!r} for parameter {name}.")
    if most is not None and len(values) > most:
        raise invalid_input(f"Parameter {name} takes at most {most} values.")
    return values


def moment(call: Call, name: str) -> datetime | None:
    """A date-time parameter; refuses anything but ISO 8601 with a zone."""
    if name not in call.query:
        return None
    try:
        return parse_iso(call.query[name])
    except ValueError:
        raise invalid_input(f"Parameter {name} is not a date-time in ISO 8601 format.") from None


def page_size(call: Call, name: str) -> int:
    """1 to 100, by default 100."""
    text = call.query.get(name, "100")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100):
        raise invalid_input(f"Parameter {name} must be a number between 1 and 100.")
    return int(text)


def window(world: World, after: datetime, before: datetime | None) -> tuple[datetime, datetime]:
    """The searched time, its end set to two minutes ago where it is not given."""
    latest = world.clock.now() - TWO_MINUTES
    end = latest if before is None else before
    if end > latest:
        raise invalid_input(TOO_RECENT)
    if end < after:
        raise invalid_input(TOO_RECENT if before is None else "The end of the time window lies before its start.")
    return after, end


def check_marketplaces(world: World, call: Call, ids: list[str]) -> None:
    """Refuses unknown marketplaces, and such in which the seller does not sell."""
    for marketplace_id in ids:
        if marketplace_id not in MARKETPLACES:
            raise invalid_input(f"Marketplace {marketplace_id} is not known.")
        absent = (call.seller.tenant, marketplace_id) in world.not_participating
        if absent or marketplace_id not in call.seller.marketplace_ids:
            raise Denied


class Denied(Refused):
    """403: the seller may not do this."""

    def __init__(self) -> None:
        super().__init__(403, "Unauthorized", "Access to requested resource is denied.")
        self.answer = unauthorized("")
