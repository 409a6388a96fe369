# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan keeps, what has to be the same when it is applied, and who may have signed it."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.repair_plan import run
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan import document, entries
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.hold import hold
from ansible_collections.keybuzz.amazon.plugins.module_utils._version import VERSION
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PROJECT = Path(__file__).parents[3]
NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)
SECRET = Item(
    "vault_token/secret",
    "Secret a/vault-token",
    "vault_token",
    "critical",
    "empty",
    "update",
    sensitive=True,
    before="empty",
    after="present (a new token of its own)",
    precondition={"resource_version": "7"},
)
ADDRESS = Item(
    "backend_access/env/VAULT_ADDR",
    "Deployment a/b",
    "backend_access",
    "high",
    "missing",
    "create",
    before="missing",
    after="https://vault",
    precondition={"uid": "u", "generation": 3},
)
BYPASS = replace(ADDRESS, id="backend_access/forbidden/X", status="forbidden_present", action="remove", before="0")
APP = Item(
    "amazon_app/document",
    "https://vault/app",
    "amazon_app",
    "critical",
    "missing",
    "create",
    sensitive=True,
    before={"client_secret": "missing"},
    after={"client_secret": Fingerprints().of("CANARY-client-secret"), "region": "eu-west-1"},
    precondition={"kv_version": 0},
)
GRANT = Item(
    "amazon_tenant/t-1/grant", "grant", "amazon_tenant", "high", "blocked", depends_on=("amazon_app/document",)
)
WINDOW = Item(
    "amazon_orders/t-1/window",
    "orders until 10:00",
    "amazon_orders",
    "high",
    "missing",
    "create",
    before="not imported",
    after="imported until 10:00",
    depends_on=("amazon_tenant/t-1/grant",),
)
CLEAN = Item("vault_token/policy", "policy", "vault_token", "info", "in_sync")
ALL = (CLEAN, SECRET, ADDRESS, APP, GRANT, WINDOW)


def raw(items: tuple[Item, ...] = ALL, name: str = "staging", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "drift": [item.as_dict() for item in items],
        "tenants": ["t-1"],
        "servers": {"vault": "https://vault"},
        "error": "",
        **more,
    }


def write(path: Path, *environments: dict[str, Any], **more: Any) -> dict[str, Any]:
    params = {"path": str(path), "state": "present", "environments": list(environments or (raw(),)), **more}
    run(params, NOW)
    made: dict[str, Any] = json.loads(path.read_text())
    return made


def held(path: Path, environment: dict[str, Any] | None = None, now: datetime.datetime = NOW, **more: Any) -> Any:
    params = {"path": str(path), "state": "held", "environments": [environment or raw()], "max_age": 86400, **more}
    return run(params, now)[0]


def key_pair(folder: Path, name: str = "plan", *, ssh: bool = False) -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    form = serialization.PrivateFormat.OpenSSH if ssh else serialization.PrivateFormat.PKCS8
    public = (
        (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        if ssh
        else (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    private_file, public_file = folder / f"{name}.key", folder / f"{name}.pub"
    private_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    public_file.write_bytes(key.public_key().public_bytes(*public))
    return str(private_file), str(public_file)


def test_a_plan_has_what_is_written_and_what_waits_for_it_and_nothing_that_is_in_sync(tmp_path: Path) -> None:
    made = write(tmp_path / "plan.json")
    planned = {one["id"]: one for one in made["environments"]["staging"]["items"]}
    assert set(planned) == {item.id for item in ALL if item is not CLEAN}
    assert planned["amazon_app/document"]["after"] == {"client_secret": "present", "region": "eu-west-1"}
    text = (tmp_path / "plan.json").read_text()
    assert "CANARY" not in text and "(fp " not in text
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600


def test_a_plan_holds_for_what_it_was_made_from_and_gives_every_step(tmp_path: Path) -> None:
    write(tmp_path / "plan.json")
    later = NOW + datetime.timedelta(hours=1)
    window = replace(WINDOW, address="orders until 11:00", after="imported until 11:00")
    app = replace(APP, after={"client_secret": Fingerprints().of("CANARY-client-secret"), "region": "eu-west-1"})
    found = held(tmp_path / "plan.json", raw((CLEAN, SECRET, ADDRESS, app, GRANT, window)), later)
    assert found["steps"] == ["amazon_app", "amazon_orders", "amazon_tenant", "backend_access", "vault_token"]
    assert found["tenants"] == {"amazon_tenant": ["t-1"], "amazon_orders": ["t-1"]}
    assert found["refused"] == [] and found["unplanned"] == [] and found["done"] == []


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (replace(SECRET, precondition={"resource_version": "8"}), "precondition"),
        (replace(SECRET, status="drifted"), "status"),
        (replace(SECRET, action="renew"), "action"),
        (replace(ADDRESS, after="https://elsewhere"), "after"),
        (replace(ADDRESS, before="http://vault"), "before"),
        (replace(APP, after={"client_secret": "present", "region": "us-east-1"}), "after"),
    ],
)
def test_what_has_moved_is_refused_with_what_has_moved(now: Item, why: str) -> None:
    found = hold([entries.entry(item) for item in (SECRET, ADDRESS, APP)], [now])
    (refusal,) = [one for one in found.refused if one.id == now.id]
    assert refusal.why.startswith(why) and " was " in refusal.why
    assert refusal.group not in found.groups


def test_a_step_with_something_unplanned_in_it_is_not_taken() -> None:
    found = hold([entries.entry(ADDRESS)], [ADDRESS, BYPASS])
    assert found.groups == frozenset()
    assert [one.id for one in found.unplanned] == [BYPASS.id]
    assert found.refused[0].why == f"{BYPASS.id} is written by the same call, and it is not in the plan"


def test_what_waits_for_something_refused_is_refused_too() -> None:
    planned = entries.planned(ALL)
    found = hold(planned, [*(item for item in ALL if item is not APP), replace(APP, precondition={"kv_version": 1})])
    assert {one.id for one in found.refused} == {APP.id, GRANT.id, WINDOW.id}
    assert {group.check for group in found.groups} == {"vault_token", "backend_access"}


def test_what_somebody_has_mended_meanwhile_is_done_and_holds_nothing_up() -> None:
    found = hold([entries.entry(SECRET), entries.entry(ADDRESS)], [replace(SECRET, status="in_sync"), ADDRESS])
    assert found.done == (SECRET.id,) and found.refused == ()
    assert {group.check for group in found.groups} == {"backend_access"}


def test_a_call_writes_nothing_unless_all_that_it_would_write_was_planned_and_has_not_moved() -> None:
    entries.refuse_unplanned([CLEAN, SECRET], [entries.entry(SECRET)])
    entries.refuse_unplanned([SECRET, BYPASS], None)
    entries.refuse_unplanned([CLEAN, GRANT], [])
    follower = replace(SECRET, id="vault_token/superseded")
    entries.refuse_unplanned([follower], [entries.entry(SECRET)])
    for items, planned in (
        ([SECRET], []),
        ([SECRET, BYPASS], [SECRET]),
        ([replace(SECRET, precondition={"resource_version": "8"})], [SECRET]),
        ([follower], [ADDRESS]),
    ):
        with pytest.raises(StaleError, match="Nothing was written"):
            entries.refuse_unplanned(items, [entries.entry(item) for item in planned])


@pytest.mark.parametrize("ssh", [False, True], ids=["pem", "openssh"])
def test_a_signed_plan_is_taken_from_its_signer_alone(tmp_path: Path, ssh: bool) -> None:
    private, public = key_pair(tmp_path, ssh=ssh)
    _, stranger = key_pair(tmp_path, "stranger")
    path = tmp_path / "plan.json"
    made = write(path, signing_key=private)
    assert held(path, public_key=public)["refused"] == []
    with pytest.raises(BadInputError, match="has signed it"):
        held(path, public_key=stranger)
    with pytest.raises(BadInputError, match="it is signed, and nothing was given to verify"):
        held(path)
    made["environments"]["staging"]["items"][0]["after"] = "something else"
    path.write_text(json.dumps(made))
    with pytest.raises(BadInputError, match="changed after it was signed"):
        held(path, public_key=public)
    del made["signature"]
    path.write_text(json.dumps(made))
    with pytest.raises(BadInputError, match="it is not signed"):
        held(path, public_key=public)


def test_the_spelling_of_the_file_is_not_what_is_signed(tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    path = tmp_path / "plan.json"
    made = write(path, signing_key=private)
    path.write_text(json.dumps(dict(reversed(made.items())), indent=7))
    assert held(path, public_key=public)["refused"] == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": "0.0.1"}, "made by release 0.0.1"),
        ({"format_version": "2.0"}, "its format is 2.0"),
        ({"kind": "something"}, "is no keybuzz.amazon repair plan"),
        ({"created_at": "2026-01-10T00:00:00Z"}, "older than 86400 s"),
        ({"created_at": "2026-01-13T00:00:00Z"}, "made in the future"),
        ({"created_at": "yesterday"}, "does not say when"),
        ({"environments": {}}, "it is of none, not of staging"),
        ({"environments": {"staging": {"items": [{}], "servers": {}, "tenants": []}}}, "parts of it are missing"),
    ],
)
def test_a_plan_of_another_release_time_or_environment_is_refused(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**write(path), **change}))
    with pytest.raises(BadInputError, match=why):
        held(path)


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        (raw(name="production"), "it is of staging, not of production"),
        (raw(servers={"vault": "https://other"}), "made for vault at https://vault, and this is https://other"),
        (raw(tenants=["t-2"]), "made for the tenants t-1"),
        (raw(error="no answer"), "no answer"),
        (raw(()), "nothing was looked at"),
    ],
)
def test_a_plan_is_good_for_the_same_environment_servers_and_tenants(
    tmp_path: Path, environment: dict[str, Any], why: str
) -> None:
    write(tmp_path / "plan.json")
    with pytest.raises(BadInputError, match=why):
        held(tmp_path / "plan.json", environment)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": 1}'])
def test_a_file_that_is_no_plan_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match=r"plan\.json"):
        held(path)
    with pytest.raises(BadInputError, match="No such file"):
        held(tmp_path / "absent.json")


def test_a_key_that_is_none_is_named_with_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "bad.key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for key in (tmp_path / "bad.key", tmp_path / "absent.key"):
        with pytest.raises(BadInputError, match="openssl genpkey -algorithm ed25519"):
            write(tmp_path / "plan.json", signing_key=str(key))


def test_the_version_in_the_code_is_the_collections() -> None:
    assert yaml.safe_load((PROJECT / "galaxy.yml").read_text())["version"] == VERSION


def test_the_place_of_several_environments_is_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write(path, raw(), raw((SECRET,), name="production"))
    assert document.read(str(path))["environments"].keys() == {"staging", "production"}
    assert held(path, raw((SECRET,), name="production"))["steps"] == ["vault_token"]
