# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Others change, delete or replace objects between the look and the write, or the run itself is killed there."""

from __future__ import annotations

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import k8s_deployment_env as work

from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, acting, item, nothing
from tests.integration_lab.kube.interposed import NO_ADDRESS, Before, repaired, tampered
from tests.lab.kubernetes_world import eventually

pytestmark = pytest.mark.lab


class Killed(BaseException):
    """Not an Exception, so that nobody can handle it: the process is gone."""


def killed() -> None:
    raise Killed


# -- killed between its writes --------------------------------------------------
@pytest.mark.parametrize("marked", [True, False])
def test_a_repair_killed_between_the_config_map_and_the_deployment_restarts_the_next_time(
    world: World, marked: bool
) -> None:
    if marked:  # the template bears the mark of the wanted content already
        world.change(NO_ADDRESS)
        world.repair()
    tampered(world)
    expected = {"config/vault-ca", "restart"}
    assert acting(world.check()) == expected
    with pytest.raises(Killed):
        repaired(world, Before(world, "/deployments/", killed))
    assert world.api.get("configmaps", "vault-ca", NAMESPACE)["data"] == {"ca.crt": world.vault.ca_pem}
    assert acting(world.check(user="audit")) == {"restart"}
    sets = world.replica_sets()
    done = world.repair()
    assert acting(done) == {"restart"}
    assert "was written after" in item(done, "restart").reason
    assert {one.status for one in done.remaining or ()} == {"in_sync"}
    assert world.replica_sets() == sets + 1
    assert not world.repair().changed
    assert world.replica_sets() == sets + 1


def test_a_repair_killed_before_its_first_write_changed_nothing(world: World) -> None:
    tampered(world)
    with pytest.raises(Killed):
        repaired(world, Before(world, "/configmaps/", killed))
    assert acting(world.check()) == {"config/vault-ca", "restart"}


def test_a_repair_killed_while_it_waits_is_done_by_the_next_one_without_a_write(world: World) -> None:
    world.change(NO_ADDRESS)
    generation = world.deployment()["metadata"]["generation"]
    work.run(world.client(), world.wanted(wait=False), nothing, check_mode=False)  # it goes on without us
    done = world.repair()
    assert not done.changed
    assert item(done.remaining or (), "rollout").status == "in_sync"
    assert world.deployment()["metadata"]["generation"] == generation + 1


# -- an editor in between --------------------------------------------------------
def test_a_deployment_deleted_and_created_anew_in_between_is_planned_anew(world: World) -> None:
    """Same name, another uid, and generation 1 as it may have been before."""
    world.change(NO_ADDRESS)

    def replaced() -> None:
        made = world.deployment()
        world.api.delete("deployments", NAME, NAMESPACE)
        eventually(lambda: world.api.find("deployments", NAME, NAMESPACE) is None)
        made["metadata"] = {"name": NAME, "namespace": NAMESPACE, "labels": {"made": "anew"}}
        made.pop("status")
        world.api.create("deployments", made)

    uid = world.deployment()["metadata"]["uid"]
    done = repaired(world, Before(world, "/deployments/", replaced))
    after = world.deployment()["metadata"]
    assert (acting(done), after["labels"]) == ({"env/VAULT_ADDR"}, {"made": "anew"})
    assert after["uid"] != uid
    assert item(done.remaining or (), "env/VAULT_ADDR").status == "in_sync"


def test_a_deployment_deleted_in_between_is_blocked_and_not_made(world: World) -> None:
    world.change(NO_ADDRESS)
    gone = Before(world, "/deployments/", lambda: world.api.delete("deployments", NAME, NAMESPACE))
    with pytest.raises(BlockedError, match="HTTP 404"):
        repaired(world, gone)
    assert world.api.find("deployments", NAME, NAMESPACE) is None


def test_a_deployment_that_is_being_deleted_is_left_alone(world: World) -> None:
    world.change(NO_ADDRESS)
    world.api.patch("deployments", NAME, {"metadata": {"finalizers": ["keybuzz.io/test"]}}, NAMESPACE)
    world.api.delete("deployments", NAME, NAMESPACE)
    try:
        with pytest.raises(BlockedError, match=r"being deleted since .*keybuzz.io/test"):
            world.repair()
        with pytest.raises(BlockedError, match="being deleted"):
            world.check()
    finally:
        world.api.patch("deployments", NAME, {"metadata": {"finalizers": None}}, NAMESPACE)


def test_a_scaling_in_between_is_kept(world: World) -> None:
    """An autoscaler changes the number of replicas while we plan: ours is planned anew and leaves the number alone."""
    world.change(NO_ADDRESS)
    scaled = Before(
        world, "/deployments/", lambda: world.api.patch("deployments", NAME, {"spec": {"replicas": 2}}, NAMESPACE)
    )
    done = repaired(world, scaled)
    assert acting(done) == {"env/VAULT_ADDR"}
    assert world.deployment()["spec"]["replicas"] == 2


def test_an_editor_of_the_config_map_after_our_write_of_it_is_planned_anew(world: World) -> None:
    """The patch loses its race, and what was written before it is written again."""
    world.change(NO_ADDRESS)
    tampered(world)

    def edited() -> None:
        world.api.patch("configmaps", "vault-ca", {"data": {"ca.crt": "not ours again"}}, NAMESPACE)
        world.api.patch("deployments", NAME, {"spec": {"revisionHistoryLimit": 3}}, NAMESPACE)

    done = repaired(world, Before(world, "/deployments/", edited))
    assert {one.status for one in done.remaining or ()} == {"in_sync"}
    assert world.api.get("configmaps", "vault-ca", NAMESPACE)["data"] == {"ca.crt": world.vault.ca_pem}
    assert not world.repair().changed


def test_what_was_written_before_a_failure_is_told(world: World) -> None:
    tampered(world)
    gone = Before(world, "/deployments/", lambda: world.api.delete("deployments", NAME, NAMESPACE))
    with pytest.raises(work.NotAppliedError, match="ConfigMap vault-ca had been written by then") as caught:
        repaired(world, gone)
    assert caught.value.outcome.changed


def test_an_editor_of_the_config_map_in_between_keeps_his_other_key(world: World) -> None:
    tampered(world)
    edited = Before(
        world,
        "/configmaps/",
        lambda: world.api.patch("configmaps", "vault-ca", {"data": {"theirs": "kept"}}, NAMESPACE),
    )
    done = repaired(world, edited)
    assert acting(done) == {"config/vault-ca", "restart"}
    data = world.api.get("configmaps", "vault-ca", NAMESPACE)["data"]
    assert data == {"ca.crt": world.vault.ca_pem, "theirs": "kept"}
