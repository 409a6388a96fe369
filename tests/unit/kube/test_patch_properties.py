# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the Deployment's patch over generated Deployments and wishes."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import (
    ConfigMapState,
    Content,
    Observed,
    Source,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env_from import env_from_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import Plan, plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import CONFIG_CHECKSUM, RESTART_FOR
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.kube.looks import applied, deployment, secret, wanted

Object = dict[str, Any]
BYPASS = "NODE_TLS_REJECT_UNAUTHORIZED"
OURS = ("VAULT_ADDR", "URL", "POD")
NAMES = (*OURS, "OLD", BYPASS, "NODE_OPTIONS", "FOREIGN_A", "FOREIGN_B")
SECRETS = ("db", "token", "app", "extra")

values = st.sampled_from(
    ["", "0", "1", "https://v", "$(FOREIGN_A)/x", "$$(X)", "$(NOWHERE)", "--use-openssl-ca --trace-gc"]
)
references = st.one_of(
    st.fixed_dictionaries({"fieldRef": st.just({"apiVersion": "v1", "fieldPath": "metadata.name"})}),
    st.fixed_dictionaries({"resourceFieldRef": st.just({"resource": "limits.cpu", "divisor": "0"})}),
    st.fixed_dictionaries(
        {"secretKeyRef": st.fixed_dictionaries({"name": st.sampled_from(SECRETS), "key": st.just("k")})}
    ),
    st.fixed_dictionaries(
        {"configMapKeyRef": st.just({"name": "settings", "key": "k", "optional": True})},
    ),
)
entries = st.one_of(
    st.fixed_dictionaries({"name": st.sampled_from(NAMES), "value": values}),
    st.fixed_dictionaries({"name": st.sampled_from(NAMES), "valueFrom": references}),
)
env_lists = st.lists(entries, max_size=7)
unique_env = st.lists(entries, max_size=7, unique_by=lambda entry: entry["name"])
env_from_lists = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"secretRef": st.fixed_dictionaries({"name": st.sampled_from(SECRETS)})},
            optional={"prefix": st.just("P_")},
        ),
        st.just({"configMapRef": {"name": "settings", "optional": True}}),
    ),
    max_size=5,
)
mounts = st.sampled_from(
    [
        [],
        [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
        [{"name": "ca", "mountPath": "/etc/ca", "subPath": "ca.crt"}],
        [{"name": "tmp", "mountPath": "/tmp"}, {"name": "ca", "mountPath": "/etc/ca/"}],
        [{"name": "tmp", "mountPath": "/tmp"}],
    ]
)
volumes = st.sampled_from(
    [
        [],
        [{"name": "tmp", "emptyDir": {}}],
        [{"name": "tmp", "emptyDir": {}}, {"name": "ca", "configMap": {"name": "ca", "defaultMode": 420}}],
        [{"name": "ca", "configMap": {"name": "ca-of-before", "defaultMode": 420}}, {"name": "tmp", "emptyDir": {}}],
    ]
)
annotations = st.dictionaries(st.sampled_from(["other/x", CONFIG_CHECKSUM, RESTART_FOR]), st.sampled_from(["1", "2"]))
wishes = st.builds(
    wanted,
    env=st.lists(
        st.one_of(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(OURS),
                    "value": st.sampled_from(["https://v", "$(FOREIGN_A)/x", "$(VAULT_ADDR)"]),
                }
            ),
            st.fixed_dictionaries(
                {"name": st.sampled_from(OURS), "secret_key_ref": st.just({"name": "db", "key": "k"})}
            ),
        ),
        max_size=3,
        unique_by=lambda one: one["name"],
    ),
    env_from=st.lists(
        st.sampled_from(["db", "token", "app"]).map(lambda name: {"secret": name}), max_size=3, unique_by=str
    ),
    absent=st.sampled_from([[], ["OLD"]]),
    forbidden=st.sampled_from(
        [[], [{"name": BYPASS, "value": "0"}, {"name": "NODE_OPTIONS", "flags": ["--use-openssl-ca"]}]]
    ),
    config_mounts=st.sampled_from(
        [[], [{"volume": "ca", "config_map": "ca", "key": "ca.crt", "mount_path": "/etc/ca", "content": "CA"}]]
    ),
    restart_for=st.sampled_from([[], [{"secret": "token"}]]),
)


@st.composite
def deployments(draw: st.DrawFn, env: st.SearchStrategy[list[Object]]) -> Object:
    """A Deployment of a sidecar, our container and an init container, with fields the module knows nothing of."""
    web: Object = {"name": "web", "image": "web:1", "resources": {"limits": {"cpu": "1"}}, "args": ["x"]}
    for key, strategy in (("env", env), ("envFrom", env_from_lists), ("volumeMounts", mounts)):
        drawn = draw(strategy)
        if drawn or draw(st.booleans()):
            web[key] = drawn
    made = deployment()
    proxy: Object = {"name": "proxy", "env": [{"name": "VAULT_ADDR", "value": "of the sidecar"}]}
    first = draw(st.booleans())
    made["spec"]["template"]["spec"] = {
        "containers": [proxy, web] if first else [web, proxy],
        "initContainers": [{"name": "init", "env": [{"name": "OLD", "value": "1"}], "restartPolicy": "Always"}],
        "volumes": draw(volumes),
        "serviceAccountName": "backend",
    }
    found = draw(annotations)
    if found:
        made["spec"]["template"]["metadata"]["annotations"] = found
    if draw(st.booleans()):
        made["spec"]["replicas"] = 7
    return made


def look(found: Object) -> Observed:
    containers = [one["name"] for one in found["spec"]["template"]["spec"]["containers"]]
    sources: dict[Any, Source] = {
        ("secret", name): secret(name, {"k": "v"}, data_written="2025-12-31T00:00:00Z") for name in SECRETS
    }
    sources["config_map", "settings"] = Source(False)
    there = ConfigMapState(True, {"ca.crt": "CA"}, data_written="2025-12-31T00:00:00Z", uid="c")
    return Observed(found, containers.index("web"), sources, {"ca": there}, {"ca": Content("CA")}, pods=())


def web(found: Object) -> Object:
    return next(one for one in found["spec"]["template"]["spec"]["containers"] if one["name"] == "web")


def managed(desired: Desired) -> set[str]:
    names = {one.name for one in desired.env} | set(desired.absent)
    return names | {one.name for one in desired.forbidden}


def foreign(found: Object, desired: Desired) -> Object:
    """What must not change: everything without the parts the wishes name."""
    rest = copy.deepcopy(found)
    ours = web(rest)
    ours["env"] = [entry for entry in ours.get("env") or [] if entry["name"] not in managed(desired)]
    sources = {one.source for one in desired.env_from}
    ours["envFrom"] = [
        entry
        for entry in ours.get("envFrom") or []
        if env_from_of(entry).source not in sources or env_from_of(entry).prefix
    ]
    spec = rest["spec"]["template"]["spec"]
    if desired.config_mounts:
        ours["volumeMounts"] = [one for one in ours.get("volumeMounts") or [] if one["name"] != "ca"]
        spec["volumes"] = [one for one in spec.get("volumes") or [] if one["name"] != "ca"]
    else:
        ours.setdefault("volumeMounts", [])
    metadata = rest["spec"]["template"]["metadata"]
    metadata["annotations"] = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if key not in {CONFIG_CHECKSUM, RESTART_FOR}
    }
    return rest


BRIEF = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def planned(found: Object, desired: Desired) -> tuple[Observed, Plan]:
    seen = look(found)
    return seen, plan(seen, desired)


@BRIEF
@given(deployments(env_lists), wishes)
def test_only_what_is_managed_changes_and_the_order_of_all_else_stays(found: Object, desired: Desired) -> None:
    seen, made = planned(found, desired)
    assert foreign(applied(seen, made), desired) == foreign(found, desired)


@BRIEF
@given(deployments(unique_env), wishes)
def test_a_second_plan_finds_nothing_to_do(found: Object, desired: Desired) -> None:
    seen, made = planned(found, desired)
    after = applied(seen, made)
    _, again = planned(after, desired)
    if made.refusals:
        assert after == found
    else:
        assert not again.patch, [one for one in again.items if one.action != "none"]


@BRIEF
@given(deployments(env_lists), wishes)
def test_something_is_patched_exactly_when_an_item_says_so(found: Object, desired: Desired) -> None:
    _, made = planned(found, desired)
    acting = [one for one in made.items if one.action != "none"]
    assert bool(made.patch) == bool(acting)
    assert not (made.refusals and made.patch)


@BRIEF
@given(deployments(env_lists), wishes)
def test_whatever_is_replaced_or_removed_is_tested_right_before(found: Object, desired: Desired) -> None:
    _, made = planned(found, desired)
    for before, operation in pairwise(made.patch):
        if operation["op"] in {"replace", "remove"}:
            assert (before["op"], before["path"]) == ("test", operation["path"])
