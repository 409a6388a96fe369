# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for the tests of this folder: broken and whole in process, its modules run in process, gates before it."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args

from lab import pieces, seed
from lab.certificates import authority, write_private
from lab.cluster import Api
from lab.world import World
from tests.chaos.gate import Gate
from tests.chaos.gate_postgres import PostgresGate
from tests.chaos.healthy import DEPLOYMENT, NAMESPACE, POLICY, ROLE, TENANT, Healthy

HOSTS = ["localhost", "127.0.0.1", "::1"]
STEPS = {
    "token": "vault_token_secret",
    "access": "k8s_deployment_env",
    "app": "vault_amazon_app_creds",
    "tenant": "amazon_tenant_connect",
    "orders": "amazon_orders_backfill",
}


@dataclass(frozen=True)
class Said:
    """What a module printed, exactly, and the result in it."""

    text: str
    result: dict[str, Any]

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def statuses(self) -> set[str]:
        """Of what is left to do."""
        return {item["status"] for item in self.result["remaining"]}


@dataclass(frozen=True)
class Addresses:
    """Where a module finds the servers."""

    vault: str
    kubeconfig: Path
    pg_port: int
    pg_passfile: Path
    amazon: str

    def variables(self) -> dict[str, object]:
        """The playbooks' variables of the same, for ``-e``."""
        return {
            "vault_addr": self.vault,
            "kubeconfig": str(self.kubeconfig),
            "pg_host": "127.0.0.1",
            "pg_port": self.pg_port,
            "pg_passfile": str(self.pg_passfile),
            "amazon_endpoint": self.amazon,
            "amazon_lwa_url": f"{self.amazon}/auth/o2/token",
        }


class Gates:
    """A gate before each server of a lab; who goes through them uses :attr:`addresses`."""

    def __init__(self, world: World) -> None:
        folder, state = world.directory, world.state
        vault, platform, amazon = (authority(folder, name) for name in ("vault", "platform", "amazon"))
        platform_leaf = platform.leaf("gate", HOSTS)
        self.vault = Gate("vault", state["vault"]["addr"], vault.ca_file, vault.leaf("gate", HOSTS))
        self.kubernetes = Gate("kubernetes", state["kubernetes"]["server"], platform.ca_file, platform_leaf)
        self.amazon = Gate("amazon", state["amazon"]["endpoint"], amazon.ca_file, amazon.leaf("gate", HOSTS))
        self.postgres = PostgresGate(state["postgres"]["port"], platform.ca_file, platform_leaf)
        kubeconfig = folder / "secrets" / "gate-repair.kubeconfig"
        own = Path(state["kubernetes"]["kubeconfigs"]["repair"]).read_text()
        write_private(kubeconfig, own.replace(state["kubernetes"]["server"], self.kubernetes.address))
        passfile = folder / "secrets" / "gate-pgpass"
        known = Path(state["postgres"]["passfile"]).read_text()
        write_private(passfile, known.replace(f"*:{state['postgres']['port']}:", f"*:{self.postgres.port}:"))
        self.addresses = Addresses(self.vault.address, kubeconfig, self.postgres.port, passfile, self.amazon.address)

    @property
    def http(self) -> dict[str, Gate]:
        return {gate.name: gate for gate in (self.vault, self.kubernetes, self.amazon)}

    def reset(self) -> None:
        for gate in (self.vault, self.kubernetes, self.amazon, self.postgres):
            gate.reset()

    def close(self) -> None:
        for gate in (self.vault, self.kubernetes, self.amazon, self.postgres):
            gate.close()


class ChaosWorld:
    """A running lab. :meth:`heal` and the two ways to break are in process and take a second or two."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.healthy = Healthy(world)
        self.gates = Gates(world)
        state = world.state
        self.direct = Addresses(
            state["vault"]["addr"],
            Path(state["kubernetes"]["kubeconfigs"]["repair"]),
            state["postgres"]["port"],
            Path(state["postgres"]["passfile"]),
            state["amazon"]["endpoint"],
        )

    # --- back to a known world ---

    def heal(self) -> None:
        """Everything in sync, but for the import of a tenant that has never had one. Works from any state."""
        self.gates.reset()
        self.world.amazon.reset()
        self.healthy.restore()

    def break_(self, *names: str) -> None:
        """These pieces of the lab (``vault-token-secret``, …)."""
        pieces.break_pieces(self.world, pieces.chosen(names))

    def break_all(self, *, set_up: bool = True) -> None:
        """Every piece, and with ``set_up`` the policy and the token role too, which a bootstrap token makes."""
        self.gates.reset()
        pieces.break_pieces(self.world, pieces.ALL)
        self.world.amazon.refill()
        if set_up:
            client = self.root()
            client.adapter.delete(f"/v1/auth/token/roles/{ROLE}")
            client.sys.create_or_update_policy(POLICY, "# nothing is allowed\n")

    # --- what is there, by the servers' own administrators ---

    def root(self) -> Any:
        """hvac with the root token."""
        return self.world.vault.client("root")

    def tokens(self) -> dict[str, dict[str, Any]]:
        """Every living token of Vault by accessor, as ``lookup-accessor`` tells it."""
        client = self.root()
        found = {}
        for accessor in client.adapter.list("/v1/auth/token/accessors")["data"]["keys"]:
            with contextlib.suppress(Exception):  # gone between the list and the question
                found[accessor] = dict(client.auth.token.lookup_accessor(accessor)["data"])
        return found

    def secret_value(self, name: str = "vault-token", key: str = "VAULT_TOKEN") -> str:
        found = self.world.kubernetes().get("secrets", name, NAMESPACE)
        return base64.b64decode((found.get("data") or {}).get(key) or "").decode()

    @property
    def api(self) -> Api:
        """The lab's own Kubernetes client, as the cluster's administrator."""
        return self.world.kubernetes()

    def document(self, path: str) -> dict[str, Any]:
        """What a document in Vault holds; empty where there is none."""
        from hvac.exceptions import InvalidPath

        try:
            found = self.root().secrets.kv.v2.read_secret_version(
                path, mount_point=seed.MOUNT, raise_on_deleted_version=True
            )
        except InvalidPath:
            return {}
        return dict(found["data"]["data"])

    def document_version(self, path: str) -> int:
        """The current version of a document in Vault; 0 where there is none."""
        from hvac.exceptions import InvalidPath

        try:
            found = self.root().secrets.kv.v2.read_secret_metadata(path, mount_point=seed.MOUNT)
        except InvalidPath:
            return 0
        return int(found["data"]["current_version"])

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Rows of a statement as the database's administrator."""
        with closing(self.world.database()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    # --- the collection's modules, in this process ---

    def run(
        self,
        step: str,
        *,
        check_mode: bool = False,
        gated: bool = False,
        addresses: Addresses | None = None,
        **given: Any,
    ) -> Said:
        """A module with the options the playbooks give it; what Ansible would read is what comes back."""
        return run_module(step, self.options(step, gated=gated, addresses=addresses, **given), check_mode=check_mode)

    def options(
        self, step: str, *, gated: bool = False, addresses: Addresses | None = None, **given: Any
    ) -> dict[str, Any]:
        """What the playbooks give the module of that step."""
        where = addresses or (self.gates.addresses if gated else self.direct)
        return {**self.connection(where, step), **getattr(self, f"_{step}")(), **given}

    def connection(self, where: Addresses, step: str) -> dict[str, Any]:
        """The connection options of that step."""
        state = self.world.state
        vault = {
            "vault_addr": where.vault,
            "vault_ca_cert": state["vault"]["ca_file"],
            "vault_token_file": state["vault"]["token_files"]["repair"],
        }
        kubernetes = {"kubeconfig": str(where.kubeconfig)}
        postgres = {
            "pg_host": "127.0.0.1",
            "pg_port": where.pg_port,
            "pg_dbname": state["postgres"]["dbname"],
            "pg_user": state["postgres"]["users"]["repair"],
            "pg_passfile": str(where.pg_passfile),
            "pg_sslrootcert": state["postgres"]["ca_file"],
        }
        amazon = {"amazon_lwa_url": f"{where.amazon}/auth/o2/token", "amazon_ca_cert": state["amazon"]["ca_file"]}
        if step == "access":
            return kubernetes
        if step == "token":
            return {**vault, **kubernetes, "vault_bootstrap_token_file": state["vault"]["token_files"]["bootstrap"]}
        if step == "app":
            return {**vault, **kubernetes, **amazon}
        return {**vault, **postgres, **amazon, "amazon_endpoint": where.amazon, "tenant": TENANT}

    def _token(self) -> dict[str, Any]:
        return {"namespace": NAMESPACE, "environment": "lab"}

    def _access(self) -> dict[str, Any]:
        vault = self.world.state["vault"]
        mount = {
            "volume": "vault-ca",
            "config_map": "vault-ca",
            "key": "ca.crt",
            "mount_path": "/etc/vault-ca",
            "content_file": vault["ca_file"],
            "verify_url": vault["addr"],
        }
        return {
            "namespace": NAMESPACE,
            "deployment": DEPLOYMENT,
            "container": DEPLOYMENT,
            "env": [
                {"name": "VAULT_ADDR", "value": vault["addr"]},
                {"name": "NODE_EXTRA_CA_CERTS", "value": "/etc/vault-ca/ca.crt"},
            ],
            "env_from": [{"secret": name} for name in ("keybuzz-backend-db", "vault-token", "amazon-spapi-creds")],
            "config_mounts": [mount],
            "restart_for": [{"secret": "vault-token"}],
            "wait": False,
        }

    def _app(self) -> dict[str, Any]:
        fields = ("client_id", "client_secret", "application_id", "redirect_uri", "region")
        keys = {name: f"AMAZON_SPAPI_{name.upper()}" for name in fields}
        return {"source_secret": {"namespace": NAMESPACE, "name": "amazon-spapi-creds", "keys": keys}}

    def _tenant(self) -> dict[str, Any]:
        tokens = self.world.state["amazon"]["refresh_token_dir"]
        return {
            "marketplace_id": seed.MARKETPLACE,
            "seller_id": seed.SELLER_ID,
            "refresh_token_file": f"{tokens}/{TENANT}.token",
        }

    def _orders(self) -> dict[str, Any]:
        return {
            "marketplace_id": seed.MARKETPLACE,
            "until": seed.UNTIL,
            "manage_schema": True,
            "fresh_for": 86400,
            "progress_interval": 0.5,
        }


def run_module(step: str, options: dict[str, Any], *, check_mode: bool) -> Said:
    """The module's own ``main()``, with what Ansible hands it, and what it prints for Ansible."""
    module = importlib.import_module(f"ansible_collections.keybuzz.amazon.plugins.modules.{STEPS[step]}")
    arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_diff": True, "_ansible_verbosity": 4}
    printed = io.StringIO()
    with (
        _no_earlier_warnings(),
        patch_module_args(arguments),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    text = printed.getvalue()
    return Said(text, json.loads(text.strip().splitlines()[-1]))


@contextlib.contextmanager
def _no_earlier_warnings() -> Iterator[None]:
    """Warnings are kept for the life of a process; a module in the field has one of its own."""
    from ansible.module_utils.common import warnings

    for name in ("_global_warnings", "_global_deprecations"):
        kept = getattr(warnings, name, None)
        if kept is not None:
            kept.clear()
    yield
