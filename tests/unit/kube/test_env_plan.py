# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of environment variables: wanted, absent, forbidden, and the sources of envFrom."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed, Source
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.effective import effective
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env_from import merged
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.needed import needed_sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import Plan, plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired, EnvFrom

from tests.unit.kube.looks import (
    absent_source,
    acting,
    applied,
    container_of,
    item,
    observed,
    secret,
    unreadable,
    wanted,
)

BYPASS = "NODE_TLS_REJECT_UNAUTHORIZED"
ADDRESS = [{"name": "VAULT_ADDR", "value": "https://v"}]
FROM_S = {"envFrom": [{"secretRef": {"name": "s"}}]}


def env_after(look: Observed, made: Plan) -> list[Any]:
    return list(container_of(applied(look, made)).get("env", []))


def test_a_new_variable_is_appended_so_that_it_may_refer_to_earlier_ones() -> None:
    look = observed({"env": [{"name": "A", "value": "1"}]})
    made = plan(look, wanted(env=ADDRESS))
    assert item(made.items, "env/VAULT_ADDR").status == "missing"
    assert env_after(look, made) == [{"name": "A", "value": "1"}, {"name": "VAULT_ADDR", "value": "https://v"}]


def test_a_container_without_env_gets_a_list() -> None:
    look = observed()
    assert env_after(look, plan(look, wanted(env=ADDRESS))) == [{"name": "VAULT_ADDR", "value": "https://v"}]


def test_nothing_to_do_is_an_empty_patch() -> None:
    look = observed({"env": ADDRESS})
    made = plan(look, wanted(env=ADDRESS, forbidden=[{"name": BYPASS, "value": "0"}], absent=["OTHER"]))
    assert not made.patch
    assert {one.status for one in made.items} == {"in_sync"}


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ({"name": "X", "value": "old"}, {"name": "X", "value": "new"}),
        ({"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, {"name": "X", "value": "new"}),
        ({"name": "X", "value": "plain"}, {"name": "X", "secret_key_ref": {"name": "s", "key": "k"}}),
        (
            {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "X", "secret_key_ref": {"name": "s", "key": "k"}},
        ),
        (
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
            {"name": "X", "secret_key_ref": {"name": "s", "key": "k"}},
        ),
    ],
)
def test_another_value_or_source_replaces_the_whole_entry_in_its_place(
    have: dict[str, Any], want: dict[str, Any]
) -> None:
    look = observed({"env": [have, {"name": "Y", "value": "1"}]}, sources={("secret", "s"): secret("s", {"k": "v"})})
    made = plan(look, wanted(env=[want]))
    assert item(made.items, "env/X").status == "drifted"
    expected = (
        {"name": "X", "value": "new"}
        if "value" in want
        else {"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    )
    assert env_after(look, made) == [expected, {"name": "Y", "value": "1"}]


def test_an_absent_value_is_the_empty_one() -> None:
    assert not plan(observed({"env": [{"name": "X"}]}), wanted(env=[{"name": "X", "value": ""}])).patch


def test_a_plain_value_where_a_secret_belongs_is_not_shown() -> None:
    look = observed({"env": [{"name": "X", "value": "the-secret"}]}, sources={("secret", "s"): secret("s", {"k": "v"})})
    made = plan(look, wanted(env=[{"name": "X", "secret_key_ref": {"name": "s", "key": "k"}}]))
    assert item(made.items, "env/X").before == "present"
    assert "the-secret" not in repr([one.as_dict() for one in made.items])


@pytest.mark.parametrize("name", ["VAULT_TOKEN", "DB_PASSWORD", "AMAZON_SPAPI_CLIENT_SECRET", "API_KEY", "SIGNING_KEY"])
def test_a_name_that_speaks_of_a_secret_hides_its_plain_value(name: str) -> None:
    look = observed({"env": [{"name": name, "value": "the-secret"}]})
    made = plan(look, wanted(env=[{"name": name, "value": "other-secret"}]))
    assert (item(made.items, f"env/{name}").before, item(made.items, f"env/{name}").after) == ("present", "present")
    assert "value" not in effective(look, [name])[name]


@pytest.mark.parametrize("value", ["hvs.CANARY", "Atzr|CANARY", "eyJCANARY", "postgres://u:CANARY@db/x"])
def test_a_value_that_looks_like_a_token_is_hidden_whatever_its_name(value: str) -> None:
    look = observed({"env": [{"name": "LEFTOVER", "value": value}]})
    made = plan(look, wanted(absent=["LEFTOVER"]))
    assert item(made.items, "env/LEFTOVER").before == "present"
    assert "CANARY" not in repr([one.as_dict() for one in made.items])


def test_a_reference_to_nothing_is_blocked_and_holds_everything_back() -> None:
    look = observed(sources={("secret", "s"): secret("s", {"other": "v"})})
    made = plan(look, wanted(env=[*ADDRESS, {"name": "X", "secret_key_ref": {"name": "s", "key": "k"}}]))
    assert item(made.items, "env/X").status == "blocked"
    assert "has no key k" in item(made.items, "env/X").reason
    address = item(made.items, "env/VAULT_ADDR")
    assert (address.status, address.action, address.depends_on) == ("missing", "none", ("backend_access/env/X",))
    assert not made.patch


def test_two_entries_of_one_name_are_refused_with_both_indices() -> None:
    look = observed(
        {"env": [{"name": "VAULT_ADDR", "value": "a"}, {"name": "B"}, {"name": "VAULT_ADDR", "value": "b"}]}
    )
    found = item(plan(look, wanted(env=ADDRESS)).items, "env/VAULT_ADDR")
    assert found.status == "blocked"
    assert "indices 0 and 2" in found.reason


def test_a_wanted_value_that_arrives_by_env_from_is_in_sync_without_an_entry() -> None:
    look = observed(FROM_S, sources={("secret", "s"): secret("s", {"VAULT_ADDR": "https://v"})})
    found = item(plan(look, wanted(env=ADDRESS)).items, "env/VAULT_ADDR")
    assert (found.status, found.before) == ("in_sync", "from Secret s key VAULT_ADDR (envFrom)")


def test_a_wanted_value_that_an_unread_source_may_override_is_not_green() -> None:
    sources = {("secret", "s"): secret("s", {"VAULT_ADDR": "https://v"}), ("secret", "t"): unreadable("t")}
    later = [{"secretRef": {"name": "s"}}, {"secretRef": {"name": "t"}}]
    found = item(plan(observed({"envFrom": later}, sources=sources), wanted(env=ADDRESS)).items, "env/VAULT_ADDR")
    assert (found.status, found.action) == ("unknown", "none")
    assert "Secret ns/t" in found.reason
    earlier = observed({"envFrom": later[::-1]}, sources=sources)
    assert item(plan(earlier, wanted(env=ADDRESS)).items, "env/VAULT_ADDR").status == "in_sync"


def test_another_value_by_env_from_is_overridden_and_not_shown() -> None:
    look = observed(FROM_S, sources={("secret", "s"): secret("s", {"VAULT_ADDR": "https://canary"})})
    made = plan(look, wanted(env=ADDRESS))
    assert item(made.items, "env/VAULT_ADDR").status == "drifted"
    assert "canary" not in repr(made)


def test_the_last_source_of_env_from_wins_and_prefixes_count() -> None:
    env_from = [
        {"secretRef": {"name": "a"}},
        {"configMapRef": {"name": "b"}},
        {"prefix": "VAULT_", "secretRef": {"name": "c"}},
    ]
    sources = {
        ("secret", "a"): secret("a", {"VAULT_ADDR": "1"}),
        ("config_map", "b"): Source(True, {"VAULT_ADDR": "2"}),
        ("secret", "c"): secret("c", {"ADDR": "3"}),
    }
    look = observed({"envFrom": env_from}, sources=sources)  # type: ignore[arg-type]
    assert effective(look, ["VAULT_ADDR"])["VAULT_ADDR"]["source"] == "from Secret c key ADDR (envFrom)"


def test_absent_removes_every_entry_of_that_name() -> None:
    look = observed({"env": [{"name": "X", "value": "1"}, {"name": "Y"}, {"name": "X", "value": "2"}]})
    assert env_after(look, plan(look, wanted(absent=["X"]))) == [{"name": "Y"}]


# -- forbidden ----------------------------------------------------------------
NO_BYPASS = [{"name": BYPASS, "value": "0"}]


def test_the_bypass_is_removed_together_with_what_replaces_it() -> None:
    look = observed({"env": [{"name": "A"}, {"name": BYPASS, "value": "0"}, {"name": "B"}]})
    made = plan(look, wanted(env=[{"name": "NODE_EXTRA_CA_CERTS", "value": "/ca"}], forbidden=NO_BYPASS))
    found = item(made.items, f"forbidden/{BYPASS}")
    assert (found.status, found.severity, found.action) == ("forbidden_present", "critical", "remove")
    assert "api.amazon.com" in found.reason
    assert [entry["name"] for entry in env_after(look, made)] == ["A", "B", "NODE_EXTRA_CA_CERTS"]


@pytest.mark.parametrize("value", ["1", "", "false", " 0"])
def test_only_exactly_zero_disables_verification(value: str) -> None:
    look = observed({"env": [{"name": BYPASS, "value": value}]})
    assert item(plan(look, wanted(forbidden=NO_BYPASS)).items, f"forbidden/{BYPASS}").status == "in_sync"


@pytest.mark.parametrize(
    ("value", "found"), [("true", "forbidden_present"), ("1", "forbidden_present"), ("false", "in_sync")]
)
def test_skip_verify_is_forbidden_with_any_value_that_skips(value: str, found: str) -> None:
    look = observed({"env": [{"name": "VAULT_SKIP_VERIFY", "value": value}]})
    made = plan(look, wanted(forbidden=[{"name": "VAULT_SKIP_VERIFY"}]))
    assert item(made.items, "forbidden/VAULT_SKIP_VERIFY").status == found


def test_a_bypass_in_env_and_in_env_from_is_made_harmless_in_its_place() -> None:
    look = observed(
        {**FROM_S, "env": [{"name": BYPASS, "value": "0"}]}, sources={("secret", "s"): secret("s", {BYPASS: "0"})}
    )
    made = plan(look, wanted(forbidden=NO_BYPASS))
    assert item(made.items, f"forbidden/{BYPASS}").action == "update"
    assert env_after(look, made) == [{"name": BYPASS, "value": "1"}]


def test_a_bypass_by_env_from_names_its_source_and_is_overridden() -> None:
    look = observed(FROM_S, sources={("secret", "s"): secret("s", {BYPASS: "0"})})
    made = plan(look, wanted(forbidden=NO_BYPASS))
    found = item(made.items, f"forbidden/{BYPASS}")
    assert found.before == f"from Secret s key {BYPASS} (envFrom)"
    assert env_after(look, made) == [{"name": BYPASS, "value": "1"}]
    again = observed(container_of(applied(look, made)), sources=look.sources)
    assert not plan(again, wanted(forbidden=NO_BYPASS)).patch


def test_an_unknown_forbidden_name_by_env_from_is_insecure_and_left_to_its_owner() -> None:
    look = observed(FROM_S, sources={("secret", "s"): secret("s", {"DEBUG_DUMP": "1"})})
    found = item(plan(look, wanted(forbidden=[{"name": "DEBUG_DUMP"}])).items, "forbidden/DEBUG_DUMP")
    assert (found.status, found.action) == ("insecure", "none")


def test_a_source_that_cannot_be_read_is_not_green() -> None:
    look = observed(FROM_S, sources={("secret", "s"): unreadable("s")})
    found = item(plan(look, wanted(forbidden=NO_BYPASS)).items, f"forbidden/{BYPASS}")
    assert found.status == "unknown"
    assert "Secret ns/s" in found.reason


def test_a_wanted_bypass_is_insecure_on_each_look_and_not_forbidden() -> None:
    want = wanted(env=NO_BYPASS, forbidden=NO_BYPASS)
    assert item(plan(observed(), want).items, f"env/{BYPASS}").severity == "critical"
    made = plan(observed({"env": NO_BYPASS}), want)
    assert [(one.id, one.status) for one in made.items] == [
        (f"backend_access/env/{BYPASS}", "insecure"),
        ("backend_access/rollout", "in_sync"),
    ]
    assert "client secret" in made.items[0].reason


def test_a_name_both_absent_and_forbidden_is_removed_once() -> None:
    look = observed({"env": [{"name": BYPASS, "value": "0"}]})
    assert env_after(look, plan(look, wanted(absent=[BYPASS], forbidden=NO_BYPASS))) == []


# -- envFrom ------------------------------------------------------------------
def s(name: str) -> dict[str, Any]:
    return {"secretRef": {"name": name}}


@pytest.mark.parametrize(
    ("have", "want", "after"),
    [
        ("", "abc", "abc"),
        ("abc", "abc", "abc"),
        ("xaybzc", "abc", "xaybzc"),
        ("xab", "abc", "xabc"),
        ("c", "abc", "abc"),
        ("cx", "abc", "axbc"),
        ("xba", "ab", "xab"),
    ],
)
def test_wanted_sources_are_there_in_their_order_and_others_stay(have: str, want: str, after: str) -> None:
    found = merged([s(name) for name in have], [EnvFrom("secret", name) for name in want])
    assert "".join(entry["secretRef"]["name"] for entry in found) == after


def test_what_an_entry_says_beside_its_name_stays() -> None:
    config = {"configMapRef": {"name": "b", "optional": True}}
    assert merged([config], [EnvFrom("secret", "a")]) == [config, s("a")]


def test_a_missing_source_is_added_only_if_it_exists() -> None:
    want = wanted(env_from=[{"secret": "a"}])
    assert acting(plan(observed(sources={("secret", "a"): secret("a", {})}), want)) == {"env_from/a"}
    assert (
        item(plan(observed(sources={("secret", "a"): absent_source("a")}), want).items, "env_from/a").status
        == "blocked"
    )
    assert (
        item(plan(observed(sources={("secret", "a"): unreadable("a")}), want).items, "env_from/a").status == "blocked"
    )
    optional = wanted(env_from=[{"secret": "a", "optional": True}])
    assert acting(plan(observed(), optional)) == {"env_from/a"}


def test_a_source_that_is_in_env_from_and_does_not_exist_is_not_green() -> None:
    gone, there = {("secret", "a"): absent_source("a")}, {"envFrom": [s("a")]}
    found = item(plan(observed(there, sources=gone), wanted(env_from=[{"secret": "a"}])).items, "env_from/a")
    assert (found.status, found.action) == ("blocked", "none")
    assert "no container starts with it" in found.reason
    will_be = wanted(env_from=[{"secret": "a"}], restart_for=[{"secret": "a", "will_change": True}])
    assert item(plan(observed(there, sources=gone), will_be).items, "env_from/a").status == "in_sync"


def test_env_from_is_tested_as_a_whole_before_it_is_replaced() -> None:
    look = observed({"envFrom": [s("x")]}, sources={("secret", "a"): secret("a", {})})
    operations = plan(look, wanted(env_from=[{"secret": "a"}])).patch
    path = "/spec/template/spec/containers/0/envFrom"
    assert {"op": "test", "path": path, "value": [s("x")]} in operations


def test_every_patch_tests_the_object_its_generation_and_what_it_replaces() -> None:
    look = observed({"env": [{"name": "VAULT_ADDR", "value": "old"}]})
    operations = plan(look, wanted(env=ADDRESS)).patch
    path = "/spec/template/spec/containers/0"
    assert operations == (
        {"op": "test", "path": "/metadata/uid", "value": "u"},
        {"op": "test", "path": "/metadata/generation", "value": 4},
        {"op": "test", "path": f"{path}/name", "value": "web"},
        {"op": "test", "path": f"{path}/env/0", "value": {"name": "VAULT_ADDR", "value": "old"}},
        {"op": "replace", "path": f"{path}/env/0", "value": {"name": "VAULT_ADDR", "value": "https://v"}},
    )


# -- what has to be read ------------------------------------------------------
@pytest.mark.parametrize(
    ("container", "want", "needed"),
    [
        (FROM_S, wanted(env=ADDRESS), {"s"}),
        ({**FROM_S, "env": ADDRESS}, wanted(env=ADDRESS), set()),
        ({**FROM_S, "env": [{"name": "VAULT_ADDR", "value": "other"}]}, wanted(env=ADDRESS), set()),
        ({"envFrom": [{"prefix": "DB_", **s("s")}]}, wanted(env=ADDRESS), set()),
        (FROM_S, wanted(forbidden=NO_BYPASS), {"s"}),
        (FROM_S, wanted(forbidden=[{**NO_BYPASS[0], "in_env_from": False}]), set()),
        ({}, wanted(env_from=[{"secret": "a"}]), {"a"}),
        (FROM_S, wanted(env_from=[{"secret": "s"}]), set()),
        ({}, wanted(restart_for=[{"secret": "t"}]), {"t"}),
        ({}, wanted(env=[{"name": "X", "secret_key_ref": {"name": "r", "key": "k"}}]), {"r"}),
    ],
)
def test_sources_are_read_only_when_the_plan_depends_on_them(
    container: dict[str, Any], want: Desired, needed: set[str]
) -> None:
    assert {name for _, name in needed_sources(observed(container), want)} == needed
