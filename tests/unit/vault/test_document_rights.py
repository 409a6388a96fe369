# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which capability each write of a document takes, by engine and state."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.document_rights import to_write
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import Document


@pytest.mark.parametrize(
    ("found", "rights"),
    [
        ({"state": "absent"}, ["create kv/data/a/b"]),
        ({"state": "present"}, ["update kv/data/a/b"]),
        ({"state": "soft_deleted"}, ["update kv/undelete/a/b", "update kv/data/a/b"]),
        ({"state": "absent", "engine": 1}, ["create kv/a/b"]),
        ({"state": "present", "engine": 1, "names": ("token", "seller_id")}, ["update kv/a/b"]),
    ],
)
def test_a_write_takes_the_capability_of_its_engine_and_state(found: dict[str, Any], rights: list[str]) -> None:
    document = Document("https://vault.example/v1/kv/a/b", **found)
    assert [str(right) for right in to_write(document, "kv", "a/b", without=("token",))] == rights


@pytest.mark.parametrize(("engine", "right"), [(1, "delete kv/a/b"), (2, "update kv/data/a/b")])
def test_taking_the_last_key_out_deletes_a_document_of_version_1(engine: int, right: str) -> None:
    document = Document("https://vault.example/v1/kv/a/b", "present", engine=engine, names=("token",))
    assert [str(one) for one in to_write(document, "kv", "a/b", without=("token",))] == [right]
