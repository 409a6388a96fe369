# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys of a LIST are tenants, by the path of their documents."""

from __future__ import annotations

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.tenant_list import branch

KEYS = ("a-1/", "a-1", "kb-b-2/", "kb-b-2", "kb-", "c-3.json")


@pytest.mark.parametrize(
    ("path", "above", "tenants"),
    [
        ("keybuzz/tenants/{tenant}/amazon_spapi", "keybuzz/tenants", ["a-1", "kb-b-2"]),
        ("keybuzz/tenants/{tenant}", "keybuzz/tenants", ["a-1", "kb-b-2", "kb-", "c-3.json"]),
        ("/keybuzz//kb-{tenant}/amazon/", "keybuzz", ["b-2"]),
        ("t/{tenant}.json", "t", ["c-3"]),
        ("{tenant}/amazon", "", ["a-1", "kb-b-2"]),
        ("t/{tenant}/of/{tenant}", "t", ["a-1", "kb-b-2"]),
    ],
)
def test_a_key_is_a_tenant_if_the_path_would_go_through_it(path: str, above: str, tenants: list[str]) -> None:
    found = branch(path)
    assert found.above == above
    assert [name for key in KEYS if (name := found.tenant(key))] == tenants


def test_a_key_shorter_than_what_stands_around_the_tenant_is_none() -> None:
    assert branch("t/aa{tenant}aa").tenant("aaa") is None
