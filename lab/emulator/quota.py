# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ResourceQuota, for the number of pods: the admission refusal a rollout has to report as ReplicaFailure.

As on a server without the quota controller, what counts is the quota's ``status`` (hard and used).
"""

from __future__ import annotations

from lab.emulator.errors import forbidden
from lab.emulator.resources import BY_NAME
from lab.emulator.storage import Storage


def check_quota(storage: Storage, namespace: str, name: str) -> None:
    """Raises 403 when one more pod is more than a quota of the namespace allows."""
    for quota in storage.list(BY_NAME["resourcequotas"], namespace):
        status = quota.get("status") or {}
        hard = (status.get("hard") or {}).get("pods")
        used = int((status.get("used") or {}).get("pods", 0))
        if hard is not None and used + 1 > int(hard):
            raise forbidden(
                BY_NAME["pods"],
                name,
                f"exceeded quota: {quota['metadata']['name']}, requested: pods=1, "
                f"used: pods={used}, limited: pods={hard}",
            )
