# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's document for an auditor without its values, for a token without its rights, on other engines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import result
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, ForbiddenError, StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_plan import FIELDS
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_amazon_app_creds import from_options
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import iso

from tests.lab.amazon_process import Simulator

from .app_world import World, item
from .conftest import APP_PATH, Cluster, Server

DATA, AGE = f"secret/data/{APP_PATH}", "amazon_app/secret_age"


@pytest.fixture
def world(server: Server, kubernetes: Cluster, amazon: Simulator) -> World:
    amazon.admin.reset()
    made = World(server, kubernetes, amazon)
    made.source()
    server.forget(APP_PATH)
    return made


def by_keys(world: World) -> Outcome:
    return world.run(check_mode=True, holder="audit-keys", depth="keys")


def states(outcome: Outcome) -> dict[str, str]:
    return {found.id.removeprefix("amazon_app/"): found.status for found in outcome.items}


def with_rights(server: Server, *rules: str) -> VaultClient:
    """A client whose token may read the document, and what these rules allow."""
    own = 'path "sys/capabilities-self" { capabilities = ["update"] }'
    server.root().sys.create_or_update_policy("rights", "\n".join((own, *rules)))
    return server.client().acting_as(server.make_token(policies=["rights"], ttl="1h")["client_token"])


def rule(path: str, *capabilities: str) -> str:
    return f'path "{path}" {{ capabilities = {json.dumps(capabilities)} }}'


def test_an_auditor_without_any_value_sees_each_state_and_ends_green(world: World) -> None:
    hands = world.server.root().secrets.kv.v2
    with pytest.raises(ForbiddenError):
        world.run(check_mode=True, holder="audit-keys", source_secret=None)
    found = by_keys(world)
    assert (item(found).status, item(found).action, verdict(found.items)) == ("missing", "create", "drift")
    world.server.put(APP_PATH, {**world.right, "region": {"nested": 1}})
    assert item(by_keys(world)).status == "drifted"
    world.server.put(APP_PATH, {name: "x" for name in FIELDS if name != "client_secret"})
    assert (item(by_keys(world)).status, states(by_keys(world))["secret_age"]) == ("missing", "blocked")
    hands.delete_latest_version_of_secret(APP_PATH, mount_point="secret")
    assert item(by_keys(world)).status == "soft_deleted"
    hands.destroy_secret_versions(APP_PATH, versions=[2], mount_point="secret")
    assert item(by_keys(world)).status == "missing"
    world.server.forget(APP_PATH)
    world.server.put(APP_PATH, world.right)
    calls, mark = world.lwa_calls(), world.server.mark()
    green = by_keys(world)
    assert states(green) == {"document": "in_sync", "values": "ignored", "secret_age": "in_sync"}
    assert verdict(green.items) == "in_sync"
    assert item(green).reason == "Keys only: values were not compared."
    assert green.facts["depth"] == "keys"
    assert world.server.requests_since(mark) == [("read", f"secret/subkeys/{APP_PATH}")]
    assert world.lwa_calls() == calls


def test_with_keys_only_an_age_that_needs_values_is_left_out_until_it_matters(world: World) -> None:
    for secret in ("one", "two"):
        world.server.put(APP_PATH, {**world.right, "client_secret": secret})
    young = item(by_keys(world), AGE)
    assert (young.status, young.reason.partition(" old")[0]) == ("in_sync", "The client secret is at most 0 days")
    later = datetime.now(UTC) + timedelta(days=160)
    old = world.run(check_mode=True, holder="audit-keys", depth="keys", now=later)
    assert (item(old, AGE).status, item(old, AGE).severity) == ("in_sync", "low")
    assert "at least 160 days" in item(old, AGE).reason
    assert old.warnings


def test_depth_keys_is_for_looking(server: Server) -> None:
    options = {"document_keys": {name: name for name in FIELDS}, "depth": "keys"}
    with pytest.raises(BadInputError, match="keys only looks"):
        from_options(options, lambda secrets: None, check_mode=False)


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        ("absent", [f"create {DATA}"]),
        ("partial", [f"update {DATA}"]),
        ("deleted", [f"update secret/undelete/{APP_PATH}", f"update {DATA}"]),
    ],
)
def test_check_mode_names_what_a_repair_would_lack(world: World, state: str, missing: list[str]) -> None:
    if state != "absent":
        world.server.put(APP_PATH, {"region": "eu-west-1"})
    if state == "deleted":
        world.server.root().secrets.kv.v2.delete_latest_version_of_secret(APP_PATH, mount_point="secret")
    denied = world.check()
    assert denied.facts["missing_permissions"] == missing
    assert denied.facts["repair_allowed"] is False
    assert denied.warnings[0] == f"The repair would be denied: {missing[0]}."
    allowed = world.run(check_mode=True)
    assert (allowed.facts["missing_permissions"], allowed.facts["repair_allowed"]) == ([], True)
    world.run()
    settled = world.check()
    assert (settled.facts["missing_permissions"], settled.facts["repair_allowed"], settled.warnings) == ([], None, ())


def test_a_token_that_may_not_ask_is_not_said_to_be_allowed(world: World) -> None:
    world.server.root().sys.create_or_update_policy("rights", rule(DATA, "read", "create"))
    made = world.server.make_token(policies=["rights"], no_default_policy=True, ttl="1h")
    asked = world.run(check_mode=True, vault=world.server.client().acting_as(made["client_token"]))
    assert (asked.facts["missing_permissions"], asked.facts["repair_allowed"]) == ([], None)
    assert "could not be asked" in asked.warnings[0]


def test_a_deleted_document_is_not_brought_back_when_it_could_not_be_mended(world: World) -> None:
    world.server.put(APP_PATH, {**world.right, "client_secret": "old"})
    world.server.root().secrets.kv.v2.delete_latest_version_of_secret(APP_PATH, mount_point="secret")
    half = with_rights(world.server, rule(DATA, "read"), rule(f"secret/undelete/{APP_PATH}", "update"))
    with pytest.raises(ForbiddenError, match=f"the token has not: update {DATA}; nothing was written"):
        world.run(vault=half)
    assert item(world.check()).status == "soft_deleted"


def test_a_secret_somebody_rotated_by_hand_is_young_again(world: World) -> None:
    world.run()
    long_ago = datetime.now(UTC) - timedelta(days=170)
    noted = {"custom_metadata": {"client_secret_since": iso(long_ago), "client_secret_version": "1"}}
    world.server.root().adapter.post(f"/v1/secret/metadata/{APP_PATH}", json=noted)
    assert item(world.check(), AGE).before["days"] == 170  # type: ignore[index]
    world.server.put(APP_PATH, {**world.right, "region": "us-east-1"})
    another_key = item(world.check(source_secret=None), AGE)
    assert another_key.before["days"] == 170, "another key's change ages nothing"  # type: ignore[index]
    world.server.put(APP_PATH, {**world.right, "client_secret": "rotated"})
    mark = world.server.mark()
    rotated = item(world.check(source_secret=None), AGE)
    assert (rotated.status, rotated.before["days"]) == ("in_sync", 0)  # type: ignore[index]
    assert len(world.server.requests_since(mark)) <= 3


def test_the_age_is_that_of_the_earliest_version_with_the_same_secret(world: World) -> None:
    hands = world.server.root().secrets.kv.v2
    for secret, note in (("a", 1), ("b", 2), ("b", 3), ("b", 4)):
        world.server.put(APP_PATH, {**world.right, "client_secret": secret, "note": str(note)})
    hands.delete_secret_versions(APP_PATH, versions=[3], mount_point="secret")
    versions = hands.read_secret_metadata(APP_PATH, mount_point="secret")["data"]["versions"]
    later = datetime.now(UTC) + timedelta(days=170)
    found = item(world.check(source_secret=None, now=later), AGE)
    assert found.before["since"][:19] == versions["2"]["created_time"][:19]  # type: ignore[index]
    assert "at least" not in found.reason


def test_without_the_versions_times_the_age_is_a_lower_bound_and_says_so(world: World) -> None:
    for secret in ("a", "b"):
        world.server.put(APP_PATH, {**world.right, "client_secret": secret})
    blind = with_rights(world.server, rule(DATA, "read"))
    found = item(world.run(check_mode=True, source_secret=None, vault=blind), AGE)
    assert (found.status, "at least 0 days" in found.reason) == ("in_sync", True)
    assert "may not read the metadata" in found.reason


def test_a_write_notes_the_version_so_that_the_next_look_costs_one_read(world: World) -> None:
    for region in ("x", "y", "z"):
        world.server.put(APP_PATH, {**world.right, "region": region})
    world.run()
    noted = world.server.get(APP_PATH)["metadata"]["custom_metadata"]
    assert noted["client_secret_version"] == "4"
    mark = world.server.mark()
    assert verdict(world.check().items) == "in_sync"
    assert len(world.server.requests_since(mark)) == 1


def test_what_others_noted_in_the_custom_metadata_stays(world: World) -> None:
    world.server.root().adapter.post(f"/v1/secret/metadata/{APP_PATH}", json={"custom_metadata": {"team": "backend"}})
    world.run()
    noted = world.server.get(APP_PATH)["metadata"]["custom_metadata"]
    assert (noted["team"], noted["managed_by"]) == ("backend", "keybuzz.amazon")


@pytest.fixture
def mount(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """A mount of its own, of the version in its name."""
    name = str(request.param)
    server.root().sys.enable_secrets_engine("kv", path=name, options={"version": name[-1]})
    while True:  # a new mount of version 2 answers 400 while it sets itself up
        with contextlib.suppress(Exception):
            server.root().adapter.get(f"/v1/{name}/config" if name.endswith("2") else "/v1/sys/health")
            break
    yield name
    server.root().sys.disable_secrets_engine(name)


@pytest.mark.parametrize("mount", ["team/apps/kv2", "plain/kv1"], indirect=True)
def test_the_same_repair_on_another_mount_and_on_version_1(world: World, mount: str) -> None:
    root = world.server.client("root")
    predicted = world.run(check_mode=True, mount=mount, vault=root)
    done = world.run(mount=mount, vault=root)
    assert [found.action for found in predicted.items][:1] == ["create"]
    assert done.facts["document"]["kv_version"] == int(mount[-1])  # type: ignore[index]
    assert done.facts["document"]["custom_metadata"] == ("written" if mount.endswith("2") else "not_supported")  # type: ignore[index]
    again = world.run(mount=mount, vault=root)
    assert (again.changed, verdict(again.items)) == (False, "in_sync")
    world.source(region="us-east-1")
    assert item(world.run(mount=mount, vault=root)).status == "drifted"
    assert verdict(world.run(mount=mount, vault=root).items) == "in_sync"


@pytest.mark.parametrize("mount", ["alone/kv1"], indirect=True)
def test_on_version_1_an_age_nobody_knows_is_unknown_and_may_be_stated(world: World, mount: str) -> None:
    root = world.server.client("root")
    world.run(mount=mount, vault=root)
    unknown = item(world.run(check_mode=True, mount=mount, vault=root, source_secret=None), AGE)
    assert (unknown.status, unknown.severity) == ("unknown", "low")
    since = datetime.now(UTC) - timedelta(days=176)
    stated: dict[str, Any] = {"mount": mount, "vault": root, "source_secret": None, "since": since}
    assert item(world.run(check_mode=True, **stated), AGE).status == "expiring"


@pytest.mark.parametrize("mount", ["racing/kv1"], indirect=True)
def test_on_version_1_a_race_that_is_lost_three_times_is_stale(
    world: World, mount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, real, meddled = world.server.client("root"), kv.write_merged, [0]

    def racing(*arguments: Any, **options: Any) -> int:
        meddled[0] += 1
        world.server.root().adapter.post(f"/v1/{mount}/{APP_PATH}", json={"theirs": str(meddled[0])})
        return real(*arguments, **options)

    monkeypatch.setattr(kv, "write_merged", racing)
    with pytest.raises(StaleError, match="3 times in a row"):
        world.run(mount=mount, vault=root)
    assert kv.read(root, mount, APP_PATH).raw == {"theirs": "3"}


@pytest.mark.parametrize(
    ("content", "status"),
    [(None, "empty"), ({}, "empty"), ({"client_secret": {"nested": "x"}, "region": 7}, "missing")],
)
def test_a_document_that_is_null_or_of_other_types_is_mended(world: World, content: Any, status: str) -> None:
    world.server.root().adapter.post(f"/v1/{DATA}", json={"data": content})
    assert item(world.check()).status == status
    world.run()
    assert world.document() == world.right


def test_a_document_that_deletes_itself_is_warned_of(world: World) -> None:
    world.server.root().adapter.post(f"/v1/secret/metadata/{APP_PATH}", json={"delete_version_after": "1h"})
    world.server.put(APP_PATH, world.right)
    for outcome in (world.check(), by_keys(world)):
        assert item(outcome).status == "in_sync"
        assert "deletes itself at 20" in outcome.warnings[0]


def test_an_age_worth_a_word_is_a_warning_and_no_drift(world: World) -> None:
    world.server.put(APP_PATH, world.right)
    outcome = world.check(now=datetime.now(UTC) + timedelta(days=160, hours=1))
    assert result(outcome, check_mode=True)["verdict"] == "in_sync"
    assert "160 days old and ends in 20 days" in outcome.warnings[0]
