# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at keys on servers that have no subkeys/ (Vault before 1.10), which no server of the lab is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import Answer, VaultClient

UNSUPPORTED = Answer(404, {"errors": ["1 error occurred: unsupported path"]})
NOTHING = Answer(404, {"errors": []})
ENGINE = Answer(200, {"data": {"type": "kv", "options": {"version": "2"}}})
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def metadata(**version: Any) -> Answer:
    entry = {"created_time": "2026-01-12T12:00:00.123456789Z", "deletion_time": "", "destroyed": False, **version}
    return Answer(200, {"data": {"current_version": 3, "versions": {"3": entry}, "custom_metadata": {"a": "b"}}})


class Old(VaultClient):
    """A client whose server gives these answers, by the first segment of the path after the mount."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        super().__init__("https://vault.example", "hvs.x")
        self.answers = answers

    def _send(self, method: str, path: str, **_: Any) -> Answer:
        return ENGINE if path.startswith("sys/internal") else self.answers[path.split("/")[1]]


@pytest.mark.parametrize("missing", [UNSUPPORTED, Answer(405)])
@pytest.mark.parametrize(
    ("told", "state", "names"),
    [
        (metadata(), "present", None),
        (metadata(deletion_time=LATER), "present", None),
        (metadata(deletion_time="2026-01-12T12:00:01Z"), "soft_deleted", ()),
        (metadata(deletion_time="2026-01-12T12:00:01Z", destroyed=True), "destroyed", ()),
        (NOTHING, "absent", ()),
    ],
)
def test_the_metadata_tells_the_state_and_the_keys_stay_unknown(
    missing: Answer, told: Answer, state: str, names: Any
) -> None:
    found = kv.read(Old({"subkeys": missing, "metadata": told}), "secret", "app", "keys")
    assert (found.state, found.names, found.depth) == (state, names, "keys")
    assert (found.ends == LATER) == (LATER in str(told.body))


def test_a_document_that_is_not_there_needs_no_second_look() -> None:
    assert kv.read(Old({"subkeys": NOTHING}), "secret", "app", "keys").state == "absent"
