# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the tests that import orders or connect tenants, started once; each begins with an empty database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration_lab.amazon_world import AmazonWorld, amazon_world


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AmazonWorld]:
    with amazon_world(tmp_path_factory.mktemp("amazon")) as running:
        yield running


@pytest.fixture
def world(servers: AmazonWorld) -> AmazonWorld:
    servers.reset()
    return servers
