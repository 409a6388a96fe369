# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written since a mark, by the servers' own logs, and by what is in them before and after."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from lab import seed
from lab.processes import wait_until
from lab.world import World
from tests.e2e.evidence import Evidence, Marks
from tests.parity.snapshot import NAMESPACES, Observer, Snapshot
from tests.zero_writes.variant import NAMESPACE

# What may be asked of Login with Amazon: neither ends nor makes anything that anybody else has.
PROOFS = frozenset({"refresh_token", "client_credentials"})
_OURS = "relnamespace = 'public'::regnamespace"
_CONTROLLERS = frozenset({"kube-controller-manager", "kubelet"})
# Statements of the collection that write nothing; whatever else it says counts as written.
_READS = re.compile(r"(BEGIN|COMMIT|ROLLBACK|SHOW|SET|SELECT|WITH)\b", re.IGNORECASE)
# In a statement that begins like a read; text, names in quotes and comments are taken out before.
_WRITES_INSIDE = re.compile(
    r"\b(INSERT|UPDATE|DELETE|MERGE|INTO|FOR\s+(NO\s+KEY\s+)?UPDATE|FOR\s+(KEY\s+)?SHARE|nextval|setval|lo_\w+"
    r"|pg_(try_)?advisory\w*|pg_(terminate|cancel)_backend|pg_notify|dblink\w*)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_ENTRY = re.compile(
    r"^\d{4}-\d\d-\d\d [\d:.]+ UTC \[\d+\] user=(\S*) db=\S* app=.*? (?:LOG|ERROR|FATAL|STATEMENT): ", re.M
)
_STATEMENT = re.compile(r"\s*(?:statement|execute [^:]*): (.*)", re.DOTALL)


class Watch:
    """One lab's logs and its content."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._evidence = Evidence(world.state)
        self._observer = Observer(world)

    def mark(self) -> Marks:
        """Where the logs are now; cheap, and good enough to tell which of several calls has written."""
        return self._evidence.mark()

    def settled(self) -> Marks:
        """As :meth:`mark`, once every log has everything that was asked so far: a question of ours has arrived in it.

        A log that stands still would say that nothing was written.
        """
        sign = f"zero-writes-{uuid.uuid4().hex}"
        asked: dict[Path, Callable[[], object]] = {
            self._evidence.vault_log: lambda: self._ask_vault(sign),
            self._evidence.kubernetes_log: lambda: self._world.kubernetes().find("configmaps", sign, NAMESPACE),
            self._evidence.postgres_log: lambda: _rows(self._world, "SELECT %s", sign),
        }
        for log, ask in asked.items():
            size = log.stat().st_size
            ask()
            wait_until(log.name, partial(_contains, log, size, sign), timeout=10, log=None)
        return self.mark()

    def _ask_vault(self, sign: str) -> None:
        from hvac.exceptions import InvalidPath

        with suppress(InvalidPath):
            self._world.vault.client().secrets.kv.v2.read_secret_metadata(sign, mount_point=seed.MOUNT)

    def written(self, since: Marks, *, auditor: bool = False) -> list[str]:
        """``server: what`` of every request that could have written, one that was denied too.

        :param auditor: a dry run counts as well: it takes the permission to write.
        """
        evidence = self._evidence
        found = {
            "vault": evidence.vault_writes(since),
            "kubernetes": [*evidence.kubernetes_writes(since), *(evidence.dry_runs(since) if auditor else ())],
            "postgresql": [*evidence.sql_writes(since), *self._strange_statements(since)],
            "amazon": self._amazon_writes(since),
        }
        return [f"{server}: {what}" for server, things in found.items() for what in things]

    def asked(self, since: Marks) -> dict[str, int]:
        """How many requests there were to each server, the backend's own left out."""
        evidence = self._evidence
        return {
            "vault": len(evidence.vault_requests(since)),
            "kubernetes": len(evidence.kubernetes_requests(since)),
            "postgresql": len(list(self._statements(since))),
            "amazon": sum(evidence.amazon_calls(since).values()),
        }

    def _amazon_writes(self, since: Marks) -> list[str]:
        return [
            f"{entry['method']} {entry['operation']} {entry['parameters'].get('grant_type', '')}".rstrip()
            for entry in self._evidence.amazon.requests()[since.amazon :]
            if entry["user_agent"] != "keybuzz-backend"
            and not (entry["operation"] == "token" and entry["parameters"].get("grant_type") in PROOFS)
        ]

    def _strange_statements(self, since: Marks) -> Iterator[str]:
        for statement in self._statements(since):
            for part in _QUOTED.sub("''", statement).split(";"):
                words = " ".join(part.split())
                if words and (not _READS.match(words) or _WRITES_INSIDE.search(words)):
                    yield words[:80]

    def _statements(self, since: Marks) -> Iterator[str]:
        """Of the collection's roles, with all their lines."""
        with self._evidence.postgres_log.open(errors="replace") as log:
            log.seek(since.postgres)
            text = log.read()
        starts = [*_ENTRY.finditer(text)]
        for entry, end in zip(starts, [*(one.start() for one in starts[1:]), len(text)], strict=False):
            found = _STATEMENT.match(text[entry.end() : end])
            if found and entry[1] in {"keybuzz_repair", "keybuzz_audit"}:
                yield found[1]

    def content(self) -> Snapshot:
        """Everything that could be written, and every sign that it was written though it reads as before."""
        sign = {
            **dict(self._versions()),
            **dict(self._documents()),
            **self.rows(),
        }
        return {**self._observer.take(), **sign}

    def _versions(self) -> Iterator[tuple[str, str]]:
        """resourceVersions, but for Deployments, whose status the controllers write: of these who wrote what, when."""
        api = self._world.kubernetes()
        for namespace in NAMESPACES:
            for resource in ("secrets", "configmaps", "leases", "serviceaccounts", "roles", "rolebindings"):
                for found in api.list(resource, namespace)["items"]:
                    metadata = found["metadata"]
                    yield f"kubernetes/{resource}/{namespace}/{metadata['name']}#version", metadata["resourceVersion"]
            for found in api.list("deployments", namespace)["items"]:
                metadata = found["metadata"]
                hands = [one for one in metadata["managedFields"] if one["manager"] not in _CONTROLLERS]
                yield f"kubernetes/deployments/{namespace}/{metadata['name']}#hands", f"{metadata['uid']} {hands}"

    def _documents(self) -> Iterator[tuple[str, str]]:
        from hvac.exceptions import InvalidPath

        client = self._world.vault.client()
        folder = f"/v1/{seed.MOUNT}/metadata"
        for path in (seed.APP_PATH, *(seed.TENANT_PATH.format(tenant=one) for one in (seed.TENANT, seed.OTHER_TENANT))):
            with suppress(InvalidPath):
                found = client.adapter.get(f"{folder}/{path}")["data"]
                yield f"vault/kv/{path}#times", f"{found['created_time']} {found['updated_time']}"
        for accessor in client.adapter.list("/v1/auth/token/accessors")["data"]["keys"]:
            token = client.auth.token.lookup_accessor(accessor)["data"]
            name = hashlib.sha256(accessor.encode()).hexdigest()[:12]
            yield f"vault/token/{name}#life", f"{token.get('last_renewal_time')} {token.get('expire_time')}"

    def rows(self) -> Snapshot:
        """Identity and locks of every row, the catalogue, and the number of the next transaction that writes."""
        with closing(self._world.database()) as connection, connection.cursor() as cursor:

            def asked(query: str) -> list[tuple[Any, ...]]:
                cursor.execute(query)
                return list(cursor.fetchall())

            found = {
                f"postgres/{table}#rows": asked(f'SELECT ctid::text, xmin::text, xmax::text FROM "{table}" ORDER BY 1')
                for (table,) in asked(f"SELECT relname FROM pg_class WHERE relkind = 'r' AND {_OURS} ORDER BY 1")
            }
            found["postgres/#catalogue"] = asked(
                f"SELECT oid, relname, relfilenode, relacl::text, xmin::text FROM pg_class WHERE {_OURS} ORDER BY 1"
            )
            found["postgres/#next transaction"] = asked("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
            return {address: str(rows) for address, rows in found.items()}

    def left_behind(self) -> list[str]:
        """Sessions and advisory locks of the collection's roles, once those that have ended had time to go."""
        until = time.monotonic() + 5
        while True:
            found = _rows(
                self._world,
                "SELECT a.usename, a.state, coalesce(string_agg(DISTINCT l.locktype, ','), '') FROM pg_stat_activity a"
                " LEFT JOIN pg_locks l USING (pid) WHERE a.usename IN ('keybuzz_repair', 'keybuzz_audit')"
                " OR l.locktype = 'advisory' GROUP BY a.pid, a.usename, a.state",
            )
            if not found or time.monotonic() > until:
                return [" ".join(map(str, row)) for row in found]
            time.sleep(0.05)


def _rows(world: World, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(world.database()) as connection, connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return list(cursor.fetchall())


def _contains(log: Path, offset: int, sign: str) -> bool:
    with log.open(errors="replace") as file:
        file.seek(offset)
        return sign in file.read()
