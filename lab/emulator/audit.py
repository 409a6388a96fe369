# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request log, in the shape of kube-apiserver's audit log at level Metadata (audit.k8s.io/v1 Event)."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.emulator.authentication import User

Object = dict[str, Any]


class AuditLog:
    """Appends one JSON object a line, in one write, so that a reader never sees half a line."""

    def __init__(self, file: Path) -> None:
        self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(
        self,
        *,
        uri: str,
        verb: str,
        user: User,
        agent: str,
        target: Object | None,
        code: int,
        stage: str,
        received: datetime,
        impersonated: User | None = None,
    ) -> None:
        event = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": str(uuid.uuid4()),
            "stage": stage,
            "requestURI": uri,
            "verb": verb,
            "user": user.as_dict(),
            **({"impersonatedUser": impersonated.as_dict()} if impersonated else {}),
            "sourceIPs": ["127.0.0.1"],
            "userAgent": agent,
            **({"objectRef": {key: value for key, value in target.items() if value}} if target else {}),
            "responseStatus": {"metadata": {}, "code": code},
            "requestReceivedTimestamp": _micro(received),
            "stageTimestamp": _micro(datetime.now(UTC)),
        }
        os.write(self._handle, json.dumps(event, separators=(",", ":")).encode() + b"\n")


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
