# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout's verdict by kubectl's rules, waiting for it, and what is said of pods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.pods import summary, why_not_ready
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.rollout import deadline, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wait import (
    Awaited,
    wait_for_rollouts,
)

from tests.unit.kube.looks import AT_REST, deployment, item, observed, wanted

EXCEEDED = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}


def found(*, replicas: int | None = 1, paused: bool = False, **status: Any) -> dict[str, Any]:
    made = deployment()
    made["spec"]["replicas"] = replicas
    if paused:
        made["spec"]["paused"] = True
    made["status"] = {**AT_REST, **status}
    return made


@pytest.mark.parametrize(
    ("given", "state", "words"),
    [
        (found(), "complete", "1 of 1"),
        (found(observedGeneration=3), "progressing", "observe the change"),
        (found(observedGeneration=3, conditions=[EXCEEDED]), "progressing", "observe"),
        (found(conditions=[EXCEEDED]), "failed", "timed out"),
        (found(availableReplicas=0, conditions=[QUOTA]), "failed", "exceeded quota"),
        (found(conditions=[QUOTA]), "complete", "1 of 1"),
        (found(conditions=[{**QUOTA, "status": "False"}]), "complete", ""),
        (found(replicas=2, updatedReplicas=1), "progressing", "1 out of 2 new replicas"),
        (found(replicas=3, updatedReplicas=3, availableReplicas=3), "complete", "3 of 3"),
        (found(updatedReplicas=1) | {"status": {**AT_REST, "replicas": 2}}, "progressing", "1 old replicas"),
        (found(availableReplicas=0), "progressing", "0 of 1 updated replicas are available"),
        (found(updatedReplicas=0, paused=True), "paused", "paused with 0 of 1"),
        (found(observedGeneration=3, paused=True), "paused", "paused"),
        (found(paused=True), "complete", "1 of 1"),
        (found(replicas=0) | {"status": {"observedGeneration": 4}}, "idle", "nothing to roll out"),
    ],
)
def test_the_verdict_is_kubectls(given: dict[str, Any], state: str, words: str) -> None:
    rollout = verdict(given)
    assert rollout.state == state
    assert words in rollout.message


def test_the_generation_of_the_patch_has_to_be_observed() -> None:
    assert verdict(found(), generation=5).state == "progressing"


def test_the_default_deadline_leaves_the_first_word_to_the_controller() -> None:
    made = found()
    assert deadline(made) == 630
    made["spec"]["progressDeadlineSeconds"] = 60
    assert deadline(made) == 90


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def waited(states: Iterator[dict[str, Any]], timeout: float) -> tuple[str, Clock]:
    clock = Clock()
    (end,) = wait_for_rollouts([Awaited(lambda: next(states), 4, timeout)], clock=clock, pause=clock.pause)
    return end.rollout.state, clock


def test_waiting_starts_with_short_pauses_and_ends_with_the_verdict() -> None:
    states = iter([found(observedGeneration=3), found(availableReplicas=0), found()])
    state, clock = waited(states, 60)
    assert state == "complete"
    assert clock.pauses == [0.1, 0.125]


def test_waiting_fails_at_once_when_the_controller_gave_up() -> None:
    assert waited(iter([found(availableReplicas=0), found(conditions=[EXCEEDED])]), 60)[0] == "failed"


def test_waiting_ends_when_the_time_is_up() -> None:
    def forever() -> Iterator[dict[str, Any]]:
        while True:
            yield found(availableReplicas=0)

    state, clock = waited(forever(), 30)
    assert state == "progressing"
    assert clock.now == pytest.approx(30)
    assert max(clock.pauses) <= 2


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (found(), "in_sync"),
        (found(availableReplicas=0), "drifted"),
        (found(conditions=[EXCEEDED]), "error"),
        (found(updatedReplicas=0, paused=True), "blocked"),
        (found(replicas=0) | {"status": {"observedGeneration": 4}}, "in_sync"),
    ],
)
def test_the_rollouts_item_has_no_action(given: dict[str, Any], status: str) -> None:
    rollout = item(plan(observed(deployment=given), wanted()).items, "rollout")
    assert (rollout.status, rollout.action) == (status, "none")


def test_pods_say_why_they_wait_and_never_their_last_words() -> None:
    pod = {
        "metadata": {"name": "web-1", "labels": {"pod-template-hash": "abc"}},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [
                {"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}},
                {"name": "side", "state": {"terminated": {"reason": "Error", "exitCode": 3, "message": "log canary"}}},
            ],
        },
    }
    assert why_not_ready([pod]) == (
        "pod web-1 container web: CrashLoopBackOff: back-off 10s",
        "pod web-1 container side: Error: exit code 3",
    )
    assert "canary" not in json.dumps(summary([pod]))
    unscheduled = {
        "metadata": {"name": "web-2"},
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
            ],
        },
    }
    assert "Unschedulable: 0/1 nodes" in why_not_ready([unscheduled])[0]
    running = {"metadata": {"name": "web-3"}, "status": {"phase": "Running"}}
    assert why_not_ready([running]) == ("pod web-3 (Running) runs but is not ready",)


def test_a_rollout_that_had_failed_before_may_recover_while_one_waits() -> None:
    states = [found(conditions=[EXCEEDED]), found(conditions=[EXCEEDED], availableReplicas=0), found()]
    clock = Clock()
    for read, timeout, state in (
        (lambda: states.pop(0), 60.0, "complete"),
        (lambda: found(conditions=[EXCEEDED]), 5.0, "failed"),
    ):
        waits = [Awaited(read, 4, timeout, recovering=True)]
        (end,) = wait_for_rollouts(waits, clock=clock, pause=clock.pause)
        assert end.rollout.state == state


def test_several_rollouts_are_waited_for_side_by_side() -> None:
    """The third is read as often as the first needs, and the whole takes as long as the longest."""
    slow = iter([found(availableReplicas=0)] * 5 + [found()])
    failing = iter([found(availableReplicas=0), found(conditions=[EXCEEDED])])
    clock = Clock()
    waits = [
        Awaited(lambda: next(slow), 4, 60),
        Awaited(lambda: next(failing), 4, 60),
        Awaited(found, 4, 60),
    ]
    ends = wait_for_rollouts(waits, clock=clock, pause=clock.pause)
    assert [one.rollout.state for one in ends] == ["complete", "failed", "complete"]
    assert len(clock.pauses) == 5


def test_a_replica_failure_that_clears_up_is_waited_out_and_one_that_stays_is_not() -> None:
    """With a full quota the surge pod waits for an old one to go: kubectl goes on waiting there, too."""
    full = found(replicas=2, updatedReplicas=1, conditions=[QUOTA])
    states = iter([full, full, found()])
    clock = Clock()
    (end,) = wait_for_rollouts([Awaited(lambda: next(states), 4, 60)], clock=clock, pause=clock.pause)
    assert end.rollout.state == "complete"
    clock = Clock()
    (end,) = wait_for_rollouts([Awaited(lambda: full, 4, 60)], clock=clock, pause=clock.pause)
    assert (end.rollout.state, end.rollout.message) == ("failed", "exceeded quota")
    assert 10 <= clock.now <= 13


def test_a_server_that_is_away_for_a_while_does_not_end_the_wait() -> None:
    gone = UnreachableError("asking for", "Deployment ns/web", "no answer", "Run again.")
    answers: list[Any] = [gone, gone, found()]

    def read() -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    clock = Clock()
    (end,) = wait_for_rollouts([Awaited(read, 4, 60)], clock=clock, pause=clock.pause)
    assert (end.rollout.state, end.error) == ("complete", None)
    answers = [gone] * 99
    (end,) = wait_for_rollouts([Awaited(read, 4, 5)], clock=clock, pause=clock.pause)
    assert end.error is gone


def test_init_containers_say_why_they_wait() -> None:
    pod = {
        "metadata": {"name": "web-1"},
        "status": {
            "phase": "Pending",
            "initContainerStatuses": [
                {"name": "migrate", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "back-off"}}}
            ],
            "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "PodInitializing"}}}],
        },
    }
    assert why_not_ready([pod]) == ("pod web-1 container migrate: ImagePullBackOff: back-off",)


def test_a_pod_that_cannot_go_says_what_holds_it() -> None:
    held = {"metadata": {"name": "old", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x/y"]}}
    assert why_not_ready([held]) == ("pod old is being deleted and held by its finalizers (x/y)",)
