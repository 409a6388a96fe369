# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions the ends of a range are."""

from __future__ import annotations

import pytest

from tests.ee.ends import oldest_core, ranges, wanted


def test_the_lowest_end_is_what_the_file_says_and_nothing_newer() -> None:
    found = wanted("lowest")
    assert [one for one in found if "==" in one] == [
        f"{name}=={version}" for name, version in ranges(requirements()).items()
    ]
    assert not [one for one in found if one.endswith("/requirements.txt")]


def test_the_newest_end_is_the_range_itself() -> None:
    assert wanted("newest")[0].endswith("/requirements.txt")


def requirements() -> str:
    from tests.ee.ends import PROJECT

    return (PROJECT / "requirements.txt").read_text(encoding="utf-8")


def test_every_requirement_of_the_modules_has_two_ends() -> None:
    assert set(ranges(requirements())) == {"hvac", "kubernetes", "python-amazon-sp-api", "psycopg2-binary"}


@pytest.mark.parametrize("line", ["hvac", "hvac>=2.3.0", "hvac==2.3.0", "hvac~=2.3"])
def test_a_requirement_without_two_ends_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="is no range"):
        ranges(line)


def test_the_oldest_ansible_core_is_the_last_of_the_series_that_the_collection_names() -> None:
    assert oldest_core('requires_ansible: ">=2.19.0"') == "ansible-core~=2.19.0"
    assert "ansible-core~=2.19.0" in wanted("lowest")
