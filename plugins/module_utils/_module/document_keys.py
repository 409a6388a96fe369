# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What can be said of a document from its keys alone, and what then has to stay unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import Document

KEYS_ONLY = "Keys only: values were not compared."
PRESENT, MISSING, NO_STRING = "present", "missing", "not a string"


def require_check_mode(depth: str | None, *, check_mode: bool) -> None:
    """Without the values nothing can be written. :raises BadInputError: depth ``keys`` outside check mode."""
    if depth == "keys" and not check_mode:
        raise BadInputError(
            "reading option",
            "depth",
            "keys only looks, and this is a run that writes",
            "Run it in check mode, or leave the option out.",
        )


def held(document: Document, keys: Mapping[str, str]) -> dict[str, str]:
    """What there is under each key.

    :param keys: own name by the name it is to be shown with.
    """
    names = document.names or ()
    return {
        shown: MISSING if own not in names else NO_STRING if own in document.objects else PRESENT
        for shown, own in keys.items()
    }


def unknown_keys(item: Item) -> Item:
    """The item of a document that is there, and of which the token may not know more."""
    return replace(
        item,
        severity="high",
        status="unknown",
        before=PRESENT,
        after=PRESENT,
        reason="There is a document; which keys it has could not be asked.",
        hint="Give the token read on the document's subkeys/ path; servers before Vault 1.10 have none.",
    )
