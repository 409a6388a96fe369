# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of docs/postgresql-roles.sql can do what they are for, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError, KeybuzzError

from tests.integration_lab.amazon_world import PROJECT, AmazonWorld
from tests.integration_lab.orders.tables import complete

pytestmark = pytest.mark.lab
ROLES = ("amazon_repair", "orders_import", "orders_audit", "orders_retention")
OWN = {
    "errors_table": "orders_import.order_import_errors",
    "runs_table": "orders_import.amazon_backfill_runs",
    "quota_table": "orders_import.amazon_quota",
}


@pytest.fixture
def documented(world: AmazonWorld, tmp_path: Path) -> Iterator[Path]:
    """The documented roles with passwords of their own; returns the passfile."""
    statements = (PROJECT / "docs" / "postgresql-roles.sql").read_text()
    world.query(statements)
    passfile = tmp_path / "passfile"
    passfile.touch(0o600)
    for role in ROLES:
        password = secrets.token_hex(16)
        world.query(f"ALTER ROLE {role} PASSWORD '{password}'; GRANT CONNECT ON DATABASE keybuzz TO {role}")
        with passfile.open("a") as file:
            file.write(f"*:*:*:{role}:{password}\n")
    yield passfile
    for role in (*ROLES, "drift_report"):
        world.query(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def role(passfile: Path, name: str) -> dict[str, Any]:
    return {"pg_user": name, "pg_passfile": str(passfile), **OWN}


def test_the_documented_roles_import_audit_and_purge(world: AmazonWorld, documented: Path) -> None:
    importer, auditor, retention = (role(documented, name) for name in ROLES[1:])
    assert world.import_orders(check_mode=True, **auditor).items[0].status == "missing"
    world.import_orders(**importer)
    assert complete(world)
    assert world.import_orders(check_mode=True, **auditor).items[0].status == "in_sync"
    with pytest.raises(KeybuzzError, match="DELETE on table orders"):
        world.import_orders(mode="purge", retention_days=1, **importer)
    assert world.import_orders(mode="purge", retention_days=1, **retention).facts["purged"]["orders"] == 94


def test_the_documented_auditor_cannot_import(world: AmazonWorld, documented: Path) -> None:
    world.import_orders(**role(documented, "orders_import"))
    world.query("TRUNCATE order_items, orders")
    with pytest.raises((ForbiddenError, KeybuzzError), match=r"read-only|privilege"):
        world.import_orders(**role(documented, "orders_audit"))
    assert world.query("SELECT count(*) FROM orders") == [(0,)]


def test_the_documented_role_of_the_repair_imports_and_writes_a_tenants_row(
    world: AmazonWorld, documented: Path
) -> None:
    world.import_orders(**role(documented, "amazon_repair"))
    assert complete(world)
    assert world.import_orders(check_mode=True, **role(documented, "orders_audit")).items[0].status == "in_sync"
    writers = (
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND has_table_privilege(rolname, 'tenants', 'UPDATE')"
    )
    assert world.query(writers, (list(ROLES),)) == [("amazon_repair",)]
