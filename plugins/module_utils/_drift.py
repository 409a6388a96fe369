# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Drift items, verdicts and fingerprints. Knows nothing of Ansible, Vault, Kubernetes, Amazon or PostgreSQL."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Severity = Literal["critical", "high", "medium", "low", "info"]
Status = Literal[
    "in_sync",
    "missing",
    "empty",
    "drifted",
    "forbidden_present",
    "soft_deleted",
    "stale",
    "insecure",
    "expiring",
    "blocked",
    "unknown",
    "error",
    "ignored",
]
Action = Literal["none", "create", "update", "remove", "undelete", "renew", "restart", "reauthorize"]
Verdict = Literal["in_sync", "drift", "incomplete", "error"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
CLEAN: frozenset[str] = frozenset({"in_sync", "ignored"})
UNCHECKED: frozenset[str] = frozenset({"blocked", "unknown"})


@dataclass(frozen=True)
class Owner:
    """Who writes the object beside us, and whether our change will survive.

    :param gitops: the tool that applies the object from somewhere else (``Argo CD``, ``Flux``, ``Helm``).
    :param revert_risk: ``certain``: the tool declares this very field with another value and will write it back;
        ``possible``: it may, or the field is declared nowhere and is lost when the object is made anew.
    :param source: what the tool applies it from, by its own name (``Application backend``).
    :param declared: whether that source has this field at all; None where nobody can tell.
    :param path: the field (``.spec.template.spec.containers[name="web"].env[name="A"]``).
    :param since: when the field's last writer last wrote anything (RFC 3339 in UTC): the field is so since then, at
        least.
    """

    managers: tuple[str, ...] = ()
    gitops: str | None = None
    revert_risk: Literal["none", "possible", "certain", "unknown"] = "none"
    source: str | None = None
    declared: bool | None = None
    path: str | None = None
    since: str | None = None


@dataclass(frozen=True)
class Item:
    """One thing that was checked.

    ``before`` and ``after`` hold only what may be shown: plain values of settings that are not secret,
    else ``present``, ``empty``, ``missing`` or a keyed fingerprint of :class:`Fingerprints`.
    """

    id: str
    address: str
    check: str
    severity: Severity
    status: Status
    action: Action = "none"
    sensitive: bool = False
    before: object = None
    after: object = None
    reason: str = ""
    hint: str = ""
    owner: Owner = field(default_factory=Owner)
    precondition: Mapping[str, object] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The item as plain JSON types, in the order of the report's schema."""
        # Not dataclasses.asdict, which copies each value: a fleet has hundreds of thousands of items.
        owner = {**vars(self.owner), "managers": list(self.owner.managers)}
        own = {"owner": owner, "precondition": dict(self.precondition), "depends_on": list(self.depends_on)}
        return {**vars(self), **own}


@dataclass(frozen=True)
class Outcome:
    """What a module found and did.

    :param items: everything that was looked at, as it was found.
    :param changed: something was written, or would have been in check mode.
    :param remaining: what is left after applying. ``None`` means: every item with an action was applied.
    :param facts: further results, JSON types only, no secret in any form.
    :param judged: the verdict of all that was looked at, where ``items`` hold only a part of it.
    """

    items: tuple[Item, ...]
    changed: bool
    remaining: tuple[Item, ...] | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    judged: Verdict | None = None


def pending(items: Iterable[Item]) -> tuple[Item, ...]:
    """The items a repair would write: those with an action of its own (consent is the seller's to give)."""
    return tuple(item for item in items if item.action not in {"none", "reauthorize"})


def applied(items: Iterable[Item]) -> tuple[Item, ...]:
    """The same items after every pending action has been carried out."""
    return tuple(
        replace(item, status="in_sync", action="none", before=item.after)
        if item.action not in {"none", "reauthorize"}
        else item
        for item in items
    )


def verdict(items: Sequence[Item], repaired_before: Iterable[str] = ()) -> Verdict:
    """The verdict of a set. Nothing looked at is ``incomplete``: it must never read as green.

    What could not be checked makes the set ``incomplete``, unless it waits only for items of the same set that a
    repair will write: then the set is ``drift`` because of those.

    :param repaired_before: ids of items outside the set which the same repair writes before.
    """
    if any(item.status == "error" for item in items):
        return "error"
    repairable = {item.id for item in pending(items)} | set(repaired_before)
    unexplained = [
        item
        for item in items
        if item.status in UNCHECKED and not (item.depends_on and repairable.issuperset(item.depends_on))
    ]
    if not items or unexplained:
        return "incomplete"
    return "in_sync" if all(item.status in CLEAN for item in items) else "drift"


WORST_FIRST: tuple[Verdict, ...] = ("error", "incomplete", "drift")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict over several sets; over none it is ``incomplete``."""
    found = set(verdicts)
    for one in WORST_FIRST:
        if one in found:
            return one
    return "in_sync" if found else "incomplete"


class Fingerprints:
    """Keyed fingerprints: equal values look equal within one run, and nothing can be guessed from them.

    The key is drawn anew for each instance unless one is given, so a fingerprint cannot be attacked offline
    and cannot be compared between runs.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def of(self, value: str | bytes | None) -> str:
        """``missing``, ``empty`` or ``present (fp 12 hex digits)``; never a length, prefix or plain hash."""
        if value is None:
            return "missing"
        raw = value.encode() if isinstance(value, str) else value
        if not raw.strip():
            return "empty"
        return f"present (fp {hmac.new(self._key, raw, hashlib.sha256).hexdigest()[:12]})"

    def same(self, left: str, right: str) -> bool:
        """Whether two secrets are equal, in constant time."""
        return hmac.compare_digest(left.encode(), right.encode())
