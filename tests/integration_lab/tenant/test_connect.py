# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting a tenant on real servers: Vault, PostgreSQL, and the simulator of Amazon."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import result
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    KeybuzzError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_tenant_connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import InvalidClient, LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.amazon_tenant_connect import OPTIONS
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import tenants
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv

from lab import seed
from tests.integration_lab.amazon_world import OTHER, TENANT, AmazonWorld, filled
from tests.lab.amazon_process import FRANCE

pytestmark = pytest.mark.lab
PATH = seed.TENANT_PATH.format(tenant=TENANT)
CONNECTED_ROW = (seed.OWNER, "CONNECTED", f"Amazon Seller {seed.SELLER_ID}", FRANCE, seed.SELLER_ID)


def connect(world: AmazonWorld, *, check_mode: bool = False, role: str = "repair", **given: Any) -> Outcome:
    params = filled(OPTIONS, world.params(role, **given))
    outcome = amazon_tenant_connect.run(params, world.protect, check_mode=check_mode)
    # What Ansible would get holds no secret in any form it can be read back from.
    shown = json.dumps(result(outcome, check_mode=check_mode))
    assert "CANARY" not in shown
    return outcome


def document(world: AmazonWorld) -> dict[str, Any]:
    return dict(world.kv().read_secret_version(PATH, mount_point=seed.MOUNT, raise_on_deleted_version=True)["data"])


def row(world: AmazonWorld, tenant: str = TENANT) -> tuple[Any, ...]:
    return world.query(
        'SELECT "owner", "status", "displayName", "marketplaceId", "sellerId" FROM tenants WHERE "tenantId" = %s',
        (tenant,),
    )[0]


def break_connection(world: AmazonWorld) -> None:
    world.kv().delete_metadata_and_all_versions(PATH, mount_point=seed.MOUNT)
    world.query(
        'UPDATE tenants SET "status" = \'DISCONNECTED\', "displayName" = NULL, "marketplaceId" = NULL,'
        ' "sellerId" = NULL WHERE "tenantId" = %s',
        (TENANT,),
    )


def given_token(world: AmazonWorld, tmp_path: Path, token: str | None = None) -> dict[str, Any]:
    file = tmp_path / "seller.token"
    file.write_text((token or world.amazon.refresh_tokens[TENANT]) + "\n")
    return {"refresh_token_file": str(file), "seller_id": seed.SELLER_ID, "marketplace_id": FRANCE}


def statuses(outcome: Outcome) -> dict[str, tuple[str, str]]:
    return {item.id.rpartition("/")[2]: (item.status, item.action) for item in outcome.items}


def test_a_tenant_in_order_costs_one_call_to_amazon_and_writes_nothing(world: AmazonWorld) -> None:
    before = document(world), world.query("SELECT xmin, ctid FROM tenants")
    outcome = connect(world)
    assert not outcome.changed
    assert statuses(outcome) == dict.fromkeys(("grant", "document", "row"), ("in_sync", "none"))
    assert [call["operation"] for call in world.calls()] == ["token"]
    assert (document(world), world.query("SELECT xmin, ctid FROM tenants")) == before


def test_check_mode_names_exactly_what_a_run_then_writes(world: AmazonWorld, tmp_path: Path) -> None:
    break_connection(world)
    given = given_token(world, tmp_path)
    predicted = connect(world, check_mode=True, role="audit", **given)
    assert statuses(predicted) == {
        "grant": ("in_sync", "none"),
        "document": ("missing", "create"),
        "row": ("drifted", "update"),
    }
    assert row(world)[1] == "DISCONNECTED"
    done = connect(world, **given)
    assert statuses(done) == statuses(predicted)
    assert done.changed
    assert {item.status for item in done.remaining or ()} == {"in_sync"}
    stored = document(world)["data"]
    assert stored.pop("created_at").endswith("Z")
    assert stored == {name: value for name, value in world.tenant_document().items() if name != "created_at"}
    assert row(world) == CONNECTED_ROW
    assert not connect(world, **given).changed


def test_a_stored_token_that_works_is_kept_whatever_is_given(world: AmazonWorld, tmp_path: Path) -> None:
    outcome = connect(world, **given_token(world, tmp_path, "Atzr|CANARY-another"))
    assert not outcome.changed
    assert document(world)["metadata"]["version"] == 1


def test_a_dead_token_is_replaced_and_the_keys_of_others_are_kept(world: AmazonWorld, tmp_path: Path) -> None:
    old = {**world.tenant_document(), "refresh_token": "Atzr|CANARY-dead", "note": "ours", "count": 7}
    world.kv().create_or_update_secret(PATH, old, mount_point=seed.MOUNT)
    connect(world, **given_token(world, tmp_path))
    stored = document(world)["data"]
    assert stored["refresh_token"] == world.amazon.refresh_tokens[TENANT]
    assert (stored["note"], stored["count"]) == ("ours", 7)
    assert stored["created_at"] != old["created_at"]


def test_created_at_stays_when_only_another_key_differs(world: AmazonWorld) -> None:
    old = {**world.tenant_document(), "region": "eu-west-1"}
    del old["seller_id"]
    world.kv().create_or_update_secret(PATH, old, mount_point=seed.MOUNT)
    assert connect(world).changed
    assert document(world)["data"] == world.tenant_document()


def test_a_soft_deleted_document_is_undeleted_not_rewritten(world: AmazonWorld) -> None:
    world.kv().delete_latest_version_of_secret(PATH, mount_point=seed.MOUNT)
    predicted = connect(world, check_mode=True)
    assert statuses(predicted)["document"] == ("soft_deleted", "undelete")
    # Whether its token works cannot be seen yet: the seller is not asked for what may not be needed.
    assert statuses(predicted)["grant"] == ("blocked", "none")
    assert "consent_url" not in predicted.facts
    assert result(predicted, check_mode=True)["verdict"] == "drift"
    outcome = connect(world)
    assert outcome.changed
    assert document(world)["metadata"]["version"] == 1
    assert document(world)["data"] == world.tenant_document()


def test_without_a_token_the_seller_gets_an_address_and_his_code_connects_him(world: AmazonWorld) -> None:
    break_connection(world)
    asked = connect(world, marketplace_id=FRANCE, amazon_seller_central=world.amazon.endpoint)
    assert asked.facts["status"] == "reauthorize"
    assert not asked.changed
    assert statuses(asked)["grant"] == ("missing", "reauthorize")
    address = urllib.parse.urlsplit(str(asked.facts["consent_url"]))
    assert f"{address.scheme}://{address.netloc}" == world.amazon.endpoint
    query = dict(urllib.parse.parse_qsl(address.query))
    assert query["application_id"] == world.amazon.application_id
    agreed = world.amazon.admin.consent(TENANT, state=query["state"], redirect_uri=query["redirect_uri"])
    back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(agreed["location"]).query))
    outcome = connect(
        world,
        marketplace_id=FRANCE,
        seller_id=back["selling_partner_id"],
        authorization_code=back["spapi_oauth_code"],
        oauth_state=back["state"],
    )
    assert outcome.facts["status"] == "connected"
    assert row(world) == CONNECTED_ROW
    assert document(world)["data"]["refresh_token"] in world.amazon.admin.issued()["refresh_tokens"]
    assert not connect(world).changed


def test_the_address_stands_in_the_item_that_asks_for_it(world: AmazonWorld) -> None:
    world.amazon.admin.seller(TENANT, revoked=True)
    outcome = connect(world, check_mode=True, role="audit")
    assert str(outcome.facts["consent_url"]) in outcome.items[0].hint
    app = {**world.app_document(), "application_id": ""}
    world.kv().create_or_update_secret(seed.APP_PATH, app, mount_point=seed.MOUNT)
    assert "vault_amazon_app_creds" in connect(world, check_mode=True).items[0].hint


def test_the_token_of_a_code_is_stored_although_the_marketplaces_cannot_be_asked(world: AmazonWorld) -> None:
    break_connection(world)
    state = connect(world, marketplace_id=FRANCE).facts["oauth_state"]
    code = world.amazon.admin.consent(TENANT)["code"]
    world.amazon.admin.inject("html-503", count=None, operation="getMarketplaceParticipations")
    given = {"marketplace_id": FRANCE, "seller_id": seed.SELLER_ID}
    outcome = connect(world, authorization_code=code, oauth_state=state, **given)
    assert "could not be checked" in outcome.warnings[0]
    assert row(world) == CONNECTED_ROW
    assert not connect(world).changed


def test_a_token_that_somebody_else_stores_meanwhile_is_kept(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = exchanged_token(world)
    world.kv().create_or_update_secret(PATH, {**world.tenant_document(), "seller_id": ""}, mount_point=seed.MOUNT)
    write = kv.write_merged

    def raced(*arguments: Any, **named: Any) -> int:
        monkeypatch.setattr(kv, "write_merged", write)
        theirs = {**world.tenant_document(), "seller_id": "", "refresh_token": newer}
        world.kv().create_or_update_secret(PATH, theirs, mount_point=seed.MOUNT)
        return write(*arguments, **named)

    monkeypatch.setattr(kv, "write_merged", raced)
    outcome = connect(world)
    assert document(world)["data"]["refresh_token"] == newer
    assert document(world)["data"]["seller_id"] == seed.SELLER_ID
    assert {item.status for item in outcome.remaining or ()} == {"in_sync"}


def exchanged_token(world: AmazonWorld) -> str:
    """Another refresh token of the seller, from a consent of his."""
    code = world.amazon.admin.consent(TENANT)["code"]
    lwa = LwaClient(world.amazon.lwa_url, ca_cert=str(world.amazon.ca_file))
    token = lwa.exchange_code(world.amazon.client_id, world.amazon.client_secret, code).refresh_token
    assert token
    return token


def test_a_file_that_only_other_hosts_have_is_not_read_while_the_stored_token_works(
    world: AmazonWorld, tmp_path: Path
) -> None:
    nowhere = {**given_token(world, tmp_path), "refresh_token_file": str(tmp_path / "nowhere")}
    assert not connect(world, **nowhere).changed
    break_connection(world)
    assert statuses(connect(world, check_mode=True, **nowhere))["grant"] == ("unknown", "none")
    with pytest.raises(BadInputError, match="refresh_token_file"):
        connect(world, **nowhere)


def test_a_row_that_somebody_else_makes_meanwhile_is_updated(
    world: AmazonWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = tenants.create

    def raced(*arguments: Any) -> bool:
        world.query("INSERT INTO tenants (\"tenantId\", \"owner\") VALUES ('newcomer-004', 'o@new.example')")
        return create(*arguments)

    monkeypatch.setattr(tenants, "create", raced)
    given = {**given_token(world, tmp_path), "tenant": "newcomer-004", "create_row": True, "owner": "o@new.example"}
    try:
        connect(world, **given)
        assert row(world, "newcomer-004") == ("o@new.example", *CONNECTED_ROW[1:])
    finally:
        world.query("DELETE FROM tenants WHERE \"tenantId\" = 'newcomer-004'")


def test_a_code_with_a_state_of_another_tenant_is_not_exchanged(world: AmazonWorld) -> None:
    break_connection(world)
    foreign = connect(world, tenant=OTHER, marketplace_id=FRANCE).facts["oauth_state"]
    world.amazon.admin.clear_requests()
    with pytest.raises(BadInputError, match="made for tenant 'switaa-002'"):
        connect(world, marketplace_id=FRANCE, seller_id="A1", authorization_code="ANcode", oauth_state=foreign)
    assert world.calls() == []


def test_a_revoked_token_is_the_sellers_matter_and_the_row_is_not_touched(world: AmazonWorld) -> None:
    world.amazon.admin.seller(TENANT, revoked=True)
    outcome = connect(world)
    assert outcome.facts["status"] == "reauthorize"
    assert "sellercentral-europe.amazon.com" in str(outcome.facts["consent_url"])
    assert statuses(outcome)["grant"] == ("drifted", "reauthorize")
    assert "invalid_grant" in outcome.items[0].reason
    assert not outcome.changed
    assert row(world) == CONNECTED_ROW


def test_refused_application_credentials_point_at_the_application(world: AmazonWorld) -> None:
    world.amazon.admin.inject("invalid-client", count=None)
    checked = connect(world, check_mode=True)
    assert statuses(checked)["grant"] == ("blocked", "none")
    assert checked.items[0].depends_on == ("amazon_app/document",)
    with pytest.raises(InvalidClient, match="vault_amazon_app_creds"):
        connect(world)


def test_a_missing_application_document_blocks_the_grant_only(world: AmazonWorld) -> None:
    world.kv().delete_metadata_and_all_versions(seed.APP_PATH, mount_point=seed.MOUNT)
    outcome = connect(world, check_mode=True)
    assert statuses(outcome) == {
        "grant": ("blocked", "none"),
        "document": ("in_sync", "none"),
        "row": ("in_sync", "none"),
    }
    assert world.calls() == []
    with pytest.raises(KeybuzzError, match="vault_amazon_app_creds"):
        connect(world)


def test_everything_broken_still_lists_document_and_row(world: AmazonWorld, tmp_path: Path) -> None:
    world.kv().delete_metadata_and_all_versions(seed.APP_PATH, mount_point=seed.MOUNT)
    break_connection(world)
    outcome = connect(world, check_mode=True, role="audit", **given_token(world, tmp_path))
    assert statuses(outcome) == {
        "grant": ("blocked", "none"),
        "document": ("missing", "create"),
        "row": ("drifted", "update"),
    }


def test_amazon_out_of_order_is_unknown_and_never_green(world: AmazonWorld) -> None:
    world.amazon.admin.inject("lwa-503-html", count=None)
    outcome = connect(world, check_mode=True)
    assert statuses(outcome)["grant"] == ("unknown", "none")
    with pytest.raises(UnreachableError):
        connect(world)


def test_a_403_after_a_good_grant_is_a_role_or_a_region(world: AmazonWorld, tmp_path: Path) -> None:
    break_connection(world)
    world.amazon.admin.inject("forbidden-403", count=None)
    with pytest.raises(ForbiddenError, match="roles"):
        connect(world, **given_token(world, tmp_path))
    assert row(world)[1] == "DISCONNECTED"


def test_a_marketplace_the_seller_does_not_sell_in_is_named_with_his_own(world: AmazonWorld, tmp_path: Path) -> None:
    break_connection(world)
    world.amazon.admin.seller(TENANT, not_participating=[FRANCE])
    with pytest.raises(BadInputError, match="IT APJ6JRA9NG5V4"):
        connect(world, **given_token(world, tmp_path))
    assert row(world)[1] == "DISCONNECTED"


def test_another_marketplace_is_checked_although_the_token_is_kept(world: AmazonWorld) -> None:
    world.amazon.admin.seller(TENANT, not_participating=["A1PA6795UKMFR9"])
    with pytest.raises(BadInputError, match="does not sell in A1PA6795UKMFR9"):
        connect(world, marketplace_id="A1PA6795UKMFR9")
    assert document(world)["metadata"]["version"] == 1
    # Left empty, as the roles do where tenants sell in several, each keeps its own.
    assert not connect(world, marketplace_id="").changed


def test_an_unknown_tenant_is_told_who_is_known(world: AmazonWorld) -> None:
    with pytest.raises(BadInputError, match=r"unknown tenant 'ecomlg-01'\. Known tenants: ecomlg-001, switaa-002"):
        connect(world, tenant="ecomlg-01")
    assert world.calls() == []


def test_a_missing_row_is_created_when_asked(world: AmazonWorld, tmp_path: Path) -> None:
    given = {**given_token(world, tmp_path), "tenant": "newcomer-003", "create_row": True, "owner": "o@new.example"}
    try:
        assert connect(world, **given).changed
        assert row(world, "newcomer-003") == ("o@new.example", *CONNECTED_ROW[1:])
        assert not connect(world, **given).changed
    finally:
        world.query("DELETE FROM tenants WHERE \"tenantId\" = 'newcomer-003'")


def test_absent_disconnects_and_leaves_no_token_in_the_current_version(world: AmazonWorld) -> None:
    predicted = connect(world, check_mode=True, state="absent")
    assert statuses(predicted) == {"row": ("drifted", "update"), "document": ("forbidden_present", "remove")}
    assert connect(world, state="absent").changed
    assert "refresh_token" not in document(world)["data"]
    assert document(world)["data"]["seller_id"] == seed.SELLER_ID
    assert row(world)[1] == "DISCONNECTED"
    assert not connect(world, state="absent").changed
    assert world.calls() == []


def test_a_name_people_gave_stays_unless_another_is_asked_for(world: AmazonWorld) -> None:
    world.query('UPDATE tenants SET "displayName" = \'Chez nous\' WHERE "tenantId" = %s', (TENANT,))
    assert not connect(world).changed
    connect(world, display_name="Seller {seller_id}")
    assert row(world)[2] == f"Seller {seed.SELLER_ID}"


def test_own_names_of_columns_keys_and_paths(world: AmazonWorld) -> None:
    world.query("CREATE TABLE sellers (id text PRIMARY KEY, state text, changed timestamptz)")
    world.query("INSERT INTO sellers VALUES ('ecomlg-001', 'OFF', NULL)")
    world.query("GRANT SELECT, UPDATE ON sellers TO keybuzz_repair")
    keys = {"refresh_token": "rt", "seller_id": "sid"}
    stored = {**world.tenant_document(), "rt": world.amazon.refresh_tokens[TENANT], "sid": seed.SELLER_ID}
    world.kv().create_or_update_secret(PATH, stored, mount_point=seed.MOUNT)
    columns = {
        "tenantId": "id",
        "status": "state",
        "updatedAt": "changed",
        **dict.fromkeys(("displayName", "owner", "marketplaceId", "sellerId"), ""),
    }
    try:
        given = {"tenants_table": "sellers", "tenant_columns": columns, "tenant_document_keys": keys}
        assert connect(world, connected_status="ON", **given).changed
        assert world.query("SELECT id, state, changed IS NULL FROM sellers") == [(TENANT, "ON", False)]
        assert not connect(world, connected_status="ON", **given).changed
    finally:
        world.query("DROP TABLE sellers")


def test_a_missing_column_is_named_with_the_sql_that_adds_it(world: AmazonWorld) -> None:
    with pytest.raises(KeybuzzError, match=r"column tenants\.shop.*ALTER TABLE \"tenants\" ADD COLUMN \"shop\" text;"):
        connect(world, tenant_columns={"sellerId": "shop"})


def test_a_database_that_is_down_is_said_so(world: AmazonWorld) -> None:
    with pytest.raises(UnreachableError, match="nothing listens there"):
        connect(world, pg_port=1)
