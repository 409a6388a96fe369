# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system's authorities are one: reading all of them takes 20 ms a client, and no test here asks them anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trustme
from hypothesis import settings

# How long an example takes says how busy the machine is. The inner loop draws fewer; make test draws them all.
settings.register_profile("all", deadline=None)
settings.register_profile("inner", max_examples=20, deadline=None)
settings.load_profile("all")


def pytest_configure(config: pytest.Config) -> None:
    """Not in pyproject.toml, which nobody reads under ansible-test."""
    config.addinivalue_line("markers", "slow: takes seconds; not in the inner loop (make test-unit)")


@pytest.fixture(scope="session", autouse=True)
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    file = tmp_path_factory.mktemp("authorities") / "system.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield
