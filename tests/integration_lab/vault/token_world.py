# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of vault_token_secret share: one run of its work on the servers of this folder."""

from __future__ import annotations

from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_look import Servers
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_secret import run
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import desired_from
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

from .conftest import Cluster, Server

NAMESPACE, SECRET, KEY = "keybuzz-backend-dev", "vault-token", "VAULT_TOKEN"
API = "keybuzz-api-dev"
POLICY = "keybuzz-backend-dev"
ACCESSOR = "amazon.keybuzz.io/accessor"
SUPERSEDED = "amazon.keybuzz.io/superseded-accessor"
CHECKSUM_KEY = "amazon.keybuzz.io/checksum-key"
INTENT = "amazon.keybuzz.io/token-intent"
OPTIONS: dict[str, Any] = {
    "strategy": "scoped",
    "namespace": NAMESPACE,
    "secret": SECRET,
    "key": KEY,
    "vault_mount": "secret",
    "app_path": "keybuzz/amazon_spapi/app",
    "tenant_path_pattern": "keybuzz/tenants/+/amazon_spapi",
    "token_period": "168h",
    "superseded": "keep",
    "compare_with": [{"namespace": API, "secret": SECRET, "key": KEY}],
}
COPY = {"strategy": "copy", "copy_from": OPTIONS["compare_with"][0], "compare_with": None}


class World:
    """One run of the module's work, with the credentials of an operator or an auditor."""

    def __init__(self, server: Server, kubernetes: Cluster) -> None:
        self.server, self.kubernetes = server, kubernetes
        self.protected: list[str] = []

    def servers(self, *, vault: str = "repair", kube: str = "repair", bootstrap: bool = False) -> Servers:
        return Servers(
            vault=self.server.client(vault),
            kube=self.kubernetes.client(kube),
            protect=lambda secrets: self.protected.extend(secret for secret in secrets if secret),
            bootstrap=self.server.client("bootstrap") if bootstrap else None,
        )

    def run(self, *, check_mode: bool = False, servers: Servers | None = None, **options: Any) -> Outcome:
        servers = servers or self.servers()
        given = {**OPTIONS, "vault_addr": self.server.vault.addr, **options}
        desired = desired_from(given, bootstrap_given=servers.bootstrap is not None)
        return run(servers, desired, check_mode=check_mode)

    def check(self, **options: Any) -> Outcome:
        servers = options.pop("servers", None) or self.servers(vault="audit", kube="audit")
        return self.run(check_mode=True, servers=servers, **options)

    def put(self, value: str | None, **annotations: str) -> None:
        values = {} if value is None else {KEY: value}
        noted = {f"amazon.keybuzz.io/{name.replace('_', '-')}": text for name, text in annotations.items()}
        self.kubernetes.put(NAMESPACE, SECRET, values, annotations=noted)

    @property
    def value(self) -> str:
        return self.kubernetes.values(NAMESPACE, SECRET)[KEY]

    @property
    def annotations(self) -> dict[str, str]:
        return self.kubernetes.annotations(NAMESPACE, SECRET)

    def lookup(self, value: str) -> dict[str, Any]:
        client = self.server.root()
        client.token = value
        return dict(client.auth.token.lookup_self()["data"])

    def accessors(self) -> set[str]:
        """Of all tokens there are."""
        return set(self.server.root().adapter.list("/v1/auth/token/accessors")["data"]["keys"])

    def edit(self, value: str) -> None:
        """Somebody replaces the token and leaves everything else of the Secret as it is."""
        self.kubernetes.api.patch("secrets", SECRET, {"stringData": {KEY: value}}, NAMESPACE)

    def living_uid(self) -> str:
        """Of some object, for an owner: what nobody owns any more is collected as garbage."""
        return str(self.kubernetes.get(API, SECRET)["metadata"]["uid"])

    def limited(self, policy: str, *, base: str = "keybuzz-repair", without: tuple[str, ...] = ()) -> VaultClient:
        """A client like the repair's, whose policy lacks some paths. ``policy`` names it."""
        root = self.server.root()
        text = root.sys.read_policy(base)["data"]["rules"]
        kept = [line for line in text.splitlines() if not any(f'"{path}"' in line for path in without)]
        root.sys.create_or_update_policy(policy, "\n".join(kept))
        made = self.server.make_token(policies=[policy], ttl="1h", no_default_policy=True)
        return self.server.client().acting_as(made["client_token"])

    def healthy(self) -> str:
        """A token of our own making in the Secret. Returns its value."""
        self.put("")
        self.run()
        return self.value


def item(outcome: Outcome, item_id: str = "vault_token/secret") -> Item:
    return next(found for found in outcome.items if found.id == item_id)
