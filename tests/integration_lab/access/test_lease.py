# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lease of an environment on real API servers: one holder at a time, and nobody locked out by a dead one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import lease
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import Denied, KubeClient, NotFound, connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.lease import HeldError, LostError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.environment_lease import person, run, wanted

from lab.cluster import Api, Cluster
from lab.cluster.access import AUDIT, LEASE, REPAIR
from lab.cluster.install import grant
from lab.cluster.objects import BACKEND_NAMESPACE, OPS_NAMESPACE
from lab.processes import PROJECT
from tests.lab import kubernetes_world

cluster, api, namespace = kubernetes_world.cluster, kubernetes_world.api, kubernetes_world.namespace
pytestmark = pytest.mark.lab

NAME = "keybuzz-amazon-repair"
OPTIONS: dict[str, Any] = {"name": NAME, "state": "held", "duration": 60, "wait": 0.0}


def nothing(secrets: object) -> None:
    """For tests that do not look at masking."""


@pytest.fixture
def kube(cluster: Cluster) -> KubeClient:
    return connect({"kubeconfig": str(cluster.kubeconfigs["admin"])}, nothing)


def do(kube: KubeClient, namespace: str, holder: str, *, check: bool = False, **options: Any) -> Outcome:
    given = {**OPTIONS, "namespace": namespace, "holder": holder, "description": f"{holder}@host", **options}
    return run(kube, wanted(given), check_mode=check)


def facts(outcome: Outcome) -> dict[str, Any]:
    return dict(outcome.facts["lease"])  # type: ignore[call-overload]


def age(api: Api, namespace: str, seconds: float) -> None:
    """Make the Lease look as if its holder had last renewed it that long ago."""
    renewed = datetime.now(UTC) - timedelta(seconds=seconds)
    api.patch("leases", NAME, {"spec": {"renewTime": lease.micro(renewed)}}, namespace)


def test_a_run_takes_renews_and_gives_back_its_lease(kube: KubeClient, api: Api, namespace: str) -> None:
    taken = facts(do(kube, namespace, "one"))
    assert (taken["written"], taken["standing"], taken["transitions"]) == ("taken", "mine", 0)
    again = facts(do(kube, namespace, "one"))
    assert (again["written"], again["acquired_at"], again["transitions"]) == ("renewed", taken["acquired_at"], 0)
    assert facts(do(kube, namespace, "one", state="renewed"))["written"] == "renewed"
    spec = api.get("leases", NAME, namespace)["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("one", 60)
    released = facts(do(kube, namespace, "one", state="released"))
    assert (released["written"], released["standing"], released["holder"]) == ("released", "free", "")
    left = api.get("leases", NAME, namespace)
    assert not left["spec"].get("holderIdentity")
    assert lease.DESCRIPTION not in left["metadata"].get("annotations", {})
    assert facts(do(kube, namespace, "one", state="released"))["written"] == "none"
    assert facts(do(kube, namespace, "two"))["transitions"] == 1


def test_a_second_run_is_refused_and_told_who_since_when_and_until_when(kube: KubeClient, namespace: str) -> None:
    first = facts(do(kube, namespace, "one"))
    with pytest.raises(HeldError) as caught:
        do(kube, namespace, "two")
    words = str(caught.value)
    assert f"one@host (one) holds it since {first['acquired_at']}, until {first['expires_at']}" in words
    outcome = caught.value.outcome  # type: ignore[attr-defined]
    assert (outcome.items[0].status, facts(outcome)["standing"]) == ("blocked", "held")
    left = do(kube, namespace, "two", state="released")
    assert (facts(left)["written"], facts(left)["holder"]) == ("none", "one")
    assert "one@host (one) has taken it over" in left.warnings[0]


def test_a_second_run_waits_as_long_as_it_was_told_to(kube: KubeClient, namespace: str) -> None:
    do(kube, namespace, "one")
    looks = 0

    def pause(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            do(kube, namespace, "one", state="released")

    found, written = lease.take(
        kube, namespace, NAME, holder="two", description="d", duration=60, wait=30.0, pause=pause
    )
    assert (written, found.holder, looks) == ("taken", "two", 2)
    started = time.monotonic()
    with pytest.raises(HeldError):
        do(kube, namespace, "three", wait=0.3)
    assert 0.3 <= time.monotonic() - started < 5


def test_a_dead_holders_lease_is_taken_over_and_a_living_ones_is_not(
    kube: KubeClient, api: Api, namespace: str
) -> None:
    do(kube, namespace, "dead")
    age(api, namespace, 61)  # within the margin for clocks that show whole seconds
    with pytest.raises(HeldError):
        do(kube, namespace, "next")
    age(api, namespace, 65)
    seen = facts(do(kube, namespace, "next", check=True))
    assert (seen["standing"], seen["holder"], seen["written"]) == ("expired", "dead", "none")
    over = facts(do(kube, namespace, "next"))
    assert (over["written"], over["holder"], over["transitions"]) == ("taken_over", "next", 1)
    with pytest.raises(LostError, match=r"next@host \(next\) holds it") as caught:
        do(kube, namespace, "dead", state="renewed")
    assert caught.value.status == "stale"
    assert api.get("leases", NAME, namespace)["spec"]["holderIdentity"] == "next"


def test_a_holder_that_came_late_keeps_what_nobody_took(kube: KubeClient, api: Api, namespace: str) -> None:
    do(kube, namespace, "slow")
    age(api, namespace, 600)
    assert facts(do(kube, namespace, "slow", state="renewed"))["written"] == "renewed"
    api.delete("leases", NAME, namespace)
    with pytest.raises(LostError, match="does not exist any more"):
        do(kube, namespace, "slow", state="renewed")


def test_a_clock_that_stands_still_does_not_lock_the_next_run_out(kube: KubeClient, api: Api, namespace: str) -> None:
    """A holder whose renewal lies in the server's future: who waits goes by what it sees, as client-go does."""
    do(kube, namespace, "dead", duration=1)
    age(api, namespace, -3600)
    seconds = iter(range(1000))
    found, written = lease.take(
        kube,
        namespace,
        NAME,
        holder="next",
        description="",
        duration=60,
        wait=60.0,
        clock=lambda: float(next(seconds)),
        pause=lambda _: None,
    )
    assert (written, found.holder) == ("taken_over", "next")


def test_a_lease_that_a_person_wrote_without_an_end_is_respected(kube: KubeClient, api: Api, namespace: str) -> None:
    api.create("leases", {"metadata": {"name": NAME}, "spec": {"holderIdentity": "hands-off"}}, namespace)
    with pytest.raises(HeldError, match=r"hands-off holds it, without an end.*delete lease"):
        do(kube, namespace, "one")


def test_check_mode_writes_nothing_and_says_who_holds_it(kube: KubeClient, api: Api, namespace: str) -> None:
    free = do(kube, namespace, "one", check=True)
    assert (facts(free)["standing"], free.facts["repair_allowed"]) == ("free", True)
    assert api.find("leases", NAME, namespace) is None
    do(kube, namespace, "one")
    before = api.get("leases", NAME, namespace)
    seen = do(kube, namespace, "two", check=True)
    assert seen.items[0].before == "held by one@host (one)"
    assert (seen.items[0].status, seen.items[0].severity, seen.changed) == ("in_sync", "info", False)
    assert "one@host (one) holds it since" in seen.items[0].reason
    mine = do(kube, namespace, "one", check=True)
    assert mine.facts["repair_allowed"] is None
    assert api.get("leases", NAME, namespace) == before


def test_others_annotations_stay(kube: KubeClient, api: Api, namespace: str) -> None:
    do(kube, namespace, "one")
    api.patch("leases", NAME, {"metadata": {"annotations": {"theirs": "1"}}}, namespace)
    do(kube, namespace, "one", state="renewed")
    do(kube, namespace, "one", state="released")
    assert api.get("leases", NAME, namespace)["metadata"]["annotations"] == {"theirs": "1"}


def test_a_race_lost_to_the_server_is_run_again(
    kube: KubeClient, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(kube, namespace, "one")
    do(kube, namespace, "one", state="released")
    update, lost = kube.update, []

    def meanwhile(path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        if not lost:
            lost.append(path)
            do(kube, namespace, "quicker")
        return update(path, body, **options)

    monkeypatch.setattr(kube, "update", meanwhile)
    with pytest.raises(HeldError, match=r"quicker@host"):
        do(kube, namespace, "slower")
    assert api.get("leases", NAME, namespace)["spec"]["holderIdentity"] == "quicker"


def test_a_lease_whose_answer_was_lost_is_found_to_be_taken(
    kube: KubeClient, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, lost = kube.create, []

    def unheard(path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        create(path, body, **options)
        lost.append(path)
        raise UnreachableError("writing", path, "the connection broke", "Run again.")

    monkeypatch.setattr(kube, "create", unheard)
    assert facts(do(kube, namespace, "one"))["standing"] == "mine"
    assert len(lost) == 1
    monkeypatch.undo()
    do(kube, namespace, "one", state="released")
    monkeypatch.setattr(kube, "update", unheard_always(lost))
    with pytest.raises(UnreachableError):
        do(kube, namespace, "two")
    assert len(lost) == 3, "twice and no more"


def unheard_always(lost: list[str]) -> Any:
    def unheard(path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        lost.append(path)
        raise UnreachableError("writing", path, "the connection broke", "Run again.")

    return unheard


RACER = """
import json, sys
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import lease
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import connect
kubeconfig, namespace, name, holder = sys.argv[1:]
client = connect({"kubeconfig": kubeconfig}, lambda secrets: None)
client.get(f"/api/v1/namespaces/{namespace}")
print("ready", flush=True)
sys.stdin.readline()
try:
    _, written = lease.take(client, namespace, name, holder=holder, description="", duration=60)
except lease.HeldError as error:
    written = error.lease.holder
print(written, flush=True)
"""


@pytest.mark.parametrize("left_by", [None, "released", "dead"])
def test_of_several_processes_at_once_one_wins(
    cluster: Cluster, kube: KubeClient, api: Api, namespace: str, left_by: str | None
) -> None:
    if left_by:
        do(kube, namespace, "before")
    if left_by == "released":
        do(kube, namespace, "before", state="released")
    if left_by == "dead":
        age(api, namespace, 600)
    arguments = [sys.executable, "-c", RACER, str(cluster.kubeconfigs["admin"]), namespace, NAME]
    racers = {
        name: subprocess.Popen(
            [*arguments, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT / ".collections")},
        )
        for name in ("a", "b", "c")
    }
    for racer in racers.values():
        assert racer.stdout and racer.stdout.readline() == "ready\n"
    for racer in racers.values():
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = {name: racer.communicate(timeout=60)[0].strip() for name, racer in racers.items()}
    winner = api.get("leases", NAME, namespace)["spec"]["holderIdentity"]
    assert said.pop(winner) == ("taken_over" if left_by == "dead" else "taken")
    assert set(said.values()) == {winner}


def test_the_labs_accounts_may_do_exactly_what_they_need(cluster: Cluster, api: Api) -> None:
    for name in (BACKEND_NAMESPACE, OPS_NAMESPACE, "keybuzz-api-dev"):
        api.ensure("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for user, rules in (("repair", REPAIR), ("audit", AUDIT)):
        grant(cluster, api, user, rules)
    repair, audit = (connect({"kubeconfig": str(cluster.kubeconfigs[user])}, nothing) for user in ("repair", "audit"))
    assert LEASE == NAME
    kubernetes_world.eventually(lambda: repair.may("create", "coordination.k8s.io", "leases", BACKEND_NAMESPACE, NAME))
    for state in ("held", "renewed", "released"):
        do(repair, BACKEND_NAMESPACE, "one", state=state)
    seen = do(audit, BACKEND_NAMESPACE, "auditor", check=True)
    assert seen.facts["repair_allowed"] is False
    assert seen.facts["missing_permissions"] == [f"update leases.coordination.k8s.io {BACKEND_NAMESPACE}/{NAME}"]
    with pytest.raises(Denied, match="may not update it"):
        do(audit, BACKEND_NAMESPACE, "auditor")


def test_a_missing_namespace_is_named(kube: KubeClient) -> None:
    with pytest.raises(NotFound, match="namespace nowhere does not exist"):
        do(kube, "nowhere", "one")


@pytest.mark.parametrize("given", [{"holder": " "}, {"duration": 0}, {"wait": -1.0}])
def test_what_no_server_would_take_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        wanted({**OPTIONS, "namespace": "n", "holder": "one", **given})


def test_people_are_told_who_and_which_job() -> None:
    assert "@" in person({})
    assert person({"AWX_HOST": "https://awx", "JOB_ID": "42"}).endswith(", AWX job 42")
    assert json.dumps(person({"JOB_ID": "42"})).count("job") == 0
