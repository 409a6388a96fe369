# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that apply the Deployment too: told from what the API server itself records, and dealt with as asked."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.k8s_deployment_env import NotAppliedError

from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, item

pytestmark = pytest.mark.lab
ARGO = {"annotations": {"argocd.argoproj.io/tracking-id": f"backend:apps/Deployment:{NAMESPACE}/{NAME}"}}
FLUX = {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}
HELM = {"annotations": {"meta.helm.sh/release-name": "backend", "meta.helm.sh/release-namespace": NAMESPACE}}
WRONG = "https://elsewhere:8200"


def write(world: World, manager: str, metadata: dict[str, Any], *, kind: Any = "strategic", value: str = WRONG) -> None:
    """As a tool writes: its marks, and VAULT_ADDR as its source has it."""
    container = {"name": NAME, "env": [{"name": "VAULT_ADDR", "value": value}]}
    body: dict[str, Any] = {"metadata": metadata, "spec": {"template": {"spec": {"containers": [container]}}}}
    query: dict[str, Any] = {"fieldManager": manager}
    if kind == "apply":
        body = {"apiVersion": "apps/v1", "kind": "Deployment", **body}
        body["metadata"] = {"name": NAME, "namespace": NAMESPACE, **metadata}
        query["force"] = "true"
    else:  # so that the whole entry is the tool's, as it is where the tool has made the Deployment
        gone = {"containers": [{"name": NAME, "env": [{"name": "VAULT_ADDR", "$patch": "delete"}]}]}
        world.api.patch("deployments", NAME, {"spec": {"template": {"spec": gone}}}, NAMESPACE, kind="strategic")
    world.api.patch("deployments", NAME, body, NAMESPACE, kind=kind, **query)
    world.settle()


def vault(world: World, **options: Any) -> Item:
    return item(world.check(world.wanted(**options)), "env/VAULT_ADDR")


def value(world: World) -> str:
    return str(next(one["value"] for one in world.container()["env"] if one["name"] == "VAULT_ADDR"))


def written(world: World) -> tuple[Any, ...]:
    """All of the Deployment but what its controller writes into the status, at a moment of its own."""
    found = world.deployment()
    metadata = {name: value for name, value in found["metadata"].items() if name != "resourceVersion"}
    metadata["managedFields"] = [one for one in metadata["managedFields"] if one.get("subresource") != "status"]
    return metadata, found["spec"]


def test_what_argo_cd_declares_is_left_to_it_with_the_fragment_that_mends_it(world: World) -> None:
    write(world, "argocd-controller", ARGO)
    found = world.check()
    blocked = item(found, "env/VAULT_ADDR")
    assert (blocked.status, blocked.owner.revert_risk, blocked.owner.source) == (
        "blocked",
        "certain",
        "Application backend",
    )
    assert blocked.owner.since and blocked.owner.declared
    before = written(world)
    with pytest.raises(NotAppliedError, match=r"declares this field with another value.*on_foreign_owner"):
        world.repair()
    assert written(world) == before
    # What Git should say, said by Argo CD: nothing is left to do.
    fragment = next(one for one in yaml.safe_load_all(str(found.facts["git_fragment"])) if one["kind"] == "Deployment")
    world.api.patch("deployments", NAME, fragment, NAMESPACE, kind="strategic", fieldManager="argocd-controller")
    world.settle()
    mended = vault(world)
    assert (mended.status, mended.owner.revert_risk) == ("in_sync", "none")


def test_forced_it_is_written_and_said_to_be_undone(world: World) -> None:
    write(world, "argocd-controller", ARGO)
    done = world.repair(world.wanted(on_foreign_owner="force"))
    assert done.changed
    assert value(world) == world.vault.url
    assert "written all the same" in item(done, "env/VAULT_ADDR").reason
    left = vault(world)
    assert (left.status, left.owner.revert_risk) == ("in_sync", "certain")
    assert left.owner.managers == ("argocd-controller", "keybuzz-amazon")
    write(world, "argocd-controller", ARGO)  # its next sync
    again = vault(world, on_foreign_owner="warn")
    assert (again.status, again.owner.managers, again.owner.revert_risk) == (
        "drifted",
        ("argocd-controller",),
        "certain",
    )


def test_what_nobody_declares_is_written_with_a_warning(world: World) -> None:
    write(world, "argocd-controller", ARGO, value=world.vault.url)
    world.change({"op": "remove", "path": "/spec/template/spec/containers/0/env/1"})
    predicted = world.check()
    assert (item(predicted, "env/NODE_EXTRA_CA_CERTS").owner.revert_risk) == "possible"
    assert "Argo CD (Application backend) may not know of NODE_EXTRA_CA_CERTS" in predicted.warnings[0]
    done = world.repair()
    assert done.changed and done.warnings == predicted.warnings
    assert "name: NODE_EXTRA_CA_CERTS" in str(done.facts["git_fragment"])


def test_a_leftover_that_argo_cd_does_not_see_is_found_and_taken_out(world: World) -> None:
    write(world, "argocd-controller", ARGO, value=world.vault.url)
    leftover = {"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"}
    world.change({"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": leftover})
    found = item(world.check(), "forbidden/NODE_TLS_REJECT_UNAUTHORIZED")
    assert (found.status, found.owner.managers, found.owner.declared) == ("forbidden_present", ("somebody",), False)
    assert found.owner.since is not None and found.owner.revert_risk == "none"
    done = world.repair()
    assert "$patch: delete" in str(done.facts["git_fragment"])
    assert [one["name"] for one in world.container()["env"]] == ["VAULT_ADDR", "NODE_EXTRA_CA_CERTS"]


def test_helm_is_said_and_not_waited_for(world: World) -> None:
    write(world, "helm", HELM)
    found = vault(world)
    assert (found.status, found.owner.gitops, found.owner.revert_risk) == ("drifted", "Helm", "certain")
    done = world.repair()
    assert done.changed
    assert f"Helm (release {NAMESPACE}/backend) declares VAULT_ADDR with other values" in done.warnings[0]


@pytest.mark.parametrize("running", ["kube-apiserver"], indirect=True)  # the emulator does not apply
@pytest.mark.parametrize(
    ("manager", "marks", "status", "who"),
    [
        ("kustomize-controller", FLUX, "blocked", "Flux (Kustomization flux-system/apps)"),
        ("argocd-controller", ARGO, "blocked", "Argo CD (Application backend)"),
        ("helm", HELM, "drifted", "Helm 4 then stops with a conflict"),
    ],
)
def test_server_side_apply_leaves_the_same_traces(
    world: World, manager: str, marks: dict[str, Any], status: str, who: str
) -> None:
    write(world, manager, marks, kind="apply")
    # A create by somebody else shares the ownership of what is the same; the value is the tool's own.
    found = vault(world)
    assert (found.status, found.owner.revert_risk) == (status, "certain")
    assert who in found.reason
    world.change({"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": "https://third"})
    edited = vault(world)
    assert (edited.status, edited.owner.revert_risk, edited.owner.declared) == ("drifted", "possible", True)
    assert manager in edited.owner.managers
    done = world.repair()
    assert done.changed
    assert vault(world).owner.revert_risk == "certain"
