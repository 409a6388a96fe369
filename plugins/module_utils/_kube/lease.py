# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One repair at a time: the Lease of an environment, who holds it and until when.

The API server decides every race: a Lease is created, or replaced with the resourceVersion that was read. Its clock
decides what has expired, by the Date of its answers, so that the clocks of the machines that run playbooks do not
matter. (client-go's leader election watches a record for as long as it lasts instead; a task that runs for a moment
cannot, but one that waits does so too.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError, StaleError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import coordination
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import Conflict, KubeClient

DESCRIPTION = "amazon.keybuzz.io/holder"
"""Annotation: who holds it, for people."""
CLOCK_MARGIN = timedelta(seconds=2)
"""The Date of an answer has whole seconds, and the servers of one cluster are not set to the same instant."""
POLL = 1.0
"""Seconds between two looks while waiting."""
RACES = 10
"""How often a lost race is run again at once."""

Standing = Literal["free", "mine", "expired", "held"]
Written = Literal["none", "taken", "taken_over", "renewed", "released"]


@dataclass(frozen=True)
class Lease:
    """A Lease as it was read at ``read_at`` (the server's clock, in UTC). ``holder`` is empty when nobody holds it.

    :param duration: seconds; None, or no time of renewal, means that it does not end by itself: a person wrote it.
    """

    namespace: str
    name: str
    read_at: datetime
    exists: bool = False
    holder: str = ""
    description: str = ""
    acquired: datetime | None = None
    renewed: datetime | None = None
    duration: int | None = None
    transitions: int = 0
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        return f"Lease {self.namespace}/{self.name}"

    @property
    def expires(self) -> datetime | None:
        if not self.holder or self.renewed is None or self.duration is None:
            return None
        return self.renewed + timedelta(seconds=self.duration)

    @property
    def who(self) -> str:
        """``user@host (3f2a…)``, or ``nobody``."""
        if not self.holder:
            return "nobody"
        return f"{self.description} ({self.holder})" if self.description else self.holder

    def standing(self, holder: str) -> Standing:
        """How it stands for ``holder``. An expired Lease is still its holder's until somebody else takes it."""
        if not self.holder:
            return "free"
        if self.holder == holder:
            return "mine"
        return "expired" if self.expires is not None and self.read_at > self.expires + CLOCK_MARGIN else "held"


class HeldError(BlockedError):
    """Somebody else holds the Lease; nothing was written."""

    def __init__(self, lease: Lease) -> None:
        since = f" since {moment(lease.acquired)}" if lease.acquired else ""
        until = f" until {moment(lease.expires)} unless renewed" if lease.expires else " without an end"
        super().__init__(
            "taking",
            lease.address,
            f"{lease.who} holds it{since},{until}, so another repair may be at work",
            "Let it finish and run again, or give wait. "
            + (
                "If that run is dead, the next one takes the Lease over after that time."
                if lease.expires
                else f"It never expires: kubectl -n {lease.namespace} delete lease {lease.name}, if that is a mistake."
            ),
        )
        self.lease = lease


class LostError(StaleError):
    """The Lease that a run believed to hold is somebody else's, or nobody's. Nothing was written."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(
            "renewing",
            lease.address,
            f"it is not this run's any more: {lease.who} holds it" if lease.exists else "it does not exist any more",
            "Stop here: somebody else may be repairing. Run again from the start, with a longer duration if steps of "
            "the repair last longer than the Lease.",
        )
        self.lease = lease


def read(client: KubeClient, namespace: str, name: str) -> Lease:
    """The Lease as it is now; one that does not exist is free. Raises Denied, Unreachable and the like."""
    body = client.get(coordination(namespace, "leases", name))
    lease = Lease(namespace, name, client.server_time or datetime.now(UTC))
    return lease if body is None else _parsed(lease, body)


def take(
    client: KubeClient,
    namespace: str,
    name: str,
    *,
    holder: str,
    description: str,
    duration: int,
    wait: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Lease, Written]:
    """Take the Lease, or renew it if ``holder`` has it already; wait up to ``wait`` seconds for another's to end.

    Raises HeldError when the time is up.
    """
    end, races, seen, since, lost = clock() + wait, 0, "", clock(), False
    while True:
        found = read(client, namespace, name)
        version = str(found.body.get("metadata", {}).get("resourceVersion"))
        if version != seen:
            seen, since = version, clock()
        standing = found.standing(holder)
        if standing == "held" and found.duration is not None and clock() - since > found.duration:
            standing = "expired"  # nobody renewed it while we looked on
        if standing != "held":
            try:
                return _held(client, found, standing, holder=holder, description=description, duration=duration)
            except UnreachableError:  # it may have been written; the next look tells, and nobody else is this holder
                if lost:
                    raise
                lost = True
                continue
            except Conflict:
                races += 1
                if races < RACES:
                    continue
                found = read(client, namespace, name)
        left = end - clock()
        if left <= 0:
            raise HeldError(found)
        pause(min(POLL, left))


def renew(client: KubeClient, namespace: str, name: str, *, holder: str, duration: int) -> tuple[Lease, Written]:
    """Extend a Lease that must be ``holder``'s. Raises LostError when it is not."""
    for _try in range(RACES):
        found = read(client, namespace, name)
        if found.standing(holder) != "mine":
            raise LostError(found)
        try:
            return _held(client, found, "mine", holder=holder, description=found.description, duration=duration)
        except Conflict:
            continue
    raise LostError(read(client, namespace, name))


def release(client: KubeClient, namespace: str, name: str, *, holder: str) -> tuple[Lease, Written]:
    """Give it back if it is ``holder``'s: the object stays, without a holder. Another's is left alone."""
    for _try in range(RACES):
        found = read(client, namespace, name)
        if found.standing(holder) != "mine":
            return found, "none"
        # As client-go releases: no holder, and the shortest duration the server takes.
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": micro(found.read_at)}
        try:
            return _replaced(client, found, spec, {DESCRIPTION: None}), "released"
        except Conflict:
            continue
    return read(client, namespace, name), "none"


def _held(
    client: KubeClient, found: Lease, standing: Standing, *, holder: str, description: str, duration: int
) -> tuple[Lease, Written]:
    now = micro(found.read_at)
    spec: dict[str, Any] = {"holderIdentity": holder, "leaseDurationSeconds": duration, "renewTime": now}
    if standing == "mine":
        return _replaced(client, found, spec, {DESCRIPTION: description}), "renewed"
    spec["acquireTime"] = now
    if not found.exists:
        metadata = {"namespace": found.namespace, "name": found.name, "annotations": {DESCRIPTION: description}}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {**spec, "leaseTransitions": 0},
        }
        made = client.create(coordination(found.namespace, "leases"), body)
        return _parsed(found, made), "taken"
    spec["leaseTransitions"] = found.transitions + 1
    after = _replaced(client, found, spec, {DESCRIPTION: description})
    return after, "taken" if standing == "free" else "taken_over"


def _replaced(
    client: KubeClient, found: Lease, spec: Mapping[str, Any], annotations: Mapping[str, str | None]
) -> Lease:
    """Replace what was read; the resourceVersion in it makes any change since a Conflict."""
    metadata = dict(found.body.get("metadata") or {})
    metadata["annotations"] = {
        key: value for key, value in {**(metadata.get("annotations") or {}), **annotations}.items() if value is not None
    }
    metadata.pop("managedFields", None)
    body = {**found.body, "metadata": metadata, "spec": {**(found.body.get("spec") or {}), **spec}}
    path = coordination(found.namespace, "leases", found.name)
    return _parsed(found, client.update(path, body))


def _parsed(lease: Lease, body: Mapping[str, Any]) -> Lease:
    spec = body.get("spec") or {}
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return replace(
        lease,
        exists=True,
        holder=str(spec.get("holderIdentity") or ""),
        description=str(annotations.get(DESCRIPTION) or ""),
        acquired=_time(spec.get("acquireTime")),
        renewed=_time(spec.get("renewTime")),
        duration=spec.get("leaseDurationSeconds"),
        transitions=int(spec.get("leaseTransitions") or 0),
        body=body,
    )


def micro(when: datetime) -> str:
    """A MicroTime of the API: RFC 3339 in UTC with six digits."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(when: datetime | None) -> str | None:
    """For people and results: RFC 3339 in UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
