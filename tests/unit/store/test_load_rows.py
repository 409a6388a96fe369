# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as text for PostgreSQL, and the sums of what became of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Counters, counters_from
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.rows import columns, copy_text, literal

NOON = datetime(2026, 1, 2, 12, 0, 0, 5000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((), "{}"),
        (("",), '{""}'),
        (("a", "NULL", "b c"), '{"a","NULL","b c"}'),
        (("a", None), '{"a",NULL}'),
        ((None, None), "{NULL,NULL}"),
        (('say "x"', "\\"), '{"say \\"x\\"","\\\\"}'),
        ((None, '"'), '{NULL,"\\""}'),
        ((3, None), "{3,NULL}"),
        ((Decimal("0.10"), Decimal("1E+2")), "{0.10,100}"),
        ((NOON, None), "{2026-01-02T12:00:00.005000+00:00,NULL}"),
    ],
)
def test_a_column_is_written_as_an_array_literal(values: tuple[object, ...], text: str) -> None:
    assert literal(values) == text


def test_rows_are_written_as_copy_reads_them() -> None:
    rows = [("a\tb", "\\N", None), (1, None, 3), (Decimal("1.50"), NOON.year, 0)]
    assert copy_text("t\n", rows) == "t\\n\ta\\tb\t1\t1.50\nt\\n\t\\\\N\t\\N\t2026\nt\\n\t\\N\t3\t0\n"


def test_columns_are_taken_from_objects_in_their_order() -> None:
    assert columns([NOON, NOON.replace(day=3)], ("day", "hour")) == {"day": [2, 3], "hour": [12, 12]}
    assert columns([], ("day", "hour")) == {"day": [], "hour": []}


def test_counters_of_an_older_release_are_read_and_added_to() -> None:
    old = {name: value for name, value in asdict(Counters(fetched=3, inserted=3)).items() if name != "elsewhere"}
    total = counters_from({**old, "rows_orders": 3}).plus(Counters(fetched=1, stale=1, elsewhere=7))
    assert (total.fetched, total.inserted, total.stale, total.elsewhere) == (4, 3, 1, 7)
    total.check("here")


def test_orders_of_elsewhere_are_no_part_of_the_balance_and_a_lost_row_is() -> None:
    Counters(fetched=1, unchanged=1, elsewhere=5).check("here")
    with pytest.raises(UnexpectedAnswerError, match="of 2 orders and 0 lines 1 and 0"):
        Counters(fetched=2, unchanged=1, elsewhere=1).check("here")
