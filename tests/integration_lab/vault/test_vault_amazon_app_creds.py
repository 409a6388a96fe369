# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_amazon_app_creds against a real OpenBao, a Kubernetes API and the simulator of Amazon."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError, ForbiddenError, StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_plan import FIELDS
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaUnavailable
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import iso

from tests.lab.amazon_process import Simulator

from .app_world import NAME, NAMESPACE, World, item
from .conftest import APP_PATH, Cluster, Server


@pytest.fixture
def world(server: Server, kubernetes: Cluster, amazon: Simulator) -> World:
    amazon.admin.reset()
    made = World(server, kubernetes, amazon)
    made.source()
    server.forget(APP_PATH)
    return made


def test_an_absent_document_is_written_from_the_secret_after_amazon_accepted_it(world: World) -> None:
    predicted = world.check()
    assert (item(predicted).status, item(predicted).action) == ("missing", "create")
    assert item(predicted, "amazon_app/secret_age").status == "blocked"
    assert item(predicted, "amazon_app/secret_age").depends_on == ("amazon_app/document",)
    done = world.run()
    assert done.changed
    assert done.facts["credentials"] == "accepted"
    assert world.document() == world.right
    assert done.remaining is not None
    assert {found.status for found in done.remaining} == {"in_sync"}


def test_a_second_run_writes_no_version_and_no_metadata_and_asks_amazon_nothing(world: World) -> None:
    world.run()
    metadata = world.server.get(APP_PATH)["metadata"]
    calls, mark = world.lwa_calls(), world.server.mark()
    again = world.run()
    assert not again.changed
    assert world.server.get(APP_PATH)["metadata"] == metadata
    assert world.lwa_calls() == calls
    assert world.server.requests_since(mark)[:1] == [("read", f"secret/data/{APP_PATH}")]
    assert {operation for operation, _ in world.server.requests_since(mark)} == {"read"}


def test_the_healthy_world_costs_one_request_to_vault_and_none_to_amazon(world: World) -> None:
    world.server.put(APP_PATH, world.right)
    calls, mark = world.lwa_calls(), world.server.mark()
    outcome = world.check()
    assert {found.status for found in outcome.items} == {"in_sync"}
    assert len(world.server.requests_since(mark)) == 1
    assert world.lwa_calls() == calls


def test_a_soft_deleted_version_that_matches_is_undeleted_and_not_rewritten(world: World) -> None:
    world.server.put(APP_PATH, {**world.right, "note": "kept"})
    world.server.root().secrets.kv.v2.delete_latest_version_of_secret(APP_PATH, mount_point="secret")
    predicted = world.check()
    assert (item(predicted).status, item(predicted).action) == ("soft_deleted", "undelete")
    assert world.run().changed
    assert world.version() == 1
    assert world.document() == {**world.right, "note": "kept"}


def test_a_soft_deleted_version_that_differs_is_undeleted_and_written_anew(world: World) -> None:
    world.server.put(APP_PATH, {**world.right, "client_secret": "old", "note": "kept"})
    world.server.root().secrets.kv.v2.delete_latest_version_of_secret(APP_PATH, mount_point="secret")
    world.run()
    assert world.version() == 2
    assert world.document() == {**world.right, "note": "kept"}


def test_a_soft_deleted_document_without_a_source_is_not_brought_back_blindly(world: World) -> None:
    world.server.put(APP_PATH, world.right)
    world.server.root().secrets.kv.v2.delete_latest_version_of_secret(APP_PATH, mount_point="secret")
    found = item(world.check(source_secret=None))
    assert found.status == "blocked"
    assert "vault kv undelete -versions=1" in found.hint


def test_a_destroyed_version_is_followed_by_a_new_one(world: World) -> None:
    world.server.put(APP_PATH, world.right)
    world.server.root().secrets.kv.v2.destroy_secret_versions(APP_PATH, versions=[1], mount_point="secret")
    assert item(world.check()).reason.startswith("The document was destroyed")
    world.run()
    assert (world.version(), world.document()) == (2, world.right)


def test_an_empty_document_is_filled(world: World) -> None:
    world.server.put(APP_PATH, {})
    assert item(world.check()).status == "empty"
    world.run()
    assert world.document() == world.right


def test_a_partial_document_is_completed_and_foreign_keys_stay(world: World) -> None:
    world.server.put(APP_PATH, {"client_id": world.right["client_id"], "region": "", "team": {"name": "backend"}})
    found = item(world.check())
    assert found.status == "missing"
    assert "client_secret" in found.reason
    world.run()
    assert world.document() == {**world.right, "team": {"name": "backend"}}


def test_a_partial_source_and_a_partial_document_complete_each_other(world: World) -> None:
    world.source(region=None, redirect_uri=None)
    world.server.put(APP_PATH, {"region": "eu-west-1", "redirect_uri": world.right["redirect_uri"]})
    world.run()
    assert world.document() == world.right


def test_a_value_that_is_nowhere_is_named_and_nothing_is_written(world: World) -> None:
    world.source(region=None)
    found = item(world.check())
    assert found.status == "blocked"
    assert "Missing: region" in found.reason
    assert "AMAZON_SPAPI_REGION" in found.reason
    with pytest.raises(BlockedError, match="Missing: region"):
        world.run()


def test_a_missing_source_with_a_complete_document_is_in_sync_and_says_so(world: World) -> None:
    world.server.put(APP_PATH, world.right)
    world.kubernetes.remove(NAMESPACE, NAME)
    found = item(world.check())
    assert found.status == "in_sync"
    assert "amazon-spapi-creds does not exist" in found.reason


def test_a_missing_source_and_a_missing_document_are_blocked(world: World) -> None:
    world.kubernetes.remove(NAMESPACE, NAME)
    found = item(world.check())
    assert found.status == "blocked"
    assert "amazon-spapi-creds does not exist" in found.reason
    assert "AMAZON_CLIENT_SECRET" in found.hint


def test_given_values_need_no_kubernetes(world: World) -> None:
    world.run(source_secret=None, **world.right)
    assert world.document() == world.right


def test_refused_credentials_are_never_written(world: World) -> None:
    world.source(client_secret="CANARY-refused")
    found = item(world.check())
    assert found.status == "blocked"
    assert "Amazon refuses" in found.reason
    with pytest.raises(BlockedError, match="Amazon refuses the client id and secret"):
        world.run()
    assert kv.read(world.server.client(), "secret", APP_PATH).state == "absent"


def test_a_stale_source_does_not_overwrite_a_document_that_works(world: World) -> None:
    world.server.put(APP_PATH, world.right)
    world.source(client_secret="CANARY-rotated-away")
    outcome = world.run()
    assert not outcome.changed
    assert (item(outcome).status, item(outcome).action) == ("stale", "none")
    assert world.document() == world.right


def test_a_source_that_works_wins_over_a_document_that_differs(world: World) -> None:
    world.server.put(APP_PATH, {**world.right, "client_secret": "CANARY-old", "region": "us-east-1"})
    found = item(world.check())
    assert found.status == "drifted"
    assert "client_secret, region" in found.reason
    assert found.before["region"] == "us-east-1"  # type: ignore[index]
    world.run()
    assert world.document() == world.right


def test_when_amazon_cannot_be_asked_nothing_is_written(world: World) -> None:
    world.amazon.admin.inject("lwa-503-html", count=None)
    found = item(world.check())
    assert found.status == "blocked"
    assert "could not be asked" in found.reason
    with pytest.raises(LwaUnavailable):
        world.run()
    assert world.run(verify=False).changed


def test_line_breaks_around_values_are_dropped_and_numbers_become_strings(world: World) -> None:
    world.source(client_secret=world.right["client_secret"] + "\n")
    world.server.put(APP_PATH, {**world.right, "region": 1})
    assert item(world.check()).before["region"] == "not a string"  # type: ignore[index]
    world.run()
    assert world.document() == world.right
    world.server.put(APP_PATH, {**world.right, "client_secret": world.right["client_secret"] + "\n"})
    world.kubernetes.remove(NAMESPACE, NAME)
    assert item(world.check()).status == "drifted"
    world.run()
    assert world.document() == world.right


def test_the_document_may_have_key_names_of_its_own(world: World) -> None:
    keys = {field: f"spapi_{field}" for field in FIELDS}
    world.run(keys=keys)
    assert world.document() == {f"spapi_{field}": value for field, value in world.right.items()}
    assert not world.run(keys=keys).changed


def test_origin_and_age_are_noted_where_the_token_may(world: World) -> None:
    done = world.run()
    assert done.facts["document"]["custom_metadata"] == "written"  # type: ignore[index]
    noted = world.server.get(APP_PATH)["metadata"]["custom_metadata"]
    assert noted["managed_by"] == "keybuzz.amazon"
    assert noted["source"] == f"Secret {NAMESPACE}/{NAME}"
    assert not any(secret in json.dumps(noted) for secret in (world.right["client_secret"], world.right["client_id"]))


def test_without_patch_on_the_metadata_the_document_is_written_all_the_same(world: World) -> None:
    root = world.server.root()
    root.sys.create_or_update_policy(
        "narrow", f'path "secret/data/{APP_PATH}" {{ capabilities = ["create", "read", "update"] }}'
    )
    made = world.server.make_token(policies=["narrow"], ttl="1h")
    done = world.run(vault=world.server.client().acting_as(made["client_token"]))
    assert done.changed
    assert done.facts["document"]["custom_metadata"] == "not_permitted"  # type: ignore[index]
    assert world.document() == world.right


@pytest.mark.parametrize(
    ("days", "status"), [(149, "in_sync"), (172, "in_sync"), (173, "expiring"), (180, "expiring"), (181, "stale")]
)
def test_the_client_secrets_age_is_counted_against_amazons_180_days(world: World, days: int, status: str) -> None:
    world.server.put(APP_PATH, world.right)
    later = datetime.now(UTC) + timedelta(days=days, hours=1)
    found = item(world.check(now=later), "amazon_app/secret_age")
    assert (found.status, found.action) == (status, "none")
    assert found.before["days"] == days  # type: ignore[index]


def test_another_keys_change_does_not_make_the_secret_younger(world: World) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    world.run()
    world.server.root().adapter.post(
        f"/v1/secret/metadata/{APP_PATH}", json={"custom_metadata": {"client_secret_since": iso(long_ago)}}
    )
    world.source(region="us-east-1")
    world.run()
    noted = world.server.get(APP_PATH)["metadata"]["custom_metadata"]
    assert noted["client_secret_since"] == iso(long_ago)


def test_a_lost_race_is_planned_anew_then_reported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = kv.write_merged
    meddle = [2]

    def racing(*arguments: Any, **options: Any) -> int:
        if meddle[0]:
            meddle[0] -= 1
            world.server.put(APP_PATH, {"region": "eu-west-1", "meddled": str(meddle[0])})
        return real(*arguments, **options)

    monkeypatch.setattr(kv, "write_merged", racing)
    assert world.run().changed
    assert world.document() == {**world.right, "meddled": "0"}
    world.server.forget(APP_PATH)
    meddle[0] = 3
    with pytest.raises(StaleError, match="3 times in a row"):
        world.run()
    assert "client_secret" not in world.document()


def test_check_mode_writes_nothing_by_vaults_own_log(world: World) -> None:
    mark = world.server.mark()
    world.run(check_mode=True)
    world.server.put(APP_PATH, {**world.right, "client_secret": "old"})
    world.server.root().secrets.kv.v2.delete_latest_version_of_secret(APP_PATH, mount_point="secret")
    mark = world.server.mark()
    world.run(check_mode=True)
    world.check()
    asked = world.server.requests_since(mark)
    assert {path for operation, path in asked if operation != "read"} == {"sys/capabilities-self"}


def test_an_auditor_who_may_not_write_is_told_which_capability_is_missing(world: World) -> None:
    with pytest.raises(ForbiddenError, match=f"needs create or update on secret/data/{APP_PATH} and has read"):
        world.run(holder="audit")


def test_no_result_holds_a_secret_and_a_region_is_not_masked(world: World) -> None:
    outcomes = [world.check(), world.run()]
    shown = json.dumps([[entry.as_dict() for entry in found.items] + [dict(found.facts)] for found in outcomes])
    assert json.dumps(world.right["client_secret"])[1:-1] not in shown
    assert world.right["client_id"] not in shown
    assert world.right["region"] in shown
    assert world.right["client_secret"] in world.protected
    assert world.right["region"] not in world.protected
