# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook does with one right less: it names it, or it does without; it is never green, never half done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab import pieces, seed
from lab.world import World
from tests.chaos.rights import Right, without
from tests.parity.difference import between, changed
from tests.parity.playbook import Call, Play, StepFailed
from tests.parity.proof import CLEAN, FIRST_LOOK, SECOND_LOOK, as_if_first_import
from tests.parity.snapshot import Observer, Snapshot

Outcome = Literal["stopped", "optional", "not needed", "named by audit"]

# Two broken worlds, so that each right that creates, updates, undeletes or restarts is needed in one of them.
FIRST = (
    "vault-token-secret",
    "token-policy",
    "token-role",
    "vault-addr",
    "tls-trust",
    "app-creds",
    "tenant-connection",
)
SECOND = (
    "root-token",
    "token-policy",
    "token-role",
    "tls-bypass",
    "ca-content",
    "env-from",
    "app-creds-deleted",
    "tenant-row",
)
ALWAYS = ("orders",)
TENANT_PATH = seed.TENANT_PATH.format(tenant=seed.TENANT)
OURS = frozenset(f"vault/policy/keybuzz-{holder}" for holder in ("repair", "bootstrap", "audit"))
# A rollout that lacks what was denied never ends; nobody waits a minute for it here.
PATIENCE = {"backend_access_wait_timeout": 12}


@dataclass
class Judged:
    """One right, and what was wrong about a run without it (nothing, where all is well)."""

    right: Right
    outcome: Outcome = "not needed"
    named: bool = False
    green: bool = False
    half_applied: bool = False
    wrong: list[str] = field(default_factory=list)


class _Observer(Observer):
    """Leaves out what the matrix itself takes away."""

    def take(self) -> Snapshot:
        return {address: value for address, value in super().take().items() if address not in OURS}


class Matrix:
    """Runs playbooks on one lab without one right after the other."""

    def __init__(self, world: World, heal: Any) -> None:
        self.world = world
        self._heal = heal
        self._observer = _Observer(world)
        self._broken: tuple[str, ...] | None = None
        self._as_broken: Snapshot = {}
        self._token_is_ours = False

    # --- the repair ---

    def repair(self, right: Right) -> Judged:
        judged = Judged(right)
        for names in (FIRST, SECOND):
            self._bring(names)
            with without(self.world, right):
                self._judge_repair(judged, names)
            if judged.outcome != "not needed":
                break
        return judged

    def _judge_repair(self, judged: Judged, names: tuple[str, ...]) -> None:
        looked, said = self._run(
            Play(self.world.directory, self.world.state["tenant"], check_mode=True, extra=PATIENCE)
        )
        self._not_green(judged, looked)
        if changed(self._as_broken, self._observer.take()):
            judged.wrong.append(f"the look changed {sorted(changed(self._as_broken, self._observer.take()))}")
        ran, failure = self._run(Play(self.world.directory, self.world.state["tenant"], extra=PATIENCE))
        after = self._observer.take()
        written = between(self._as_broken, after)
        finished = failure is None and _in_sync(ran)
        texts = [*_texts(looked), *([said] if said else []), *_texts(ran), *([failure] if failure else [])]
        judged.named = judged.named or _named(judged.right, texts)
        if not finished and (written.items or written.unexplained):
            judged.half_applied = True
            judged.wrong.append(
                f"half applied: {sorted(written.items | written.unexplained)}, then: {failure or 'not in sync'}"
            )
        if not finished:
            judged.outcome = "stopped"
            if not judged.named:
                judged.wrong.append(f"stopped, and the right is not named: {failure or said}")
        elif judged.named:
            judged.outcome = "optional"
        if changed(self._as_broken, after):
            self._broken = None

    def _not_green(self, judged: Judged, looked: list[Call]) -> None:
        if looked and all(call.result["verdict"] == "in_sync" for call in looked):
            judged.green = True
            judged.wrong.append("the look is green on a broken world")

    # --- the audit ---

    def audit(self, right: Right, credentials: Mapping[str, Any], broken: tuple[str, ...]) -> Judged:
        """The audit says the same as with all its rights, or it says which it lacks and is not green."""
        judged = Judged(right)
        self._bring(broken)
        whole, _ = self._run(self._audit(credentials))
        with without(self.world, right):
            lacking, failure = self._run(self._audit(credentials))
        if failure is None and _seen(whole) == _seen(lacking):
            return judged
        judged.outcome = "named by audit"
        judged.named = _named(right, [*_texts(lacking), *([failure] if failure else [])])
        if not judged.named:
            judged.wrong.append(
                f"could not check, and the right is not named: {failure or _difference(whole, lacking)}"
            )
        before = {name: status for name, (status, _) in _seen(whole).items()}
        turned = [
            name
            for name, (status, _) in _seen(lacking).items()
            if status in CLEAN and before.get(name, "in_sync") not in CLEAN
        ]
        if turned or (not failure and all(call.result["verdict"] == "in_sync" for call in lacking)):
            judged.green = True
            judged.wrong.append(
                f"green without the right: {turned or 'in sync, though something could not be checked'}"
            )
        return judged

    def _audit(self, credentials: Mapping[str, Any]) -> Play:
        return Play(self.world.directory, self.world.state["tenant"], check_mode=True, extra=dict(credentials))

    # --- both ---

    def _bring(self, names: tuple[str, ...]) -> None:
        if self._broken == names and not changed(self._as_broken, self._observer.take()):
            return
        self._settle()
        as_if_first_import(self.world)
        if names:
            pieces.break_pieces(self.world, pieces.chosen([*names, *ALWAYS]), wait=False)
        if names == SECOND:
            self._spoil_tenant_document()
        self._broken, self._as_broken = names, self._observer.take()

    def _spoil_tenant_document(self) -> None:
        """It lacks a key, and is deleted: to be undeleted, and then written."""
        kv, path = self.world.vault.client().secrets.kv.v2, TENANT_PATH
        found = kv.read_secret_version(path, mount_point=seed.MOUNT, raise_on_deleted_version=True)["data"]["data"]
        found.pop("created_at", None)
        kv.create_or_update_secret(path, found, mount_point=seed.MOUNT)
        kv.delete_latest_version_of_secret(path, mount_point=seed.MOUNT)

    def _settle(self) -> None:
        """In sync by a repair of its own, so that the token is one of ours, which a repair looks up and revokes."""
        if self._token_is_ours and self._run(Play(self.world.directory, self.world.state["tenant"]))[1] is None:
            return
        self._heal()
        pieces.break_pieces(self.world, pieces.ALL, wait=False)
        Play(self.world.directory, self.world.state["tenant"]).run()
        self._token_is_ours = True

    @staticmethod
    def _run(play: Play) -> tuple[list[Call], str | None]:
        try:
            return play.run().calls, None
        except StepFailed as error:
            return play.calls, str(error)


def audit_credentials(world: World, folder: Path) -> dict[str, str]:
    """The auditor's, as the variables that the inventory would set."""
    state = world.state
    user = state["postgres"]["users"]["audit"]
    passfile = folder / "audit.pgpass"
    lines = Path(state["postgres"]["passfile"]).read_text().splitlines(keepends=True)
    passfile.write_text("".join(line for line in lines if f":{user}:" in line))
    passfile.chmod(0o600)
    return {
        "kubeconfig": state["kubernetes"]["kubeconfigs"]["audit"],
        "vault_token_file": state["vault"]["token_files"]["audit"],
        "vault_bootstrap_token_file": "",
        "pg_user": user,
        "pg_passfile": str(passfile),
        "amazon_tenant_refresh_token_file": "",
    }


def _in_sync(calls: Iterable[Call]) -> bool:
    second = [call.result["verdict"] for call in calls if call.phase == SECOND_LOOK]
    return bool(second) and set(second) == {"in_sync"}


def _texts(calls: Iterable[Call]) -> list[str]:
    """Everything a person could read of these calls, one statement each."""
    found: list[str] = []
    for call in calls:
        found += [str(one) for one in call.result.get("missing_permissions") or ()]
        found += [str(one) for one in call.result.get("warnings") or ()]
        found += [
            json.dumps([item["address"], item["reason"], item["hint"]])
            for item in call.result.get("drift") or ()
            if item["status"] not in CLEAN
        ]
    return found


def _named(right: Right, texts: Iterable[str]) -> bool:
    return any(all(word.lower() in text.lower() for word in right.words) for text in texts)


def _seen(calls: Iterable[Call]) -> dict[str, tuple[str, str]]:
    return {
        item["id"]: (item["status"], item["action"])
        for call in calls
        if call.phase == FIRST_LOOK
        for item in call.result.get("drift") or ()
    }


def _difference(whole: Iterable[Call], lacking: Iterable[Call]) -> str:
    before, after = _seen(whole), _seen(lacking)
    reasons = {item["id"]: f"{item['reason']} {item['hint']}" for call in lacking for item in call.result["drift"]}
    return "; ".join(
        f"{name} {before.get(name)} -> {after.get(name)} {reasons.get(name, '')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )
