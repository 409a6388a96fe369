# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the application's document in Vault should hold, what it holds, and what follows. Pure: asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Action, Fingerprints, Item, Severity, Status
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_keys
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_age import Limits, Since, judged
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.kv import Document

CHECK = "amazon_app"
DOCUMENT, SECRET_AGE, VALUES = f"{CHECK}/document", f"{CHECK}/secret_age", f"{CHECK}/values"

FIELDS = ("client_id", "client_secret", "application_id", "redirect_uri", "region")
SHOWN = frozenset({"application_id", "redirect_uri", "region"})
"""What may be read in a report. The client id belongs to a login, so it is shown as a fingerprint."""


@dataclass(frozen=True)
class Wish:
    """What the document is wanted to hold: by field, without empty values and without space around them.

    :param source: where the values come from, for people.
    :param problem: why there are fewer values than asked for, for people; ``None`` if nothing is amiss.
    :param since: the client secret is at least as old as this; ``None`` if nothing is known.
    """

    values: Mapping[str, str] = field(repr=False, default_factory=dict)
    source: str = "the given values"
    problem: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Proof:
    """What Amazon says of a client id and secret.

    :param verdict: ``unproven`` if it could not be asked.
    :param error: what it answered, unless it accepted.
    """

    verdict: Literal["accepted", "refused", "unproven"]
    error: KeybuzzError | None = None


@dataclass(frozen=True)
class Desired:
    """What was asked for.

    :param keys: name of each field in the document.
    :param undelete_command: for a person, when the version cannot be undeleted here.
    :param since: since when the client secret is in use, as somebody says; for servers that cannot tell.
    """

    keys: Mapping[str, str]
    limits: Limits
    undelete_command: str
    since: datetime | None = None


@dataclass(frozen=True)
class Observed:
    """What was found.

    :param since: since when the client secret in the document is in use.
    :param proof: of the wanted client id and secret; ``None`` if it was not asked for.
    :param document_proof: of those in the document; asked only when the wanted ones are refused.
    """

    document: Document
    wish: Wish
    now: datetime
    since: Since = field(default_factory=Since)
    proof: Proof | None = None
    document_proof: Proof | None = None


def clean(value: object) -> str:
    """A value as it counts: Secrets and files like to end in a line break, which Amazon refuses."""
    return value.strip() if isinstance(value, str) else ""


def target(document: Document, wish: Wish, keys: Mapping[str, str]) -> dict[str, str]:
    """The values the document should hold, by field: the wanted ones, else its own."""
    own = {name: clean(document.raw.get(key)) for name, key in keys.items()}
    return {name: value for name, value in {**own, **wish.values}.items() if value}


def differing(document: Document, values: Mapping[str, str], keys: Mapping[str, str]) -> tuple[str, ...]:
    """The fields that the document holds otherwise, a number in place of a string included."""
    return tuple(name for name in FIELDS if name in values and document.raw.get(keys[name]) != values[name])


def is_stored(document: Document, keys: Mapping[str, str]) -> bool:
    """Whether the document holds a client secret, as far as can be told."""
    if document.depth == "keys":
        return document.names is None or keys["client_secret"] in document.names
    return bool(clean(document.raw.get(keys["client_secret"])))


def needs_proof(document: Document, wish: Wish, keys: Mapping[str, str]) -> dict[str, str] | None:
    """The values whose client id and secret have to be proven, because they are about to be written."""
    values = target(document, wish, keys)
    complete = all(name in values for name in FIELDS)
    return values if complete and (document.state != "present" or differing(document, values, keys)) else None


def plan(observed: Observed, desired: Desired, fingerprints: Fingerprints) -> tuple[Item, ...]:
    """The document's item, and that of the client secret's age."""
    if observed.document.depth == "keys":
        document, *others = _keys_only(observed, desired)
    else:
        document, others = _document(observed, desired, fingerprints), []
    stored = is_stored(observed.document, desired.keys)
    address = f"{observed.document.address} key {desired.keys['client_secret']}"
    age = Item(SECRET_AGE, address, CHECK, "info", "in_sync")
    since = observed.since if stored else None
    return (document, *others, judged(age, since, observed.now, desired.limits, waits_for=document.id))


def _keys_only(observed: Observed, desired: Desired) -> list[Item]:
    """What can be said without any value. Somebody has asked for this depth: what it leaves out is no open question."""
    document = observed.document
    holds = document_keys.held(document, {key: key for key in desired.keys.values()})
    item = Item(DOCUMENT, document.address, CHECK, "info", "in_sync", sensitive=True, before=holds, after=holds)
    item = replace(item, precondition={"kv_version": document.version}, reason=document_keys.KEYS_ONLY)
    wrong = [key for key, found in holds.items() if found != document_keys.PRESENT]
    if document.state == "present" and document.names is None:
        item = document_keys.unknown_keys(item)
    elif document.state in _STATES or wrong:
        missing = [key for key in wrong if holds[key] == document_keys.MISSING]
        found = _STATES.get(document.state) or (
            _Finding("missing", "critical", "update", f"The document lacks {', '.join(missing)}: {_DOWN}.")
            if missing
            else _Finding("drifted", "high", "update", f"Values are no strings: {', '.join(wrong)}.")
        )
        item = replace(
            item,
            severity=found.severity,
            status=found.status,
            action=found.action,
            after=dict.fromkeys(holds, document_keys.PRESENT),
            reason=f"{found.reason} {document_keys.KEYS_ONLY}",
            hint="A repair writes what the source holds, after Amazon has accepted it.",
        )
    values = Item(
        VALUES,
        document.address,
        CHECK,
        "info",
        "ignored",
        sensitive=True,
        reason="depth: keys was asked for: the values were not read, so they were neither compared with a source nor "
        "proven at Amazon.",
        hint="depth: values, with a token that may read the document, compares them.",
    )
    return [item, values]


@dataclass(frozen=True)
class _Finding:
    status: Status
    severity: Severity
    action: Action
    reason: str


_DOWN = "the backend cannot talk to Amazon for any tenant"


def _document(observed: Observed, desired: Desired, fingerprints: Fingerprints) -> Item:
    document, wish = observed.document, observed.wish
    values = target(document, wish, desired.keys)
    different = differing(document, values, desired.keys)
    before = _shown(document.raw, desired.keys, fingerprints)
    item = Item(
        id=DOCUMENT,
        address=document.address,
        check=CHECK,
        severity="info",
        status="in_sync",
        sensitive=True,
        before=before,
        after=before,
        precondition={"kv_version": document.version},
    )
    lacking = [name for name in FIELDS if name not in values]
    if lacking:
        return _incomplete(item, observed, desired, lacking)
    if document.state == "present" and not different:
        if not wish.values:
            problem = wish.problem or "No values were given"
            return replace(item, reason=f"The document is complete. {problem}, so it was compared with nothing.")
        but = f" {wish.problem}." if wish.problem else ""
        return replace(item, reason=f"The document is complete and agrees with {wish.source}.{but}")
    found = _finding(observed, desired, different)
    item = replace(
        item,
        severity=found.severity,
        status=found.status,
        action=found.action,
        after=_shown({desired.keys[name]: value for name, value in values.items()}, desired.keys, fingerprints),
        reason=found.reason,
        hint=f"A repair writes the values of {wish.source}, after Amazon has accepted them."
        if wish.values
        else "A repair writes its values as strings without space around them.",
    )
    return _held_back(item, observed) if observed.proof and observed.proof.verdict != "accepted" else item


_STATES: Mapping[str, _Finding] = {
    "absent": _Finding("missing", "critical", "create", f"There is no document: {_DOWN}."),
    "destroyed": _Finding("missing", "critical", "create", f"The document was destroyed for good: {_DOWN}."),
    "soft_deleted": _Finding(
        "soft_deleted", "critical", "undelete", f"The document was deleted, and can be brought back: {_DOWN}."
    ),
    "empty": _Finding("empty", "critical", "update", f"The document is empty: {_DOWN}."),
}


def _finding(observed: Observed, desired: Desired, different: tuple[str, ...]) -> _Finding:
    document = observed.document
    if document.state in _STATES:
        return _STATES[document.state]
    missing = [desired.keys[name] for name in different if _is_blank(document.raw.get(desired.keys[name]))]
    if missing:
        return _Finding("missing", "critical", "update", f"The document lacks {', '.join(missing)}: {_DOWN}.")
    names = ", ".join(desired.keys[name] for name in different)
    others = [desired.keys[name] for name in different if not isinstance(document.raw.get(desired.keys[name]), str)]
    if others:
        return _Finding("drifted", "critical", "update", f"Values are no strings: {', '.join(others)}: {_DOWN}.")
    if not observed.wish.values:
        return _Finding("drifted", "high", "update", f"Values are no clean strings: {names}.")
    return _Finding("drifted", "high", "update", f"The document and {observed.wish.source} differ in {names}.")


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _incomplete(item: Item, observed: Observed, desired: Desired, lacking: list[str]) -> Item:
    """Nothing can be written, because some value is nowhere to be had."""
    names = ", ".join(desired.keys[name] for name in lacking)
    states: Mapping[str, str] = {
        "absent": "There is no document",
        "soft_deleted": "The document was deleted",
        "destroyed": "The document was destroyed",
        "empty": "The document is empty",
    }
    problem = (
        observed.wish.problem or f"{observed.wish.source[0].upper()}{observed.wish.source[1:]} do not hold it either"
    )
    hint = "Give a source_secret that holds it, or give the values (client_secret by AMAZON_CLIENT_SECRET)."
    if observed.document.state == "soft_deleted":
        hint = f"{hint} Or bring the deleted version back: {desired.undelete_command}"
    return replace(
        item,
        severity="critical",
        status="blocked",
        reason=f"{states.get(observed.document.state, 'The document is incomplete')}. Missing: {names}. {problem}.",
        hint=hint,
    )


def _held_back(item: Item, observed: Observed) -> Item:
    """What Amazon has not accepted is not written."""
    proof = observed.proof or Proof("unproven")
    answered = proof.error.answered if proof.error else "it was not asked"
    kept = replace(item, action="none", after=item.before)
    source = observed.wish.source
    if proof.verdict == "unproven":
        return replace(
            kept,
            status="blocked",
            reason=f"{item.reason} Whether Amazon accepts the values of {source} could not be asked: {answered}.",
            hint=proof.error.remedy if proof.error else "Run again.",
        )
    if observed.document_proof and observed.document_proof.verdict == "accepted":
        return replace(
            kept,
            status="stale",
            severity="medium",
            reason=f"{item.reason} Amazon accepts the document's client id and secret and refuses those of {source}.",
            hint=f"The client secret was rotated: put the new one into {source} too. The document stays as it is.",
        )
    return replace(
        kept,
        status="blocked",
        reason=f"{item.reason} Amazon refuses the client id and secret of {source}: {answered}.",
        hint="Take client id and secret from the application's page in Amazon's Developer Central "
        "(LWA credentials) and put them there. They end 180 days after their rotation.",
    )


def _shown(raw: Mapping[str, object], keys: Mapping[str, str], fingerprints: Fingerprints) -> dict[str, object]:
    """Each key as it may be shown."""
    shown: dict[str, object] = {}
    for name in FIELDS:
        value = raw.get(keys[name])
        if name in SHOWN and isinstance(value, str) and value.strip():
            shown[keys[name]] = value
        elif value is None or isinstance(value, str):
            shown[keys[name]] = fingerprints.of(value)
        else:
            shown[keys[name]] = "not a string"
    return shown
