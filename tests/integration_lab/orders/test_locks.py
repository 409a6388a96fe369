# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One import of a tenant at a time, also where a session's lock holds nobody off; and tables of an earlier release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    BlockedError,
    ForbiddenError,
    StaleError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_import
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, lock
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.schema import SchemaError

from lab import postgres
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.orders.pooler import pooler
from tests.integration_lab.orders.tables import complete

pytestmark = pytest.mark.lab
NEW_COLUMNS = ("mode", "state", "holder", "heartbeatAt")


def stopped(world: AmazonWorld, **given: object) -> None:
    """An import that has run out of its budget behind its second page."""
    world.own_tables()
    world.amazon.admin.inject("throttle-storm", count=None, operation="searchOrders", skip=2)
    with pytest.raises(WaitBudgetSpent):
        world.import_orders(page_size=10, wait_budget=0, **given)
    world.amazon.admin.clear()


def test_a_young_heartbeat_of_another_process_holds_off_both_kinds_of_lock(world: AmazonWorld) -> None:
    stopped(world)
    world.query("UPDATE amazon_backfill_runs SET holder = 'other-host/1', \"heartbeatAt\" = now() - interval '100 s'")
    for kind in ("heartbeat", "session", "auto"):
        with pytest.raises(BlockedError, match=r"other-host/1, last seen 10[0-9] s ago"):
            world.import_orders(page_size=10, lock=kind)
    checked = world.import_orders(page_size=10, check_mode=True, role="audit")
    assert checked.items[0].status == "blocked"
    assert "other-host/1" in checked.items[0].reason
    world.query("UPDATE amazon_backfill_runs SET \"heartbeatAt\" = now() - interval '181 s'")
    world.import_orders(page_size=10, lock="heartbeat")
    assert complete(world)


def test_a_run_that_ends_lets_go_of_its_heartbeat_at_once(world: AmazonWorld) -> None:
    stopped(world, lock="heartbeat")
    assert world.query('SELECT holder, "heartbeatAt" FROM amazon_backfill_runs') == [(None, None)]
    world.import_orders(page_size=10, lock="heartbeat")
    assert complete(world)


def test_a_process_whose_run_was_taken_over_does_not_write_any_more(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.own_tables()
    genuine = orders_import.store_page
    pages = 0

    def taken_over_at_the_third(*args: object, **kwargs: object) -> object:
        nonlocal pages
        pages += 1
        if pages == 3:
            world.query("UPDATE amazon_backfill_runs SET holder = 'other-host/2'")
        return genuine(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(orders_import, "store_page", taken_over_at_the_third)
    with pytest.raises(StaleError, match="taken over"):
        world.import_orders(page_size=10, lock="heartbeat")
    assert world.query("SELECT count(*) FROM orders") == [(20,)]
    assert world.query("SELECT holder FROM amazon_backfill_runs") == [("other-host/2",)]


def test_a_session_lock_holds_off_an_import_by_heartbeat(world: AmazonWorld) -> None:
    holder = world.database.connect("repair")
    try:
        with holder, holder.cursor() as cursor:
            lock.hold(cursor, TENANT, "here")
        with pytest.raises(BlockedError, match=f"pid {holder.info.backend_pid}"):
            world.import_orders(lock="heartbeat")
    finally:
        holder.close()


def test_tables_of_an_earlier_release_get_their_new_columns_and_keep_their_runs(world: AmazonWorld) -> None:
    stopped(world)
    for name in NEW_COLUMNS:
        world.query(f'ALTER TABLE amazon_backfill_runs DROP COLUMN "{name}"')
    checked = world.import_orders(page_size=10, check_mode=True, role="audit")
    assert "stopped after 2 pages" in checked.items[0].reason
    with pytest.raises(SchemaError, match=r"column amazon_backfill_runs.mode.*amazon_backfill_runs.heartbeatAt"):
        world.import_orders(page_size=10, manage_schema=False)
    outcome = world.import_orders(page_size=10)
    assert outcome.facts["resumed"] is True
    assert complete(world)


def behind_a_pooler(world: AmazonWorld, port: int, folder: Path) -> dict[str, Any]:
    """Options that lead through the pooler; its port is in no passfile."""
    passfile = folder / "passfile"
    passfile.touch(0o600)
    fields = [line.split(":") for line in world.database.passfile.read_text().splitlines()]
    passfile.write_text("".join(f"*:*:{':'.join(line[2:])}\n" for line in fields))
    return {"pg_host": "127.0.0.1", "pg_port": port, "pg_sslmode": "disable", "pg_passfile": str(passfile)}


def test_behind_a_pooler_the_heartbeat_is_taken_and_a_sessions_lock_refused(
    world: AmazonWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.own_tables()
    monkeypatch.setattr(lock, "BEAT_EVERY", 0.0)
    beats: list[Any] = []
    monkeypatch.setattr(
        checkpoint, "beat", lambda *given, genuine=checkpoint.beat: beats.append(given) or genuine(*given)
    )
    socket = postgres.private_folder(world.database.passfile.parent.parent) / ".s.PGSQL.5432"
    with pooler(socket) as port:
        way = behind_a_pooler(world, port, tmp_path)
        with pytest.raises(BadInputError, match="lock: heartbeat or auto"):
            world.import_orders(lock="session", **way)
        world.amazon.admin.inject("throttle-storm", count=1, operation="searchOrders", skip=1)
        world.import_orders(page_size=50, **way)
    assert complete(world)
    assert beats


def test_who_may_not_add_the_new_columns_is_told_before_anything_is_read(world: AmazonWorld) -> None:
    stopped(world)
    world.query(
        "ALTER TABLE amazon_backfill_runs DROP COLUMN state; ALTER TABLE amazon_backfill_runs OWNER TO postgres;"
        "GRANT SELECT, INSERT, UPDATE ON amazon_backfill_runs TO keybuzz_repair"
    )
    try:
        checked = world.import_orders(page_size=10, check_mode=True)
        assert "ownership of table amazon_backfill_runs" in checked.facts["missing_permissions"]
        with pytest.raises(ForbiddenError, match="must be owner of table amazon_backfill_runs"):
            world.import_orders(page_size=10)
    finally:
        world.query("DROP TABLE amazon_backfill_runs")
