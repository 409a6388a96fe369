# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL and a real OpenBao, and ansible-inventory as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import openbao, postgres, seed
from tests.integration_lab.amazon_world import PROJECT, rows, stores

LIST_POLICY = 'path "secret/metadata/keybuzz/tenants/" { capabilities = ["list"] }'


@dataclass
class Servers:
    """The two servers. Their secrets are in files of a private folder."""

    folder: Path
    vault: openbao.Vault
    database: postgres.Postgres
    drawn: seed.Seed = field(repr=False)

    def postgresql(self, role: str = "audit", **given: Any) -> dict[str, Any]:
        """Options of an environment whose tenants come from the table."""
        return {
            "pg_host": self.database.host,
            "pg_port": self.database.port,
            "pg_dbname": self.database.dbname,
            "pg_user": self.database.users[role],
            "pg_passfile": str(self.database.passfile),
            "pg_sslrootcert": str(self.database.ca_file),
            **given,
        }

    def from_vault(self, token_file: Path, **given: Any) -> dict[str, Any]:
        """Options of an environment whose tenants come from Vault."""
        return {
            "source": "vault",
            "vault_addr": self.vault.addr,
            "vault_ca_cert": str(self.vault.ca_file),
            "vault_token_file": str(token_file),
            **given,
        }

    def sql(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Rows of a statement as the administrator."""
        return rows(self.database, statement, values)

    def token(self, name: str, policy: str) -> Path:
        """A file with a token that has exactly this policy."""
        root = self.vault.client("root")
        root.sys.create_or_update_policy(name, policy)
        made = root.auth.token.create_orphan(policies=[name], no_default_policy=True)
        file = self.folder / f"{name}.token"
        file.touch(0o600)
        file.write_text(made["auth"]["client_token"])
        return file

    def marks(self) -> tuple[int, int]:
        """How far the logs of the two servers are: who asks makes them longer."""
        return self.database.log.stat().st_size, self.vault.audit_log.stat().st_size

    def vault_requests(self, since: int) -> list[str]:
        """``operation path`` of what Vault was asked."""
        with self.vault.audit_log.open("rb") as log:
            log.seek(since)
            entries = [json.loads(line) for line in log]
        return [
            f"{one['request']['operation']} {one['request']['path']}" for one in entries if one["type"] == "request"
        ]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    directory = tmp_path_factory.mktemp("inventory")
    with stores(directory) as (vault, database, drawn):
        yield Servers(directory, vault, database, drawn)


@pytest.fixture
def table(servers: Servers) -> Iterator[Servers]:
    """The table with its two tenants, and put back into that state after the test."""
    yield servers
    servers.sql(
        'DELETE FROM tenants WHERE "tenantId" <> ALL (%s)',
        ([seed.TENANT, seed.OTHER_TENANT],),
    )


@dataclass(frozen=True)
class Inventory:
    """What ansible-inventory said."""

    code: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        """Its warnings and errors without line breaks."""
        return " ".join(self.errors.split())

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output)
        return found

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """Variables by host, those of its groups included."""
        found: dict[str, dict[str, Any]] = _unwrapped(self.document["_meta"]["hostvars"])
        return found

    def group(self, name: str) -> list[str]:
        members: list[str] = self.document.get(name, {}).get("hosts", [])
        return members


def _unwrapped(value: Any) -> Any:
    """Without the mark that ansible-inventory puts on text that must not be taken for a template."""
    if isinstance(value, dict):
        if list(value) == ["__ansible_unsafe"]:
            return value["__ansible_unsafe"]
        return {name: _unwrapped(inner) for name, inner in value.items()}
    return [_unwrapped(inner) for inner in value] if isinstance(value, list) else value


class Inventories:
    """Runs ansible-inventory on a file in a folder of the test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.file = home / "tenants.yml"

    def write(self, environments: Mapping[str, Any], **given: Any) -> Path:
        """The inventory's file."""
        document = {"plugin": "keybuzz.amazon.tenants", "environments": dict(environments), **given}
        self.file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return self.file

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "COLUMNS": "400",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections"),
            **more,
        }

    def listed(self, environments: Mapping[str, Any], *switches: str, **given: Any) -> Inventory:
        """The inventory of these environments."""
        self.write(environments, **given)
        return self.again(*switches)

    def again(self, *switches: str, **more: str) -> Inventory:
        """The inventory of the file that is there."""
        finished = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(self.file), "--list", *switches],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
        )
        return Inventory(finished.returncode, finished.stdout, finished.stderr)


@pytest.fixture
def inventories(tmp_path: Path) -> Inventories:
    return Inventories(tmp_path)
