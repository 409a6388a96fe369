# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether pods run with data that has changed since they started, and the marks that tell so.

The mark is an annotation of the pod template: when it changes, the Deployment rolls out, and when it does not, it
does not. (``kubectl rollout restart`` writes the time of day, so it restarts every time it is called.)
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Sequence
from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Status
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.mounts import BACKGROUND, checksum
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import TEMPLATE, owner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.pods import started_before
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired

RESTART_FOR = "amazon.keybuzz.io/restart-for"
CONFIG_CHECKSUM = "amazon.keybuzz.io/config-checksum"
AGAIN = ".again"
"""Ends the mark of a content that was marked before, then changed by somebody, then written again."""
CHECKSUM_KEY = "amazon.keybuzz.io/checksum-key"
"""Annotation of a Secret: the random key of its mark. Who may read it may read the data too."""


def mark(secrets: Sequence[SecretState]) -> str:
    """The value of the annotation ``restart-for``: one part a Secret, by name.

    With a key: HMAC-SHA256 over the data. Without one: uid and time of the last write of the data, so that nothing
    in the mark is derived from them.
    """
    return ",".join(f"{state.name}:{_mark(state)}" for state in sorted(secrets, key=lambda one: one.name))


def _mark(state: SecretState) -> str:
    key = state.annotations.get(CHECKSUM_KEY)
    if key:
        data = json.dumps(dict(state.encoded), sort_keys=True).encode()
        return f"hmac-{hmac.new(key.encode(), data, hashlib.sha256).hexdigest()[:32]}"
    written = hashlib.sha256(f"{state.uid} {state.data_written}".encode()).hexdigest()
    return f"written-{written[:32]}"


def marks(observed: Observed, desired: Desired, *, writing: bool = False) -> dict[str, str]:
    """The annotations that the pod template should carry after a change of it, as far as they can be known.

    :param writing: the run writes a ConfigMap. Pods may have started with what it held until now, so the mark has to
        change even if it already stands for the wanted content.
    """
    found: dict[str, str] = {}
    states = _secrets(observed, desired)
    if states is not None and states:
        found[RESTART_FOR] = mark(states)
    contents = checksum(observed, desired)
    if contents:
        again = writing and observed.annotations.get(CONFIG_CHECKSUM) == contents
        found[CONFIG_CHECKSUM] = f"{contents}{AGAIN}" if again else contents
    return found


def pods_needed(observed: Observed, desired: Desired) -> bool:
    """Whether the pods' ages decide: an annotation that would tell is absent, and the data are not older than the
    Deployment itself, hence than every pod of it.
    """
    absent = set(marks(observed, desired)) - set(observed.annotations)
    times: list[str | None] = []
    if RESTART_FOR in absent:
        times += [state.data_written for state in _secrets(observed, desired) or ()]
    if CONFIG_CHECKSUM in absent:
        maps = (observed.config_maps.get(wanted.config_map) for wanted in desired.config_mounts)
        times += [state.data_written for state in maps if state is not None and state.exists]
    made = str(observed.metadata.get("creationTimestamp") or "")
    return any(time is not None and time > made for time in times)


def plan_restart(observed: Observed, desired: Desired, *, writing: Collection[str], template_changes: bool) -> Item:
    """The item ``backend_access/restart``.

    :param writing: ConfigMaps that the same run writes or has written.
    :param template_changes: the pod template changes anyway, and with it every pod.
    """
    item = Item(
        id=f"{CHECK}/restart",
        address=observed.address,
        check=CHECK,
        severity="medium",
        status="in_sync",
        before="current",
        after="current",
        owner=owner_of(observed.metadata, (*TEMPLATE, "f:metadata", "f:annotations", f"f:{RESTART_FOR}")),
    )
    unread = _unread(observed, desired)
    if unread:
        return replace(item, status=unread[0], before="unknown", reason=unread[1], hint=unread[2])
    reasons = _secret_reasons(observed, desired)
    if writing and not template_changes:
        reasons.append(f"the content of ConfigMap {', '.join(sorted(writing))} changes, and {BACKGROUND}")
    elif not writing:
        reasons += _content_reasons(observed, desired)
    if not reasons:
        return item
    return replace(
        item,
        status="stale",
        action="restart",
        before="outdated",
        reason=f"The pods run with outdated data: {'; '.join(reasons)}.",
    )


def _secret_reasons(observed: Observed, desired: Desired) -> list[str]:
    reasons = [
        f"Secret {one.secret} will be written, and the environment is read when a container starts"
        for one in desired.restart_for
        if one.will_change
    ]
    states = _secrets(observed, desired)
    if reasons or not states:
        return reasons
    there = observed.annotations.get(RESTART_FOR)
    if there is not None:
        return [] if there == mark(states) else [f"{_names(states)} changed since the pod template was marked"]
    for state in states:
        older = _older(observed, state.data_written)
        if older:
            reasons.append(f"Secret {state.name} was written at {state.data_written}, after {', '.join(older)} started")
    return reasons


def _content_reasons(observed: Observed, desired: Desired) -> list[str]:
    contents = checksum(observed, desired)
    if contents is None:
        return []
    there = observed.annotations.get(CONFIG_CHECKSUM)
    if there is not None:
        there = there.removesuffix(AGAIN)
        changed = f"the mounted files changed since the pod template was marked; {BACKGROUND}"
        return [] if there == contents else [changed]
    reasons = []
    for wanted in desired.config_mounts:
        state = observed.config_maps.get(wanted.config_map)
        older = _older(observed, state.data_written if state else None)
        if older:
            reasons.append(f"ConfigMap {wanted.config_map} was written after {', '.join(older)} started; {BACKGROUND}")
    return reasons


def _older(observed: Observed, written: str | None) -> tuple[str, ...]:
    if written is None or observed.pods is None:
        return ()
    return started_before(observed.pods, observed.container_name, written)


def _secrets(observed: Observed, desired: Desired) -> list[SecretState] | None:
    """The named Secrets, or None while one of them is missing or unread."""
    found = []
    for one in desired.restart_for:
        source = observed.sources.get(("secret", one.secret))
        if source is None or source.secret is None or not source.exists:
            return None
        found.append(source.secret)
    return found


def _unread(observed: Observed, desired: Desired) -> tuple[Status, str, str] | None:
    for one in desired.restart_for:
        source = observed.sources.get(("secret", one.secret))
        if one.will_change:
            continue
        if source is None or source.exists is None:
            problem = source.problem if source else "it was not read"
            return "unknown", f"Whether Secret {one.secret} changed is unknown: {problem}.", "Allow get on that Secret."
        if not source.exists:
            reason = f"Secret {desired.namespace}/{one.secret} does not exist, so the pods cannot start with it."
            return "blocked", reason, "Create the Secret first (module keybuzz.amazon.vault_token_secret)."
    return None


def _names(states: Sequence[SecretState]) -> str:
    return " or ".join(f"Secret {state.name}" for state in states)
