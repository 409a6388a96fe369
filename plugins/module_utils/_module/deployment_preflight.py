# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Before a Deployment is changed: whether the caller may, and what the server's admission says of it (dry run)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import apps
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import (
    JSON_PATCH,
    AdmissionRefused,
    KubeClient,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.config_map import write_config_map
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import Plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired


@dataclass(frozen=True)
class Permission:
    """Whether the repair would be allowed; ``allowed`` is None when there is nothing to repair."""

    allowed: bool | None = None
    missing: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        return f"The repair would be denied: {', '.join(self.missing)}."

    @property
    def remedy(self) -> str:
        return f"Allow {'these' if len(self.missing) > 1 else 'this'} by a Role of the namespace."


def permission(client: KubeClient, desired: Desired, observed: Observed, made: Plan) -> Permission:
    """Ask the server whether this caller may carry the plan out: only if there is something to carry out."""
    asked = []
    if made.patch or made.awaits_reloader:  # who waits in vain does it
        asked.append(("patch", "apps", "deployments", desired.deployment))
    for name in made.contents:
        verb = "patch" if observed.config_maps[name].exists else "create"
        asked.append((verb, "", "configmaps", name))
    if not asked:
        return Permission()
    missing = tuple(
        f"{verb} {resource}{'.' if group else ''}{group} {desired.namespace}/{name}"
        for verb, group, resource, name in asked
        if not client.may(verb, group, resource, desired.namespace, name)
    )
    return Permission(not missing, missing)


def unread(desired: Desired, observed: Observed) -> tuple[str, ...]:
    """What the caller may not read. The plan goes without it, and says that it could not be checked."""
    missing = [
        f"get {kind.replace('_', '')}s {desired.namespace}/{name}"
        for (kind, name), source in observed.sources.items()
        if source.exists is None
    ]
    if observed.pods_problem:
        missing.append(f"list pods {desired.namespace}")
    return tuple(missing)


def permission_if_told(client: KubeClient, desired: Desired, observed: Observed, made: Plan) -> Permission:
    """As :func:`permission`; where the server does not answer reviews, the writes themselves will tell."""
    try:
        return permission(client, desired, observed, made)
    except ForbiddenError:
        return Permission()


def patched(client: KubeClient, desired: Desired, made: Plan, *, dry_run: bool = False) -> dict[str, Any] | None:
    """The Deployment after the plan's patch; None if there is none."""
    if not made.patch:
        return None
    path = apps(desired.namespace, "deployments", desired.deployment)
    return client.patch(path, list(made.patch), content_type=JSON_PATCH, dry_run=dry_run)


def admitted(
    client: KubeClient,
    desired: Desired,
    observed: Observed,
    made: Plan,
    contents: Mapping[str, Mapping[str, str]],
) -> AdmissionRefused | None:
    """What the server's admission has against these writes, asked by dry run.

    :raises Conflict: an object is not what was read.
    """
    try:
        for name, values in contents.items():
            write_config_map(client, desired.namespace, name, observed.config_maps[name], values, dry_run=True)
        patched(client, desired, made, dry_run=True)
    except AdmissionRefused as error:
        return error
    return None


def asked(client: KubeClient, desired: Desired, observed: Observed, made: Plan, found: Permission) -> tuple[Item, ...]:
    """The items, with the server's own opinion by dry run, or with a word that the repair would be denied."""
    if found.allowed is None:
        return made.items
    if not found.allowed:
        return denied(made.items, found)
    refused = admitted(client, desired, observed, made, made.contents)
    return made.items if refused is None else not_admitted(made.items, refused)


def denied(items: tuple[Item, ...], found: Permission) -> tuple[Item, ...]:
    """The items; those with an action say which permission is missing."""
    return tuple(
        replace(item, hint=f"{item.hint} {found.sentence}".strip()) if item.action != "none" else item for item in items
    )


def not_admitted(items: tuple[Item, ...], error: AdmissionRefused) -> tuple[Item, ...]:
    """The items; those with an action are blocked by the cluster's policy."""
    return tuple(
        replace(
            item,
            status="blocked",
            action="none",
            reason=f"{item.reason} But {error.answered}.".strip(),
            hint=error.remedy,
        )
        if item.action != "none"
        else item
        for item in items
    )
