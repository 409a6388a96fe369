# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What environment_lease does: take, renew or give back the Lease of an environment, or only say who holds it."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import lease as leases
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.lease import HeldError, Lease, LostError, Written

CHECK = "environment_lease"
GROUP = "coordination.k8s.io"

State = Literal["held", "renewed", "released"]


@dataclass(frozen=True)
class Wanted:
    """``duration`` and ``wait`` are seconds; ``description`` says to people who ``holder`` is."""

    namespace: str
    name: str
    state: State
    holder: str
    description: str
    duration: int
    wait: float


def wanted(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises BadInputError for what no server would take."""
    holder = str(params["holder"]).strip()
    if not holder or not holder.isprintable():
        raise BadInputError("reading the option", "holder", "it is empty or not printable", "Give an id of this run.")
    if params["duration"] < 1 or params["wait"] < 0:
        raise BadInputError(
            "reading the options", "duration and wait", "they count seconds", "Give 1 or more, and 0 or more."
        )
    return Wanted(
        namespace=params["namespace"],
        name=params["name"],
        state=params["state"],
        holder=holder,
        description=params.get("description") or person(),
        duration=params["duration"],
        wait=params["wait"],
    )


def person(environment: Mapping[str, str] | None = None) -> str:
    """Who runs this, for people: ``user@host``, and the job where AWX runs it."""
    given = os.environ if environment is None else environment
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = f"uid {os.getuid()}"
    job = given.get("JOB_ID") if given.get("AWX_HOST") else None
    return f"{user}@{socket.gethostname()}" + (f", AWX job {job}" if job else "")


def run(client: KubeClient, want: Wanted, *, check_mode: bool) -> Outcome:
    """Do it; in check mode only look.

    Raises an error with the outcome attached when somebody else holds the Lease (``held``) or has taken it over
    (``renewed``).
    """
    if check_mode:
        return _look(client, want)
    place = (client, want.namespace, want.name)
    try:
        if want.state == "held":
            found, written = leases.take(
                *place,
                holder=want.holder,
                description=want.description,
                duration=want.duration,
                wait=want.wait,
            )
        elif want.state == "renewed":
            found, written = leases.renew(*place, holder=want.holder, duration=want.duration)
        else:
            found, written = leases.release(*place, holder=want.holder)
    except (HeldError, LostError) as error:
        status = "blocked" if isinstance(error, BlockedError) else "stale"
        item = _item(error.lease, want, status=status, reason=f"{error.answered}.", hint=error.remedy)
        error.outcome = Outcome((item,), changed=False, facts=_facts(error.lease, want))  # type: ignore[union-attr]
        raise
    warnings: tuple[str, ...] = ()
    if want.state == "released" and written == "none" and found.standing(want.holder) in {"held", "expired"}:
        warnings = (f"{found.address} was not given back: {found.who} has taken it over.",)
    return Outcome((_item(found, want),), changed=False, facts=_facts(found, want, written), warnings=warnings)


def _look(client: KubeClient, want: Wanted) -> Outcome:
    found = leases.read(client, want.namespace, want.name)
    standing = found.standing(want.holder)
    pending = standing != "mine" if want.state == "held" else standing == "mine"
    missing: tuple[str, ...] = ()
    allowed: bool | None = None
    if pending:
        verb = "update" if found.exists else "create"
        allowed = client.may(verb, GROUP, "leases", want.namespace, want.name)
        missing = () if allowed else (f"{verb} leases.{GROUP} {want.namespace}/{want.name}",)
    reason = ""
    if standing == "held":
        reason = str(HeldError(found).answered) + "."
    warnings = tuple(f"The repair would be denied: {one}." for one in missing)
    facts = {**_facts(found, want), "repair_allowed": allowed, "missing_permissions": list(missing)}
    return Outcome((_item(found, want, reason=reason),), changed=False, facts=facts, warnings=warnings)


def _item(found: Lease, want: Wanted, *, status: str = "in_sync", reason: str = "", hint: str = "") -> Item:
    return Item(
        id=f"{CHECK}/holder",
        address=found.address,
        check=CHECK,
        severity="info" if status == "in_sync" else "high",
        status=status,  # type: ignore[arg-type]
        before=f"held by {found.who}" if found.holder else "free",
        after="free" if want.state == "released" else f"held by {want.description} ({want.holder})",
        reason=reason,
        hint=hint,
    )


def _facts(found: Lease, want: Wanted, written: Written = "none") -> dict[str, object]:
    return {
        "lease": {
            "namespace": found.namespace,
            "name": found.name,
            "exists": found.exists,
            "standing": found.standing(want.holder),
            "holder": found.holder,
            "description": found.description,
            "acquired_at": leases.moment(found.acquired) if found.holder else None,
            "renewed_at": leases.moment(found.renewed) if found.holder else None,
            "expires_at": leases.moment(found.expires),
            "transitions": found.transitions,
            "checked_at": leases.moment(found.read_at),
            "written": written,
        },
        "repair_allowed": None,
        "missing_permissions": [],
    }
