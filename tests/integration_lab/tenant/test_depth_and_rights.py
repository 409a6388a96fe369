# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant for an auditor without its values, and for a token or a role without the rights to repair it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import result
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, ForbiddenError

from lab import seed
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.lab.amazon_process import FRANCE

from .test_connect import (
    CONNECTED_ROW,
    PATH,
    break_connection,
    connect,
    document,
    given_token,
    row,
    statuses,
)

pytestmark = pytest.mark.lab


def by_keys(world: AmazonWorld, **given: Any) -> Outcome:
    """As an auditor who can read no secret in Vault and nothing but the row in the database."""
    own = {"vault_token_file": str(world.vault.token_files["audit-keys"]), "depth": "keys"}
    return connect(world, check_mode=True, role="audit", **{**own, **given})


def holder(world: AmazonWorld, tmp_path: Path, *rules: str) -> str:
    """File with a token that has these rules alone, beside what every token has."""
    root = world.vault.client("root")
    root.sys.create_or_update_policy("few", "\n".join(rules))
    made = root.auth.token.create(policies=["few"], ttl="10m")
    file = tmp_path / "few.token"
    file.write_text(made["auth"]["client_token"])
    return str(file)


def rule(part: str, path: str, *capabilities: str) -> str:
    allowed = ", ".join(f'"{capability}"' for capability in capabilities)
    return f'path "{seed.MOUNT}/{part}/{path}" {{ capabilities = [{allowed}] }}'


def test_keys_alone_end_green_and_claim_nothing_of_the_token(world: AmazonWorld) -> None:
    outcome = by_keys(world)
    assert statuses(outcome) == {
        "grant": ("ignored", "none"),
        "document": ("in_sync", "none"),
        "row": ("in_sync", "none"),
    }
    assert outcome.facts["status"] == "not_asked"
    assert outcome.facts["depth"] == "keys"
    assert result(outcome, check_mode=True)["verdict"] == "in_sync"
    assert world.calls() == []
    with pytest.raises(ForbiddenError):
        by_keys(world, depth="values")


def test_keys_alone_tell_each_state_of_the_document(world: AmazonWorld) -> None:
    hands = world.kv()
    hands.create_or_update_secret(PATH, {**world.tenant_document(), "extra": 1}, mount_point=seed.MOUNT)
    assert statuses(by_keys(world))["document"] == ("in_sync", "none")
    for lacking, action in (("region", "update"), ("refresh_token", "none")):
        kept = {key: value for key, value in world.tenant_document().items() if key != lacking}
        hands.create_or_update_secret(PATH, kept, mount_point=seed.MOUNT)
        found = by_keys(world)
        assert statuses(found)["document"] == ("drifted", action)
        assert lacking in found.items[1].reason
    assert statuses(by_keys(world))["row"] == ("drifted", "none"), "a row that says connected without a token"
    hands.delete_latest_version_of_secret(PATH, mount_point=seed.MOUNT)
    assert statuses(by_keys(world))["document"] == ("soft_deleted", "undelete")
    hands.destroy_secret_versions(PATH, versions=[4], mount_point=seed.MOUNT)
    assert statuses(by_keys(world))["document"] == ("missing", "none")
    assert statuses(by_keys(world, state="absent")) == {"row": ("drifted", "update"), "document": ("in_sync", "none")}


def test_keys_alone_tell_a_token_that_should_not_be_there(world: AmazonWorld) -> None:
    assert statuses(by_keys(world, state="absent"))["document"] == ("forbidden_present", "remove")


def test_depth_keys_is_for_looking(world: AmazonWorld) -> None:
    with pytest.raises(BadInputError, match="keys only looks"):
        connect(world, depth="keys")


def test_check_mode_names_what_a_repair_would_lack_in_vault_and_in_the_database(
    world: AmazonWorld, tmp_path: Path
) -> None:
    break_connection(world)
    given = given_token(world, tmp_path)
    denied = connect(world, check_mode=True, role="audit", **given)
    assert denied.facts["missing_permissions"] == [f"create secret/data/{PATH}", "update table tenants"]
    assert denied.facts["repair_allowed"] is False
    assert denied.warnings == tuple(
        f"The repair would be denied: {right}."
        for right in denied.facts["missing_permissions"]  # type: ignore[attr-defined]
    )
    allowed = connect(world, check_mode=True, **given)
    assert (allowed.facts["missing_permissions"], allowed.facts["repair_allowed"]) == ([], True)
    connect(world, **given)
    settled = connect(world, check_mode=True, role="audit")
    assert (settled.facts["missing_permissions"], settled.facts["repair_allowed"]) == ([], None)


def test_a_row_that_would_be_created_needs_insert(world: AmazonWorld, tmp_path: Path) -> None:
    given = {**given_token(world, tmp_path), "tenant": "newcomer-005", "create_row": True}
    denied = connect(world, check_mode=True, role="audit", **given)
    assert "insert table tenants" in denied.facts["missing_permissions"]  # type: ignore[operator]


def test_nothing_is_written_half_when_the_token_may_not_do_all(world: AmazonWorld, tmp_path: Path) -> None:
    reader = [rule("data", path, "read") for path in (seed.APP_PATH, PATH)]
    narrow = holder(world, tmp_path, *reader, rule("undelete", PATH, "update"))
    world.kv().delete_latest_version_of_secret(PATH, mount_point=seed.MOUNT)
    with pytest.raises(ForbiddenError, match="nothing was written"):
        connect(world, vault_token_file=narrow)
    assert statuses(by_keys(world))["document"] == ("soft_deleted", "undelete")
    break_connection(world)
    with pytest.raises(ForbiddenError, match=f"has not: create secret/data/{PATH}; nothing was written"):
        connect(world, vault_token_file=narrow, **given_token(world, tmp_path))
    assert row(world)[1] == "DISCONNECTED"


def test_a_disconnection_is_not_begun_when_it_could_not_be_ended(world: AmazonWorld, tmp_path: Path) -> None:
    narrow = holder(world, tmp_path, rule("data", PATH, "read"))
    with pytest.raises(ForbiddenError, match="nothing was written"):
        connect(world, state="absent", vault_token_file=narrow)
    assert row(world) == CONNECTED_ROW


def test_a_code_is_not_used_up_for_a_token_that_could_not_be_stored(world: AmazonWorld, tmp_path: Path) -> None:
    break_connection(world)
    narrow = holder(world, tmp_path, *(rule("data", path, "read") for path in (seed.APP_PATH, PATH)))
    state = connect(world, marketplace_id=FRANCE).facts["oauth_state"]
    code = world.amazon.admin.consent(TENANT)["code"]
    given = {
        "marketplace_id": FRANCE,
        "seller_id": seed.SELLER_ID,
        "authorization_code": code,
        "oauth_state": state,
    }
    world.amazon.admin.clear_requests()
    with pytest.raises(ForbiddenError, match="nothing was written"):
        connect(world, vault_token_file=narrow, **given)
    assert world.calls() == []
    assert connect(world, **given).facts["status"] == "connected"


def test_where_a_token_comes_from_is_noted_and_no_secret_with_it(world: AmazonWorld, tmp_path: Path) -> None:
    break_connection(world)
    done = connect(world, **given_token(world, tmp_path))
    assert done.facts["custom_metadata"] == "written"
    noted = document(world)["metadata"]["custom_metadata"]
    assert (noted["managed_by"], noted["source"]) == ("keybuzz.amazon", "a given refresh token")
    assert set(noted) == {"managed_by", "source", "written_at"}
    again = connect(world)
    assert (again.changed, again.facts["custom_metadata"]) == (False, "unchanged")


def test_both_documents_on_a_mount_of_version_1(world: AmazonWorld, tmp_path: Path) -> None:
    root = world.vault.client("root")
    root.sys.enable_secrets_engine("kv", path="team/old", options={"version": "1"})
    try:
        root.secrets.kv.v1.create_or_update_secret(seed.APP_PATH, world.app_document(), mount_point="team/old")
        given = {"vault_mount": "team/old", "vault_token_file": str(world.vault.token_files["root"])}
        predicted = connect(world, check_mode=True, **given, **given_token(world, tmp_path))
        assert statuses(predicted)["document"] == ("missing", "create")
        assert connect(world, **given, **given_token(world, tmp_path)).facts["custom_metadata"] == "not_supported"
        assert not connect(world, **given).changed
        assert connect(world, state="absent", **given).changed
        stored = root.secrets.kv.v1.read_secret(PATH, mount_point="team/old")["data"]
        assert "refresh_token" not in stored
        assert stored["seller_id"] == seed.SELLER_ID
    finally:
        root.sys.disable_secrets_engine("team/old")
