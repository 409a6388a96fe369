# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Stakater Reloader: it restarts a Deployment by itself when a Secret or ConfigMap changes, so we let it.

The annotations are those of its documentation. They say what somebody wants of it, not that it runs here: whoever
waits for it waits for a while only, and restarts the pods then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import claims
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import TEMPLATE, in_container, named
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import SourceKind, SourceName

Stage = Literal["await", "done", "insist"]
"""Of a restart that is Reloader's: to be waited for; done by it; not done, so that we do it."""

DOMAIN = "reloader.stakater.com"
LAST_RELOADED = f"{DOMAIN}/last-reloaded-from"
"""Its trace on the pod template (strategy annotations); the other strategy sets a variable (see :func:`traces`)."""
PATIENCE = 20.0
"""Seconds. It watches Secrets and ConfigMaps, so it acts within a moment of their change, or not at all."""
POLL = 0.5
KINDS: tuple[tuple[SourceKind, str], ...] = (("secret", "secret"), ("config_map", "configmap"))


def watched(observed: Observed) -> frozenset[SourceName]:
    """The Secrets and ConfigMaps whose change makes Reloader restart this Deployment."""
    annotations = {
        **observed.annotations,  # those of the pod template count where the Deployment has none
        **(observed.metadata.get("annotations") or {}),
    }
    if annotations.get(f"{DOMAIN}/ignore") == "true":
        return frozenset()
    used = frozenset(_used(observed.template["spec"]))
    found: set[SourceName] = set()
    for kind, word in KINDS:
        listed = annotations.get(f"{word}.{DOMAIN}/reload", "")
        found |= {(kind, name.strip()) for name in listed.split(",") if name.strip()}
        if "true" in (annotations.get(f"{DOMAIN}/auto"), annotations.get(f"{word}.{DOMAIN}/auto")):
            left_out = annotations.get(f"{word}s.exclude.{DOMAIN}/reload", "").split(",")
            found |= {one for one in used if one[0] == kind and one[1] not in [name.strip() for name in left_out]}
    if annotations.get(f"{DOMAIN}/search") == "true":
        found |= {one for one in used if _marks(observed, one).get(f"{DOMAIN}/match") == "true"}
    return frozenset(one for one in found if _marks(observed, one).get(f"{DOMAIN}/ignore") != "true")


def acted_since(observed: Observed, source: SourceName, written: str | None) -> bool:
    """Whether Reloader has changed the pod template for this object after it was ``written`` (RFC 3339, seconds)."""
    times = [claim.time for path in traces(observed, source) for claim in claims(observed.metadata, path) if claim.time]
    return written is not None and any(time >= written for time in times)


def traces(observed: Observed, source: SourceName) -> Iterator[tuple[str, ...]]:
    """Paths of the fields that Reloader writes for this object."""
    ending = "SECRET" if source[0] == "secret" else "CONFIGMAP"
    variable = f"STAKATER_{re.sub('[^A-Za-z0-9]', '_', source[1]).upper()}_{ending}"
    for container in observed.template["spec"].get("containers") or ():
        if any(one.get("name") == variable for one in container.get("env") or ()):
            yield in_container(str(container["name"]), "f:env", named(variable))
    if f'"{source[1]}"' in observed.annotations.get(LAST_RELOADED, ""):
        yield (*TEMPLATE, "f:metadata", "f:annotations", f"f:{LAST_RELOADED}")


def wait_until_it_acts(
    read: Callable[[], Mapping[str, Any]],
    template: Mapping[str, Any],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Read the Deployment until its pod template is another than ``template``; False when the patience is over."""
    end = clock() + PATIENCE
    while True:
        if read()["spec"]["template"] != template:
            return True
        if clock() >= end:
            return False
        pause(POLL)


def _marks(observed: Observed, source: SourceName) -> Mapping[str, str]:
    """Annotations of a Secret or ConfigMap, as far as it was read."""
    if source[0] == "secret":
        found = observed.sources.get(source)
        return found.secret.annotations if found and found.secret else {}
    state = observed.config_maps.get(source[1])
    return (state.metadata.get("annotations") or {}) if state else {}


def _used(spec: Mapping[str, Any]) -> Iterator[SourceName]:
    """What the pod refers to by env, envFrom and volumes, in all its containers."""
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for one in container.get("env") or ():
            source = one.get("valueFrom") or {}
            yield from _named(source.get("secretKeyRef"), source.get("configMapKeyRef"))
        for one in container.get("envFrom") or ():
            yield from _named(one.get("secretRef"), one.get("configMapRef"))
    for volume in spec.get("volumes") or ():
        for one in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            secret = one.get("secret") or {}
            yield from _named({"name": secret.get("secretName") or secret.get("name")}, one.get("configMap"))


def _named(secret: Mapping[str, Any] | None, config_map: Mapping[str, Any] | None) -> Iterator[SourceName]:
    if secret and secret.get("name"):
        yield ("secret", str(secret["name"]))
    if config_map and config_map.get("name"):
        yield ("config_map", str(config_map["name"]))
