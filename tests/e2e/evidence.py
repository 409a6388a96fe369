# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the servers themselves say was written: OpenBao's, Kubernetes' and PostgreSQL's logs, Amazon's request log."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.amazon.control import Control

READING = frozenset({"read", "list"})
# POST in form, questions in fact; each is named because the audit log calls it an update.
VAULT_QUESTIONS = frozenset(
    {"sys/capabilities-self", "auth/token/lookup-self", "auth/token/lookup", "auth/token/lookup-accessor"}
)
KUBERNETES_QUESTIONS = frozenset({"selfsubjectaccessreviews"})
KUBERNETES_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
SQL_WRITES = re.compile(
    r"(?:statement|execute [^:]*): \s*(?:/\*.*?\*/\s*)?"
    r"(INSERT|UPDATE|DELETE|COPY|CREATE|ALTER|DROP|TRUNCATE|GRANT|SELECT .* FOR UPDATE)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Marks:
    """Positions in the logs, in bytes; for Amazon a count of requests."""

    vault: int
    kubernetes: int
    postgres: int
    amazon: int


class Evidence:
    """Reads a lab's logs from a mark on."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.vault_log = Path(state["vault"]["audit_log"])
        self.kubernetes_log = Path(state["kubernetes"]["audit_log"])
        self.postgres_log = Path(state["postgres"]["log"])
        self.repair_role = state["postgres"]["users"]["repair"]
        self.backend_role = state["postgres"]["users"]["backend"]
        self.backend_policy = state["backend"]["namespace"]
        self.amazon = Control(state["amazon"]["admin_url"])

    def mark(self) -> Marks:
        return Marks(
            self.vault_log.stat().st_size,
            self.kubernetes_log.stat().st_size,
            self.postgres_log.stat().st_size,
            len(self.amazon.requests()),
        )

    def vault_writes(self, since: Marks) -> list[str]:
        """``operation path`` of every request to Vault that could have written, by anyone but the backend itself."""
        found = []
        for entry in _json_lines(self.vault_log, since.vault):
            request = entry.get("request", {})
            operation, path = request.get("operation"), request.get("path", "")
            if entry.get("type") == "request" and operation not in READING and path not in VAULT_QUESTIONS:
                found.append(f"{operation} {path}")
        return found

    def vault_requests(self, since: Marks) -> list[str]:
        """``operation path`` of every request to Vault but those of the backend itself.

        Its token is used by whoever looks at it too, over the connection of his own token.
        """
        asked = [entry for entry in _json_lines(self.vault_log, since.vault) if entry.get("type") == "request"]
        ours = {_port(entry) for entry in asked if not self._is_backends(entry)}
        return [
            f"{entry['request'].get('operation')} {entry['request'].get('path')}"
            for entry in asked
            if _port(entry) in ours
        ]

    def _is_backends(self, entry: dict[str, Any]) -> bool:
        return self.backend_policy in (entry.get("auth", {}).get("policies") or ())

    def kubernetes_requests(self, since: Marks) -> list[str]:
        """``verb address`` of every request of the accounts that the collection works with."""
        return [
            f"{entry.get('verb')} {entry.get('requestURI')}"
            for entry in _json_lines(self.kubernetes_log, since.kubernetes)
            if ":keybuzz-ops:" in entry.get("user", {}).get("username", "")
            and entry.get("stage", "ResponseComplete") == "ResponseComplete"
        ]

    def kubernetes_writes(self, since: Marks) -> list[str]:
        """``verb resource/name`` of every change the repair or the audit account asked for, dry runs left out."""
        found = []
        for entry in _json_lines(self.kubernetes_log, since.kubernetes):
            user = entry.get("user", {}).get("username", "")
            reference = entry.get("objectRef") or {}
            if "keybuzz-" not in user or entry.get("stage", "ResponseComplete") != "ResponseComplete":
                continue
            if reference.get("resource") in KUBERNETES_QUESTIONS or "dryRun=All" in entry.get("requestURI", ""):
                continue
            if entry.get("verb") in KUBERNETES_WRITES:
                found.append(f"{entry['verb']} {reference.get('resource')}/{reference.get('name')}")
        return found

    def sql_writes(self, since: Marks) -> list[str]:
        """The writing statements of the collection's roles, first words only."""
        with self.postgres_log.open(errors="replace") as log:
            log.seek(since.postgres)
            lines = [line for line in log if "keybuzz_repair" in line or "keybuzz_audit" in line]
        return [match.group(1).upper() for line in lines if (match := SQL_WRITES.search(line))]

    def dry_runs(self, since: Marks) -> list[str]:
        """``verb resource/name`` of every dry run, which takes the same permission as the write it stands for."""
        asked = [entry for entry in _json_lines(self.kubernetes_log, since.kubernetes) if entry.get("objectRef")]
        return [
            f"{entry['verb']} {entry['objectRef'].get('resource')}/{entry['objectRef'].get('name')}"
            for entry in asked
            if "dryRun=All" in entry.get("requestURI", "")
        ]

    def callers(self, since: Marks) -> dict[str, set[str]]:
        """Who asked each server, the lab's own parts left out: policies of Vault tokens, accounts, database roles.

        The backend's token is left out as well: whoever checks it asks Vault about it with the token itself.
        """
        policies = {
            policy
            for entry in _json_lines(self.vault_log, since.vault)
            for policy in entry.get("auth", {}).get("policies") or ()
        }
        users = {
            entry.get("user", {}).get("username", "") for entry in _json_lines(self.kubernetes_log, since.kubernetes)
        }
        roles = set(re.findall(r"user=(keybuzz_\w+)", self._postgres_since(since)))
        return {
            "vault": policies - {"default", self.backend_policy},
            "kubernetes": {user.rpartition(":")[2] for user in users if ":keybuzz-ops:" in user},
            "postgres": roles - {self.backend_role},
        }

    def _postgres_since(self, since: Marks) -> str:
        with self.postgres_log.open(errors="replace") as log:
            log.seek(since.postgres)
            return log.read()

    def amazon_calls(self, since: Marks) -> Counter[str]:
        """How often each of Amazon's operations was called by anyone but the backend."""
        fresh = self.amazon.requests()[since.amazon :]
        return Counter(str(entry["operation"]) for entry in fresh if entry["user_agent"] != "keybuzz-backend")


def _json_lines(path: Path, offset: int) -> list[dict[str, Any]]:
    with path.open("rb") as log:
        log.seek(offset)
        return [json.loads(line) for line in log.read().splitlines() if line.strip()]


def _port(entry: dict[str, Any]) -> object:
    return entry.get("request", {}).get("remote_port")
