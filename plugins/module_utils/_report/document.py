# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The drift report as data: environments, items, counts and the verdict over all of them. Format 1.x."""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cached_property, lru_cache
from typing import Any, Literal, get_args

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import (
    CLEAN,
    SEVERITIES,
    Item,
    Owner,
    Status,
    Verdict,
    verdict,
    worst,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import Group, Kind, counts, total

FORMAT_VERSION = "1.2"
"""Within 1.x keys are only added. A reader of 1.0 can read every 1.x."""

REQUIRED = tuple(one.name for one in fields(Item) if one.default is MISSING and one.default_factory is MISSING)
"""What every item says: id, address, check, severity and status."""

PER_TENANT = frozenset({"amazon_tenant", "amazon_orders"})
"""Checks whose ids begin with the check and the tenant (``amazon_tenant/ecomlg-001/grant``). A run looks at the tenants
and the parts it was asked for; the other checks are looked at as a whole."""

STATUSES: tuple[str, ...] = get_args(Status)

FailOn = Literal["never", "critical", "any", "incomplete"]
FAIL_ON: tuple[FailOn, ...] = ("never", "incomplete", "critical", "any")


@dataclass(frozen=True)
class Environment:
    """One host of the inventory.

    :param items: the last look at it.
    :param found: what the repair found before it wrote anything; empty for an audit.
    :param error: why there is no complete look, if the environment could not be finished.
    :param git_fragment: YAML that makes the repair permanent where the Deployment is declared; empty if all is well.
    :param history: of the items that are not clean and are kept in a history, by id: ``first_seen``, ``times``,
        ``brought_by``.
    :param summarised: items of the last look that are not in ``items``, because they are clean and very many.
    :param seen: those of the summarised items that a history has as not clean.
    :param items_path: the file that has the summarised items and a part of ``items``, if there is one.
    """

    name: str
    items: tuple[Item, ...]
    found: tuple[Item, ...] = ()
    tenants: tuple[str, ...] = ()
    error: str = ""
    git_fragment: str = ""
    history: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    summarised: tuple[Group, ...] = ()
    seen: tuple[Item, ...] = ()
    items_path: str = ""

    @property
    def looked_at(self) -> bool:
        """Whether there is any item at all."""
        return bool(self.items or self.summarised)

    @cached_property
    def verdict(self) -> Verdict:
        if self.error:
            return "error"
        return "in_sync" if self.summarised and not self.items else verdict(self.items)

    @cached_property
    def wrong(self) -> tuple[Item, ...]:
        """What is not clean, the worst first, else in the order of the look."""
        return tuple(sorted((item for item in self.items if item.status not in CLEAN), key=_rank))

    @cached_property
    def tally(self) -> Mapping[Kind, int]:
        """How many items of each kind there are, listed or not. In the order of the look."""
        found = Counter(Kind(item.check, item.status, item.severity) for item in self.items)
        for group in self.summarised:
            found[group.kind] += group.count
        return found


def _rank(item: Item) -> int:
    return SEVERITIES.index(item.severity)


@dataclass(frozen=True)
class Report:
    """All environments of one run. ``generated_at`` is aware UTC.

    :param path: where the JSON document is written, which has every item; empty if it is not.
    :param since_last: what has changed since the last report, in lines; empty without a history.
    :param rules: what is to be said of the ignore rules: those that have expired, and those without an effect.
    """

    environments: tuple[Environment, ...]
    mode: Literal["audit", "check", "repair"]
    generated_at: datetime.datetime
    generator: str = field(default="keybuzz.amazon")
    since_last: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    path: str = ""

    @cached_property
    def verdict(self) -> Verdict:
        """The worst of the environments; a report about nothing is incomplete."""
        return worst(environment.verdict for environment in self.environments)

    @cached_property
    def tally(self) -> Mapping[Kind, int]:
        """How many items of each kind there are in all environments."""
        return total(environment.tally for environment in self.environments)

    def fails(self, fail_on: FailOn) -> bool:
        """Whether the job has to fail.

        What could not be checked fails under every setting but ``never``, because nobody knows what it hides.
        """
        if fail_on == "never":
            return False
        if self.verdict in {"error", "incomplete"}:
            return True
        wrong = {kind.severity for kind in self.tally if kind.status not in CLEAN}
        return bool(wrong) if fail_on == "any" else fail_on == "critical" and "critical" in wrong

    def whereabouts(self, environment: Environment) -> str:
        """Where all items of an environment are, for an output that does not list each of them."""
        if self.path:
            return f"all are in {self.path}"
        if environment.items_path:
            return f"those of the tenants are in {environment.items_path}"
        return "the JSON document has all; give a path for it"

    def head(self) -> dict[str, object]:
        """What the document says of the report as a whole, as JSON types."""
        return {
            "format_version": FORMAT_VERSION,
            "generator": self.generator,
            "generated_at": iso(self.generated_at),
            "mode": self.mode,
            "verdict": self.verdict,
            "counts": counts(self.tally),
            "since_last": list(self.since_last),
            "rules": list(self.rules),
        }

    def as_dict(self) -> dict[str, object]:
        """JSON types, as docs/schema/drift_report-1.0.schema.json describes them."""
        return {
            **self.head(),
            "environments": [
                {
                    key: [item.as_dict() for item in value] if key in LISTS else value
                    for key, value in plain(env).items()
                }
                for env in self.environments
            ],
        }


LISTS = ("items", "found")
"""Keys of an environment that hold items."""


def plain(env: Environment) -> dict[str, Any]:
    """One environment as JSON types, but for the items of :data:`LISTS`: those may be too many to be held twice."""
    return {
        "name": env.name,
        "tenants": list(env.tenants),
        "verdict": env.verdict,
        "error": env.error or None,
        "counts": counts(env.tally),
        "items": env.items,
        "found": env.found,
        "summarised": [asdict(group) for group in env.summarised],
        "git_fragment": env.git_fragment or None,
        "history": {name: dict(entry) for name, entry in env.history.items()},
    }


def iso(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC with Z, to the second. Not strftime: that writes a year before 1000 without its zeros."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_items(raw: Sequence[Mapping[str, Any]], environment: str) -> tuple[Item, ...]:
    """Items from the modules' results.

    :raises BadInputError: an entry is not an item; the message names the environment and the entry.
    """
    items = []
    for number, entry in enumerate(raw):
        try:
            items.append(parse_item(entry))
        except ValueError as error:
            raise BadInputError(
                "reading",
                f"items of environment {environment}",
                f"entry {number} is not a drift item ({error})",
                "Hand over the drift list of the collection's modules as it stands.",
            ) from None
    return tuple(items)


KNOWN = frozenset(one.name for one in fields(Item))


def kind_of(entry: object) -> Kind:
    """What an item is counted by.

    :raises ValueError: it is no item; the text says what it has not, and nothing of what it has.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(f"it has no {', '.join(REQUIRED)}")
    lacking = [name for name in REQUIRED if name not in entry]
    if lacking:
        raise ValueError(f"it has no {', '.join(lacking)}")
    for name in REQUIRED:
        if not isinstance(entry[name], str) or (not entry[name] and name != "address"):
            raise ValueError(f"its {name} is no text")
    kind = Kind(*(sys.intern(str(entry[name])) for name in Kind._fields))
    if kind.status not in STATUSES or kind.severity not in SEVERITIES:
        raise ValueError(f"its {'severity' if kind.status in STATUSES else 'status'} is none that an item has")
    return kind


def parse_item(entry: object) -> Item:
    """One item from its JSON types; keys that an item has not are passed over.

    :raises ValueError: as :func:`kind_of`.
    """
    kind = kind_of(entry)
    if not isinstance(entry, Mapping):
        raise AssertionError("kind_of has seen it")
    values = {name: value for name, value in entry.items() if name in KNOWN} | kind._asdict()
    owner, depends_on = values.get("owner") or {}, values.get("depends_on") or ()
    if not isinstance(owner, Mapping) or isinstance(depends_on, str):
        raise ValueError("its owner or depends_on is not what an item has there")
    try:
        values["owner"] = _owner(
            tuple(owner.get("managers") or ()),
            owner.get("gitops"),
            owner.get("revert_risk") or "none",
            owner.get("source"),
            owner.get("declared"),
            owner.get("path"),
            owner.get("since"),
        )
        values["depends_on"] = tuple(depends_on)
    except TypeError:
        raise ValueError("its owner or depends_on is not what an item has there") from None
    return Item(**values)


@lru_cache(maxsize=256)
def _owner(*values: Any) -> Owner:
    """One object for all items that have the same owner: of tens of thousands, most have none."""
    return Owner(*values)
