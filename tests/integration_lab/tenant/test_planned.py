# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that is held to a plan writes what was planned, or nothing at all."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import planned
from hvac.exceptions import InvalidPath

from lab import seed
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.tenant.test_connect import PATH, break_connection, connect, document, given_token, row

pytestmark = pytest.mark.lab


def plan_of(predicted: Outcome) -> list[dict[str, Any]]:
    return planned(predicted.items)


def state(world: AmazonWorld) -> tuple[Any, ...]:
    """Versions of the document, and the identity of the rows' versions."""
    versions = None
    with contextlib.suppress(InvalidPath):
        versions = world.kv().read_secret_metadata(PATH, mount_point=seed.MOUNT)["data"]["versions"]
    return versions, world.query("SELECT xmin, ctid FROM tenants ORDER BY ctid")


def test_what_was_planned_is_written(world: AmazonWorld, tmp_path: Path) -> None:
    break_connection(world)
    given = given_token(world, tmp_path)
    plan = plan_of(connect(world, check_mode=True, **given))
    outcome = connect(world, planned=plan, **given)
    assert outcome.changed and document(world)["data"]["refresh_token"] and row(world)[1] == "CONNECTED"
    assert not connect(world, planned=plan, **given).changed, "nothing is pending, so nothing is held to the plan"


def test_nothing_is_written_without_a_plan_for_it(world: AmazonWorld, tmp_path: Path) -> None:
    break_connection(world)
    given, before = given_token(world, tmp_path), state(world)
    plan = plan_of(connect(world, check_mode=True, **given))
    for entries in ([], [one for one in plan if not one["id"].endswith("/row")]):
        with pytest.raises(StaleError, match="not in the plan"):
            connect(world, planned=entries, **given)
    assert state(world) == before


def test_a_row_that_somebody_has_edited_since_is_not_written_and_neither_is_the_document(
    world: AmazonWorld, tmp_path: Path
) -> None:
    break_connection(world)
    given = given_token(world, tmp_path)
    plan = plan_of(connect(world, check_mode=True, **given))
    world.query('UPDATE tenants SET "displayName" = %s WHERE "tenantId" = %s', ("Boutique", TENANT))
    before = state(world)
    with pytest.raises(StaleError, match="displayName was"):
        connect(world, planned=plan, **given)
    assert state(world) == before


def test_a_deleted_document_is_brought_back_only_as_planned(world: AmazonWorld) -> None:
    world.kv().delete_latest_version_of_secret(PATH, mount_point=seed.MOUNT)
    plan, before = plan_of(connect(world, check_mode=True)), state(world)
    with pytest.raises(StaleError, match="not in the plan"):
        connect(world, planned=[])
    assert state(world) == before
    connect(world, planned=plan)
    assert document(world)["data"]["refresh_token"]


def test_a_tenant_is_disconnected_only_as_planned(world: AmazonWorld) -> None:
    plan, before = plan_of(connect(world, check_mode=True, state="absent")), state(world)
    with pytest.raises(StaleError):
        connect(world, state="absent", planned=plan[:1])
    assert state(world) == before
    assert connect(world, state="absent", planned=plan).changed


def test_an_import_begins_only_as_planned(world: AmazonWorld) -> None:
    plan = plan_of(world.import_orders(check_mode=True))
    with pytest.raises(StaleError, match="not in the plan"):
        world.import_orders(planned=[])
    assert world.query("SELECT count(*) FROM orders") == [(0,)]
    assert world.query("SELECT to_regclass('amazon_backfill_runs')") == [(None,)], "not even the import's own tables"
    assert world.import_orders(planned=plan).changed
