# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repair killed after each of its remote writes: the next one converges, loses nothing and doubles nothing."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import pytest

from lab import seed
from lab.amazon.fixture import ORDER_COUNT
from tests.chaos.chaos_world import DEPLOYMENT, NAMESPACE, POLICY, TENANT, ChaosWorld
from tests.chaos.figures import record
from tests.chaos.killing import LEASE, Killed, killed_after, run_killed
from tests.e2e.playbooks import PROJECT, RECAP, Playbooks, Run

ITEM_COUNT = 117
MOST_PLACES = 40  # far more than a repair writes: a loop that never ends is a failure of its own
OWN_TABLES = ("order_import_errors", "amazon_backfill_runs", "amazon_quota")
REVISION = "deployment.kubernetes.io/revision"
DOCUMENTS = (seed.APP_PATH, seed.TENANT_PATH.format(tenant=TENANT))


@dataclass
class Tally:
    """What the whole matrix comes to."""

    places: int = 0
    converged: int = 0
    orphan_tokens_max: int = 0
    rollouts_max: int = 0
    wrong: tuple[str, ...] = ()


class ByPlaybook:
    """The real thing: ansible-playbook, its workers and its modules."""

    def __init__(self, world: ChaosWorld, playbooks: Playbooks) -> None:
        self._world, self._playbooks = world, playbooks

    def killed(self, number: int) -> Killed:
        return run_killed(self._playbooks, self._world.gates, number)

    def repair(self) -> str:
        """What went wrong; empty when nothing did."""
        run = self._playbooks.repair("-e", json.dumps(LEASE))
        return "" if run.code == 0 else f"the next run ended with {run.code}: {last_words(run)}"

    def changed_again(self, again: Killed) -> int:
        return sum(int(match["changed"]) for match in RECAP.finditer(again.output))


class ByModules:
    """The same modules in the same order, without Ansible around them: every place in a few seconds."""

    def __init__(self, world: ChaosWorld, playbooks: Playbooks) -> None:
        self._world, self._playbooks = world, playbooks

    def killed(self, number: int) -> Killed:
        file = self._playbooks.home / "steps.json"
        wait = {"wait": True, "wait_timeout": 60}
        order = (
            ("token", {}),
            ("access", {}),
            ("app", {}),
            ("access", wait),
            ("token", {"superseded": "revoke"}),
            ("tenant", {}),
            ("orders", {}),
        )
        file.write_text(json.dumps([(step, self._world.options(step, gated=True, **more)) for step, more in order]))
        command = [sys.executable, str(PROJECT / "tests" / "chaos" / "steps.py"), str(file)]
        env = self._playbooks.environment()
        return killed_after(command, self._playbooks.home, self._world.gates, number, cwd=PROJECT, env=env)

    def repair(self) -> str:
        run = self.killed(0)
        return "" if run.code == 0 else f"the next run ended with {run.code}: {run.output[-600:]}"

    def changed_again(self, again: Killed) -> int:
        return 0


Way = ByPlaybook | ByModules


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("way", [ByModules, ByPlaybook], ids=["modules", "playbook"])
def test_killed_after_any_write_the_next_repair_converges(
    world: ChaosWorld, playbooks: Playbooks, way: type[Way]
) -> None:
    started = time.monotonic()
    runs = way(world, playbooks)
    world.break_all()
    assert runs.repair() == ""  # from here on a token of our own making is there to be superseded
    tally = Tally()
    for number in range(1, MOST_PLACES):
        forget_other_tokens(world)
        break_to_the_ground(world)
        revision = rollouts(world)
        killed = runs.killed(number)
        if killed.place is None:
            assert killed.code == 0, killed.output
            break
        wrong = what_is_wrong(world, runs, tally, revision)
        tally.places += 1
        tally.converged += not wrong
        tally.wrong += tuple(f"{number}, {killed.place}: {one}" for one in wrong)
        print(f"{number:3} {killed.place}: {'; '.join(wrong) or 'converged'}")
    else:
        pytest.fail("there is no end of writes")
    seconds = round(time.monotonic() - started)
    if way is ByModules:
        print(
            record(
                "kill",
                {
                    "places_by_modules": tally.places,
                    "converged_by_modules": tally.converged,
                    "orphan_tokens_max_by_modules": tally.orphan_tokens_max,
                },
            )
        )
    else:
        print(
            record(
                "kill",
                {
                    "places": tally.places,
                    "converged": tally.converged,
                    "orphan_tokens_max": tally.orphan_tokens_max,
                    "rollouts_max": tally.rollouts_max,
                    "seconds": seconds,
                    "kubernetes": world.world.state["kubernetes"]["kind"],
                    "writes": killed.writes,
                },
            )
        )
    assert not tally.wrong, "\n".join(tally.wrong)
    assert tally.places >= 12, killed.writes


def break_to_the_ground(world: ChaosWorld) -> None:
    """All pieces, policy and role, and a database that has never seen an import."""
    world.break_all()
    for table in OWN_TABLES:
        world.query(f"DROP TABLE IF EXISTS {table}")


def what_is_wrong(world: ChaosWorld, runs: Way, tally: Tally, revision: int) -> list[str]:
    """Repair again after the kill, and once more; what is not as it should be then."""
    wrong = [said] if (said := runs.repair()) else []
    wrong += wrong_orders(world)
    orphans = living_orphans(world)
    tally.orphan_tokens_max = max(tally.orphan_tokens_max, len(orphans))
    if len(orphans) > 1:
        wrong.append(f"{len(orphans)} orphan tokens live")
    wrong += [f"a token never expires ({one['display_name']})" for one in own_tokens(world).values() if never_ends(one)]
    done = rollouts(world) - revision
    tally.rollouts_max = max(tally.rollouts_max, done)
    if done > 2:
        wrong.append(f"{done} rollouts")
    if world.world.backend()[0] != 200:
        wrong.append(f"the backend {world.world.backend_says()}")

    before = traces(world)
    third = runs.killed(0)
    written = [write for write in third.writes if "/leases" not in write]  # taken and given back: no trace
    if third.code != 0 or written or runs.changed_again(third):
        wrong.append(f"the third run: exit {third.code}, {runs.changed_again(third)} changed, wrote {written}")
    if traces(world) != before:
        wrong.append("the third run left a new version or a new rollout")
    return wrong


def wrong_orders(world: ChaosWorld) -> list[str]:
    counts = {
        "orders": ('SELECT count(*), count(DISTINCT "externalOrderId") FROM orders WHERE "tenantId" = %s', ORDER_COUNT),
        "items": (
            'SELECT count(*), count(DISTINCT ("externalOrderId", "externalItemId")) FROM order_items'
            ' WHERE "tenantId" = %s',
            ITEM_COUNT,
        ),
    }
    wrong = []
    for name, (statement, wanted) in counts.items():
        found = world.query(statement, (TENANT,))[0]
        if found != (wanted, wanted):
            wrong.append(f"{found[0]} {name}, {found[1]} of them distinct, instead of {wanted}")
    return wrong


def own_tokens(world: ChaosWorld) -> dict[str, dict[str, Any]]:
    """Living tokens with the backend's policy: the only ones a repair makes."""
    return {accessor: token for accessor, token in world.tokens().items() if POLICY in token["policies"]}


def living_orphans(world: ChaosWorld) -> set[str]:
    """Accessors of such tokens that are not the one in the Secret."""
    client = world.root()
    client.token = world.secret_value()
    stored = client.auth.token.lookup_self()["data"]["accessor"]
    return set(own_tokens(world)) - {stored}


def never_ends(token: dict[str, Any]) -> bool:
    return not token["ttl"] or not token["expire_time"]


def forget_other_tokens(world: ChaosWorld) -> None:
    client = world.root()
    for accessor in living_orphans(world):
        client.auth.token.revoke_accessor(accessor)


def rollouts(world: ChaosWorld) -> int:
    found = world.world.kubernetes().get("deployments", DEPLOYMENT, NAMESPACE)
    return int(found["metadata"]["annotations"][REVISION])


def traces(world: ChaosWorld) -> tuple[Any, ...]:
    """What a repair without anything to do must leave as it is."""
    versions = tuple(world.document_version(path) for path in DOCUMENTS)
    secret = world.world.kubernetes().get("secrets", "vault-token", NAMESPACE)["metadata"]["resourceVersion"]
    return (*versions, secret, rollouts(world), frozenset(own_tokens(world)))


def last_words(run: Run) -> str:
    return " ".join(line for line in run.output.splitlines() if "msg:" in line or "fatal" in line)[-600:]
