# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces of the healthy world: each breaks alone and comes back as it was."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Any

import pytest

from lab import pieces, seed
from lab.errors import LabError, UsageError
from lab.pieces.piece import Piece
from lab.world import World
from tests.lab.kubernetes_world import eventually

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def world(core_world: World) -> Iterator[World]:
    _put_orders(core_world)
    yield core_world
    connection = core_world.database()
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE kept_log; DELETE FROM order_items; DELETE FROM orders")
    connection.close()


def _put_orders(world: World) -> None:
    """Rows whose values do not survive a trip through a float, a naive time or a careless quote."""
    connection = world.database()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO orders ("tenantId", "externalOrderId", "orderRef", "marketplaceId", "orderDate",
                                   "totalAmount", "currency", "orderStatus", "lastUpdatedAt")
               VALUES ('ecomlg-001', '407-8949262-6149120', '#149120', 'A13V1IB3VIYZZH',
                       '2025-11-22 12:00:24.123456+00', 391.8400000000000000001, 'EUR', 'SHIPPED', now())"""
        )
        cursor.execute(
            """INSERT INTO order_items ("tenantId", "externalOrderId", "externalItemId", "title",
                                        "quantityOrdered", "lineStatus")
               VALUES ('ecomlg-001', '407-8949262-6149120', '1', %s, 1, 'ACTIVE')""",
            ('l\'"étui" \\ % é',),
        )
        cursor.execute(
            """CREATE TABLE kept_log (id bigint GENERATED ALWAYS AS IDENTITY, "tenantId" text, doubled int,
                                      twice int GENERATED ALWAYS AS (doubled * 2) STORED)"""
        )
        cursor.execute("INSERT INTO kept_log (\"tenantId\", doubled) VALUES ('ecomlg-001', 4), ('other', 5)")
    connection.close()


def snapshot(world: World) -> dict[str, Any]:
    """Everything a piece could touch, without what Kubernetes and Vault count on their own."""
    api, namespace = world.kubernetes(), world.state["backend"]["namespace"]
    vault = world.vault.client()
    documents = {}
    for path in (seed.APP_PATH, seed.TENANT_PATH.format(tenant=seed.TENANT)):
        metadata = vault.secrets.kv.v2.read_secret_metadata(path, mount_point=seed.MOUNT)["data"]
        settings = {name: metadata[name] for name in ("custom_metadata", "max_versions", "cas_required")}
        versions = {
            number: (bool(version["deletion_time"]), version["destroyed"])
            for number, version in metadata["versions"].items()
        }
        current = vault.secrets.kv.v2.read_secret_version(path, mount_point=seed.MOUNT, raise_on_deleted_version=True)
        documents[path] = (current["data"]["data"], versions, settings)
    rows = {}
    connection = world.database()
    with connection, connection.cursor() as cursor:
        for table in ("tenants", "orders", "order_items", "kept_log"):
            cursor.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
            rows[table] = cursor.fetchall()
    connection.close()
    return {
        "pod": api.get("deployments", "keybuzz-backend", namespace)["spec"],
        "secrets": {one["metadata"]["name"]: one["data"] for one in api.list("secrets", namespace)["items"]},
        "config maps": {
            one["metadata"]["name"]: one["data"]
            for one in api.list("configmaps", namespace)["items"]
            if one["metadata"]["name"] == "vault-ca"
        },
        "documents": documents,
        "policy": vault.sys.read_policy("keybuzz-backend-dev")["data"]["rules"],
        "role": vault.adapter.get("/v1/auth/token/roles/keybuzz-backend-dev")["data"],
        "rows": rows,
    }


@pytest.mark.parametrize("piece", pieces.EVERY, ids=lambda piece: piece.name)
def test_a_piece_breaks_alone_and_heals_to_exactly_what_it_was(world: World, piece: Piece) -> None:
    before = snapshot(world)
    pieces.break_pieces(world, [piece])
    assert pieces.broken(world) == [piece.name]
    eventually(lambda: (world.backend()[0] == 200) == piece.harmless)
    kept = world.directory / "broken" / f"{piece.name}.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    pieces.heal_pieces(world, [piece])
    assert snapshot(world) == before
    assert pieces.broken(world) == []
    assert not kept.exists()
    assert world.backend()[0] == 200


def test_breaking_all_makes_one_rollout_and_the_backend_goes_down(world: World) -> None:
    before, revision = snapshot(world), _revision(world)
    done = pieces.break_pieces(world, pieces.ALL)
    assert pieces.broken(world) == list(pieces.NAMES)
    assert _revision(world) == revision + 1
    assert done["backend"].startswith("is down: ")
    assert world.kubernetes().get("secrets", "vault-token", "keybuzz-backend-dev")["data"] == {"VAULT_TOKEN": ""}
    pieces.heal_pieces(world, pieces.ALL)
    assert _revision(world) == revision + 2
    assert snapshot(world) == before


@pytest.mark.parametrize("number", range(2))
def test_any_that_are_no_two_ways_of_the_same_break_together_and_heal_in_any_order(world: World, number: int) -> None:
    before = snapshot(world)
    by_family: dict[str, list[Piece]] = {}
    for piece in pieces.EVERY:
        by_family.setdefault(piece.family, []).append(piece)
    chosen = [ways[number % len(ways)] for ways in by_family.values()]
    for piece in chosen:
        pieces.break_pieces(world, [piece])
    assert set(pieces.broken(world)) == {piece.name for piece in chosen}
    for piece in chosen if number else reversed(chosen):
        pieces.heal_pieces(world, [piece])
    assert pieces.broken(world) == []
    assert snapshot(world) == before


def test_one_thing_is_not_broken_in_two_ways_at_a_time(world: World) -> None:
    before = snapshot(world)
    with pytest.raises(UsageError, match="two ways of breaking the same thing"):
        pieces.break_pieces(world, pieces.chosen(["app-creds", "app-creds-deleted"]))
    pieces.break_pieces(world, pieces.chosen(["root-token"]))
    with pytest.raises(UsageError, match="heal root-token puts the other back"):
        pieces.break_pieces(world, pieces.chosen(["vault-token-secret"]))
    pieces.heal_pieces(world, pieces.EVERY)
    assert snapshot(world) == before


def test_variables_come_back_in_their_order_whatever_broke_and_healed_first(world: World) -> None:
    before = snapshot(world)
    for name in ("vault-addr", "tls-trust"):
        pieces.break_pieces(world, pieces.chosen([name]))
    for name in ("vault-addr", "tls-trust"):
        pieces.heal_pieces(world, pieces.chosen([name]))
    assert snapshot(world) == before


def test_breaking_twice_keeps_what_was_there_first(world: World) -> None:
    before, piece = snapshot(world), pieces.chosen(["app-creds"])
    pieces.break_pieces(world, piece)
    assert pieces.break_pieces(world, piece) == {"app-creds": "was broken already"}
    pieces.heal_pieces(world, piece)
    assert snapshot(world) == before


def test_a_document_with_versions_and_settings_comes_back_with_them(world: World) -> None:
    kv, path = world.vault.client().secrets.kv.v2, seed.TENANT_PATH.format(tenant=seed.TENANT)
    document = kv.read_secret_version(path, mount_point=seed.MOUNT, raise_on_deleted_version=True)["data"]["data"]
    kv.update_metadata(path, custom_metadata={"managed_by": "somebody"}, mount_point=seed.MOUNT)
    for _ in range(3):
        kv.create_or_update_secret(path, document, mount_point=seed.MOUNT)
    kv.delete_secret_versions(path, [2], mount_point=seed.MOUNT)
    kv.destroy_secret_versions(path, [3], mount_point=seed.MOUNT)
    before = snapshot(world)
    pieces.break_pieces(world, pieces.chosen(["tenant-connection"]))
    pieces.heal_pieces(world, pieces.chosen(["tenant-connection"]))
    assert snapshot(world) == before


def test_a_piece_that_somebody_repaired_is_left_as_it_is(world: World) -> None:
    api, piece = world.kubernetes(), pieces.chosen(["vault-token-secret"])
    original = api.get("secrets", "vault-token", "keybuzz-backend-dev")["data"]
    pieces.break_pieces(world, piece)
    api.patch("secrets", "vault-token", {"data": {"VAULT_TOKEN": "bmV3"}}, "keybuzz-backend-dev")
    assert pieces.heal_pieces(world, piece) == {"vault-token-secret": "is whole"}
    assert api.get("secrets", "vault-token", "keybuzz-backend-dev")["data"] == {"VAULT_TOKEN": "bmV3"}
    api.patch("secrets", "vault-token", {"data": original}, "keybuzz-backend-dev")


def test_what_somebody_else_broke_is_not_healed_by_guessing(world: World) -> None:
    api, piece = world.kubernetes(), pieces.chosen(["vault-token-secret"])
    original = api.get("secrets", "vault-token", "keybuzz-backend-dev")["data"]
    api.patch("secrets", "vault-token", {"data": {"VAULT_TOKEN": ""}}, "keybuzz-backend-dev")
    with pytest.raises(LabError, match="vault-token-secret: broken, but not by python -m lab break"):
        pieces.heal_pieces(world, piece)
    api.patch("secrets", "vault-token", {"data": original}, "keybuzz-backend-dev")


def test_an_unknown_piece_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no piece named nonsense: the pieces are vault-token-secret, vault-addr"):
        pieces.chosen(["nonsense"])


def _revision(world: World) -> int:
    found = world.kubernetes().get("deployments", "keybuzz-backend", "keybuzz-backend-dev")
    return int(found["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
