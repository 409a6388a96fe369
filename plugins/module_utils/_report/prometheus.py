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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import (
    CLEAN,
    SEVERITIES,
    UNCHECKED,
    Status,
    Verdict,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report

PREFIX = "amazon_integration"
STATUSES: tuple[str, ...] = get_args(Status)
VERDICTS: tuple[str, ...] = get_args(Verdict)


@dataclass(frozen=True)
class _Gauge:
    """One metric: its help and, by label values, its samples."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Mapping[tuple[str, ...], int]


def render(report: Report) -> str:
    """All metrics, each with HELP and TYPE once, in an order that depends on the report alone."""
    environments = _by_name(report.environments)
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
            {(one.name,): int(report.generated_at.timestamp()) for one in environments if one.items},
        ),
    )
    return "".join(line + "\n" for gauge in gauges for line in _lines(gauge))


def _by_name(environments: Iterable[Environment]) -> tuple[Environment, ...]:
    """One environment a name: the format refuses a series that is given twice."""
    merged: dict[str, Environment] = {}
    for one in environments:
        known = merged.get(one.name, Environment(one.name, ()))
        merged[one.name] = Environment(one.name, known.items + one.items, error=known.error or one.error)
    return tuple(merged.values())


def _drift(environments: Iterable[Environment]) -> Mapping[tuple[str, ...], int]:
    samples: Counter[tuple[str, ...]] = Counter()
    for one in environments:
        for item in one.items:
            if item.status in UNCHECKED:
                continue
            for severity in SEVERITIES:
                samples[one.name, item.check, severity] += 0
            if item.status not in CLEAN:
                samples[one.name, item.check, item.severity] += 1
    return samples


def _unchecked(environments: Iterable[Environment]) -> Mapping[tuple[str, ...], int]:
    samples: Counter[tuple[str, ...]] = Counter()
    for one in environments:
        for item in one.items:
            samples[one.name, item.check] += int(item.status in UNCHECKED)
    return samples


def _items(environments: Iterable[Environment]) -> Mapping[tuple[str, ...], int]:
    samples: Counter[tuple[str, ...]] = Counter()
    for one in environments:
        for status in STATUSES:
            samples[one.name, status] += 0
        samples.update((one.name, item.status) for item in one.items)
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
