# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from each class of token, without any server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, pending, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, ForbiddenError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_class import classify
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    ForeignOwner,
    Observed,
    Place,
    Superseded,
    desired_from,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token import Token

OPTIONS: dict[str, Any] = {
    "strategy": "scoped",
    "namespace": "ns",
    "secret": "vault-token",
    "key": "VAULT_TOKEN",
    "vault_addr": "https://vault.example:8200",
    "vault_mount": "secret",
    "app_path": "app",
    "tenant_path_pattern": "tenants/+/x",
    "token_period": "168h",
    "superseded": "keep",
}
HEALTHY = Token(
    accessor="accessor",
    policies=("ns",),
    ttl_seconds=600_000,
    creation_ttl_seconds=604_800,
    period_seconds=0,
    explicit_max_ttl_seconds=0,
    uses_left=0,
    orphan=True,
    renewable=True,
    kind="service",
    role="ns",
    expires_at=None,
)
NOT_KNOWN = ForbiddenError("reading", "somewhere", "permission denied (HTTP 403)", "Ask for read.")


def desired(**options: Any) -> Desired:
    bootstrap_given = options.pop("bootstrap_given", False)
    return desired_from({**OPTIONS, **options}, bootstrap_given=bootstrap_given)


def observed(wanted: Desired, **changes: Any) -> Observed:
    base = Observed(value="hvs.CANARY", token=HEALTHY, policy=wanted.policy_text, role=wanted.role)
    return replace(base, **changes)


def items(wanted: Desired, **changes: Any) -> dict[str, Item]:
    return {item.id: item for item in plan(observed(wanted, **changes), wanted, Fingerprints())}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"value": None, "secret_exists": False, "namespace_exists": False}, "namespace_missing"),
        ({"value": None, "secret_exists": False}, "secret_missing"),
        ({"value": None, "secret_exists": False, "namespace_exists": None}, "secret_missing"),
        ({"value": None}, "key_missing"),
        ({"value": ""}, "empty"),
        ({"value": " \t\n"}, "empty"),
        ({"value": "REPLACE_ME"}, "placeholder"),
        ({"value": "${VAULT_TOKEN}"}, "placeholder"),
        ({"value": "{{ vault_token }}\n"}, "placeholder"),
        ({"value": "hvs.good\n"}, "malformed"),
        ({"value": "hvs.gööd"}, "malformed"),
        ({"token": None}, "invalid"),
        ({"token": replace(HEALTHY, policies=("root",))}, "root"),
        ({"token": replace(HEALTHY, policies=("ns", "root")), "shared_with": ("x",)}, "root"),
        ({"token": replace(HEALTHY, policies=("admin", "default"))}, "wrong_policies"),
        ({"token": replace(HEALTHY, policies=("ns", "default"))}, "over_privileged"),
        ({"token": replace(HEALTHY, policies=("ns", "admin"))}, "over_privileged"),
        ({"token": replace(HEALTHY, policies=("ns", "admin")), "shared_with": ("x",)}, "over_privileged"),
        ({"token": None, "doubt": "nobody says"}, "unknown"),
        ({"token": replace(HEALTHY, policies=())}, "wrong_policies"),
        ({"shared_with": ("Secret other/x key y",)}, "shared"),
        ({"token": replace(HEALTHY, orphan=False)}, "not_orphan"),
        ({"token": replace(HEALTHY, renewable=False)}, "not_renewable"),
        ({"token": replace(HEALTHY, role=None)}, "not_renewable"),
        ({"token": replace(HEALTHY, role=None, period_seconds=3600)}, "good"),
        ({"token": replace(HEALTHY, explicit_max_ttl_seconds=1)}, "not_renewable"),
        ({"token": replace(HEALTHY, uses_left=3)}, "not_renewable"),
        ({"token": replace(HEALTHY, ttl_seconds=302_399)}, "ttl_low"),
        ({"token": replace(HEALTHY, ttl_seconds=302_400)}, "good"),
        ({}, "good"),
    ],
)
def test_the_worst_thing_about_a_token_is_its_class(changes: dict[str, Any], kind: str) -> None:
    wanted = desired()
    assert classify(observed(wanted, **changes), wanted) == kind


def test_a_server_whose_maximum_is_below_the_period_does_not_make_each_run_renew() -> None:
    wanted = desired(token_period="60d")  # 32 days are the servers' default maximum
    capped = replace(HEALTHY, creation_ttl_seconds=32 * 86400, ttl_seconds=20 * 86400)
    assert classify(observed(wanted, token=capped), wanted) == "period_capped"
    assert classify(observed(wanted, token=replace(capped, ttl_seconds=10 * 86400)), wanted) == "ttl_low"


def test_nothing_to_do_is_in_sync() -> None:
    found = tuple(items(desired()).values())
    assert [item.id for item in found] == ["vault_token/policy", "vault_token/role", "vault_token/secret"]
    assert verdict(found) == "in_sync"
    assert not pending(found)


def test_a_renewal_touches_nothing_else() -> None:
    found = items(desired(), token=replace(HEALTHY, ttl_seconds=5))
    assert [(item.id, item.action) for item in pending(found.values())] == [("vault_token/secret", "renew")]


def test_setting_up_from_nothing_goes_in_order() -> None:
    wanted = desired(bootstrap_given=True)
    found = plan(observed(wanted, value="", token=None, policy=None, role=None), wanted, Fingerprints())
    assert [(item.id, item.action) for item in pending(found)] == [
        ("vault_token/policy", "create"),
        ("vault_token/role", "create"),
        ("vault_token/secret", "update"),
    ]
    assert found[2].depends_on == ("vault_token/policy", "vault_token/role")


def test_without_a_bootstrap_token_the_two_commands_are_given_and_nothing_is_made() -> None:
    found = items(desired(), value="", token=None, policy=None, role=None)
    assert not pending(found.values())
    assert "vault policy write ns - <<'EOF'\npath \"secret/data/app\"" in found["vault_token/policy"].hint
    assert (
        "vault write auth/token/roles/ns allowed_policies=ns disallowed_policies= orphan=true renewable=true "
        "token_period=604800" in found["vault_token/role"].hint
    )
    assert found["vault_token/secret"].depends_on == ("vault_token/policy", "vault_token/role")


def test_a_policy_that_merely_differs_does_not_keep_the_backend_down() -> None:
    found = items(desired(), value="", token=None, policy='path "secret/*" { capabilities = ["read"] }')
    assert (found["vault_token/policy"].status, found["vault_token/policy"].action) == ("drifted", "none")
    assert found["vault_token/secret"].action == "update"


def test_what_an_auditor_sees_of_policy_and_role_does_not_depend_on_a_bootstrap_token() -> None:
    other = {"policy": 'path "secret/*" { capabilities = ["read"] }', "role": None}
    for given in (False, True):
        found = items(desired(bootstrap_given=given), **other)
        assert (found["vault_token/policy"].status, found["vault_token/role"].status) == ("drifted", "missing")
        assert verdict(tuple(found.values())) == "drift", "it was looked at, so it is not incomplete"
    assert "bootstrap" in items(desired(bootstrap_given=False), **other)["vault_token/policy"].hint


def test_a_policys_name_is_compared_as_vault_stores_it() -> None:
    assert desired(policy_name="KeyBuzz-Backend").policy_name == "keybuzz-backend"


def test_what_may_not_be_read_is_unknown_and_the_rest_is_still_checked() -> None:
    found = items(desired(), policy=NOT_KNOWN, role=NOT_KNOWN)
    assert {found["vault_token/policy"].status, found["vault_token/role"].status} == {"unknown"}
    assert found["vault_token/secret"].status == "in_sync"
    assert verdict(tuple(found.values())) == "incomplete"


def test_a_generated_secret_is_only_in_the_way_of_a_change() -> None:
    owner = ForeignOwner("External Secrets Operator", "ExternalSecret ns/x")
    assert items(desired(), foreign_owner=owner)["vault_token/secret"].status == "in_sync"
    assert items(desired(), foreign_owner=owner, value="")["vault_token/secret"].status == "blocked"
    low = replace(HEALTHY, ttl_seconds=5)
    assert items(desired(), foreign_owner=owner, token=low)["vault_token/secret"].action == "renew"


def test_replaced_tokens_are_revoked_only_on_request_and_not_while_the_secret_changes() -> None:
    waiting = {"superseded": (Superseded("old", "living"),)}
    assert "vault_token/superseded" not in items(desired(), **waiting)
    assert items(desired(superseded="revoke"), **waiting)["vault_token/superseded"].action == "remove"
    assert "vault_token/superseded" not in items(desired(superseded="revoke"), value="", **waiting)


@pytest.mark.parametrize(("fate", "status"), [("foreign", "ignored"), ("shared", "ignored"), ("unknown", "unknown")])
def test_a_replaced_token_that_is_not_ours_alone_is_left_and_not_green_when_that_is_not_known(
    fate: Any, status: str
) -> None:
    found = items(desired(superseded="revoke"), superseded=(Superseded("old", fate),))
    assert (found["vault_token/superseded"].status, found["vault_token/superseded"].action) == (status, "none")


def test_no_item_shows_a_token_or_an_accessor() -> None:
    wanted = desired(superseded="revoke")
    for changes in ({}, {"value": "hvs.CANARY\n"}, {"superseded": (Superseded("CANARY-old", "living"),)}):
        for item in items(wanted, **changes).values():
            assert "CANARY" not in str(item.as_dict())


def test_copy_looks_at_neither_policy_nor_role() -> None:
    source = {"namespace": "other", "secret": "vault-token", "key": "VAULT_TOKEN"}
    wanted = desired(strategy="copy", copy_from=source)
    root = replace(HEALTHY, policies=("root",), ttl_seconds=0)
    copied = items(wanted, value="s.root", token=root, source="s.root", source_token=root)
    assert list(copied) == ["vault_token/secret"]
    secret = copied["vault_token/secret"]
    assert (secret.status, secret.severity, secret.action) == ("insecure", "critical", "none")
    assert items(wanted, value="s.own", source="s.root", source_token=root)["vault_token/secret"].action == "update"
    blocked = items(wanted, value="", token=None, source="", source_token=None)["vault_token/secret"]
    assert blocked.status == "blocked"


def test_the_place_to_copy_from_is_what_is_compared_with_unless_told_otherwise() -> None:
    source = {"namespace": "other", "secret": "s", "key": "k"}
    assert desired(copy_from=source).compare_with == (Place("other", "s", "k"),)
    assert desired(copy_from=source, compare_with=[]).compare_with == ()
    itself = {"namespace": "ns", "secret": "vault-token", "key": "VAULT_TOKEN"}
    assert desired(compare_with=[itself]).compare_with == ()


def test_the_policy_is_for_the_version_of_the_key_value_engine_that_was_named() -> None:
    assert '"secret/data/app"' in desired(vault_kv_version="auto").policy_text
    assert '"secret/app"' in desired(vault_kv_version="1").policy_text


@pytest.mark.parametrize("options", [{"renew_below": "168h"}, {"renew_below": "x"}, {"token_period": "0"}])
def test_durations_that_cannot_work_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(BadInputError):
        desired(**options)
