# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that a window is complete counts every order once, however its pages are split, repeated and resumed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_proof import SHOWN_DAYS, Said
from hypothesis import given
from hypothesis import strategies as st

AFTER = datetime(2025, 10, 14, 12, 0, tzinfo=UTC)
BEFORE = AFTER + timedelta(days=10)
Row = tuple[str, datetime, str]


@dataclass
class Reading:
    """A table, and a proof that is kept between calls as JSON."""

    table: dict[str, Row] = field(default_factory=dict)
    said: Said = field(default_factory=Said)

    def page(self, rows: list[Row]) -> None:
        new = {row[0] for row in rows} - set(self.table)
        self.table |= {row[0]: row for row in rows}
        self.said.add(rows, new, after=AFTER, before=BEFORE)

    def resume(self) -> None:
        self.said = Said(json.loads(json.dumps(self.said.record())))

    def by_day(self) -> Counter[str]:
        return Counter(row[1].date().isoformat() for row in self.table.values() if AFTER <= row[1] <= BEFORE)


def orders(seconds: list[int]) -> list[Row]:
    """Orders oldest first, several of them perhaps in the same second."""
    return [
        (f"order-{at}", AFTER + timedelta(seconds=second), ("SHIPPED", "CANCELLED")[second % 2])
        for at, second in enumerate(sorted(seconds))
    ]


def split(rows: list[Row], cuts: list[int]) -> list[list[Row]]:
    borders = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    return [rows[one:other] for one, other in pairwise(borders)]


SECONDS = st.lists(st.one_of(st.integers(0, 10 * 86_400), st.integers(0, 30)), max_size=40)
CUTS = st.lists(st.integers(0, 40), max_size=8)
REPEATS = st.lists(st.integers(0, 4), min_size=9, max_size=9)
RESUMES = st.sets(st.integers(0, 9))


@given(SECONDS, CUTS, REPEATS, RESUMES)
def test_any_pages_with_repeats_resumed_anywhere_count_every_order_once(
    seconds: list[int], cuts: list[int], repeats: list[int], resumes: set[int]
) -> None:
    rows, reading, read = orders(seconds), Reading(), 0
    for number, page in enumerate(split(rows, cuts)):
        if number in resumes:
            reading.resume()
        # A page begins with rows of the one before, and ends with its own first one again.
        reading.page([*rows[max(0, read - repeats[number]) : read], *page, *page[:1]])
        read += len(page)
    proof = reading.said.prove(reading.by_day())
    assert (proof.said, proof.stored, proof.missing) == (len(rows), len(rows), {})
    assert proof.by_status_said == dict(sorted(Counter(row[2] for row in rows).items()))


@given(SECONDS, CUTS, st.randoms(use_true_random=False))
def test_pages_in_no_order_of_one_call_count_every_order_once(seconds: list[int], cuts: list[int], rng: object) -> None:
    rows, reading = orders(seconds), Reading()
    rng.shuffle(rows)  # type: ignore[attr-defined]
    for page in split(rows, cuts):
        reading.page([*page, *page[:2]])
    proof = reading.said.prove(reading.by_day())
    assert (proof.said, proof.stored, proof.missing, proof.doubtful) == (len(rows), len(rows), {}, 0)


@given(st.lists(st.integers(0, 10 * 86_400), max_size=40, unique=True), CUTS, RESUMES, st.sets(st.integers(0, 40)))
def test_orders_that_were_in_the_table_before_are_counted_too(
    seconds: list[int], cuts: list[int], resumes: set[int], before: set[int]
) -> None:
    rows, reading = orders(seconds), Reading()
    reading.table = {row[0]: row for at, row in enumerate(rows) if at in before}
    for number, page in enumerate(split(rows, cuts)):
        if number in resumes:
            reading.resume()
        reading.page(page)
    proof = reading.said.prove(reading.by_day())
    assert (proof.said, proof.missing, proof.doubtful) == (len(rows), {}, 0)


@given(SECONDS, CUTS, st.sets(st.integers(0, 40)), RESUMES)
def test_what_is_doubtful_makes_up_for_what_is_not_counted(
    seconds: list[int], cuts: list[int], before: set[int], resumes: set[int]
) -> None:
    """Orders of the same second, half of them in the table before: never more than there are, never lost."""
    rows, reading = orders(seconds), Reading()
    reading.table = {row[0]: row for at, row in enumerate(rows) if at in before}
    for number, page in enumerate(split(rows, cuts)):
        if number in resumes:
            reading.resume()
        reading.page(page)
    proof = reading.said.prove(reading.by_day())
    assert proof.said <= len(rows) <= proof.said + proof.doubtful
    assert proof.missing == {}


@given(st.lists(st.lists(st.integers(0, 86_400), max_size=12), min_size=1, max_size=4), st.integers(0, 3), RESUMES)
def test_what_lies_on_the_border_of_two_parts_is_counted_once(
    parts: list[list[int]], on_border: int, resumes: set[int]
) -> None:
    reading, numbers = Reading(), iter(range(10_000))
    made = [
        [(f"o{next(numbers)}", AFTER + timedelta(days=at, seconds=second), "SHIPPED") for second in sorted(seconds)]
        for at, seconds in enumerate(parts)
    ]
    borders = [
        [(f"b{next(numbers)}", AFTER + timedelta(days=at + 1), "SHIPPED") for _ in range(on_border)]
        for at in range(len(parts))
    ]
    for at, rows in enumerate(made):
        if at in resumes:
            reading.resume()
        reading.page([*(borders[at - 1] if at else []), *rows, *borders[at]])
        reading.said.part_ended()
    proof = reading.said.prove(reading.by_day())
    there = len(parts) * on_border + sum(len(rows) for rows in made)
    assert (proof.said, proof.stored, proof.missing) == (there, there, {})


def test_an_order_that_the_table_does_not_have_is_missed_on_its_day() -> None:
    reading = Reading()
    reading.page(orders([0, 5, 86_400, 2 * 86_400]))
    del reading.table["order-1"], reading.table["order-3"]
    proof = reading.said.prove(reading.by_day())
    assert proof.missing == {"2025-10-14": 1, "2025-10-16": 1}
    facts = proof.facts()
    assert (facts["named_by_amazon"], facts["stored"], facts["missing"]) == (4, 2, 2)
    assert facts["missing_days"] == {"2025-10-14": 1, "2025-10-16": 1}


def test_more_rows_than_amazon_named_are_no_gap_and_do_not_hide_one() -> None:
    said = Said()
    said.add(orders([0, 86_400]), {"order-0", "order-1"}, after=AFTER, before=BEFORE)
    assert said.prove({"2025-10-14": 9, "2025-10-15": 1}).missing == {}
    assert said.prove({"2025-10-14": 9}).missing == {"2025-10-15": 1}


def test_orders_outside_of_the_window_are_not_part_of_the_proof_and_its_ends_are() -> None:
    said = Said()
    rows = [
        ("early", AFTER - timedelta(seconds=1), "SHIPPED"),
        ("first", AFTER, "SHIPPED"),
        ("last", BEFORE, "SHIPPED"),
        ("late", BEFORE + timedelta(seconds=1), "SHIPPED"),
    ]
    said.add(rows, {row[0] for row in rows}, after=AFTER, before=BEFORE)
    assert said.prove({}).said == 2


def test_a_message_names_some_days_and_not_all() -> None:
    reading = Reading()
    reading.page(orders([0, *(day * 86_400 for day in range(10))]))
    said = reading.said
    said.add(
        [(f"x{day}", AFTER + timedelta(days=day / 2), "SHIPPED") for day in range(20)],
        {f"x{day}" for day in range(20)},
        after=AFTER,
        before=BEFORE,
    )
    facts = said.prove({}).facts()
    days = facts["missing_days"]
    assert isinstance(days, dict)
    assert len(days) == SHOWN_DAYS
    assert facts["missing"] == 31


def test_a_record_is_plain_and_small() -> None:
    reading = Reading()
    reading.page(orders(list(range(0, 10 * 86_400, 60))))
    record = json.dumps(reading.said.record())
    assert len(record) < 1_000
    assert "order-" not in record
