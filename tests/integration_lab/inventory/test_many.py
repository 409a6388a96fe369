# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten thousand tenants and more: read in pages, with memory that does not grow, and listed in seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from tests.integration_lab.amazon_world import PROJECT
from tests.integration_lab.inventory.conftest import Inventories, Servers

MANY, FEW = 200_000, 2_000
MOST_GROWTH = 4 * 1024 * 1024
"""Bytes: a hundred times as many rows may not take more than a page of them beside the rest."""
READER = """
import json, resource, sys
from contextlib import closing
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, tenant_list
params, name = json.load(sys.stdin)
table = tenant_list.table_of(name, None)
with closing(connection.connect(params, lambda secrets: None, "memory")) as opened:
    with connection.transaction(opened, "listing", "x") as cursor:
        count = sum(len(rows) for rows in tenant_list.pages(cursor, table))
print(json.dumps([count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


@pytest.fixture(scope="module")
def many(servers: Servers) -> Servers:
    servers.sql("CREATE SCHEMA many")
    for name, count in (("few", FEW), ("many", MANY), ("ten_thousand", 10_000)):
        servers.sql(f"CREATE TABLE many.{name} (LIKE tenants INCLUDING ALL)")
        servers.sql(
            f'INSERT INTO many.{name} ("tenantId", "owner", "status", "marketplaceId")'
            " SELECT 'tenant-' || lpad(n::text, 6, '0'), 'o', (ARRAY['CONNECTED', 'DISCONNECTED'])[1 + n %% 2],"
            " 'A13V1IB3VIYZZH' FROM generate_series(1, %s) AS n",
            (count,),
        )
    servers.sql(
        "GRANT USAGE ON SCHEMA many TO keybuzz_audit; GRANT SELECT ON ALL TABLES IN SCHEMA many TO keybuzz_audit"
    )
    return servers


def read(servers: Servers, table: str) -> tuple[int, int]:
    """Rows, and the most memory that a process which only reads them has taken."""
    finished = subprocess.run(
        [sys.executable, "-c", READER],
        input=json.dumps([servers.postgresql(), table]),
        env={**os.environ, "PYTHONPATH": str(PROJECT / ".collections")},
        capture_output=True,
        text=True,
        check=True,
    )
    count, memory = json.loads(finished.stdout)
    return count, memory


def test_a_hundred_times_as_many_rows_take_no_more_memory(many: Servers) -> None:
    few, many_rows = read(many, "many.few"), read(many, "many.many")
    assert (few[0], many_rows[0]) == (FEW, MANY)
    assert many_rows[1] - few[1] < MOST_GROWTH, (few[1], many_rows[1])


def test_ten_thousand_tenants_are_listed_with_all_their_groups(many: Servers, inventories: Inventories) -> None:
    began = time.monotonic()
    found = inventories.listed({"dev": many.postgresql(tenants_table="many.ten_thousand")})
    seconds = time.monotonic() - began
    assert len(found.group("amazon_tenants")) == len(found.group("environment_dev")) == 10_000
    assert len(found.group("status_CONNECTED")) == len(found.group("status_DISCONNECTED")) == 5_000
    assert found.group("environment_dev")[::9_999] == ["tenant-000001@dev", "tenant-010000@dev"]
    assert seconds < 60, seconds
