# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list that is kept: who is asked the second time, and what lies in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab import seed
from tests.integration_lab.inventory.conftest import LIST_POLICY, Inventories, Servers


@pytest.fixture
def caching(tmp_path: Path) -> dict[str, Any]:
    return {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
        "cache_timeout": 600,
    }


@pytest.fixture
def both(servers: Servers) -> dict[str, Any]:
    token = servers.token("keybuzz-list", LIST_POLICY)
    return {"dev": servers.postgresql(), "prod": servers.from_vault(token)}


def test_the_second_list_asks_nobody_and_is_the_same(
    servers: Servers, inventories: Inventories, both: dict[str, Any], caching: dict[str, Any]
) -> None:
    first = inventories.listed(both, **caching)
    assert len(first.hosts) == 3, first.said
    mark = servers.marks()
    assert inventories.again().document == first.document
    assert servers.marks() == mark, "somebody was asked"
    assert inventories.again("--flush-cache").document == first.document
    assert servers.marks() > mark, "--flush-cache asks anew"


def test_another_filter_or_place_is_not_answered_from_the_cache(
    servers: Servers, inventories: Inventories, both: dict[str, Any], caching: dict[str, Any]
) -> None:
    inventories.listed(both, **caching)
    narrowed = {**both, "dev": {**both["dev"], "statuses": ["DISCONNECTED"]}}
    _, asked_vault = servers.marks()
    found = inventories.listed(narrowed, **caching)
    assert sorted(found.hosts) == [f"{seed.TENANT}@prod", f"{seed.OTHER_TENANT}@dev"]
    assert servers.marks()[1] == asked_vault, "what has not changed is not asked again"


def test_an_environment_that_failed_is_asked_again_and_the_others_are_not(
    servers: Servers, inventories: Inventories, both: dict[str, Any], caching: dict[str, Any]
) -> None:
    broken = {**both, "staging": {**both["dev"], "pg_port": 1}}
    first = inventories.listed(broken, on_error="warn", **caching)
    mark = servers.marks()
    second = inventories.again()
    assert "The tenants of staging are not listed" in second.said
    assert second.document == first.document and servers.marks() == mark
    mended = inventories.listed({**both, "staging": both["dev"]}, on_error="warn", **caching)
    assert f"{seed.TENANT}@staging" in mended.hosts


def test_the_cache_holds_names_statuses_and_marketplaces_and_no_secret(
    servers: Servers, inventories: Inventories, both: dict[str, Any], caching: dict[str, Any], tmp_path: Path
) -> None:
    password = servers.drawn.database_passwords["audit"]
    given = {**both["dev"], "pg_password": password}
    found = inventories.listed({**both, "dev": given}, "-vvvv", **caching)
    (file,) = (tmp_path / "cache").iterdir()
    text = file.read_text()
    assert seed.TENANT in text and "CONNECTED" in text
    token = Path(both["prod"]["vault_token_file"]).read_text()
    for secret in (password, token, *servers.drawn.canaries().values()):
        assert secret not in text + found.output + found.errors
    assert "CANARY" not in text and servers.database.host not in text
