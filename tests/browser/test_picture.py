# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation's picture of a report is that of the page which the code makes now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser import picture, sample
from tests.browser.driver import CHROMIUM, WHY_NOT, browser

PICTURE = Path(__file__).parents[2] / "docs" / "report" / "report.png"
WIDTH, HEIGHT = 1200, 1500
ANEW = "take it anew: UPDATE_SCREENSHOT=1 python -m pytest tests/browser/test_picture.py, and look at it"


def test_the_sample_gives_the_same_page_in_every_run(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert sample.page(tmp_path / "a") == sample.page(tmp_path / "b")


@pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
def test_a_picture_of_the_sample_is_as_large_as_the_documented_one_and_not_blank(tmp_path: Path) -> None:
    page = sample.page(tmp_path)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with browser(tmp_path) as opened:
        opened.size(WIDTH, 900)
        opened.appear()
        opened.open((tmp_path / "page.html").as_uri())
        taken = opened.picture(HEIGHT)
    if os.environ.get("UPDATE_SCREENSHOT"):
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_bytes(picture.stamped(taken, page))
    shown = PICTURE.read_bytes()
    assert picture.size(taken) == picture.size(shown) == (WIDTH, HEIGHT)
    assert picture.colours(taken) > 100 and picture.colours(shown) > 100


def test_the_documented_picture_is_of_the_page_that_the_code_makes_now(tmp_path: Path) -> None:
    """Needs no browser, so that no machine passes over it."""
    assert picture.stamp(PICTURE.read_bytes()) == picture.digest(sample.page(tmp_path)), ANEW


def test_a_picture_of_another_page_is_told_from_this_one() -> None:
    shown = PICTURE.read_bytes()
    assert picture.stamp(picture.stamped(shown, "another page")) == picture.digest("another page")
    assert len({picture.digest("a"), picture.digest("b"), picture.stamp(shown)}) == 3
