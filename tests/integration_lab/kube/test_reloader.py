# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside Stakater Reloader no rollout happens twice, and none is missed where it is only wished for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import reloader as reloader_module

from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, acting, item

pytestmark = pytest.mark.lab
TOKEN = {"secret.reloader.stakater.com/reload": "vault-token"}
AUTO = {"reloader.stakater.com/auto": "true"}


@contextlib.contextmanager
def reloader(world: World, delay: float = 0.0) -> Iterator[None]:
    """What Reloader does, in its default strategy: a variable with a hash, when a watched object changes."""
    stop = threading.Event()
    kinds = (("secrets", "vault-token", "SECRET"), ("configmaps", "vault-ca", "CONFIGMAP"))

    def digest(resource: str, name: str) -> str:
        data = world.api.get(resource, name, NAMESPACE).get("data")
        return hashlib.sha1(json.dumps(data, sort_keys=True).encode(), usedforsecurity=False).hexdigest()

    seen = {name: digest(resource, name) for resource, name, _ in kinds}

    def work() -> None:
        while not stop.wait(0.3):
            for resource, name, ending in kinds:
                now = digest(resource, name)
                if now != seen[name] and not stop.wait(delay):
                    seen[name] = now
                    entry = {"name": f"STAKATER_{name.replace('-', '_').upper()}_{ending}", "value": now}
                    body = {"spec": {"template": {"spec": {"containers": [{"name": NAME, "env": [entry]}]}}}}
                    query = {"fieldManager": "Reloader"}
                    world.api.patch("deployments", NAME, body, NAMESPACE, kind="strategic", **query)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def annotate(world: World, annotations: dict[str, str]) -> None:
    world.api.patch("deployments", NAME, {"metadata": {"annotations": annotations}}, NAMESPACE)


def new_token(world: World, value: str) -> None:
    time.sleep(1.1)  # the API's times have whole seconds
    world.api.patch("secrets", "vault-token", {"stringData": {"VAULT_TOKEN": value}}, NAMESPACE)


def test_reloader_restarts_the_pods_and_we_wait_and_do_not_restart_again(world: World) -> None:
    annotate(world, TOKEN)
    before = world.replica_sets()
    with reloader(world, delay=1.0):
        new_token(world, "s.new-token-one")
        done = world.repair()
        assert done.changed
        assert acting(done) == {"restart"}
        assert "Reloader is asked to restart them" in item(done, "restart").reason
        assert done.remaining is not None
        assert item(done.remaining, "restart").status == "in_sync"
        assert item(done.remaining, "rollout").before == "complete"
        world.settle()
        again = world.repair()
        assert not again.changed
    assert world.replica_sets() == before + 1
    assert "amazon.keybuzz.io/restart-for" not in world.template()["metadata"].get("annotations", {})


def test_what_reloader_has_done_before_we_look_is_in_sync_even_while_it_rolls_out(world: World) -> None:
    annotate(world, AUTO)
    before = world.replica_sets()
    with reloader(world):
        world.kubelet.waiting = ("ContainerCreating", "")
        new_token(world, "s.new-token-two")
        time.sleep(1.0)
        assert item(world.check(), "restart").status == "in_sync"
        world.kubelet.waiting = None
        for pod in world.api.list("pods", NAMESPACE)["items"]:  # the stand-in plays each pod once
            if any("waiting" in one["state"] for one in pod["status"].get("containerStatuses", ())):
                world.api.delete("pods", pod["metadata"]["name"], NAMESPACE, grace_seconds=0)
        world.settle()
        assert not world.repair().changed
    assert world.replica_sets() == before + 1


def test_where_reloader_does_not_run_the_pods_are_restarted_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloader_module, "PATIENCE", 1.0)
    annotate(world, TOKEN)
    before = world.replica_sets()
    new_token(world, "s.new-token-three")
    predicted = world.check()
    assert acting(predicted) == {"restart"}
    assert predicted.facts["repair_allowed"] is True
    done = world.repair()
    assert done.changed
    assert done.remaining is not None and item(done.remaining, "restart").status == "in_sync"
    assert "amazon.keybuzz.io/restart-for" in world.template()["metadata"]["annotations"]
    assert world.replica_sets() == before + 1
    assert not world.repair().changed


def test_a_new_ca_is_rolled_out_once(world: World) -> None:
    annotate(world, AUTO)
    before = world.replica_sets()
    with reloader(world, delay=1.0):
        time.sleep(1.1)
        done = world.repair(world.wanted(config_mounts=[world.mount(content=f"{world.vault.ca_pem}\n")]))
        assert acting(done) == {"config/vault-ca", "restart"}
        world.settle()
    assert world.replica_sets() == before + 1


def test_a_change_of_the_template_is_not_put_off_for_reloader(world: World) -> None:
    annotate(world, TOKEN)
    world.change({"op": "remove", "path": "/spec/template/spec/containers/0/env/0"})
    before = world.replica_sets()
    assert world.repair().changed
    assert world.replica_sets() <= before + 1
    assert not world.repair().changed
