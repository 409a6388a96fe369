# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain HTTP caller of the simulator, for tests that look at single answers."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from tests.lab.amazon_process import FRANCE, Simulator

SEARCH = "/orders/2026-01-01/orders"
PARTICIPATIONS = "/sellers/v1/marketplaceParticipations"
# The report's 90 days.
SINCE = "2025-10-14T12:00:00Z"
UNTIL = "2026-01-12T12:00:00Z"


class Caller:
    """Calls as one tenant; asks for one access token and keeps it."""

    def __init__(self, simulator: Simulator, tenant: str = "ecomlg-001") -> None:
        self.simulator = simulator
        self.tenant = tenant
        self.http = httpx.Client(
            base_url=simulator.endpoint,
            verify=ssl.create_default_context(cafile=simulator.ca_file),
            timeout=20,
            trust_env=False,
        )
        self._access_token: str | None = None

    def credentials(self) -> dict[str, str]:
        """The application's part of every LWA form."""
        return {"client_id": self.simulator.client_id, "client_secret": self.simulator.client_secret}

    def lwa(self, **form: str) -> httpx.Response:
        """Posts one form to LWA, with the application's credentials unless the form has its own."""
        return self.http.post("/auth/o2/token", data={**self.credentials(), **form})

    def refresh(self) -> httpx.Response:
        """A refresh grant with the tenant's token."""
        return self.lwa(grant_type="refresh_token", refresh_token=self.simulator.refresh_tokens[self.tenant])

    def headers(self) -> dict[str, str]:
        """What an API call carries."""
        if self._access_token is None:
            self._access_token = self.refresh().json()["access_token"]
        return {"x-amz-access-token": self._access_token}

    def get(self, path: str, **query: Any) -> httpx.Response:
        """One API call."""
        return self.http.get(path, params=query, headers=self.headers())

    def search(self, **query: Any) -> httpx.Response:
        """searchOrders over the report's 90 days; a value of None leaves a parameter out."""
        asked = {"createdAfter": SINCE, "createdBefore": UNTIL, "marketplaceIds": FRANCE, **query}
        return self.get(SEARCH, **{name: value for name, value in asked.items() if value is not None})


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message of Amazon's error list."""
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["message"]
