# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several tenants in one call: one connection, one read of what they share, and none that hides another."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import result
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    KeybuzzError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_tenant_connect import TenantsFailedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import InvalidClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv

from lab import seed
from tests.integration_lab.amazon_world import OTHER, TENANT, AmazonWorld
from tests.lab.amazon_process import FRANCE

from .test_connect import CONNECTED_ROW, PATH, break_connection, connect, document, row

pytestmark = pytest.mark.lab
OTHER_PATH = seed.TENANT_PATH.format(tenant=OTHER)


def several(world: AmazonWorld, *names: str, **given: Any) -> Any:
    return connect(world, tenant=None, tenants=list(names), **given)


@pytest.fixture
def both(world: AmazonWorld) -> AmazonWorld:
    """Both tenants connected."""
    other = {
        "refresh_token": world.amazon.refresh_tokens[OTHER],
        "seller_id": seed.OTHER_SELLER_ID,
        "marketplace_id": FRANCE,
        "region": seed.REGION,
        "created_at": seed.CREATED_AT,
    }
    world.kv().create_or_update_secret(OTHER_PATH, other, mount_point=seed.MOUNT)
    connect(world, tenant=OTHER)
    world.amazon.admin.clear_requests()
    return world


def test_two_in_order_cost_one_call_each_and_one_read_of_the_application(both: AmazonWorld) -> None:
    mark = both.vault.audit_log.stat().st_size
    outcome = several(both, TENANT, OTHER, TENANT)
    assert not outcome.changed
    assert [item.id for item in outcome.items] == [
        f"amazon_tenant/{name}/{part}" for name in (TENANT, OTHER) for part in ("grant", "document", "row")
    ]
    assert {name: facts["status"] for name, facts in outcome.facts["tenants"].items()} == {
        TENANT: "connected",
        OTHER: "connected",
    }
    assert "status" not in outcome.facts
    assert [call["operation"] for call in both.calls()] == ["token", "token"]
    log = both.vault.audit_log.read_bytes()[mark:].decode()
    assert log.count(f'"path":"secret/data/{seed.APP_PATH}"') == 2, "one request and its response"


def test_one_that_fails_hides_no_other_and_fails_the_task_at_its_end(both: AmazonWorld) -> None:
    break_connection(both)  # this one's marketplace is nowhere to be had now
    both.query('UPDATE tenants SET "status" = \'OFF\' WHERE "tenantId" = %s', (OTHER,))
    predicted = several(both, "typo-009", TENANT, OTHER, check_mode=True, role="audit")
    assert [(item.id.split("/", 1)[1], item.status) for item in predicted.items if item.status != "in_sync"] == [
        ("typo-009/could-not-check", "error"),
        (f"{TENANT}/could-not-check", "error"),
        (f"{OTHER}/row", "drifted"),
    ]
    assert result(predicted, check_mode=True)["verdict"] == "error"
    with pytest.raises(TenantsFailedError, match=rf"2 of the tenants failed \(typo-009, {TENANT}\)") as caught:
        several(both, "typo-009", TENANT, OTHER)
    found = caught.value.outcome
    assert found.changed
    assert found.facts["tenants"][OTHER]["status"] == "connected"  # type: ignore[index]
    assert "unknown tenant 'typo-009'" in found.facts["tenants"]["typo-009"]["error"]  # type: ignore[index]
    assert row(both, OTHER)[1] == "CONNECTED"


def test_refused_credentials_of_the_application_are_asked_about_once(both: AmazonWorld) -> None:
    both.amazon.admin.inject("invalid-client", count=None)
    checked = several(both, TENANT, OTHER, check_mode=True)
    assert [item.status for item in checked.items if item.id.endswith("/grant")] == ["blocked", "blocked"]
    assert len(both.calls()) == 1
    with pytest.raises(TenantsFailedError, match="invalid_client"):
        several(both, TENANT, OTHER)
    with pytest.raises(InvalidClient):
        connect(both)


def test_a_vault_that_does_not_answer_is_one_failure_and_not_one_for_each(both: AmazonWorld) -> None:
    with pytest.raises(KeybuzzError, match="connection refused"):
        several(both, TENANT, OTHER, check_mode=True, vault_addr="https://127.0.0.1:1")


def test_a_server_that_stopped_answering_is_not_waited_for_by_all(
    both: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def silent(client: Any, where: documents.Place, protect: Any) -> documents.Content:
        asked.append(where.tenant_path)
        raise UnreachableError("reading", where.tenant_path, "no answer in time", "Check the way.")

    monkeypatch.setattr(documents, "read_tenant", silent)
    names = [f"seller-{number}" for number in range(6)]
    for name in names:
        both.query('INSERT INTO tenants ("tenantId", "owner") VALUES (%s, \'o@x.example\')', (name,))
    try:
        outcome = several(both, *names, check_mode=True)
    finally:
        both.query("DELETE FROM tenants WHERE \"tenantId\" LIKE 'seller-%%'", ())
    assert len(asked) == 3
    assert [item.status for item in outcome.items] == ["unknown"] * 6


@pytest.mark.parametrize(
    "given",
    [{"refresh_token": "Atzr|CANARY"}, {"authorization_code": "ANx"}, {"seller_id": "A1"}, {"oauth_state": "x"}],
)
def test_what_belongs_to_one_seller_is_not_given_to_many(world: AmazonWorld, given: dict[str, str]) -> None:
    with pytest.raises(BadInputError, match=f"{next(iter(given))}.*belongs to one seller"):
        several(world, TENANT, OTHER, **given)
    assert world.calls() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tenant": TENANT, "tenants": [OTHER]}, "both are given"),
        ({"tenant": None, "tenants": []}, "the list is empty"),
        ({"tenant": None}, "neither is given"),
    ],
)
def test_either_one_or_several_are_named(world: AmazonWorld, given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        connect(world, **given)


def test_several_are_disconnected_together(both: AmazonWorld) -> None:
    assert several(both, TENANT, OTHER, state="absent").changed
    assert [row(both, name)[1] for name in (TENANT, OTHER)] == ["DISCONNECTED", "DISCONNECTED"]
    assert "refresh_token" not in document(both)["data"]
    assert both.calls() == []
    assert not several(both, TENANT, OTHER, state="absent").changed


def test_a_lost_race_of_one_is_its_own(both: AmazonWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (PATH, OTHER_PATH):
        stored = both.kv().read_secret_version(path, mount_point=seed.MOUNT, raise_on_deleted_version=True)["data"][
            "data"
        ]
        both.kv().create_or_update_secret(path, {**stored, "region": ""}, mount_point=seed.MOUNT)
    write = kv.write_merged

    def raced(client: Any, mount: str, path: str, *arguments: Any, **named: Any) -> int:
        if path == PATH:
            raise kv.CasMismatch("writing", path, "somebody else wrote", "Run again.")
        return write(client, mount, path, *arguments, **named)

    monkeypatch.setattr(kv, "write_merged", raced)
    with pytest.raises(TenantsFailedError) as caught:
        several(both, TENANT, OTHER)
    found = {item.id: item.status for item in caught.value.outcome.remaining or ()}
    assert found[f"amazon_tenant/{TENANT}/could-not-check"] == "stale"
    assert found[f"amazon_tenant/{OTHER}/document"] == "in_sync"
    assert row(both) == CONNECTED_ROW
