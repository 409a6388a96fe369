# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the work of the module vault_amazon_app_creds on real servers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_age import Limits
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_plan import FIELDS, Desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_source import wished
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_amazon_app_creds import Servers, run
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaClient

from lab.cluster import objects
from tests.lab.amazon_process import Simulator

from .conftest import APP_PATH, Cluster, Server

NAMESPACE, NAME = "keybuzz-backend-dev", "amazon-spapi-creds"
SOURCE = {
    "namespace": NAMESPACE,
    "name": NAME,
    "keys": {field: f"AMAZON_SPAPI_{field.upper()}" for field in FIELDS},
}
KEYS = {field: field for field in FIELDS}


class World:
    """One run of the module's work, from the source Secret unless told otherwise."""

    def __init__(self, server: Server, kubernetes: Cluster, amazon: Simulator) -> None:
        self.server, self.kubernetes, self.amazon = server, kubernetes, amazon
        self.right: dict[str, Any] = server.drawn.app_document()
        self.protected: list[str] = []

    def run(self, *, check_mode: bool = False, holder: str = "repair", verify: bool = True, **options: Any) -> Outcome:
        now, keys = options.pop("now", None), options.pop("keys", KEYS)

        def protect(secrets: Iterable[str | None]) -> None:
            self.protected.extend(secret for secret in secrets if secret)

        lwa = LwaClient(self.amazon.lwa_url, ca_cert=str(self.amazon.ca_file)) if verify else None
        vault = options.pop("vault", None) or self.server.client(holder)
        depth = options.pop("depth", "values")
        servers = Servers(vault, options.pop("mount", "secret"), APP_PATH, lwa, protect, depth)
        given = {"source_secret": SOURCE, **options}
        if depth == "keys":
            given["source_secret"] = None
        wish = wished(given, self.kubernetes.client(holder) if given["source_secret"] else None, protect)
        desired = Desired(keys, Limits(), "vault kv undelete -versions=VERSION", options.pop("since", None))
        return run(servers, wish, desired, check_mode=check_mode, now=now)

    def check(self, **options: Any) -> Outcome:
        return self.run(check_mode=True, holder="audit", **options)

    def source(self, **changes: str | None) -> None:
        values = {**self.right, **changes}
        named = {field: value for field, value in values.items() if value is not None}
        stored = objects.spapi_values({**self.right, **named})
        lacking = {SOURCE["keys"][field] for field, value in values.items() if value is None}  # type: ignore[index]
        self.kubernetes.put(NAMESPACE, NAME, {key: value for key, value in stored.items() if key not in lacking})

    def document(self) -> dict[str, Any]:
        return dict(self.server.get(APP_PATH)["data"])

    def version(self) -> int:
        return int(self.server.get(APP_PATH)["metadata"]["version"])

    def lwa_calls(self) -> int:
        return len(self.amazon.admin.requests("token"))


def item(outcome: Outcome, item_id: str = "amazon_app/document") -> Item:
    return next(found for found in outcome.items if found.id == item_id)
