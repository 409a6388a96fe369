# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Times as servers write them: ISO 8601 with up to nine digits of fraction."""

from __future__ import annotations

import re
from datetime import UTC, datetime


def instant(text: object) -> datetime | None:
    """ISO 8601 with up to nine digits of fraction, to the second, in UTC; ``None`` if it is none or has no zone."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def iso(moment: datetime) -> str:
    """To the second, with Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
