# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same watch over calls that do write: what it cannot see, it could not have proven to be absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from lab import seed
from tests.parity import modules
from tests.parity.difference import changed
from tests.parity.snapshot import Snapshot
from tests.zero_writes.proof import Prover
from tests.zero_writes.variant import OTHER, Variant
from tests.zero_writes.variants import all_variants


@dataclass(frozen=True)
class Seen:
    """What the watch saw of one call: lines of the logs, and addresses whose content is another."""

    written: tuple[str, ...]
    different: frozenset[str]

    @property
    def servers(self) -> set[str]:
        return {line.partition(":")[0] for line in self.written}


def called(prover: Prover, state: str, name: str, *, check_mode: bool = False, auditor: bool = False) -> Seen:
    """One variant with the repair's credentials, in a state of the lab."""
    with prover.broken(state):
        variant = named(prover, name)
        return _seen(prover, lambda: _call(variant, check_mode=check_mode), auditor=auditor)


def said(prover: Prover, statement: str) -> Seen:
    """One statement of the repair's role, in a transaction that is given up."""

    def ask() -> None:
        with closing(prover.world.database("repair")) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            connection.rollback()

    return _seen(prover, ask, content=prover.watch.rows)


def named(prover: Prover, name: str) -> Variant:
    (found,) = (one for one in all_variants(prover.place("repair")) if str(one) == name)
    return found


def _call(variant: Variant, *, check_mode: bool) -> None:
    result = modules.run(variant.module, variant.options, check_mode=check_mode)
    assert not result["failed"], result["msg"]


def _seen(
    prover: Prover, act: Callable[[], None], *, auditor: bool = False, content: Callable[[], Snapshot] | None = None
) -> Seen:
    look = content or prover.watch.content
    before, start = look(), prover.watch.settled()
    act()
    prover.watch.settled()
    written = prover.watch.written(start, auditor=auditor)
    return Seen(tuple(written), frozenset(changed(before, look())))


def disconnect_again(prover: Prover) -> None:
    """The seller nobody has connected, as he was."""
    path = seed.TENANT_PATH.format(tenant=OTHER)
    prover.world.vault.client().secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=seed.MOUNT)
    with closing(prover.world.database()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            'UPDATE tenants SET "status" = \'DISCONNECTED\', "displayName" = NULL, "marketplaceId" = NULL,'
            ' "sellerId" = NULL WHERE "tenantId" = %s',
            (OTHER,),
        )


def blind_spots(prover: Prover) -> Iterator[str]:
    """What the watch should have seen and did not; nothing where it can be believed."""
    token = called(prover, "vault-token-secret", "vault_token_secret: a token of its own")
    if not {"vault", "kubernetes"} <= token.servers or not any("#data/" in one for one in token.different):
        yield f"a new token: {token}"
    restart = called(prover, "healthy", "k8s_deployment_env: what the backend needs")
    if restart.servers != {"kubernetes"} or not any("#hands" in one for one in restart.different):
        yield f"pods restarted for it: {restart}"
    row = called(prover, "tenant-row", "amazon_tenant_connect: a connection with the token of a file")
    if row.servers != {"postgresql"} or "postgres/tenants#rows" not in row.different:
        yield f"a row: {row}"
    code = called(prover, "healthy", "amazon_tenant_connect: a code, exchanged")
    disconnect_again(prover)
    if "amazon: POST token authorization_code" not in code.written:
        yield f"a code: {code}"
    dry_run = "k8s_deployment_env: a new variable"
    if called(prover, "healthy", dry_run, check_mode=True).written:
        yield "a dry run counts as a write"
    if called(prover, "healthy", dry_run, check_mode=True, auditor=True).servers != {"kubernetes"}:
        yield "an auditor's dry run"
    for statement, touches in (
        ("SELECT * FROM tenants FOR UPDATE", True),
        ("WITH gone AS (UPDATE tenants SET \"status\" = 'X' RETURNING 1) SELECT * FROM gone", True),
        ("CREATE TABLE more (id int)", True),
        ("SELECT pg_advisory_lock(1)", False),
    ):
        seen = said(prover, statement)
        if seen.servers != {"postgresql"} or bool(seen.different) != touches:
            yield f"{statement}: {seen}"
    yield from _blind_to_locks(prover)


def _blind_to_locks(prover: Prover) -> Iterator[str]:
    with closing(prover.world.database("repair")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        if not any("advisory" in one for one in prover.watch.left_behind()):
            yield "an advisory lock that is left behind"
