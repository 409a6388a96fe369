# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One repair at a time: a second one gives way, a dead one locks nobody out, and looking takes no Lease."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Api
from lab.cluster.access import LEASE
from lab.cluster.objects import BACKEND_NAMESPACE
from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import Playbooks
from tests.e2e.test_repair import stored

OTHER = "a-run-of-somebody-else"
WHO = "amazon.keybuzz.io/holder"


class Book:
    """The Lease of the backend's environment, as somebody else with every right writes it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def read(self) -> dict[str, Any] | None:
        return self._api.find("leases", LEASE, BACKEND_NAMESPACE)

    def spec(self) -> dict[str, Any]:
        found = self.read()
        assert found is not None
        return dict(found["spec"])

    def remove(self) -> None:
        if self.read() is not None:
            self._api.delete("leases", LEASE, BACKEND_NAMESPACE)

    def held_by_another(self, *, since: timedelta = timedelta(0)) -> dict[str, str]:
        """Held since that long ago, and not renewed after. Returns the times as a person is told them."""
        begun = datetime.now(UTC) - since
        there = self.read()
        before = there["spec"] if there else {}
        body = {
            "metadata": {"namespace": BACKEND_NAMESPACE, "name": LEASE, "annotations": {WHO: "ops@bastion-1"}},
            "spec": {
                "holderIdentity": OTHER,
                "leaseDurationSeconds": 600,
                "acquireTime": begun.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "renewTime": begun.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "leaseTransitions": before.get("leaseTransitions", 0) + 1,
            },
        }
        if there:
            self._api.patch("leases", LEASE, body, BACKEND_NAMESPACE)
        else:
            self._api.create("leases", body)
        until = begun + timedelta(seconds=600)
        return {"since": begun.strftime("%Y-%m-%dT%H:%M:%SZ"), "until": until.strftime("%Y-%m-%dT%H:%M:%SZ")}


@pytest.fixture
def book(healthy: Lab) -> Iterator[Book]:
    """A Lease that nobody holds, before the test and after it."""
    book = Book(World.load(healthy.directory).kubernetes())
    book.remove()
    yield book
    book.remove()


def test_a_second_repair_is_told_who_is_at_work_since_and_until_when_and_writes_nothing(
    book: Book, healthy: Lab, evidence: Evidence, playbooks: Playbooks
) -> None:
    healthy("break", "vault-addr")
    times, before, mark = book.held_by_another(), book.read(), evidence.mark()
    refused = playbooks.repair("-e", "repair_lease_wait=0")
    assert refused.code == 2
    said = " ".join(refused.output.split())
    who = f"ops@bastion-1 ({OTHER}) holds it since {times['since']}, until {times['until']} unless renewed"
    assert who in said
    assert "Let it finish and run again" in said
    assert (evidence.vault_writes(mark), evidence.kubernetes_writes(mark), evidence.sql_writes(mark)) == ([], [], [])
    assert book.read() == before
    assert refused.pending() == {"backend_access/env/VAULT_ADDR"}, "the report still tells what is broken"


def test_looking_is_not_kept_from_by_a_lease_and_never_writes_one(
    book: Book, healthy: Lab, evidence: Evidence, playbooks: Playbooks
) -> None:
    healthy("break", "vault-addr")
    book.held_by_another()
    before, mark = book.read(), evidence.mark()
    assert playbooks.audit().pending() == {"backend_access/env/VAULT_ADDR"}
    assert playbooks.repair("--check").pending() == {"backend_access/env/VAULT_ADDR"}
    assert evidence.kubernetes_writes(mark) == []
    assert book.read() == before


def test_a_repair_with_nothing_to_do_takes_no_lease(book: Book, evidence: Evidence, playbooks: Playbooks) -> None:
    book.held_by_another()
    mark = evidence.mark()
    idle = playbooks.repair("-e", "repair_lease_wait=0")
    assert (idle.code, idle.changed) == (0, 0), idle.output
    assert evidence.kubernetes_writes(mark) == []


def test_the_lease_of_a_dead_repair_is_taken_over_counted_and_given_back(
    book: Book, healthy: Lab, evidence: Evidence, playbooks: Playbooks
) -> None:
    healthy("break", "vault-addr")
    book.held_by_another(since=timedelta(hours=1))
    transitions, mark = book.spec()["leaseTransitions"], evidence.mark()
    repair = playbooks.repair("-e", "repair_lease_wait=0")
    assert repair.code == 0, repair.output
    assert book.spec()["leaseTransitions"] == transitions + 1
    assert not book.spec().get("holderIdentity")
    written = evidence.kubernetes_writes(mark)
    assert written[0] == f"update leases/{LEASE}", "the Lease comes before every other write"
    assert "patch deployments/keybuzz-backend" in written


def test_a_repair_that_has_lost_its_lease_stops_and_leaves_it_to_the_other(
    book: Book, healthy: Lab, evidence: Evidence, playbooks: Playbooks, tmp_path: Path
) -> None:
    healthy("break", "vault-addr", "tenant-connection")
    world, here, mark = World.load(healthy.directory), tmp_path / "halted", evidence.mark()
    broken = stored(world)
    halting = {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "halt",
        "HALT_BEFORE": "Still the only one",
        "HALT_HERE": str(here),
    }
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(playbooks.repair, env=halting)
        while not here.exists():
            assert not running.done(), running.result().output
            time.sleep(0.05)
        assert book.spec()["holderIdentity"] not in {"", OTHER}
        book.held_by_another()
        taken = book.read()
        here.unlink()
        lost = running.result()
    assert lost.code == 2
    said = " ".join(lost.output.split())
    assert f"it is not this run's any more: ops@bastion-1 ({OTHER}) holds it" in said
    assert "Run again from the start" in said
    assert book.read() == taken, "it is the other's, and not this run's to give back"
    assert stored(world)["tenant"] == broken["tenant"]
    assert evidence.sql_writes(mark) == []
    assert "backend_access/env/VAULT_ADDR" not in lost.pending(), "the report tells what was done before"
    assert "amazon_tenant/ecomlg-001/document" in lost.pending()
