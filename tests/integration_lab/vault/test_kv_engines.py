# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key-value engines as they come: both versions, any mount, mounts and documents that demand check-and-set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BlockedError,
    ForbiddenError,
    KeybuzzError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv, kv1
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

from .conftest import Server

PATH = "keybuzz/amazon_spapi/app"


@pytest.fixture(scope="module")
def mounts(server: Server) -> Iterator[None]:
    """``old`` (version 1), ``team/kv`` (version 2) and ``strict`` (version 2 that demands check-and-set)."""
    root = server.root()
    root.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
    for path in ("team/kv", "strict"):
        root.sys.enable_secrets_engine("kv", path=path, options={"version": "2"})
    while True:  # a new mount of version 2 answers 400 while it sets itself up
        with contextlib.suppress(Exception):
            root.secrets.kv.v2.configure(cas_required=True, mount_point="strict")
            root.secrets.kv.v2.read_configuration(mount_point="team/kv")
            break
    yield
    for path in ("old", "team/kv", "strict"):
        root.sys.disable_secrets_engine(path)


@pytest.fixture
def client(server: Server, mounts: None) -> Iterator[VaultClient]:
    yield server.client("root")
    root = server.root().adapter
    root.delete(f"/v1/old/{PATH}")
    for mount in ("team/kv", "strict", "secret"):
        root.delete(f"/v1/{mount}/metadata/{PATH}")


def narrow(server: Server, policy: str, **options: Any) -> VaultClient:
    """A client whose token has this policy alone."""
    server.root().sys.create_or_update_policy("narrow", policy)
    made = server.make_token(policies=["narrow"], no_default_policy=True, ttl="1h")
    return server.client(**options).acting_as(made["client_token"])


def test_version_1_is_found_out_read_and_merged(server: Server, client: VaultClient) -> None:
    absent = kv.read(client, "old", PATH)
    assert (absent.state, absent.engine) == ("absent", 1)
    assert kv.write_merged(client, "old", PATH, {"a": "b"}, read=absent) == 0
    server.root().secrets.kv.v1.create_or_update_secret(PATH, {"a": "b", "theirs": {"x": 1}}, mount_point="old")
    found = kv.read(client, "old", PATH)
    kv.write_merged(client, "old", PATH, {"a": "c"}, read=found)
    stored = server.root().secrets.kv.v1.read_secret(PATH, mount_point="old")["data"]
    assert stored == {"a": "c", "theirs": {"x": 1}}


@pytest.mark.parametrize(
    ("version", "mount", "there", "requests"),
    [
        (None, "secret", True, [1, 1]),
        (None, "team/kv", True, [1, 1]),
        (None, "secret", False, [2, 1]),
        (2, "secret", True, [1, 1]),
        (1, "old", True, [1, 1]),
        (None, "old", True, [3, 1]),
    ],
)
@pytest.mark.usefixtures("client")
def test_what_finding_out_the_version_costs(
    server: Server, version: int | None, mount: str, there: bool, requests: list[int]
) -> None:
    if there:
        place = f"{mount}/{PATH}" if mount == "old" else f"{mount}/data/{PATH}"
        server.root().adapter.post(f"/v1/{place}", json={"a": "b"} if mount == "old" else {"data": {"a": "b"}})
    counting = server.client("root", kv_version=version)
    for expected in requests:
        mark = server.mark()
        assert kv.read(counting, mount, PATH).state == ("present" if there else "absent")
        assert len(server.requests_since(mark)) == expected


def test_a_policy_for_version_1_alone_is_enough(server: Server, client: VaultClient) -> None:
    server.root().secrets.kv.v1.create_or_update_secret(PATH, {"a": "b"}, mount_point="old")
    reader = narrow(server, f'path "old/{PATH}" {{ capabilities = ["read"] }}')
    assert kv.read(reader, "old", PATH).data == {"a": "b"}
    other = narrow(server, 'path "old/another" { capabilities = ["read"] }')
    with pytest.raises(ForbiddenError, match=f"old/{PATH}"):
        kv.read(other, "old", PATH)


def test_version_1_is_not_overwritten_when_it_changed_since_it_was_read(server: Server, client: VaultClient) -> None:
    server.root().secrets.kv.v1.create_or_update_secret(PATH, {"a": "b"}, mount_point="old")
    found = kv.read(client, "old", PATH)
    server.root().secrets.kv.v1.create_or_update_secret(PATH, {"a": "theirs"}, mount_point="old")
    with pytest.raises(kv.CasMismatch, match="not what was read any more"):
        kv.write_merged(client, "old", PATH, {"a": "ours"}, read=found)
    assert kv.read(client, "old", PATH).data == {"a": "theirs"}


def test_version_1_that_was_overwritten_right_after_is_a_lost_race(
    server: Server, client: VaultClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, reads, real = kv.read(client, "old", PATH), [0], kv1.read

    def meddling(*arguments: Any) -> kv.Document:
        reads[0] += 1
        if reads[0] == 2:
            server.root().secrets.kv.v1.create_or_update_secret(PATH, {"a": "theirs"}, mount_point="old")
        return real(*arguments)

    monkeypatch.setattr(kv1, "read", meddling)
    with pytest.raises(kv.CasMismatch, match="right after the write"):
        kv.write_merged(client, "old", PATH, {"a": "ours"}, read=found)


def test_version_1_takes_no_empty_document_so_it_is_deleted(server: Server, client: VaultClient) -> None:
    server.root().secrets.kv.v1.create_or_update_secret(PATH, {"a": "b"}, mount_point="old")
    kv.write_merged(client, "old", PATH, {}, read=kv.read(client, "old", PATH), without=("a",))
    assert kv.read(client, "old", PATH).state == "absent"


@pytest.mark.parametrize(
    ("version", "mount", "said"),
    [
        (2, "old", "old/ is a key-value engine of version 1, and vault_kv_version is 2"),
        (1, "secret", "secret/ is a key-value engine of version 2, and vault_kv_version is 1"),
    ],
)
def test_a_wrong_vault_kv_version_is_refused_before_anything_is_written(
    server: Server, client: VaultClient, version: int, mount: str, said: str
) -> None:
    with pytest.raises(kv.UnsupportedEngineError, match=said):
        kv.read(server.client("root", kv_version=version), mount, PATH)


def test_nothing_is_written_where_the_version_is_not_known(server: Server, client: VaultClient) -> None:
    unknown = kv.Document("https://vault/v1/old/data/app", "absent", engine=None)
    with pytest.raises(BlockedError, match="set vault_kv_version"):
        kv.write_merged(client, "old", PATH, {"a": "b"}, read=unknown)


def test_a_mount_that_demands_check_and_set_takes_our_writes(client: VaultClient) -> None:
    assert kv.write_merged(client, "strict", PATH, {"a": "b"}, read=kv.read(client, "strict", PATH)) == 1
    assert kv.write_merged(client, "strict", PATH, {"c": "d"}, read=kv.read(client, "strict", PATH)) == 2
    assert kv.read(client, "strict", PATH).data == {"a": "b", "c": "d"}


def test_a_document_that_demands_it_and_has_no_version_yet(server: Server, client: VaultClient) -> None:
    server.root().adapter.post(
        f"/v1/secret/metadata/{PATH}", json={"cas_required": True, "custom_metadata": {"x": "y"}}
    )
    absent = kv.read(client, "secret", PATH)
    assert absent.state == "absent"
    assert kv.write_merged(client, "secret", PATH, {"a": "b"}, read=absent) == 1


def test_each_state_of_a_version_is_told_at_both_depths(server: Server, client: VaultClient) -> None:
    hands = server.root().secrets.kv.v2

    def states(mount: str = "team/kv") -> tuple[str, str]:
        return kv.read(client, mount, PATH).state, kv.read(client, mount, PATH, "keys").state

    assert states() == ("absent", "absent")
    for content in ({}, None):
        server.root().adapter.post(f"/v1/team/kv/data/{PATH}", json={"data": content})
        assert states() == ("empty", "empty")
    hands.create_or_update_secret(PATH, {"a": 1, "b": {"c": 2}}, mount_point="team/kv")
    assert states() == ("present", "present")
    keys = kv.read(client, "team/kv", PATH, "keys")
    assert (set(keys.names or ()), keys.objects, dict(keys.raw)) == ({"a", "b"}, {"b"}, {})
    hands.delete_latest_version_of_secret(PATH, mount_point="team/kv")
    assert states() == ("soft_deleted", "soft_deleted")
    hands.destroy_secret_versions(PATH, versions=[3], mount_point="team/kv")
    assert states() == ("destroyed", "destroyed")


def test_metadata_alone_tells_the_state_and_no_keys(server: Server, client: VaultClient) -> None:
    reader = narrow(server, f'path "team/kv/metadata/{PATH}" {{ capabilities = ["read"] }}')
    hands = server.root().secrets.kv.v2
    hands.create_or_update_secret(PATH, {"a": "b"}, mount_point="team/kv")
    found = kv.read(reader, "team/kv", PATH, "keys")
    assert (found.state, found.names, found.version) == ("present", None, 1)
    hands.delete_latest_version_of_secret(PATH, mount_point="team/kv")
    assert kv.read(reader, "team/kv", PATH, "keys").state == "soft_deleted"
    hands.destroy_secret_versions(PATH, versions=[1], mount_point="team/kv")
    assert kv.read(reader, "team/kv", PATH, "keys").state == "destroyed"
    nobody = narrow(server, 'path "team/kv/data/other" { capabilities = ["read"] }')
    with pytest.raises(ForbiddenError, match="subkeys"):
        kv.read(nobody, "team/kv", PATH, "keys")


def test_version_1_has_no_depth_keys(server: Server, client: VaultClient) -> None:
    for options in ({}, {"kv_version": 1}):
        with pytest.raises(KeybuzzError, match="version 1, which tells keys together with their values only") as caught:
            kv.read(server.client("root", **options), "old", PATH, "keys")
        assert caught.value.status == "blocked"


def test_a_destroyed_version_needs_update_and_an_absent_one_create(server: Server, client: VaultClient) -> None:
    """What the module says a repair needs is what the server wants."""
    creator = narrow(server, f'path "team/kv/data/{PATH}" {{ capabilities = ["create", "read"] }}')
    absent = kv.read(creator, "team/kv", PATH)
    assert kv.write_merged(creator, "team/kv", PATH, {"a": "b"}, read=absent) == 1
    server.root().secrets.kv.v2.destroy_secret_versions(PATH, versions=[1], mount_point="team/kv")
    with pytest.raises(ForbiddenError):
        kv.write_merged(creator, "team/kv", PATH, {"a": "b"}, read=kv.read(creator, "team/kv", PATH))
    updater = narrow(server, f'path "team/kv/data/{PATH}" {{ capabilities = ["update", "read"] }}')
    assert kv.write_merged(updater, "team/kv", PATH, {"a": "b"}, read=kv.read(updater, "team/kv", PATH)) == 2


@pytest.mark.parametrize(
    ("capabilities", "noted"),
    [
        ('"patch"', "written"),
        ('"read", "update"', "written"),
        ('"read"', "not_permitted"),
        ('"update"', "not_permitted"),
    ],
)
def test_custom_metadata_is_merged_by_patch_or_by_update(
    server: Server, client: VaultClient, capabilities: str, noted: str
) -> None:
    root = server.root().adapter
    root.post(f"/v1/secret/metadata/{PATH}", json={"custom_metadata": {"theirs": "kept"}, "max_versions": 7})
    writer = narrow(
        server,
        f'path "secret/metadata/{PATH}" {{ capabilities = [{capabilities}] }}\n'
        f'path "secret/data/{PATH}" {{ capabilities = ["create", "read", "update"] }}',
    )
    absent = kv.read(writer, "secret", PATH)
    kv.write_merged(writer, "secret", PATH, {"a": "b"}, read=absent)
    found = kv.read(writer, "secret", PATH)
    assert kv.note(writer, "secret", PATH, {"source": "x" * 600}, read=found) == noted
    metadata = root.get(f"/v1/secret/metadata/{PATH}")["data"]
    expected = {"theirs": "kept"} | ({"source": "x" * 512} if noted == "written" else {})
    assert (metadata["custom_metadata"], metadata["max_versions"]) == (expected, 7)
