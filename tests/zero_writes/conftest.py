# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for the tests of this folder, with everything in it that a repair could write about."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.zero_writes.proof import Prover, prover_on_a_lab


@pytest.fixture(scope="session")
def prover() -> Iterator[Prover]:
    with prover_on_a_lab() as made:
        if os.environ.get("LAB_REQUIRE_APISERVER"):
            assert made.world.state["kubernetes"]["kind"] == "kube-apiserver"
        yield made
