# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What k8s_deployment_env refuses, what it reports without repairing, and what happens when a rollout fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError, StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import k8s_deployment_env as work

from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, acting, item, nothing
from tests.unit.kube.tls_servers import Site

pytestmark = pytest.mark.lab
CONTAINER = "/spec/template/spec/containers/0"
NO_ADDRESS = {"op": "remove", "path": f"{CONTAINER}/env/0"}


def refused(call: Callable[[], Any]) -> work.NotAppliedError:
    with pytest.raises(work.NotAppliedError) as caught:
        call()
    return caught.value


def test_with_the_wrong_ca_nothing_at_all_is_written(world: World) -> None:
    world.change(NO_ADDRESS)
    before, config = world.deployment(), world.api.get("configmaps", "vault-ca", NAMESPACE)
    with Site.running() as other:
        wanted = world.wanted(config_mounts=[world.mount(content=other.ca_pem)])
        mark = world.mark()
        predicted = world.check(wanted)
        error = refused(lambda: world.repair(wanted))
    config_item = item(predicted, "config/vault-ca")
    assert config_item.status == "blocked"
    assert "UNABLE_TO_VERIFY_LEAF_SIGNATURE" in config_item.reason
    address = item(predicted, "env/VAULT_ADDR")
    assert (address.status, address.action) == ("missing", "none")
    assert address.depends_on == ("backend_access/config/vault-ca",)
    assert not predicted.changed
    assert not error.outcome.changed
    assert "nothing was written" in str(error)
    assert world.deployment()["metadata"]["generation"] == before["metadata"]["generation"]
    assert {verb for verb, uri in world.requests("repair", mark) if "reviews" not in uri} == {"get"}
    assert world.api.get("configmaps", "vault-ca", NAMESPACE) == config
    assert not any(world.vault.received)


def test_a_paused_deployment_is_not_changed(world: World) -> None:
    paused = {"op": "add", "path": "/spec/paused", "value": True}
    world.api.patch("deployments", NAME, [NO_ADDRESS, paused], NAMESPACE, kind="json")
    assert item(world.check(), "env/VAULT_ADDR").status == "blocked"
    assert "paused" in str(refused(world.repair))


def test_a_variable_given_twice_is_refused_with_both_places(world: World) -> None:
    twice = {"op": "add", "path": f"{CONTAINER}/env/-", "value": {"name": "VAULT_ADDR", "value": "https://other"}}
    world.change(twice)
    found = item(world.check(), "env/VAULT_ADDR")
    assert found.status == "blocked"
    assert "env indices 0 and 2" in found.reason


def test_an_unknown_or_ambiguous_container_names_those_there_are(world: World) -> None:
    with pytest.raises(BadInputError, match="Set container to one of: keybuzz-backend"):
        world.check(world.wanted(container="web"))
    world.change({"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "proxy", "image": "p:1"}})
    with pytest.raises(BadInputError, match="one of: keybuzz-backend, proxy"):
        world.check()


def test_an_immutable_config_map_with_other_content_is_refused(world: World) -> None:
    world.api.patch("configmaps", "vault-ca", {"data": {"ca.crt": "other"}, "immutable": True}, NAMESPACE)
    found = item(world.check(), "config/vault-ca")
    assert found.status == "blocked"
    assert "immutable" in found.reason


def test_a_wanted_source_that_does_not_exist_is_not_added(world: World) -> None:
    env_from = [{"secret": name} for name in ("keybuzz-backend-db", "vault-token", "amazon-spapi-creds", "no-such")]
    # The repair user may read only the Secrets it knows: what it may not look at it does not add either.
    assert item(world.check(world.wanted(env_from=env_from)), "env_from/no-such").status == "blocked"


def test_an_auditor_sees_the_drift_and_that_a_repair_would_be_denied(world: World) -> None:
    world.change(NO_ADDRESS)
    mark = world.mark()
    outcome = world.check(user="audit")
    found = item(outcome, "env/VAULT_ADDR")
    assert (found.status, found.action) == ("missing", "create")
    assert f"denied: patch deployments.apps {NAMESPACE}/{NAME}" in found.hint
    assert outcome.facts["repair_allowed"] is False
    assert outcome.facts["missing_permissions"] == [f"patch deployments.apps {NAMESPACE}/{NAME}"]
    verbs = [verb for verb, uri in world.requests("audit", mark) if "selfsubjectaccessreviews" not in uri]
    assert set(verbs) <= {"get", "list"}


def test_a_bypass_from_a_secret_is_overridden_by_an_explicit_entry(world: World) -> None:
    world.api.patch("secrets", "keybuzz-backend-db", {"stringData": {"NODE_TLS_REJECT_UNAUTHORIZED": "0"}}, NAMESPACE)
    found = item(world.check(user="audit"), "forbidden/NODE_TLS_REJECT_UNAUTHORIZED")
    assert (found.status, found.severity) == ("forbidden_present", "critical")
    assert found.before == "from Secret keybuzz-backend-db key NODE_TLS_REJECT_UNAUTHORIZED (envFrom)"
    done = world.repair()
    assert {"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "1"} in world.container()["env"]
    assert item(done.remaining or (), "forbidden/NODE_TLS_REJECT_UNAUTHORIZED").status == "in_sync"
    assert not world.repair().changed


def test_the_hand_repair_on_request_is_written_and_called_insecure_each_time(world: World) -> None:
    world.change({"op": "remove", "path": f"{CONTAINER}/env/1"})
    wanted = world.wanted(
        env=[
            {"name": "VAULT_ADDR", "value": world.vault.url},
            {"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"},
        ],
        config_mounts=[],
    )
    for changed in (True, False):
        done = world.repair(wanted)
        assert done.changed is changed
        found = item(done.remaining or (), "env/NODE_TLS_REJECT_UNAUTHORIZED")
        assert (found.status, found.severity, found.action) == ("insecure", "critical", "none")
        assert "api.amazon.com" in found.reason
    values = {entry["name"]: entry.get("value") for entry in world.container()["env"]}
    assert values == {"VAULT_ADDR": world.vault.url, "NODE_TLS_REJECT_UNAUTHORIZED": "0"}


def test_a_rollout_that_does_not_come_up_fails_with_the_pods_reasons(world: World) -> None:
    world.change(NO_ADDRESS)
    world.kubelet.waiting = ("CreateContainerConfigError", 'secret "vault-token" not found')
    with pytest.raises(work.RolloutFailedError) as caught:
        world.repair(world.wanted(wait_timeout=1.5))
    outcome = caught.value.outcome
    assert outcome.changed
    found = item(outcome.remaining or (), "rollout")
    assert found.status == "error"
    assert "CreateContainerConfigError" in found.reason
    assert 'secret "vault-token" not found' in found.reason
    assert item(outcome.remaining or (), "env/VAULT_ADDR").status == "in_sync"
    predicted = item(world.check(), "rollout")
    assert (predicted.status, predicted.action) == ("drifted", "none")
    assert "CreateContainerConfigError" in predicted.reason


class Meddled(KubeClient):
    """Somebody changes the Deployment each time just before our patch arrives, ``times`` times."""

    def __init__(self, world: World, times: int) -> None:
        inner = world.client()
        super().__init__(inner._access, timeout=inner.timeout)
        self.world, self.times = world, times

    def patch(self, path: str, body: Any, *, content_type: str, dry_run: bool = False) -> dict[str, Any]:
        if not dry_run and "/deployments/" in path and self.times:
            self.times -= 1
            entry = {"name": f"OTHER_{self.times}", "value": "x"}
            operation = {"op": "add", "path": f"{CONTAINER}/env/-", "value": entry}
            self.world.api.patch("deployments", NAME, [operation], NAMESPACE, kind="json")
        return super().patch(path, body, content_type=content_type, dry_run=dry_run)


def test_a_lost_race_is_planned_anew_and_the_others_change_stays(world: World) -> None:
    world.change(NO_ADDRESS)
    done = work.run(Meddled(world, 3), world.wanted(), nothing, check_mode=False)
    assert acting(done) == {"env/VAULT_ADDR"}
    names = [entry["name"] for entry in world.container()["env"]]
    assert names == ["NODE_EXTRA_CA_CERTS", "OTHER_2", "OTHER_1", "OTHER_0", "VAULT_ADDR"]


def test_after_four_lost_races_it_gives_up_without_overwriting(world: World) -> None:
    world.change(NO_ADDRESS)
    with pytest.raises(StaleError, match="changed by others 4 times"):
        work.run(Meddled(world, 99), world.wanted(), nothing, check_mode=False)
    assert "VAULT_ADDR" not in [entry["name"] for entry in world.container()["env"]]


def test_a_deployment_that_is_not_there_is_blocked(world: World) -> None:
    with pytest.raises(BlockedError, match="there is no such Deployment"):
        work.run(world.client("admin"), world.wanted(deployment="no-such"), nothing, check_mode=True)
