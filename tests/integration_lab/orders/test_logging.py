# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging that is switched on in the process keeps no address with a token, and stays on for everybody else."""

from __future__ import annotations

import logging

import httpx
import pytest

from tests.integration_lab.amazon_world import AmazonWorld

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("source", ["search", "report"])
def test_no_presigned_address_page_token_or_access_token_is_logged_at_any_level(
    world: AmazonWorld, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    world.own_tables()
    caplog.set_level(logging.DEBUG)
    world.import_orders(source=source, page_size=40)
    issued = [one for kind in world.amazon.admin.issued().values() for one in kind]
    assert len(issued) > 1
    assert not [one for one in issued if one in caplog.text]
    assert "paginationToken" not in caplog.text
    assert "/documents/" not in caplog.text


def test_what_others_log_by_the_same_library_is_still_logged(
    world: AmazonWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.import_orders()
    caplog.set_level(logging.DEBUG)
    with httpx.Client(trust_env=False) as client:
        client.get(f"{world.amazon.admin_url}/state")
    assert "/state" in caplog.text
