# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A plan as a file: what was found in which environments, by which release, when, and who signed it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan import signature
from ansible_collections.keybuzz.amazon.plugins.module_utils._version import VERSION

FORMAT = "1.0"
KIND = "keybuzz.amazon repair plan"
LARGEST = 64 * 1024 * 1024
"""Bytes of a plan that are read: some hundred thousand items."""
ENTRY = ("id", "address", "check", "status", "action", "before", "after", "precondition", "depends_on")


@dataclass(frozen=True)
class Place:
    """Where a plan of one environment is good: the same name, the same servers, the same tenants."""

    name: str
    servers: Mapping[str, str]
    tenants: Sequence[str]


def compose(places: Sequence[tuple[Place, Sequence[Mapping[str, Any]]]], created_at: str) -> dict[str, Any]:
    """The document, unsigned.

    :param places: each environment with the entries of its plan.
    :param created_at: ISO 8601 with its zone.
    """
    return {
        "format_version": FORMAT,
        "kind": KIND,
        "version": VERSION,
        "created_at": created_at,
        "environments": {
            place.name: {"servers": dict(place.servers), "tenants": list(place.tenants), "items": list(entries)}
            for place, entries in places
        },
    }


def signed(document: Mapping[str, Any], key_file: str | None) -> dict[str, Any]:
    """The document with the signature of this key, if one is given. :raises BadInputError: the key cannot be used."""
    if not key_file:
        return dict(document)
    return {**document, "signature": signature.sign(canonical(document), key_file)}


def canonical(document: Mapping[str, Any]) -> bytes:
    """What is signed: everything but the signature, in one spelling."""
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    return json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def read(path: str) -> dict[str, Any]:
    """A plan's document. Nothing of it is believed yet. :raises BadInputError: the file is no plan of this format."""
    try:
        with Path(path).open("rb") as stream:
            document = json.loads(stream.read(LARGEST))
    except OSError as error:
        raise _refused(
            path, error.strerror or type(error).__name__, "Give the file that plan_out has written."
        ) from None
    except ValueError:
        raise _refused(path, "it is not JSON, or not all of it", "Take the file as plan_out has written it.") from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise _refused(path, f"it is no {KIND}", "Give the file that plan_out has written.")
    if str(document.get("format_version")).partition(".")[0] != FORMAT.partition(".")[0]:
        given = str(document.get("format_version"))[:20]
        raise _refused(path, f"its format is {given}, and this release reads {FORMAT}", "Make a new plan.")
    environments = document.get("environments")
    whole = isinstance(environments, dict) and all(_is_environment(one) for one in environments.values())
    if not whole:
        raise _refused(path, "parts of it are missing", "Make a new plan; this one was changed by hand.")
    return document


def _is_environment(one: object) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("servers"), dict)
        and isinstance(one.get("tenants"), list)
        and isinstance(one.get("items"), list)
        and all(isinstance(entry, dict) and not set(ENTRY) - set(entry) for entry in one["items"])
    )


def require(
    document: Mapping[str, Any],
    path: str,
    place: Place,
    now: datetime.datetime,
    *,
    public_key: str | None,
    max_age: float,
) -> list[dict[str, Any]]:
    """The entries of an environment, if the plan may be applied to it.

    :param max_age: seconds after which a plan is too old; 0 for never.
    :raises BadInputError: the signature does not hold, the release is another one, the plan is of another environment
        or too old. Nothing was applied.
    """
    given = document.get("signature")
    if public_key:
        if not isinstance(given, dict):
            raise _refused(path, "it is not signed", "Have it signed: -e plan_signing_key=FILE with plan_out.")
        signature.verify(canonical(document), given, public_key, path)
    elif given:
        remedy = "Give the public key of who signed it: -e plan_public_key=FILE."
        raise _refused(path, "it is signed, and nothing was given to verify that with", remedy)
    if document.get("version") != VERSION:
        made_by = str(document.get("version"))[:20]
        raise _refused(path, f"it was made by release {made_by}, and this is {VERSION}", "Make a new plan.")
    _require_age(document, path, now, max_age)
    environment = document["environments"].get(place.name)
    if environment is None:
        known = ", ".join(sorted(document["environments"])) or "none"
        raise _refused(
            path, f"it is of {known}, not of {place.name}", "Choose the environment with -l, or make a new plan."
        )
    for name, server in place.servers.items():
        planned_for = str(environment["servers"].get(name))
        if planned_for != server:
            raise _refused(
                path, f"it was made for {name} at {planned_for[:200]}, and this is {server}", "Make a new plan."
            )
    if list(environment["tenants"]) != list(place.tenants):
        theirs = ", ".join(map(str, environment["tenants"]))[:200]
        raise _refused(path, f"it was made for the tenants {theirs}", "Name the same tenants, or make a new plan.")
    entries: list[dict[str, Any]] = environment["items"]
    return entries


def _require_age(document: Mapping[str, Any], path: str, now: datetime.datetime, max_age: float) -> None:
    try:
        made = datetime.datetime.fromisoformat(str(document.get("created_at")))
        age = (now - made).total_seconds()
    except (ValueError, TypeError):
        raise _refused(path, "it does not say when it was made", "Make a new plan.") from None
    if age < -300:
        raise _refused(
            path, f"it was made in the future ({document['created_at']})", "Set the clocks, and make a new one."
        )
    if max_age and age > max_age:
        raise _refused(
            path,
            f"it is from {document['created_at']}, and older than {max_age:g} s",
            "Make a new plan, or raise plan_max_age.",
        )


def _refused(path: str, why: str, remedy: str) -> BadInputError:
    return BadInputError("reading plan", path, f"{why}. Nothing was applied", remedy)
