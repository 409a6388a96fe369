# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a test asks for by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LWA = "token"

# Instead of Amazon's answer, at LWA only.
LWA_FAULTS = (
    "revoked-token",
    "invalid-client",
    "unauthorized-client",
    "lwa-503-html",
    "lwa-truncated",
    "lwa-429",
    "lwa-slow",
    "lwa-500-json",
)
# Instead of an API's answer; nothing is taken from the bucket.
API_FAULTS = ("throttle-storm", "forbidden-403", "internal-500", "http-401", "wrong-400")
# Instead of an API's answer, but not in the words of its model.
EDGE_FAULTS = ("quota-429-with-retry-after", "gateway-504", "not-json-200", "http-413")
# Anywhere: what stands between the client and Amazon.
NETWORK_FAULTS = ("html-503", "html-429", "slow", "reset")
# The API answers, and what arrives is damaged.
DAMAGE_FAULTS = ("truncated-200", "missing-payload-key")
# searchOrders and getOrders: pages that are not what they should be.
PAGE_FAULTS = ("repeated-page", "duplicate-rows")
# searchOrders alone.
SEARCH_FAULTS = (
    "expired-page-token",
    "moved-between-pages",
    "out-of-order",
    "missing-total",
    "unknown-status",
    "unknown-fields",
)
# These wait for a request with a page token: on a first page there is nothing for them to do.
LATER_PAGE_FAULTS = ("expired-page-token", "moved-between-pages")
# createReport: what becomes of the report that is asked for.
REPORT_FAULTS = ("report-fatal", "report-fatal-unexplained", "report-cancelled", "report-stuck")
# The download of a report document. The sticky ones stay with the document: its content never changes after that.
STICKY_FAULTS = ("document-duplicate-orders", "document-other-marketplace")
DOCUMENT_FAULTS = (
    "document-expired",
    "document-reset",
    "document-truncated",
    "document-slow",
    "document-html-503",
    "document-corrupt-gzip",
    "document-broken-xml",
    *STICKY_FAULTS,
)
DOWNLOAD = "reportDocument"
NAMES = (
    LWA_FAULTS
    + API_FAULTS
    + EDGE_FAULTS
    + NETWORK_FAULTS
    + DAMAGE_FAULTS
    + PAGE_FAULTS
    + SEARCH_FAULTS
    + REPORT_FAULTS
    + DOCUMENT_FAULTS
)
# What a fault meets that names no operation.
_MEETS = (
    (LWA_FAULTS, (LWA,)),
    (PAGE_FAULTS, ("searchOrders", "getOrders")),
    (SEARCH_FAULTS, ("searchOrders",)),
    (REPORT_FAULTS, ("createReport",)),
    (DOCUMENT_FAULTS, (DOWNLOAD,)),
)


@dataclass
class Fault:
    """``count`` times (None: until cleared), after ``skip`` matching requests were let through."""

    name: str
    operation: str | None = None
    tenant: str | None = None
    count: int | None = 1
    skip: int = 0
    seconds: float = 0.0

    def matches(self, operation: str, tenant: str | None) -> bool:
        """Whether this fault is meant for a request of ``tenant`` (None: unknown) to ``operation``."""
        if self.tenant is not None and self.tenant != tenant:
            return False
        if self.operation not in (None, "*"):
            return self.operation == operation
        for names, operations in _MEETS:
            if self.name in names:
                return operation in operations
        # What lies behind a presigned address is no API: only the network between is the same.
        return operation != LWA and (operation != DOWNLOAD or self.name in NETWORK_FAULTS)

    def describe(self) -> dict[str, Any]:
        """The fault as the admin port shows it."""
        return {
            "name": self.name,
            "operation": self.operation,
            "tenant": self.tenant,
            "count": self.count,
            "skip": self.skip,
            "seconds": self.seconds,
        }


class Faults:
    """The faults that wait for their request, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def inject(self, fault: Fault) -> None:
        """Adds a fault; raises ValueError for a name that is not one of NAMES."""
        if fault.name not in NAMES:
            raise ValueError(f"unknown fault {fault.name!r}; known: {', '.join(NAMES)}")
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forgets all."""
        self._waiting.clear()

    def take(self, operation: str, tenant: str | None, *, later_page: bool = False) -> Fault | None:
        """The fault for this request, used up by one; None lets the request pass.

        ``later_page`` says that the request carries searchOrders' page token.
        """
        for fault in self._waiting:
            if not fault.matches(operation, tenant) or (fault.name in LATER_PAGE_FAULTS and not later_page):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
            return fault
        return None

    def describe(self) -> list[dict[str, Any]]:
        """All that wait."""
        return [fault.describe() for fault in self._waiting]
