# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report as metrics for node_exporter's textfile collector (Prometheus text exposition format 0.0.4).

Every series of a check that was looked at is written, with 0 where nothing differs: a series that came and went with
the drift could not tell "repaired" from "no longer looked at".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import (
    CLEAN,
    SEVERITIES,
    UNCHECKED,
    Verdict,
    worst,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import STATUSES, Environment, Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import Kind, total

PREFIX = "amazon_integration"
VERDICTS: tuple[str, ...] = get_args(Verdict)


ENVIRONMENTS, CHECKS = 100, 50
"""How many values the labels have at most: Prometheus keeps a series for each (Prometheus: naming, "Labels"). No label
names a tenant; where tenants are hosts of the inventory, their environments are what is told apart."""
OTHER = "other"
"""The value for whatever is beyond that."""


@dataclass(frozen=True)
class _Gauge:
    """One metric: its help and, by label values, its samples."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Mapping[tuple[str, ...], int]


@dataclass(frozen=True)
class _Looked:
    """What is told of one value of the label ``environment``."""

    name: str
    tally: Mapping[Kind, int]
    verdict: Verdict


def render(report: Report) -> str:
    """All metrics, each with HELP and TYPE once, in an order that depends on the report alone."""
    environments = _by_label(report.environments)
    gauges = (
        _Gauge(
            f"{PREFIX}_drift",
            "Items that differ or whose check failed; absent where no item of the check could be checked.",
            ("environment", "check", "severity"),
            _drift(environments),
        ),
        _Gauge(
            f"{PREFIX}_unchecked",
            "Items that could not be checked.",
            ("environment", "check"),
            _unchecked(environments),
        ),
        _Gauge(
            f"{PREFIX}_items",
            "Items that were asked about, by their status.",
            ("environment", "status"),
            _items(environments),
        ),
        _Gauge(
            f"{PREFIX}_verdict",
            "1 for the verdict over the environment, 0 for the others.",
            ("environment", "verdict"),
            {(one.name, value): int(one.verdict == value) for one in environments for value in VERDICTS},
        ),
        _Gauge(
            f"{PREFIX}_last_look_timestamp_seconds",
            "Unix time of the report; absent where no item was looked at.",
            ("environment",),
            {(one.name,): int(report.generated_at.timestamp()) for one in environments if one.tally},
        ),
    )
    return "".join(line + "\n" for gauge in gauges for line in _lines(gauge))


def _by_label(environments: Sequence[Environment]) -> tuple[_Looked, ...]:
    """One entry a value of the label: the format refuses a series that is given twice."""
    labels = _bounded((one.name for one in environments), ENVIRONMENTS, lambda name: name.rpartition("@")[2])
    checks = _bounded((kind.check for one in environments for kind in one.tally), CHECKS)
    together: dict[str, list[Environment]] = {}
    for one in environments:
        together.setdefault(labels[one.name], []).append(one)
    return tuple(
        _Looked(
            label,
            total(
                {kind._replace(check=checks[kind.check]): count} for one in those for kind, count in one.tally.items()
            ),
            worst(one.verdict for one in those),
        )
        for label, those in together.items()
    )


def _bounded(names: Iterable[str], most: int, shorter: Callable[[str], str] = str) -> Mapping[str, str]:
    """The label's value for each name: the name, or where those are too many what it is shortened to.

    :param most: how many values there are at most; :data:`OTHER` stands for the rest.
    """
    found = dict.fromkeys(names)
    labels = {name: name if len(found) <= most else shorter(name) for name in found}
    values = list(dict.fromkeys(labels.values()))
    kept = set(values if len(values) <= most else values[: most - 1])
    return {name: label if label in kept else OTHER for name, label in labels.items()}


def _drift(environments: Iterable[_Looked]) -> Mapping[tuple[str, ...], int]:
    samples: Counter[tuple[str, ...]] = Counter()
    for one in environments:
        for kind, count in one.tally.items():
            if kind.status in UNCHECKED:
                continue
            for severity in SEVERITIES:
                samples[one.name, kind.check, severity] += 0
            if kind.status not in CLEAN:
                samples[one.name, kind.check, kind.severity] += count
    return samples


def _unchecked(environments: Iterable[_Looked]) -> Mapping[tuple[str, ...], int]:
    samples: Counter[tuple[str, ...]] = Counter()
    for one in environments:
        for kind, count in one.tally.items():
            samples[one.name, kind.check] += count if kind.status in UNCHECKED else 0
    return samples


def _items(environments: Iterable[_Looked]) -> Mapping[tuple[str, ...], int]:
    samples: Counter[tuple[str, ...]] = Counter()
    for one in environments:
        for status in STATUSES:
            samples[one.name, status] += 0
        for kind, count in one.tally.items():
            samples[one.name, kind.status] += count
    return samples


def _lines(gauge: _Gauge) -> Iterable[str]:
    yield f"# HELP {gauge.name} {gauge.help}"
    yield f"# TYPE {gauge.name} gauge"
    for values, number in gauge.samples.items():
        pairs = ",".join(f'{label}="{_label(value)}"' for label, value in zip(gauge.labels, values, strict=True))
        yield f"{gauge.name}{{{pairs}}} {number}"


def _label(value: object) -> str:
    """A label value: backslash, quote and line feed escaped, and nothing that UTF-8 cannot carry."""
    text = str(value).encode("utf-8", "replace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
