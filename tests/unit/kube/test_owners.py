# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who applies an object, who owns a field, and what comes of it: by the marks the tools leave, without any server."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import foreign
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import Denied
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.helm_release import with_drift_detection
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import claims
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import (
    LAST_APPLIED,
    in_container,
    mounted,
    named,
    owner_of,
    shown_path,
    steps_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.tools import tool_of

from tests.unit.kube.looks import deployment, item, observed, wanted

Object = dict[str, Any]
ARGO: Object = {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:ns/web"}}
FLUX: Object = {
    "labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
}
HELM: Object = {"annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "ns"}}
VAULT = in_container("web", "f:env", named("VAULT_ADDR"))
WHOLE: Object = {".": {}, "f:name": {}, "f:value": {}}
KEY: Object = {".": {}, "f:name": {}}


def entry(manager: str, node: Object, path: tuple[str, ...] = VAULT, operation: str = "Update", **more: Any) -> Object:
    for step in reversed(path):
        node = {step: node}
    return {"manager": manager, "operation": operation, "time": "2026-01-02T00:00:00Z", "fieldsV1": node, **more}


# -- tools --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (ARGO, "Argo CD (Application shop)"),
        (
            {"labels": {"app.kubernetes.io/instance": "shop"}, "managedFields": [entry("argocd-controller", {})]},
            "Argo CD (Application shop)",
        ),
        ({"labels": {"app.kubernetes.io/instance": "shop"}, "managedFields": [entry("kubectl", {})]}, None),
        (FLUX, "Flux (Kustomization flux-system/apps)"),
        (
            {
                "labels": {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "ns"},
                **HELM,
            },
            "Flux (HelmRelease ns/shop)",
        ),
        (HELM, "Helm (release ns/shop)"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, None),
        ({}, None),
    ],
)
def test_a_tool_is_known_by_the_marks_it_leaves(metadata: Object, words: str | None) -> None:
    found = tool_of(metadata)
    assert (found.words if found else None) == words


def test_helm_4_applies_on_the_servers_side_and_helm_3_does_not() -> None:
    three = tool_of({**HELM, "managedFields": [entry("helm", WHOLE)]})
    four = tool_of({**HELM, "managedFields": [entry("helm", WHOLE, operation="Apply")]})
    assert three and four
    assert (three.when, three.continuous) == ("at the next helm upgrade", False)
    assert "Helm 4 then stops with a conflict" in four.when


@pytest.mark.parametrize(
    ("key", "value", "hands_off"),
    [("ssa", "Ignore", True), ("ssa", "IfNotPresent", True), ("ssa", "Merge", False), ("reconcile", "disabled", True)],
)
def test_flux_leaves_an_object_alone_that_is_marked_so(key: str, value: str, hands_off: bool) -> None:
    metadata = {**FLUX, "annotations": {f"kustomize.toolkit.fluxcd.io/{key}": value}}
    metadata["managedFields"] = [entry("kustomize-controller", WHOLE)]
    found = tool_of(metadata)
    assert found and found.hands_off is hands_off
    assert owner_of(metadata, VAULT).revert_risk == ("none" if hands_off else "certain")


RELEASE: Object = {"labels": {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "ns"}}


@dataclass
class Releases:
    """A client that knows one HelmRelease, or may not read it."""

    answer: Object | Exception | None
    asked: int = 0

    def get(self, path: str) -> Object | None:
        assert path == "/apis/helm.toolkit.fluxcd.io/v2/namespaces/ns/helmreleases/shop"
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("release", "status", "when"),
    [
        ({"spec": {"driftDetection": {"mode": "enabled"}}}, "blocked", "at its next release or drift correction"),
        ({"spec": {"driftDetection": {"mode": "warn"}}}, "drifted", "at its next release."),
        ({"spec": {}}, "drifted", "at its next release."),
        (None, "blocked", "at its next release or drift correction"),
        (Denied("", "", "", "", permission=""), "blocked", "at its next release or drift correction"),
    ],
)
def test_what_helm_controller_declares_is_blocked_if_its_release_corrects_drift(
    release: Any, status: str, when: str
) -> None:
    made = look({**RELEASE, **by("helm-controller", WHOLE)}, BAD)
    found = replace(made, deployment=with_drift_detection(Releases(release), made.deployment))  # type: ignore[arg-type]
    judged = item(plan(found, wanted(env=[GOOD])).items, "env/VAULT_ADDR")
    assert judged.status == status
    assert when in judged.reason


def test_only_objects_of_a_release_are_asked_about() -> None:
    client = Releases(None)
    for metadata in (ARGO, {**RELEASE, "annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled"}}):
        given = look(metadata, BAD).deployment
        assert with_drift_detection(client, given) is given  # type: ignore[arg-type]
    assert client.asked == 0


# -- fields -------------------------------------------------------------------
def test_who_owns_the_value_is_told_from_who_owns_the_entry() -> None:
    metadata = {"managedFields": [entry("argocd-controller", KEY), entry("kubectl-edit", {"f:value": {}})]}
    assert [(one.manager, one.whole) for one in claims(metadata, VAULT)] == [
        ("argocd-controller", False),
        ("kubectl-edit", True),
    ]
    atomic = {"managedFields": [entry("argocd-controller", {}, in_container("web", "f:envFrom"))]}
    assert claims(atomic, in_container("web", "f:envFrom"))[0].whole
    status = {"managedFields": [entry("kube-controller-manager", WHOLE, subresource="status")]}
    assert claims(status, VAULT) == ()


def test_since_when_is_the_time_of_who_wrote_the_value() -> None:
    old = {**entry("argocd-controller", KEY), "time": "2026-03-03T00:00:00Z"}
    metadata = {**ARGO, "managedFields": [old, {**entry("kubectl-edit", {"f:value": {}})}]}
    found = owner_of(metadata, VAULT)
    assert found.since == "2026-01-02T00:00:00Z"
    assert (found.managers, found.declared) == (("argocd-controller", "kubectl-edit"), True)
    assert found.path == '.spec.template.spec.containers[name="web"].env[name="VAULT_ADDR"]'


@pytest.mark.parametrize(
    "path",
    [VAULT, ("f:data", "f:ca.crt"), in_container("a", "f:volumeMounts", mounted("/etc/a.b")), ("f:metadata",), ()],
)
def test_a_shown_path_leads_back_to_its_field(path: tuple[str, ...]) -> None:
    assert steps_of(shown_path(path)) == path


def test_without_managed_fields_nothing_is_certain() -> None:
    assert owner_of(ARGO, VAULT).revert_risk == "unknown"


# -- what comes of it ---------------------------------------------------------
GOOD, BAD = {"name": "VAULT_ADDR", "value": "good"}, {"name": "VAULT_ADDR", "value": "bad"}


def look(metadata: Object, env: Object | None) -> Any:
    made = deployment({"env": [env]} if env else {})
    made["metadata"] |= {"managedFields": [entry("someone", {}, ("f:spec", "f:replicas"))], **metadata}
    return observed(deployment=made)


def applied(env: Object) -> Object:
    """As Argo CD's client-side apply leaves it: with what Git says in an annotation."""
    body = {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [env]}]}}}}
    return {"annotations": {**ARGO["annotations"], LAST_APPLIED: json.dumps(body)}}


def env_item(metadata: Object, env: Object | None, policy: str = "auto") -> Item:
    made = plan(look(metadata, env), wanted(on_foreign_owner=policy, env=[GOOD]))
    return item(made.items, "env/VAULT_ADDR")


def by(manager: str, node: Object) -> Object:
    return {"managedFields": [entry(manager, node)]}


@pytest.mark.parametrize(
    ("metadata", "env", "risk", "status"),
    [
        # The tool owns the wrong value: it wants it.
        ({**ARGO, **by("argocd-controller", WHOLE)}, BAD, "certain", "blocked"),
        ({**FLUX, **by("kustomize-controller", WHOLE)}, BAD, "certain", "blocked"),
        # Helm does too, and comes back at the next upgrade only: said, not blocked.
        ({**HELM, **by("helm", WHOLE)}, BAD, "certain", "drifted"),
        # Somebody has edited what the tool wrote: what the tool wants is not known, ...
        ({**ARGO, **by("argocd-controller", KEY)}, BAD, "possible", "drifted"),
        # ... unless the last applied configuration says it.
        (applied(GOOD), BAD, "none", "drifted"),
        (applied(BAD), BAD, "certain", "blocked"),
        (applied({"name": "OTHER", "value": ""}), BAD, "possible", "drifted"),
        (applied(BAD), None, "certain", "blocked"),
        # Declared nowhere.
        (ARGO, None, "possible", "missing"),
        (ARGO, BAD, "possible", "drifted"),
        # As wanted already: by the tool, beside it, or against it.
        ({**ARGO, **by("argocd-controller", WHOLE)}, GOOD, "none", "in_sync"),
        (ARGO, GOOD, "possible", "in_sync"),
        ({**FLUX, **by("kustomize-controller", KEY)}, GOOD, "certain", "in_sync"),
        ({}, BAD, "none", "drifted"),
    ],
)
def test_whether_it_will_be_undone_and_what_is_done_then(
    metadata: Object, env: Object | None, risk: str, status: str
) -> None:
    found = env_item(metadata, env)
    assert (found.owner.revert_risk, found.status) == (risk, status)


def test_a_blocked_field_says_why_since_when_and_what_to_do_in_git() -> None:
    found = env_item({**ARGO, **by("argocd-controller", WHOLE)}, BAD)
    assert "Argo CD (Application shop) declares this field with another value" in found.reason
    assert "writes that back at its next sync" in found.reason
    assert "git_fragment" in found.hint and "on_foreign_owner" in found.hint
    assert found.action == "none"
    assert found.owner.since == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("policy", "declared", "status", "warned"),
    [
        ("auto", True, "blocked", False),
        ("auto", False, "drifted", True),
        ("warn", True, "drifted", True),
        ("warn", False, "drifted", True),
        ("block", True, "blocked", False),
        ("block", False, "blocked", False),
        ("force", True, "drifted", False),
        ("force", False, "drifted", False),
    ],
)
def test_the_policy_decides(policy: Any, declared: bool, status: str, warned: bool) -> None:
    metadata = {**ARGO, **(by("argocd-controller", WHOLE) if declared else {})}
    found = env_item(metadata, BAD, policy)
    assert found.status == status
    assert bool(foreign.warnings([found], policy)) is warned
    if policy == "force" and declared:
        assert "written all the same, because on_foreign_owner is force" in found.reason
    if warned:
        words = foreign.warnings([found], policy)[0]
        assert "Argo CD (Application shop)" in words and "VAULT_ADDR" in words and "git_fragment" in words


def test_taking_out_what_is_declared_nowhere_is_not_undone_and_not_warned_of() -> None:
    def forbidden(metadata: Object) -> Item:
        made = plan(look(metadata, BAD), wanted(forbidden=[{"name": "VAULT_ADDR"}]))
        return item(made.items, "forbidden/VAULT_ADDR")

    found = forbidden(ARGO)
    assert (found.status, found.action, found.owner.revert_risk) == ("forbidden_present", "remove", "none")
    assert foreign.warnings([found], "auto") == ()
    declared = forbidden({**ARGO, **by("argocd-controller", WHOLE)})
    assert (declared.status, declared.owner.revert_risk) == ("blocked", "certain")


def test_nothing_of_the_rest_is_written_while_one_field_is_blocked() -> None:
    metadata = {**ARGO, **by("argocd-controller", WHOLE)}
    made = plan(look(metadata, BAD), wanted(env=[GOOD, {"name": "MORE", "value": "1"}]))
    assert made.patch == ()
    assert made.wish
    assert item(made.items, "env/MORE").depends_on == ("backend_access/env/VAULT_ADDR",)
