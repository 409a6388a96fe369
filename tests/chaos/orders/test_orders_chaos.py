# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample of ``make chaos-orders``, small enough for every run of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.chaos.orders import database, kills, network, rivals
from tests.chaos.orders.stage import Scenario, Stage, on_stage, report, search
from tests.chaos.orders.toxics import Toxic

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with on_stage() as running:
        yield running


@pytest.mark.parametrize("scenario", [search(50), report(50)], ids=["search", "report"])
@pytest.mark.parametrize(
    "point",
    [
        "after COMMIT of the run's beginning",
        "after the orders of a page",
        "after the rows of a page",
        "before COMMIT of a page",
        "after COMMIT of a page",
    ],
)
def test_an_import_that_is_killed_here_is_finished_by_the_next_one_and_nothing_is_there_twice(
    stage: Stage, scenario: Scenario, point: str
) -> None:
    known = kills.undisturbed(stage, scenario)
    tally = kills.Tally()
    stage.begin(scenario)
    order = {"act": "kill", "point": point, "nth": 1, "settings": dict(scenario.settings)}
    assert stage.nursery.run(stage.params(scenario), **order).signal == 9
    kills.finish(stage, scenario, known, tally, point)
    assert tally.wrong == []


def test_a_report_whose_id_was_not_stored_is_asked_for_again_and_one_whose_id_was_is_not(stage: Stage) -> None:
    scenario, tally = report(50), kills.Tally()
    known = kills.undisturbed(stage, scenario)
    for point in ("after createReport", "before getReport"):
        stage.begin(scenario)
        order = {"act": "kill", "point": point, "nth": 1, "settings": dict(scenario.settings)}
        assert stage.nursery.run(stage.params(scenario), **order).signal == 9
        # What has to be asked for again follows from the stored ids, and is held against Amazon's own log.
        kills.finish(stage, scenario, known, tally, point)
    assert tally.wrong == []


def test_imports_that_are_killed_at_random_moments_end_whole(stage: Stage) -> None:
    tally = kills.Tally()
    assert kills.killed_at_random(stage, seed=1, kills=12, tally=tally) >= 12
    assert tally.wrong == []


def test_a_lost_answer_to_commit_neither_loses_nor_doubles_a_page(stage: Stage) -> None:
    done = database.DatabaseTally()
    database.lost_answers(stage, search(50), done)
    assert done.lost_answers["a page"] == 2
    assert done.tally.wrong == []


@pytest.mark.parametrize("name", ["reset_peer", "limit_data", "lost"])
def test_postgresql_that_is_cut_off_ends_the_import_in_time_and_the_next_one_finishes_it(
    stage: Stage, name: str
) -> None:
    tally = network.NetworkTally()
    with network.four_links(stage) as links:
        matrix = network.Matrix(stage, links, tally)
        matrix.measure(scenario := search(20))
        matrix.cell(scenario, "postgres", Toxic(name, after=matrix.passed(scenario, "postgres") // 2))
    assert tally.hung == []
    assert tally.wrong == []


def test_an_import_that_was_taken_for_dead_and_wakes_up_writes_nothing(stage: Stage) -> None:
    plain = search()
    both = rivals.Rivals(stage)
    try:
        for lock in rivals.LOCKS:
            scenario = replace(plain, options={**plain.options, "lock": lock})
            known = kills.undisturbed(stage, scenario)
            both.woken(scenario, known, "after searchOrders", 2, "reading")
    finally:
        both.second.close()
    assert both.tally.wrong == []
