# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment a process gets: each rule of the kubelet, and all of them against the lab's own kubelet."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Source, env_from_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import described
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.effective import effective
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.expansion import expand, references
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.needed import needed_sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.process_env import ProcessEnv, process_env
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.kubelet.environment import ConfigError, resolve
from tests.unit.kube.looks import acting, applied, container_of, item, observed, secret, unreadable, wanted

Object = dict[str, Any]
S = ("secret", "s")


def ref(name: str, key: str, *, optional: bool = False, form: str = "secretKeyRef") -> Object:
    return {form: {"name": name, "key": key, **({"optional": True} if optional else {})}}


def reached(env: list[Object], env_from: list[Object] | None = None, sources: Any = None) -> ProcessEnv:
    return process_env(env, [env_from_of(entry) for entry in env_from or ()], sources or {})


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NOWHERE)", "$(NOWHERE)"),
        ("$(A", "$(A"),
        ("$A $ $", "$A $ $"),
        ("$()", "$()"),
        ("$(A)$", "1$"),
        ("$é$(A)", "$é1"),
    ],
)
def test_references_are_expanded_as_the_kubelet_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}.get) == expanded


def test_names_referred_to_are_told_once_and_escaped_ones_not() -> None:
    assert references("$(A)$$(B)$(C)$(A)") == ("A", "C")


def test_an_optional_reference_that_leads_nowhere_leaves_what_env_from_brought() -> None:
    env = [{"name": "A", "valueFrom": ref("s", "gone", optional=True)}]
    found = reached(env, [{"secretRef": {"name": "s"}}], {S: secret("s", {"A": "from s"})})
    assert found.entries[0].state == "unset"
    assert found.variables["A"].text == "from s"


def test_a_missing_key_that_is_not_optional_breaks_the_container() -> None:
    found = reached([{"name": "A", "valueFrom": ref("s", "gone")}], [], {S: secret("s", {})}).variables["A"]
    assert (found.state, found.problem) == ("broken", "Secret s has no key gone")


def test_a_value_that_only_the_node_knows_makes_what_refers_to_it_unknown() -> None:
    env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, {"name": "U", "value": "x$(IP)"}]
    found = reached(env).variables["U"]
    assert (found.state, found.unresolved) == ("unknown", ())
    assert "$(IP) is not known" in found.problem


def test_a_reference_to_a_service_is_not_called_unresolved() -> None:
    found = reached([{"name": "U", "value": "http://$(DB_SERVICE_HOST):$(DB_SERVICE_PORT)"}]).variables["U"]
    assert (found.state, found.unresolved) == ("unknown", ())


def test_an_unread_source_hides_what_came_before_it_and_what_it_may_bring() -> None:
    sources = {S: secret("s", {"A": "1"}), ("secret", "t"): unreadable("t")}
    env_from = [{"secretRef": {"name": "s"}}, {"secretRef": {"name": "t"}}]
    found = reached([{"name": "U", "value": "$(A)"}, {"name": "V", "value": "$(B)"}], env_from, sources)
    assert (found.variables["A"].state, found.variables["U"].state) == ("unknown", "unknown")
    assert (found.variables["V"].state, found.variables["V"].unresolved) == ("unknown", ())
    earlier = reached([{"name": "U", "value": "$(A)"}], env_from[::-1], sources)
    assert earlier.variables["U"].text == "1"


names = st.sampled_from(["A", "B", "P_A", "C"])
texts = st.lists(st.sampled_from(["$(A)", "$(B)", "$(P_A)", "$$(A)", "$", "x", "(", "$(Z)"]), max_size=4).map("".join)
environments = st.lists(
    st.one_of(
        st.builds(lambda name, text: {"name": name, "value": text}, names, texts),
        st.builds(
            lambda name, form, source, key, optional: {
                "name": name,
                "valueFrom": ref(source, key, optional=optional, form=form),
            },
            names,
            st.sampled_from(["secretKeyRef", "configMapKeyRef"]),
            st.sampled_from(["s", "t"]),
            st.sampled_from(["A", "k", "gone"]),
            st.booleans(),
        ),
    ),
    max_size=6,
)
sources_of = st.lists(
    st.builds(
        lambda form, name, prefix: {form: {"name": name, "optional": True}, **({"prefix": prefix} if prefix else {})},
        st.sampled_from(["secretRef", "configMapRef"]),
        st.sampled_from(["s", "t", "none"]),
        st.sampled_from(["", "P_"]),
    ),
    max_size=3,
)
DATA = {
    ("secret", "s"): {"A": "sA", "k": "$(B)", "B": ""},
    ("secret", "t"): {"A": "tA", "k": "x"},
    ("config_map", "s"): {"A": "cA", "k": "ck"},
    ("config_map", "t"): {"B": "cB", "k": "1"},
}


def read(resource: str, name: str) -> Object | None:
    data = DATA.get(("secret" if resource == "secrets" else "config_map", name))
    if data is None:
        return None
    if resource == "secrets":
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}
    return {"data": data}


@settings(max_examples=150, deadline=None)
@given(environments, sources_of)
def test_the_whole_environment_is_the_one_the_kubelet_makes(env: list[Object], env_from: list[Object]) -> None:
    known = {name: Source(True, data) for name, data in DATA.items()}
    known |= {(kind, "none"): Source(False) for kind in ("secret", "config_map")}  # type: ignore[misc]
    found = reached(env, env_from, known)
    container = {"env": env, "envFrom": env_from}
    try:
        made = resolve(container, {"metadata": {"namespace": "ns"}}, {}, read)
    except ConfigError:
        assert any(entry.state == "broken" for entry in found.entries)
        return
    assert not any(entry.state == "broken" for entry in found.entries)
    assert {name: one.text for name, one in found.variables.items()} == made


# -- what is shown of it -------------------------------------------------------
def test_the_effective_value_says_its_source_and_state_and_no_secret() -> None:
    env = [
        {"name": "HOST", "value": "v"},
        {"name": "URL", "value": "https://$(HOST)"},
        {"name": "LEAK", "value": "x$(PASSWORD_OF)"},
        {"name": "LATE", "value": "$(LATER)"},
        {"name": "GONE", "valueFrom": ref("s", "gone", optional=True)},
        {"name": "BROKEN", "valueFrom": ref("s", "gone")},
    ]
    sources = {S: secret("s", {"PASSWORD_OF": "canary"})}
    look = observed({"env": env, "envFrom": [{"secretRef": {"name": "s"}}]}, sources=sources)
    found = effective(look, ["HOST", "URL", "LEAK", "LATE", "GONE", "BROKEN", "NOT_THERE"])
    assert found["URL"] == {"source": "env", "state": "present", "value": "https://v"}
    assert found["LEAK"] == {"source": "env", "state": "present"}
    assert found["LATE"]["unresolved"] == ["LATER"]
    assert (found["GONE"]["state"], found["BROKEN"]["state"]) == ("unset", "broken")
    assert "NOT_THERE" not in found
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (ref("s", "k", optional=True), "from Secret s key k (optional)"),
        (ref("c", "k", form="configMapKeyRef"), "from ConfigMap c key k"),
        ({"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}, "from field metadata.name"),
        (
            {"resourceFieldRef": {"resource": "limits.cpu", "containerName": "w"}},
            "from resource limits.cpu of container w",
        ),
        ({"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}, "from file p of volume v key k"),
    ],
)
def test_every_kind_of_reference_has_its_words(reference: Object, words: str) -> None:
    assert described(reference) == words


# -- what the plan makes of it -------------------------------------------------
def env_after(look: Any, made: Any) -> list[Object]:
    return list(container_of(applied(look, made)).get("env") or [])


URL = {"name": "URL", "value": "https://$(HOST)"}


def test_a_wanted_value_behind_what_it_refers_to_is_in_sync() -> None:
    look = observed({"env": [{"name": "HOST", "value": "v"}, URL]})
    made = plan(look, wanted(env=[URL]))
    assert item(made.items, "env/URL").status == "in_sync"
    assert not made.patch


def test_a_wanted_value_before_what_it_refers_to_is_moved_behind_it() -> None:
    look = observed({"env": [URL, {"name": "X"}, {"name": "HOST", "value": "v"}]})
    made = plan(look, wanted(env=[URL]))
    assert (item(made.items, "env/URL").status, acting(made)) == ("drifted", {"env/URL"})
    assert [one["name"] for one in env_after(look, made)] == ["X", "HOST", "URL"]
    assert not plan(observed({"env": env_after(look, made)}), wanted(env=[URL])).patch


def test_new_variables_are_put_in_the_order_their_references_need() -> None:
    third, second, first = {"name": "C", "value": "$(B)"}, {"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}
    look = observed({"env": [third]})
    made = plan(look, wanted(env=[third, second, first]))
    assert [one["name"] for one in env_after(look, made)] == ["A", "B", "C"]
    assert not plan(observed({"env": env_after(look, made)}), wanted(env=[third, second, first])).patch


def test_a_variable_that_others_need_where_it_is_is_not_moved() -> None:
    env = [URL, {"name": "FOREIGN", "value": "$(URL)/x"}, {"name": "HOST", "value": "v"}]
    found = item(plan(observed({"env": env}), wanted(env=[URL])).items, "env/URL")
    assert (found.status, found.action) == ("drifted", "none")
    assert "only after it" in found.reason


def test_a_reference_to_nothing_is_blocked_before_it_is_written_and_drift_where_it_stands() -> None:
    new = plan(observed(), wanted(env=[URL, {"name": "OTHER", "value": "1"}]))
    assert item(new.items, "env/URL").status == "blocked"
    assert "$(HOST), which is set nowhere before it" in item(new.items, "env/URL").reason
    assert not new.patch
    there = plan(observed({"env": [URL]}), wanted(env=[URL, {"name": "OTHER", "value": "1"}]))
    assert (item(there.items, "env/URL").status, item(there.items, "env/URL").action) == ("drifted", "none")
    assert acting(there) == {"env/OTHER"}


def test_two_values_that_refer_to_one_another_end_in_words_and_not_in_a_circle() -> None:
    circle = [{"name": "A", "value": "$(B)"}, {"name": "B", "value": "$(A)"}]
    found = plan(observed({"env": circle}), wanted(env=circle))
    assert "drifted" in {one.status for one in found.items}


def test_an_escaped_reference_is_the_text_itself() -> None:
    text = {"name": "URL", "value": "$$(HOST)"}
    assert item(plan(observed({"env": [text]}), wanted(env=[text])).items, "env/URL").status == "in_sync"
    by_env_from = observed({"envFrom": [{"secretRef": {"name": "s"}}]}, sources={S: secret("s", {"URL": "$(HOST)"})})
    assert item(plan(by_env_from, wanted(env=[text])).items, "env/URL").status == "in_sync"
    assert item(plan(by_env_from, wanted(env=[URL])).items, "env/URL").status == "blocked"


def test_what_a_wanted_value_refers_to_is_read() -> None:
    env = [{"name": "HOST", "value": "$(NAME).$(ZONE)"}, {"name": "NAME", "valueFrom": ref("n", "k")}]
    look = observed(
        {"env": env, "envFrom": [{"secretRef": {"name": "s"}}, {"prefix": "X_", "secretRef": {"name": "x"}}]}
    )
    assert {name for _, name in needed_sources(look, wanted(env=[URL]))} == {"n", "s"}


def test_a_standing_reference_to_a_key_that_is_gone_is_not_green() -> None:
    want = wanted(env=[{"name": "X", "secret_key_ref": {"name": "s", "key": "k"}}])
    env = {"env": [{"name": "X", "valueFrom": ref("s", "k")}]}
    assert item(plan(observed(env, sources={S: secret("s", {"k": "v"})}), want).items, "env/X").status == "in_sync"
    gone = item(plan(observed(env, sources={S: secret("s", {})}), want).items, "env/X")
    assert (gone.status, gone.reason) == ("blocked", "Secret s has no key k; the container would not start.")
    assert item(plan(observed(env, sources={S: unreadable("s")}), want).items, "env/X").status == "unknown"
    optional = wanted(env=[{"name": "X", "secret_key_ref": {"name": "s", "key": "k", "optional": True}}])
    made = plan(observed(env, sources={}), optional)
    assert env_after(observed(env), made) == [{"name": "X", "valueFrom": ref("s", "k", optional=True)}]
