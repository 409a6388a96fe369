# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report over three environments in each of which every tenant has lost its connection."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import build
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.items_writer import writing

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)


def report(folder: Path, tenants: int) -> Report:
    """One item a tenant and environment, read from a file as that of a fleet is."""
    path = str(folder / "items.jsonl")
    with writing(path) as writer:
        writer.write(
            Item(
                f"amazon_tenant/t{number:05}/grant",
                f"authorization of tenant t{number:05} at Login with Amazon",
                "amazon_tenant",
                "high",
                "missing",
                reason="Amazon says invalid_grant: the seller has withdrawn his consent.",
                hint=f"The seller opens https://sellercentral.amazon.fr/apps/authorize/consent?state=t{number:05} and "
                "agrees.",
            )
            for number in range(tenants)
        )
    environments = [{"name": name, "items_path": path} for name in ("dev", "staging", "prod")]
    return replace(build(environments, "audit", NOW), path="/reports/drift_report.json")
