# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's verdict: what it says of good figures, of bad ones and of missing ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.bench.orders import bounds, ours, table, targets
from tests.bench.orders.measure import Measured
from tests.bench.orders.peers import PEERS, named
from tests.bench.orders.targets import Row

ITERATOR = next(peer for peer in PEERS if peer.name == "iterator-2026")
PEER = Measured(10_000, 10_000, 12_500, "complete", True, 14_286.0, 2.0, 50_000_000, {"searchOrders": 100}, {})
OURS = Measured(
    10_000,
    10_000,
    12_500,
    "complete",
    True,
    0.0,
    6.0,
    75_000_000,
    {"token": 1, "createReport": 3, "getReport": 80, "getReportDocument": 3, "reportDocument": 3},
    {},
    generation=307.0,
    details={"source": "report", "planned_calls": 86},
)


def verdict(**changed: Any) -> list[str]:
    return targets.missed(Row(changed.get("size", 10_000), replace(OURS, **changed), {"iterator-2026": PEER}))


def test_figures_that_meet_every_target_are_not_spoken_of() -> None:
    assert verdict() == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"throttle": 1.0}, "1 s of throttle, more than 1.05 of 0 s"),
        ({"generation": 800.0}, "only 17.9 times as fast"),
        ({"details": {"source": "report", "planned_calls": 85}}, "86 calls, 85 were planned"),
        ({"complete": False, "ended": "lost 3 orders"}, "lost 3 orders"),
        ({"size": 1_000_000, "peak_rss": 151_000_000}, "151 MB of memory, more than 150 MB"),
    ],
)
def test_each_missed_target_is_a_sentence(changed: dict[str, Any], said: str) -> None:
    (only,) = verdict(**changed)
    assert said in only


def test_an_importer_that_was_not_measured_meets_no_target() -> None:
    assert targets.missed(Row(94, "its process ended with 1", {})) == [
        "at 94 orders: the importer was not measured: its process ended with 1"
    ]


def test_a_peer_that_gave_up_is_not_the_best_one() -> None:
    gave_up = replace(PEER, complete=False, ended="gave up: HTTP 429", orders=2_000, throttle=40.0)
    assert targets.best([gave_up, PEER, "not installed"]) == 14_286.0
    beyond = targets.computed(ITERATOR, 1_000_000, gave_up)
    assert (beyond.complete, beyond.orders, beyond.computed) == (False, 2_000, True)


def test_a_size_that_was_not_run_is_computed_from_the_token_bucket_and_marked() -> None:
    beyond = targets.computed(ITERATOR, 1_000_000, PEER)
    assert beyond.throttle == bounds.lower_bound("search", 1_000_000)
    assert table.cell(beyond, OURS).startswith("~20.63 d")


def test_planned_calls_are_those_of_the_chosen_source_and_those_before_the_plan() -> None:
    facts = {
        "source": "report",
        "plan": {
            "source": "report",
            "expected_orders": 10_000,
            "calls_before": {"searchOrders": 1},
            "estimates": [
                {"source": "search", "calls": {"searchOrders": 100}},
                {"source": "report", "calls": {"createReport": 3, "getReport": 79, "getReportDocument": 3}},
            ],
        },
    }
    assert ours.planned_calls(facts, 10_000) == 86
    facts["plan"] = {"expected_orders": None}
    assert ours.planned_calls({**facts, "source": "search"}, 1_000) == 10


def test_the_table_fits_120_columns() -> None:
    peers = named(None)
    rows = [Row(size, replace(OURS, size=size), {peer.name: PEER for peer in peers}) for size in (94, 1_000, 10_000)]
    said = table.text(rows, peers, {94: [0.001]}, ["at 94 orders: nothing"], judged=True)
    assert max(map(len, said.splitlines())) <= 120
