# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tools that apply objects from somewhere else, by the marks each of them really leaves on what it applies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import claims

INSTANCE = "app.kubernetes.io/instance"
"""How Argo CD tracked objects by default before 3.0. Charts set it too, so it is a mark only beside its manager."""
FLUX_KUSTOMIZE, FLUX_HELM = "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"
ARGO_MANAGERS = ("argocd-controller", "argocd-application-controller")
"""Its name for server-side apply (ArgoCDSSAManager in its source), and the one that its program's name gives."""
DRIFT_DETECTION = f"{FLUX_HELM}/driftDetection"
"""Flux's annotation by which helm-controller leaves one object out of its corrections (see :mod:`helm_release`)."""
HANDS_OFF = {"ssa": {"ignore", "ifnotpresent"}, "reconcile": {"disabled"}}
"""Values of Flux's annotations (and labels) by which it leaves an object alone that is there."""


@dataclass(frozen=True)
class Tool:
    """``source``: what it applies the object from. ``when``: at which occasion it writes its values back.

    :param continuous: it does so by itself, without anybody asking.
    :param hands_off: the object is marked so that it does not.
    """

    name: str
    source: str
    managers: tuple[str, ...]
    when: str
    continuous: bool = True
    hands_off: bool = False

    @property
    def words(self) -> str:
        return f"{self.name} ({self.source})"


def tool_of(metadata: Mapping[str, Any]) -> Tool | None:
    """The tool that applies the object, or None. Where several have left marks, the one that runs by itself."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return _argo(metadata, labels, annotations) or _flux(labels, annotations) or _helm(metadata, labels, annotations)


def _argo(metadata: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]) -> Tool | None:
    application = annotations.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    if not application and INSTANCE in labels and {one.manager for one in claims(metadata)} & {*ARGO_MANAGERS}:
        application = labels[INSTANCE]
    if not application:
        return None
    return Tool("Argo CD", f"Application {application}", ARGO_MANAGERS, "at its next sync")


def _flux(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Tool | None:
    for group, kind, manager in (
        (FLUX_KUSTOMIZE, "Kustomization", "kustomize-controller"),
        (FLUX_HELM, "HelmRelease", "helm-controller"),
    ):
        if f"{group}/name" in labels:
            place = f"{labels.get(f'{group}/namespace', '?')}/{labels[f'{group}/name']}"
            hands_off = any(
                str(marks.get(f"{group}/{key}", "")).lower() in values
                for key, values in HANDS_OFF.items()
                for marks in (labels, annotations)
            )
            if group == FLUX_KUSTOMIZE:
                return Tool("Flux", f"{kind} {place}", (manager,), "at its next reconciliation", hands_off=hands_off)
            corrects = {**labels, **annotations}.get(DRIFT_DETECTION, "").lower() not in {"disabled", "warn"}
            when = "at its next release or drift correction" if corrects else "at its next release"
            return Tool("Flux", f"{kind} {place}", (manager,), when, continuous=corrects)
    return None


def _helm(metadata: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]) -> Tool | None:
    release = annotations.get("meta.helm.sh/release-name")
    if not release:
        return None
    place = f"{annotations.get('meta.helm.sh/release-namespace') or metadata.get('namespace')}/{release}"
    applies = any(one.manager == "helm" and one.operation == "Apply" for one in claims(metadata))
    # Helm 4 applies on the server's side, where a field that somebody else has changed is a conflict first.
    when = "at the next helm upgrade" + (" (Helm 4 then stops with a conflict, or forces it)" if applies else "")
    return Tool("Helm", f"release {place}", ("helm", "Helm"), when, continuous=False)
