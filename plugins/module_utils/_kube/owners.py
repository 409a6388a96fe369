# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who else writes a field of an object, and whether our change of it will survive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Owner
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import FIELD_MANAGER
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import managers

# Marks as their projects' documentation gives them; the managers are the names they write with.
MARKS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "Argo CD",
        "annotations",
        "argocd.argoproj.io/tracking-id",
        ("argocd-controller", "argocd-application-controller"),
    ),
    ("Flux", "labels", "kustomize.toolkit.fluxcd.io/name", ("kustomize-controller",)),
    ("Flux", "labels", "helm.toolkit.fluxcd.io/name", ("helm-controller",)),
    ("Helm", "annotations", "meta.helm.sh/release-name", ("helm", "Helm")),
)


def owner_of(metadata: Mapping[str, Any], path: tuple[str, ...] = ()) -> Owner:
    """Owner of the field at ``path`` (steps of fieldsV1; empty: the object).

    ``revert_risk``: certain if a GitOps tool that marks the object also declared the field (it writes the declared
    value back); possible if it marks the object and did not declare the field; unknown where the server keeps no
    managedFields; none otherwise.
    """
    writers = managers(metadata, path)
    others = tuple(name for name in writers if name != FIELD_MANAGER)
    tool, names = _tool(metadata)
    if tool is None:
        return Owner(managers=writers)
    if not metadata.get("managedFields"):
        return Owner(managers=(), gitops=tool, revert_risk="unknown")
    declared = any(name in names for name in others)
    return Owner(managers=writers, gitops=tool, revert_risk="certain" if declared else "possible")


def _tool(metadata: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    for tool, place, key, names in MARKS:
        if key in (metadata.get(place) or {}):
            return tool, names
    return None, ()


TEMPLATE = ("f:spec", "f:template")
POD = (*TEMPLATE, "f:spec")


def in_container(container: str, *steps: str) -> tuple[str, ...]:
    """Path of a field of a container: ``in_container("web", "f:env", named("VAULT_ADDR"))``."""
    return (*POD, "f:containers", named(container), *steps)


def named(name: str) -> str:
    """The step into a list keyed by name."""
    return f'k:{{"name":"{name}"}}'


def mounted(path: str) -> str:
    """The step into volumeMounts, keyed by mountPath."""
    return f'k:{{"mountPath":"{path}"}}'
