# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our readings held against the code that kubectl and the kubelet themselves link (lab/kube answers by it)."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.expansion import expand
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.node_options import words
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.rollout import verdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.cluster.program import built
from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, item
from tests.integration_lab.kube.node_tls import nodes
from tests.lab.kubernetes_world import eventually, require

pytestmark = pytest.mark.lab
Object = dict[str, Any]


def condition(kind: str, status: str, reason: str, message: str = "") -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message}


RUNNING = condition("Progressing", "True", "ReplicaSetUpdated")
AVAILABLE = condition("Progressing", "True", "NewReplicaSetAvailable")
EXCEEDED = condition("Progressing", "False", "ProgressDeadlineExceeded", "has timed out progressing")
PAUSED = condition("Progressing", "Unknown", "DeploymentPaused")
QUOTA = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")
NO_QUOTA = condition("ReplicaFailure", "False", "FailedCreate")
DOWN = condition("Available", "False", "MinimumReplicasUnavailable")


def state(
    wanted: int | None = 3, updated: int | None = 3, total: int | None = 3, available: int | None = 3, **more: Any
) -> Object:
    """A Deployment in generation 5; ``more``: ``observed``, ``conditions``, ``spec``, ``status``."""
    counts = {"updatedReplicas": updated, "replicas": total, "availableReplicas": available}
    status: Object = {name: count for name, count in counts.items() if count is not None}
    observed = more.pop("observed", 5)
    status |= {"observedGeneration": observed} if observed is not None else {}
    status |= {"conditions": more.pop("conditions")} if "conditions" in more else {}
    spec: Object = {"replicas": wanted} if wanted is not None else {}
    spec |= {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": [{"name": "web"}]}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "ns", "generation": more.pop("generation", 5)},
        "spec": {**spec, **more.pop("spec", {})},
        "status": {**status, **more.pop("status", {})},
    }


PAUSE = {"paused": True}
STRICTER = {
    # name -> what we say where kubectl goes on waiting
    "paused before any new replica": "paused",
    "paused half way": "paused",
    "paused, change not observed": "paused",
    "quota, no new replica": "failed",
    "quota, surge pod refused": "failed",
    "quota, old replicas left": "failed",
    "quota, not available": "failed",
    "paused, old replicas left": "paused",
}
STATES: dict[str, Object] = {
    "complete": state(),
    "complete, with conditions": state(conditions=[AVAILABLE, NO_QUOTA]),
    "complete, observed ahead of the object read": state(observed=6),
    "complete, more available than wanted (scaled down later)": state(wanted=2),
    "complete, one pod still terminating": state(status={"terminatingReplicas": 1}),
    "complete, unknown fields in the status": state(status={"collisionCount": 2, "readyReplicas": 3}),
    "complete while paused": state(spec=PAUSE, conditions=[PAUSED]),
    "complete, Recreate": state(spec={"strategy": {"type": "Recreate"}}),
    "complete, condition Available False left over": state(conditions=[AVAILABLE, DOWN]),
    "change not observed": state(observed=4),
    "change not observed, deadline of the one before exceeded": state(observed=4, conditions=[EXCEEDED]),
    "change not observed, nothing counted": state(updated=None, total=None, available=None, observed=4),
    "never observed": state(updated=None, total=None, available=None, observed=None),
    "generation missing": state(generation=0, observed=None),
    "no new replica": state(updated=0),
    "no new replica, count missing": state(updated=None),
    "some new replicas": state(updated=1, total=4, conditions=[RUNNING]),
    "some new replicas, surge of all": state(updated=1, total=6),
    "scaled up during the rollout": state(wanted=9, updated=3, total=3),
    "old replicas left": state(total=4),
    "old replicas left, scaled to none": state(wanted=0, updated=0, total=2, available=2),
    "not available": state(available=0),
    "one not available": state(available=2),
    "available missing": state(available=None),
    "not available, minReadySeconds": state(available=0, spec={"minReadySeconds": 30}),
    "deadline exceeded": state(updated=1, total=4, conditions=[EXCEEDED]),
    "deadline exceeded, all counts well": state(conditions=[EXCEEDED]),
    "deadline exceeded and quota": state(updated=0, conditions=[QUOTA, EXCEEDED]),
    "deadline exceeded of another type of condition": state(conditions=[{**EXCEEDED, "type": "Available"}]),
    "deadline exceeded while paused": state(updated=1, spec=PAUSE, conditions=[EXCEEDED]),
    "no replicas wanted": state(wanted=0, updated=None, total=None, available=None),
    "no replicas wanted, not observed": state(wanted=0, updated=0, total=0, available=0, observed=4),
    "replicas not set": state(wanted=None, updated=1, total=1, available=1),
    "replicas not set, none there": state(wanted=None, updated=None, total=None, available=None),
    "replicas not set, old ones left": state(wanted=None, updated=1, total=2, available=2),
    "paused before any new replica": state(updated=0, spec=PAUSE, conditions=[PAUSED]),
    "paused half way": state(updated=1, total=4, spec=PAUSE, conditions=[PAUSED]),
    "paused, change not observed": state(observed=4, spec=PAUSE),
    "paused, new replicas not available": state(available=1, spec=PAUSE, conditions=[PAUSED]),
    "paused, old replicas left": state(total=4, spec=PAUSE, conditions=[PAUSED]),
    "quota, no new replica": state(updated=0, conditions=[RUNNING, QUOTA]),
    "quota, surge pod refused": state(updated=0, total=3, conditions=[QUOTA]),
    "quota, old replicas left": state(total=4, conditions=[QUOTA]),
    "quota, not available": state(available=2, conditions=[QUOTA]),
    "quota, yet all replicas are there": state(conditions=[QUOTA]),
    "quota, change not observed": state(observed=4, conditions=[QUOTA]),
}


def asked(command: str, questions: list[Any]) -> list[Any]:
    require("kube-apiserver")
    lines = "\n".join(json.dumps(one) for one in questions)
    ran = subprocess.run([str(built()), command], input=lines, text=True, capture_output=True, check=True, timeout=60)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def kubectl_says(answer: Object) -> str:
    if answer["error"]:
        return "failed"
    return "done" if answer["done"] else "progressing"


def test_the_verdict_is_kubectls_in_every_state_of_the_table() -> None:
    answers = asked("rollout-status", list(STATES.values()))
    assert len(STATES) >= 30
    assert len(answers) == len(STATES)
    for (name, deployment), answer in zip(STATES.items(), answers, strict=True):
        ours = verdict(deployment)
        if name in STRICTER:
            assert (ours.state, kubectl_says(answer)) == (STRICTER[name], "progressing"), name
            continue
        assert ("done" if ours.done else ours.state) == kubectl_says(answer), (name, ours, answer)
        if ours.state == "progressing" and ours.message.split(" (")[0] not in answer["message"]:
            assert "observe" in ours.message and "observe" in answer["message"], (name, ours, answer)


counts = st.one_of(st.none(), st.integers(0, 4))
states = st.builds(
    lambda wanted, updated, total, available, observed, conditions: state(
        wanted, updated, total, available, observed=observed, conditions=conditions
    ),
    counts,
    counts,
    counts,
    counts,
    st.sampled_from([None, 4, 5, 6]),
    st.lists(
        st.sampled_from([RUNNING, AVAILABLE, EXCEEDED, NO_QUOTA, DOWN]), max_size=2, unique_by=lambda one: one["type"]
    ),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(states, min_size=80, max_size=100))
def test_the_verdict_is_kubectls_in_states_nobody_thought_of(deployments: list[Object]) -> None:
    for deployment, answer in zip(deployments, asked("rollout-status", deployments), strict=True):
        ours = verdict(deployment)
        assert ("done" if ours.done else ours.state) == kubectl_says(answer), (deployment, ours, answer)


pieces = st.sampled_from(["$(A)", "$(B)", "$(NOWHERE)", "$$", "$", "(", ")", "$(", "A", "é", " ", "$(A$(B))", "$()"])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(pieces, max_size=6).map("".join), min_size=80, max_size=100))
def test_references_are_expanded_as_the_kubelets_own_code_does(texts: list[str]) -> None:
    values = {"A": "1", "B": "$(A)"}
    answers = asked("expand", [{"text": text, "values": values} for text in texts])
    assert [expand(text, values.get) for text in texts] == answers


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (r'"--title=a \"b\" c"', 'a "b" c'),
        (r"--title=x\y", r"x\y"),
        ('--title="a b"c', "a bc"),
        ("  --title=q   --trace-warnings ", "q"),
        ("--use_openssl_ca --title=ok", "ok"),
    ],
)
def test_words_of_node_options_are_split_as_node_does(text: str, title: str) -> None:
    assert nodes()
    for node in nodes().values():
        asked_of = {"NODE_OPTIONS": text}
        ran = subprocess.run([node, "-p", "process.title"], env=asked_of, text=True, capture_output=True, check=True)
        assert ran.stdout.rstrip("\n") == title
    assert f"--title={title}" in [word.text for word in words(text)]


def test_a_rollout_of_the_running_cluster_is_judged_as_kubectl_judges_it(world: World) -> None:
    """The whole program this time, on live objects: complete, waiting, past its deadline."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return  # the code it is made of is asked above

    def said() -> tuple[int, str]:
        command = [kubectl, "--kubeconfig", str(world.cluster.kubeconfigs["admin"]), "-n", NAMESPACE]
        command += ["rollout", "status", f"deployment/{NAME}", "--watch=false"]
        ran = subprocess.run(command, text=True, capture_output=True, check=False, timeout=30)
        return ran.returncode, ran.stdout + ran.stderr

    code, words = said()
    assert (code, "successfully rolled out" in words, verdict(world.deployment()).state) == (0, True, "complete")
    world.kubelet.waiting = ("CrashLoopBackOff", "back-off")
    world.api.patch("deployments", NAME, {"spec": {"progressDeadlineSeconds": 2}}, NAMESPACE)
    template = {"spec": {"template": {"metadata": {"annotations": {"somebody": "else"}}}}}
    world.api.patch("deployments", NAME, template, NAMESPACE)
    eventually(lambda: verdict(world.deployment()).message.startswith("1 old replicas"))
    code, words = said()
    assert code == 0
    assert "1 old replicas are pending termination" in words
    eventually(lambda: verdict(world.deployment()).state == "failed")
    time.sleep(0.1)
    code, words = said()
    assert code == 1
    assert "exceeded its progress deadline" in words
    assert item(world.check(), "rollout").status == "error"
