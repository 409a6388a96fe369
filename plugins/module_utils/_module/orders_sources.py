# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The sources of orders by name. A new one is one file that keeps what ``_spapi.sources`` promises, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.source_report import ReportSource
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.source_search import SearchSource
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.source_v0 import V0Source
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Source

AUTO = "auto"
SOURCES: Mapping[str, Source] = {one.name: one for one in (SearchSource(), ReportSource(), V0Source())}
BULK_PAGE = 2000
"""Orders of one transaction where Amazon does not set the size of a page."""


def page_size(source: Source, wanted: int) -> int:
    """Orders of a page: as wanted of Amazon's lists, our own size of a document."""
    return BULK_PAGE if source.bulk else wanted
