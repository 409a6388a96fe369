# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of tenants are looked at as one is, side by side, and nothing of one outlives its chunk."""

from __future__ import annotations

import gc
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

import psutil
import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    amazon_tenant_connect,
    tenant_connect,
    tenant_names,
    tenants_stream,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import lwa
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.amazon_tenant_connect import OPTIONS
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.remembering import RememberingVault

from lab import seed
from tests.integration_lab.amazon_world import OTHER, TENANT, AmazonWorld, filled
from tests.lab.amazon_process import FRANCE

from .test_connect import connect

pytestmark = pytest.mark.lab
ITALY = "APJ6JRA9NG5V4"
DRAWN = re.compile(r"fp [0-9a-f]{12}|state=[\w.%-]+|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
"""What differs from look to look: keyed fingerprints, states, times."""


def params(world: AmazonWorld, role: str = "audit", **given: Any) -> dict[str, Any]:
    return filled(dict(OPTIONS), {**world.params(role), "tenant": None, **given})


def stream(world: AmazonWorld, names: list[str], **given: Any) -> list[tuple[str, Outcome]]:
    return list(tenants_stream.looks(params(world, **given), world.protect, names))


def put(world: AmazonWorld, name: str, document: dict[str, Any] | None, **row: Any) -> str:
    """A tenant with this document and row; returns its name."""
    if document is not None:
        path = seed.TENANT_PATH.format(tenant=name)
        world.kv().create_or_update_secret(path, document, mount_point=seed.MOUNT)
    row = {"owner": "o@x.example", "status": "CONNECTED", "marketplaceId": FRANCE, "sellerId": "A1", **row}
    names = ", ".join(f'"{column}"' for column in row)
    world.query(
        f'INSERT INTO tenants ("tenantId", {names}, "displayName") VALUES (%s, {", ".join(["%s"] * len(row))}, %s)',
        (name, *row.values(), "Amazon Seller A1"),
    )
    return name


def working(world: AmazonWorld, **given: Any) -> dict[str, Any]:
    """A document with a token that Amazon accepts."""
    token = world.amazon.refresh_tokens[OTHER]
    return {**world.drawn.tenant_document(), "seller_id": "A1", "refresh_token": token, **given}


@pytest.fixture
def many(world: AmazonWorld) -> Iterator[AmazonWorld]:
    """Tenants that a test makes are gone after it."""
    try:
        yield world
    finally:
        hands = world.kv()
        for (name,) in world.query('SELECT "tenantId" FROM tenants WHERE "tenantId" LIKE \'many-%%\'', ()):
            hands.delete_metadata_and_all_versions(seed.TENANT_PATH.format(tenant=name), mount_point=seed.MOUNT)
        world.query("DELETE FROM tenants WHERE \"tenantId\" LIKE 'many-%%'", ())


@pytest.fixture
def states(many: AmazonWorld) -> list[str]:
    """A tenant in each state that a look can meet, named after it."""
    world, hands = many, many.kv()
    revoked = world.amazon.refresh_tokens[TENANT]
    world.amazon.admin.seller(TENANT, revoked=True)
    names = [
        put(world, "many-good", working(world)),
        put(world, "many-revoked", working(world, refresh_token=revoked)),
        put(world, "many-dead", working(world, refresh_token="Atzr|CANARY-dead")),
        put(world, "many-without-document", None),
        put(world, "many-without-token", {"seller_id": "A1", "marketplace_id": FRANCE}),
        put(world, "many-incomplete", working(world, region="")),
        put(world, "many-foreign-keys", working(world, note="ours", count=3)),
        put(world, "many-disconnected", working(world), status="DISCONNECTED"),
        put(world, "many-nowhere", working(world, marketplace_id=""), marketplaceId=None),
        put(world, "many-in-italy", working(world, marketplace_id=ITALY)),
        put(world, "many-wrong-region", working(world, region="us-east-1")),
        put(world, "many-deleted", working(world)),
        put(world, "many-destroyed", working(world)),
        "many-unknown",
        "many/impossible",
    ]
    hands.delete_latest_version_of_secret(seed.TENANT_PATH.format(tenant="many-deleted"), mount_point=seed.MOUNT)
    path = seed.TENANT_PATH.format(tenant="many-destroyed")
    hands.destroy_secret_versions(path, versions=[1], mount_point=seed.MOUNT)
    return names


def plain(outcome: Outcome) -> Any:
    """The items of an outcome, and whether something would change, without what is drawn for each look."""
    return DRAWN.sub("#", repr([asdict(item) for item in outcome.items])), outcome.changed


def alone(world: AmazonWorld, name: str, **given: Any) -> Outcome:
    """The look of the module for one tenant."""
    try:
        return amazon_tenant_connect.run(params(world, tenant=name, **given), world.protect, check_mode=True)
    except KeybuzzError as error:
        item = tenant_names.could_not_check("amazon_tenant", name, error)
        return Outcome((item,), changed=False, facts={"error": str(error)})


@pytest.mark.parametrize("given", [{}, {"depth": "keys"}, {"state": "absent"}, {"create_row": True}])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_each_is_seen_as_if_it_were_alone(
    many: AmazonWorld, states: list[str], chunk: int, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenants_stream, "CHUNK", chunk)
    seen = stream(many, states, **given)
    assert [name for name, _outcome in seen] == states
    for name, outcome in seen:
        single = alone(many, name, **given)
        assert plain(outcome) == plain(single), name
        assert outcome.warnings == tuple(text for text in single.warnings if "would be denied" not in text)
        facts = dict(outcome.facts)
        if "error" in single.facts:
            assert (facts["status"], facts["error"]) == ("failed", single.facts["error"])
            continue
        told = {key: value for key, value in single.facts.items() if key not in {"tenants", "depth"}}
        for drawn in ("consent_url", "oauth_state"):
            assert bool(facts.pop(drawn, "")) == bool(told.pop(drawn, ""))
        assert facts == told, name


def test_the_module_makes_one_result_of_them(many: AmazonWorld, states: list[str]) -> None:
    possible = [name for name in states if "/" not in name]
    outcome = connect(many, tenant=None, tenants=possible, check_mode=True, role="audit")
    assert list(outcome.facts["tenants"]) == possible
    assert [item.id.split("/")[1] for item in outcome.items] == sorted(
        (item.id.split("/")[1] for item in outcome.items), key=possible.index
    )
    assert outcome.facts["repair_allowed"] is False
    missing = outcome.facts["missing_permissions"]
    assert "update table tenants" in missing
    assert f"update secret/data/{seed.TENANT_PATH.format(tenant='many-incomplete')}" in missing
    denied = [text for text in outcome.warnings if "would be denied" in text]
    assert denied == [f"The repair would be denied: {right}." for right in missing]
    assert "many-dead: Amazon does not accept the stored refresh token: invalid_grant (HTTP 400)." in outcome.warnings
    allowed = connect(many, tenant=None, tenants=possible, check_mode=True)
    assert (allowed.facts["repair_allowed"], allowed.facts["missing_permissions"]) == (True, [])


def test_what_a_look_lacks_the_repair_lacks_too(many: AmazonWorld) -> None:
    names = [put(many, f"many-{at}", working(many)) for at in range(2)]
    keys_only = str(many.vault.token_files["audit-keys"])
    root = many.vault.client("root")
    rules = f'path "{seed.MOUNT}/data/{seed.APP_PATH}" {{ capabilities = ["read"] }}'
    root.sys.create_or_update_policy("app-only", rules)
    token = root.auth.token.create(policies=["app-only"], ttl="10m")["auth"]["client_token"]
    outcomes = stream(many, names, vault_token_file=None, vault_token=token)
    assert [item.status for _name, outcome in outcomes for item in outcome.items] == ["blocked", "blocked"]
    assert all(outcome.facts["repair_allowed"] is False for _name, outcome in outcomes)
    assert "permission denied" in str(outcomes[0][1].facts["missing_permissions"])
    with pytest.raises(KeybuzzError):
        stream(many, names, vault_token_file=keys_only)


def test_the_connections_are_few_and_all_are_closed(many: AmazonWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [put(many, f"many-{at:03}", working(many)) for at in range(60)]
    monkeypatch.setattr(tenants_stream, "CHUNK", 25)
    servers = {
        "vault": int(many.vault.addr.rpartition(":")[2]),
        "amazon": int(many.amazon.endpoint.rpartition(":")[2]),
        "database": many.database.port,
    }
    me, most = psutil.Process(), Counter[str]()

    def opened() -> Counter[int]:
        return Counter(one.raddr.port for one in me.net_connections() if one.raddr and one.status == "ESTABLISHED")

    before = opened()
    look, guard, looking = tenant_connect.connect, threading.Lock(), Counter[str]()

    def watched(call: Any) -> Any:
        with guard:
            looking["now"] += 1
            looking["most"] = max(looking["most"], looking["now"])
            open_ones = Counter(
                one.raddr.port for one in me.net_connections() if one.raddr and one.status != "CLOSE_WAIT"
            )
            for name, port in servers.items():
                most[name] = max(most[name], open_ones[port] - before[port])
        try:
            return look(call)
        finally:
            with guard:
                looking["now"] -= 1

    monkeypatch.setattr(tenant_connect, "connect", watched)
    assert {item.status for _name, outcome in stream(many, names) for item in outcome.items} == {"in_sync"}
    assert 1 < looking["most"] <= tenants_stream.SIDE_BY_SIDE
    # Vault: one more, over which the application's document was read.
    assert most["vault"] <= tenants_stream.SIDE_BY_SIDE + 1
    assert most["amazon"] <= tenants_stream.SIDE_BY_SIDE
    assert most["database"] == 1
    after = opened()
    assert all(after[port] <= before[port] for port in servers.values())
    assert len(many.calls("token")) == 60


def test_an_amazon_that_is_silent_is_not_asked_for_all(many: AmazonWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lwa, "TRIES", 1)
    names = [put(many, f"many-{at:03}", working(many)) for at in range(40)]
    many.amazon.admin.inject("lwa-503-html", count=None)
    seen = stream(many, names)
    assert len(many.calls("token")) == 3
    statuses = [[item.status for item in outcome.items] for _name, outcome in seen]
    assert statuses == [["unknown", "in_sync", "in_sync"]] * 40
    assert all("HTTP 503" in outcome.items[0].reason for _name, outcome in seen)
    many.amazon.admin.clear()
    many.amazon.admin.clear_requests()
    many.amazon.admin.inject("lwa-503-html", count=None, skip=20)
    statuses = [outcome.items[0].status for _name, outcome in stream(many, names)]
    assert Counter(statuses) == {"in_sync": 20, "unknown": 20}
    # Those that were asking when it fell silent, and two more.
    assert len(many.calls("token")) <= 20 + tenants_stream.SIDE_BY_SIDE + 2


def test_a_vault_that_falls_silent_is_not_asked_for_all(many: AmazonWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [put(many, f"many-{at:03}", working(many)) for at in range(60)]
    monkeypatch.setattr(tenants_stream, "CHUNK", 25)
    read, asked = documents.read_tenant, []

    def silent_from_the_tenth_on(client: Any, where: documents.Place, protect: Any) -> documents.Content:
        asked.append(where.tenant_path)
        if len(asked) > 10:
            raise UnreachableError("reading", where.tenant_path, "no answer in time", "Check the way.")
        return read(client, where, protect)

    monkeypatch.setattr(documents, "read_tenant", silent_from_the_tenth_on)
    seen = stream(many, names)
    assert [name for name, _outcome in seen] == names
    found = Counter(outcome.items[0].status for _name, outcome in seen)
    assert found == {"in_sync": 10, "unknown": 50}
    assert len(asked) <= 10 + tenants_stream.SIDE_BY_SIDE + 2
    assert "no answer in time" in seen[-1][1].items[0].reason


def test_a_database_that_hangs_up_costs_the_chunk_that_met_it(
    many: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenants_stream, "CHUNK", 3)
    names = [put(many, f"many-{at}", working(many)) for at in range(9)]
    statuses = []
    with closing(tenants_stream.looks(params(many), many.protect, names)) as looks:
        for at, (_name, outcome) in enumerate(looks):
            statuses.append(outcome.items[0].status)
            if at == 2:
                many.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                    (many.database.users["audit"],),
                )
    assert statuses == ["in_sync"] * 3 + ["unknown"] * 3 + ["in_sync"] * 3


def test_refused_credentials_of_the_application_are_asked_about_once(many: AmazonWorld) -> None:
    names = [put(many, f"many-{at:03}", working(many)) for at in range(30)]
    many.amazon.admin.inject("invalid-client", count=None)
    assert {outcome.items[0].status for _name, outcome in stream(many, names)} == {"blocked"}
    assert len(many.calls("token")) == 1


def holders(mark: str) -> list[str]:
    """Types of the objects in this process that hold a text with this mark."""
    gc.collect()
    found, seen = [], set[int]()
    waiting: list[Any] = gc.get_objects()
    while waiting:
        holder = waiting.pop()
        for held in gc.get_referents(holder):
            if isinstance(held, (str, bytes, bytearray)):
                text = held if isinstance(held, str) else held.decode("latin1")
                if mark in text:
                    found.append(type(holder).__name__)
            # The collector does not know those that cannot be part of a ring.
            elif isinstance(held, (dict, tuple)) and not gc.is_tracked(held) and id(held) not in seen:
                seen.add(id(held))
                waiting.append(held)
    return found


@pytest.mark.parametrize("remembering", [False, True])
def test_the_secrets_of_a_chunk_are_masked_in_it_and_nothing_holds_them_afterwards(
    many: AmazonWorld, remembering: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenants_stream, "CHUNK", 5)
    start = "-".join(("Atzr|CANARY", "forgotten"))
    # The seller's id is the token of another tenant of the chunk, and would be shown.
    names = [
        put(many, f"many-{at}", working(many, refresh_token=f"{start}-{at}", seller_id=f"{start}-{other}"))
        for at, other in enumerate((1, 2, 3, 4, 0, 6, 7, 8, 9, 5))
    ]
    shown = []
    client = vault.connect(params(many), many.protect, RememberingVault) if remembering else None
    with closing(tenants_stream.looks(params(many), many.protect, names, client)) as looks:
        for at, (_name, outcome) in enumerate(looks):
            shown.append(repr(outcome))
            if at == 0:
                assert holders(f"{start}-3"), "while the chunk is there, its secrets are"
            if at == 5:
                assert not holders(f"{start}-3")
    assert start not in "".join(shown)
    assert "********" in shown[0]
    assert sum(value.startswith("Atz") for value in many.secrets_met) == 0
    assert many.amazon.client_secret in many.secrets_met
    assert not holders(f"{start}-8")


def test_a_consumer_that_stops_early_leaves_nothing_open(many: AmazonWorld) -> None:
    names = [put(many, f"many-{at}", working(many)) for at in range(4)]
    threads = threading.active_count()
    with closing(tenants_stream.looks(params(many), many.protect, names)) as looks:
        assert next(looks)[0] == names[0]
        assert threading.active_count() > threads
    assert threading.active_count() == threads
    sessions = many.query(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND application_name LIKE 'keybuzz.amazon tenants%%'",
        (many.database.users["audit"],),
    )
    assert sessions == [(0,)]
