# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What every source of orders promises to the import. A new source is one file that keeps this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import Answer
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order, Rejected

LARGEST_PAGE = 100
"""Orders on a page of Amazon's lists at most (Amazon: maxResultsPerPage)."""
SETTLING = 120.0
"""A window must end this many seconds before Amazon's now (Amazon: createdBefore)."""
HISTORY_DAYS = 730
"""Amazon keeps two years of orders."""

Family = Literal["created", "updated"]
"""The time that orders are chosen by: when they were created, or when anything of them last changed."""


@dataclass(frozen=True)
class Task:
    """A window of one marketplace, both ends included, aware and in UTC."""

    marketplace_id: str
    after: datetime
    before: datetime
    family: Family = "created"


@dataclass(frozen=True)
class Place:
    """Where a reading stands: what the last stored page said of the next one.

    :param token: token of the next page; ``None`` at the beginning, and for sources that have none.
    :param pages: pages stored so far.
    :param state: what else the source has to remember, as JSON types.
    """

    token: str | None = field(default=None, repr=False)
    pages: int = 0
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """One page, normalised.

    :param fetched: rows Amazon sent of the marketplace, duplicates included; 0 for a page that only moves the place.
    :param next_token: token of the following page.
    :param last: nothing follows.
    :param state: the source's own part of the place behind this page.
    :param rate: requests a second, when Amazon said so.
    :param weaker: amounts are not Amazon's grand total; a row of the same version is not overwritten with them.
    :param elsewhere: rows of other marketplaces that came along; they are counted and not stored.
    :param waypoint: nothing but a place to remember, such as the id of a report that was asked for.
    :param part_ended: what follows was created later than all that came before, or in the same second.
    """

    fetched: int
    orders: tuple[Order, ...]
    rejected: tuple[Rejected, ...]
    next_token: str | None
    rate: float | None = None
    last: bool = False
    state: Mapping[str, Any] = field(default_factory=dict)
    weaker: bool = False
    elsewhere: int = 0
    waypoint: bool = False
    part_ended: bool = False


class Asking(Protocol):
    """Asks Amazon with patience: the usage plan is kept, waits have a budget, and what may work later is tried again.

    ``operation`` is Amazon's name of the call, which its usage plan goes by.
    """

    endpoint: str

    def get(self, operation: str, path: str, params: Mapping[str, str], *, payload_key: str) -> Answer:
        """One GET that succeeded in the end."""

    def post(self, operation: str, path: str, body: Mapping[str, Any], *, payload_key: str) -> Answer:
        """One POST that succeeded in the end. An answer that was lost makes it a second one."""

    def download(self, url: str) -> AbstractContextManager[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Headers and body of a presigned address; one try."""

    def pause(self, seconds: float, why: str) -> None:
        """Wait within the budget, visibly."""


class Source(Protocol):
    """One of Amazon's interfaces that orders can be read from."""

    name: str
    token_life: float | None
    """Seconds a page token lives; ``None``: no token, or none that ends."""
    bulk: bool
    """Pages have a size of our own instead of Amazon's."""

    def query(self, task: Task) -> dict[str, str]:
        """The parameters that must be the same for all pages of a task: what a checkpoint stores."""

    def again(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The state of a reading that begins anew: what of the old one is still of use."""

    def read(self, query: Mapping[str, str], place: Place, ask: Asking, *, page_size: int) -> Iterator[Page]:
        """Pages from a place to the end; the last one has ``last`` set.

        :raises PageTokenRefused: the place is not good any more; the reading has to begin anew.
        :raises KeybuzzError: what stopped it. The place of the last page is good for another try.
        """


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, to the second, as Amazon writes it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
