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
from datetime import UTC, datetime

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Status
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import FIELD_MANAGER
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import claims
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.mounts import BACKGROUND, checksum
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import TEMPLATE, owner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.pods import started_before
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.reloader import Stage, acted_since, watched
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import DATA_WRITTEN, SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired, SourceName

RESTART_FOR = "amazon.keybuzz.io/restart-for"
CONFIG_CHECKSUM = "amazon.keybuzz.io/config-checksum"
AGAIN = ".again"
"""Ends the mark of a content that was marked before, then changed by somebody, then written again."""
CHECKSUM_KEY = "amazon.keybuzz.io/checksum-key"
"""Annotation of a Secret: the random key of its mark. Who may read it may read the data too."""


def mark(secrets: Sequence[SecretState]) -> str:
    """The value of the annotation ``restart-for``: one part a Secret, by name.

    With a key: HMAC-SHA256 over the data and the time this collection noted with its last write of them, because the
    same data may have been away in between, and pods may have started then. Without a key: uid and time of the last
    write of the data, so that nothing in the mark is derived from them.
    """
    return ",".join(f"{state.name}:{_mark(state)}" for state in sorted(secrets, key=lambda one: one.name))


def _mark(state: SecretState) -> str:
    key = state.annotations.get(CHECKSUM_KEY)
    if key:
        data = json.dumps(dict(state.encoded), sort_keys=True) + state.annotations.get(DATA_WRITTEN, "")
        return f"hmac-{hmac.new(key.encode(), data.encode(), hashlib.sha256).hexdigest()[:32]}"
    written = hashlib.sha256(f"{state.uid} {state.data_written}".encode()).hexdigest()
    return f"written-{written[:32]}"


def marks(
    observed: Observed, desired: Desired, *, anew: bool = False, secrets_anew: bool = False, insist: bool = False
) -> dict[str, str]:
    """The annotations that the pod template should carry after a change of it, as far as they can be known.

    :param anew: pods may have started with what the ConfigMap held before, because this run writes it or because they
        are older than its last write. The mark has to change even if it stands for the wanted content already.
    :param secrets_anew: the same of a Secret.
    :param insist: also for what Reloader watches. Otherwise that is left to it, and no mark stands for it.
    """
    found: dict[str, str] = {}
    theirs = frozenset() if insist else watched(observed)
    states = _secrets(observed, desired)
    if states is not None:
        states = [state for state in states if ("secret", state.name) not in theirs]
    if states:
        found[RESTART_FOR] = _anew(mark(states), observed.annotations.get(RESTART_FOR), secrets_anew)
    contents = checksum(observed, desired)
    if contents and not any(("config_map", mount.config_map) in theirs for mount in desired.config_mounts):
        found[CONFIG_CHECKSUM] = _anew(contents, observed.annotations.get(CONFIG_CHECKSUM), anew)
    return found


def _anew(value: str, there: str | None, anew: bool) -> str:
    return f"{value}{AGAIN}" if anew and there == value else value


def pods_needed(observed: Observed, desired: Desired) -> bool:
    """Whether the pods' ages decide, and the data are not older than the Deployment itself, hence than every pod.

    For a Secret while the annotation that would tell is absent, or where somebody else has written its data. For a
    mounted ConfigMap also where the annotation stands for its content: a run that was killed between writing the
    ConfigMap and patching the Deployment leaves a mark that matches again, and pods that read what was there before.
    """
    absent = set(marks(observed, desired)) - set(observed.annotations)
    times: list[str | None] = []
    theirs = watched(observed)
    times += [
        _written(state) if RESTART_FOR in absent or ("secret", state.name) in theirs else _by_others(state)
        for state in _secrets(observed, desired) or ()
    ]
    if checksum(observed, desired):
        times += [time for _name, time in _mounted(observed, desired)]
    made = str(observed.metadata.get("creationTimestamp") or "")
    return any(time is not None and time > made for time in times)


def plan_restart(
    observed: Observed,
    desired: Desired,
    *,
    writing: Collection[str],
    template_changes: bool,
    stage: Stage = "await",
) -> Item:
    """The item ``backend_access/restart``.

    :param writing: ConfigMaps that the same run writes or has written.
    :param template_changes: the pod template changes anyway, and with it every pod.
    :param stage: how far it is with what Reloader watches; once that is done, such an object is no reason any more.
    """
    done = watched(observed) if stage == "done" else frozenset()
    writing = [name for name in writing if ("config_map", name) not in done]
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
    reasons = _secret_reasons(observed, desired, done)
    if writing and not template_changes:
        reasons.append(f"the content of ConfigMap {', '.join(sorted(writing))} changes, and {BACKGROUND}")
    elif not writing:
        reasons += _content_reasons(observed, desired, done)
    if not reasons and observed.pods_problem and not template_changes:
        reason = f"Whether the pods are older than the data they read is unknown: {observed.pods_problem}."
        return replace(item, status="unknown", before="unknown", reason=reason, hint="Allow list on pods.")
    if not reasons:
        return item
    return replace(
        item,
        status="stale",
        action="restart",
        before="outdated",
        reason=f"The pods run with outdated data: {'; '.join(reasons)}.{_whose(observed, desired, stage)}",
    )


def _whose(observed: Observed, desired: Desired, stage: Stage) -> str:
    """A word on Reloader, if the restart is its business."""
    wanted: set[SourceName] = {("secret", one.secret) for one in desired.restart_for}
    wanted |= {("config_map", mount.config_map) for mount in desired.config_mounts}
    if not wanted & watched(observed):
        return ""
    if stage == "insist":
        return " Reloader is asked to restart them by its annotations and did not, so they are restarted here."
    return " Reloader is asked to restart them by its annotations, so it is waited for first."


def _secret_reasons(observed: Observed, desired: Desired, done: Collection[SourceName]) -> list[str]:
    reasons = [
        f"Secret {one.secret} will be written, and the environment is read when a container starts"
        for one in desired.restart_for
        if one.will_change
    ]
    states = _secrets(observed, desired)
    if reasons or not states:
        return reasons
    theirs = [state for state in states if ("secret", state.name) in watched(observed)]
    ours = [state for state in states if state not in theirs]
    there = observed.annotations.get(RESTART_FOR)
    if there is not None and ours:
        there = there.removesuffix(AGAIN)
        marked = there == mark(ours) if not theirs else {*mark(ours).split(",")} <= {*there.split(",")}
        changed = [f"{_names(ours)} changed since the pod template was marked"]
        reasons += older_than_marked(observed, desired) if marked else changed
        ours = []
    for state in (*ours, *theirs):
        source: SourceName = ("secret", state.name)
        time = _written(state)
        if source not in done and not (state in theirs and acted_since(observed, source, time)):
            reasons += _written_after(observed, state, time)
    return reasons


def older_than_marked(observed: Observed, desired: Desired) -> list[str]:
    """Which Secrets somebody else has written after pods of the template as it stands had started.

    Asked where the mark stands for the data: they may have put back what was there when the template was marked, and
    pods may have started in between. Our own writes change the mark (and our notes on the Secret move the time of its
    last write without any), so only those of others count.
    """
    reasons = []
    for state in _secrets(observed, desired) or ():
        if RESTART_FOR not in observed.annotations or ("secret", state.name) in watched(observed):
            continue
        reasons += _written_after(observed, state, _by_others(state))
    return reasons


def _written_after(observed: Observed, state: SecretState, time: str | None) -> list[str]:
    older = _older(observed, time, RESTART_FOR)
    return [f"Secret {state.name} was written at {time}, after {', '.join(older)} started"] if older else []


def _written(state: SecretState) -> str | None:
    """When its data were last written: by us as noted, because our later notes move the time in managedFields."""
    if state.data_written is None:
        return None
    try:
        noted = datetime.fromisoformat(state.annotations.get(DATA_WRITTEN, "")).astimezone(UTC)
    except (ValueError, OverflowError):  # not noted, or a person wrote it
        return state.data_written
    return max(min(noted.strftime("%Y-%m-%dT%H:%M:%SZ"), state.data_written), _by_others(state) or "")


def _by_others(state: SecretState) -> str | None:
    """When somebody else last wrote a value of the Secret that stands there still."""
    found = claims(state.metadata, ("f:data",))
    return max((one.time for one in found if one.whole and one.manager != FIELD_MANAGER and one.time), default=None)


def _content_reasons(observed: Observed, desired: Desired, done: Collection[SourceName]) -> list[str]:
    contents = checksum(observed, desired)
    if contents is None:
        return []
    there = observed.annotations.get(CONFIG_CHECKSUM)
    theirs = any(("config_map", name) in watched(observed) for name, _time in _mounted(observed, desired))
    if there is not None and there.removesuffix(AGAIN) != contents and not theirs:
        return [f"the mounted files changed since the pod template was marked; {BACKGROUND}"]
    return older_than_files(observed, desired, done)


def older_than_files(observed: Observed, desired: Desired, done: Collection[SourceName] = ()) -> list[str]:
    """Which mounted ConfigMaps were written after pods of the template as it stands had started."""
    reasons = []
    theirs = watched(observed)
    for name, time in _mounted(observed, desired):
        source: SourceName = ("config_map", name)
        if source in done or (source in theirs and acted_since(observed, source, time)):
            continue
        older = _older(observed, time, CONFIG_CHECKSUM)
        if older:
            reasons.append(f"ConfigMap {name} was written after {', '.join(older)} started; {BACKGROUND}")
    return reasons


def _mounted(observed: Observed, desired: Desired) -> list[tuple[str, str | None]]:
    """The ConfigMaps of the wanted mounts that are there, each once, and when a wanted key of it was last written."""
    found = []
    for name in dict.fromkeys(wanted.config_map for wanted in desired.config_mounts):
        state = observed.config_maps.get(name)
        if state is not None and state.exists:
            keys = [wanted.key for wanted in desired.config_mounts if wanted.config_map == name]
            written = [one.time for key in keys for one in claims(state.metadata, ("f:data", f"f:{key}")) if one.time]
            found.append((name, max(written, default=state.data_written)))
    return found


def _older(observed: Observed, written: str | None, annotation: str) -> tuple[str, ...]:
    """Pods that started before, without those of an older template: a rollout is replacing them already."""
    if written is None or observed.pods is None:
        return ()
    mark_now = observed.annotations.get(annotation)
    same = [pod for pod in observed.pods if (pod["metadata"].get("annotations") or {}).get(annotation) == mark_now]
    return started_before(same, observed.container_name, written)


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
