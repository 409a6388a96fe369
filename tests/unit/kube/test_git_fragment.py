# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fragment for Git: valid YAML that does to the Deployment what the JSON Patch does, and holds no secret."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import ConfigMapState, Content
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.git_fragment import git_fragment
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.patched import patched
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan

from lab.emulator.strategic import strategic_merge
from tests.unit.kube.looks import MOUNT, deployment, observed, secret, wanted

Object = dict[str, Any]
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SOURCES = {("secret", name): secret(name, {"TOKEN": "x", "NAME": "y"}) for name in ("a", "b", "s")}
SOURCES[("config_map", "c")] = secret("c", {"KEY": "v"})

CASES: dict[str, tuple[Object, Object]] = {
    "new variables": ({"env": [{"name": "X", "value": "1"}]}, {"env": [{"name": "A", "value": "1"}]}),
    "no list yet": ({}, {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}]}),
    "another value": ({"env": [{"name": "A", "value": "0"}]}, {"env": [{"name": "A", "value": "1"}]}),
    "already so": ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "1"}]}),
    "value to reference": (
        {"env": [{"name": "A", "value": "0"}]},
        {"env": [{"name": "A", "secret_key_ref": {"name": "s", "key": "TOKEN"}}]},
    ),
    "reference to value": (
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "TOKEN"}}}]},
        {"env": [{"name": "A", "value": "1"}]},
    ),
    "one kind of reference to the other": (
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "KEY", "optional": True}}}]},
        {"env": [{"name": "A", "secret_key_ref": {"name": "s", "key": "TOKEN"}}]},
    ),
    "another key": (
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "NAME"}}}]},
        {"env": [{"name": "A", "secret_key_ref": {"name": "s", "key": "TOKEN"}}]},
    ),
    "absent and forbidden": (
        {
            "env": [
                {"name": "OLD", "value": "1"},
                {"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"},
                {"name": "KEEP", "value": "2"},
            ]
        },
        {"absent": ["OLD"], "forbidden": [{"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"}]},
    ),
    "sources": (
        {"envFrom": [{"secretRef": {"name": "a"}}, {"configMapRef": {"name": "theirs"}}]},
        {"env_from": [{"secret": "b"}, {"secret": "s", "prefix": "P_"}]},
    ),
    "mount": ({"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}, {"config_mounts": [{**MOUNT, "content": PEM}]}),
    "mount by subPath": (
        {"volumeMounts": [{"name": "ca", "mountPath": "/etc/ca/ca.crt", "subPath": "ca.crt", "readOnly": True}]},
        {"config_mounts": [{**MOUNT, "content": PEM}]},
    ),
    "mount of the directory by subPath": (
        {"volumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "subPath": "x", "mountPropagation": "None"}]},
        {"config_mounts": [{**MOUNT, "content": PEM}]},
    ),
}


def look(container: Object) -> Any:
    volumes = [{"name": "tmp", "emptyDir": {}}]
    mounts = container.get("volumeMounts") or ()
    if any(one["name"] == "ca" for one in mounts):
        volumes.append({"name": "ca", "configMap": {"name": "ca"}})
    made = deployment(container, volumes=volumes)
    made["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "env": [{"name": "A", "value": "s"}]})
    return observed(
        deployment={"apiVersion": "apps/v1", "kind": "Deployment", **made},
        sources=SOURCES,
        config_maps={"ca": ConfigMapState(True, {"ca.crt": "old", "other": "1"}, uid="c")},
        contents={"ca": Content(PEM)},
    )


def in_one_order(found: Object) -> Object:
    """The Deployment without our marks, keyed lists sorted: a merge puts new entries first, a JSON Patch last."""
    template = json.loads(json.dumps(found["spec"]["template"]))
    template.get("metadata", {}).pop("annotations", None)
    pod = template["spec"]
    pod["volumes"] = sorted(pod.get("volumes") or (), key=lambda one: one["name"])
    for container in pod["containers"]:
        container["env"] = sorted(container.get("env") or (), key=lambda one: one["name"])
        container["volumeMounts"] = sorted(container.get("volumeMounts") or (), key=lambda one: one["mountPath"])
    return dict(template)


@pytest.mark.parametrize("case", CASES)
def test_the_fragment_does_what_the_json_patch_does(case: str, tmp_path: Path) -> None:
    container, options = CASES[case]
    found, desired = look(container), wanted(**options)
    made = plan(found, desired)
    text = git_fragment(found, desired, made.wish)
    documents = {one["kind"]: one for one in yaml.safe_load_all(text)}
    after = jsonpatch.apply_patch(found.deployment, list(made.patch))
    assert patched(found.deployment, made.patch) == after
    merged = strategic_merge(dict(found.deployment), documents["Deployment"])
    assert in_one_order(merged) == in_one_order(after)
    assert in_one_order(strategic_merge(merged, documents["Deployment"])) == in_one_order(after)
    if options.get("config_mounts"):
        assert documents["ConfigMap"]["data"] == {"ca.crt": PEM}
    if shutil.which("kubectl"):
        assert in_one_order(by_kubectl(dict(found.deployment), documents["Deployment"], tmp_path)) == in_one_order(
            after
        )


def by_kubectl(found: Object, patch: Object, folder: Path) -> Object:
    """The oracle: Kubernetes' own library, without a cluster."""
    file, patch_file = folder / "found.json", folder / "patch.yaml"
    file.write_text(json.dumps(found))
    patch_file.write_text(yaml.safe_dump(patch))
    command = ["kubectl", "patch", "--local", "-f", str(file), "--type", "strategic", "-o", "json"]
    done = subprocess.run(
        [*command, "--patch-file", str(patch_file)], capture_output=True, text=True, check=True, timeout=30
    )
    return dict(json.loads(done.stdout))


def test_a_value_that_looks_like_a_secret_is_left_out_and_named() -> None:
    found, desired = look({}), wanted(env=[{"name": "VAULT_TOKEN", "value": "CANARY"}, {"name": "A", "value": "1"}])
    text = git_fragment(found, desired, plan(found, desired).wish)
    assert "CANARY" not in text
    assert "# VAULT_TOKEN is left out because its value looks like a secret" in text
    assert [one["name"] for one in _env(text)] == ["A"]


def test_a_private_neighbour_is_not_shown() -> None:
    """Only what is wanted is in it; other variables of the container are nobody's business."""
    found, desired = look({"env": [{"name": "X", "value": "CANARY"}]}), wanted(env=[{"name": "A", "value": "1"}])
    assert "CANARY" not in git_fragment(found, desired, plan(found, desired).wish)


def test_what_is_blocked_is_in_the_fragment_all_the_same() -> None:
    env = [{"name": "A", "value": "0"}]
    made = look({"env": env})
    made.deployment["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:ns/web"}
    desired = wanted(env=[{"name": "A", "value": "1"}], on_foreign_owner="block")
    planned = plan(made, desired)
    assert planned.patch == ()
    text = git_fragment(made, desired, planned.wish)
    assert _env(text) == [{"name": "A", "value": "1"}]
    assert "# Argo CD (Application shop) applies it: put this where it takes the Deployment from.\n" in text


def test_a_chart_is_told_to_use_its_values() -> None:
    found = look({})
    found.deployment["metadata"]["annotations"] = {"meta.helm.sh/release-name": "shop"}
    desired = wanted(env=[{"name": "A", "value": "1"}])
    assert "# Helm (release ns/shop) renders it from a chart" in git_fragment(found, desired, plan(found, desired).wish)


def test_several_lines_are_a_block_and_nothing_wanted_is_nothing() -> None:
    found, desired = look({}), wanted(config_mounts=[{**MOUNT, "content": PEM}])
    text = git_fragment(found, desired, plan(found, desired).wish)
    assert "  ca.crt: |\n    -----BEGIN CERTIFICATE-----\n" in text
    assert git_fragment(found, wanted(), ()) == ""


def _env(text: str) -> list[Object]:
    documents = {one["kind"]: one for one in yaml.safe_load_all(text)}
    return list(documents["Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"])
