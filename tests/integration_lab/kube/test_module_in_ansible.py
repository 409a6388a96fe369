# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: options, environment fallbacks, results, failures, and no secret in any output."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World

pytestmark = pytest.mark.lab
PROJECT = Path(__file__).resolve().parents[3]
CONTAINER = "/spec/template/spec/containers/0"
CANARY = 'CANARY+/="\\token'


class Ansible:
    """Runs the module on localhost at full verbosity with one user's kubeconfig."""

    def __init__(self, world: World, home: Path) -> None:
        self.world, self.home, self.shown = world, home, ""

    def run(self, *arguments: str, user: str = "repair", **options: Any) -> Any:
        given = {"namespace": NAMESPACE, **({} if "deployments" in options else {"deployment": NAME}), **options}
        command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-c", "local", "-vvvv", "--diff"]
        command += ["-e", f"ansible_python_interpreter={sys.executable}", *arguments]
        command += ["-m", "keybuzz.amazon.k8s_deployment_env", "-a", json.dumps(given)]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections"),
            "ANSIBLE_LOCAL_TEMP": str(self.home / "tmp"),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            "ANSIBLE_INJECT_INVOCATION": "true",  # from 2.21 on results hold the options only if asked to
            "K8S_AUTH_KUBECONFIG": str(self.world.cluster.kubeconfigs[user]),
        }
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", timeout=60, check=False)
        self.shown += ran.stdout + ran.stderr
        for line_start in ("SUCCESS => ", "CHANGED => ", "FAILED! => "):
            _, found, rest = ran.stdout.partition(f"localhost | {line_start}")
            if found:
                result = json.JSONDecoder().raw_decode(rest)[0]
                return {**result, "failed": line_start.startswith("FAILED")}
        raise AssertionError(ran.stdout + ran.stderr)

    def wanted(self) -> dict[str, Any]:
        return {
            "env": [{"name": "VAULT_ADDR", "value": self.world.vault.url}],
            "env_from": [{"secret": "vault-token"}],
            "config_mounts": [self.world.mount()],
            "restart_for": [{"secret": "vault-token"}],
        }


@pytest.fixture
def ansible(world: World, tmp_path: Path) -> Ansible:
    return Ansible(world, tmp_path)


def test_drift_is_shown_repaired_and_gone_without_a_secret_in_any_output(ansible: Ansible) -> None:
    world = ansible.world
    world.api.patch("secrets", "vault-token", {"stringData": {"VAULT_TOKEN": CANARY}}, NAMESPACE)
    world.change({"op": "replace", "path": f"{CONTAINER}/env/0/value", "value": "https://elsewhere"})
    predicted = ansible.run("--check", **ansible.wanted())
    assert (predicted["changed"], predicted["verdict"], predicted["repair_allowed"]) == (True, "drift", True)
    assert predicted["diff"]["before"]["backend_access/env/VAULT_ADDR"] == "https://elsewhere"
    done = ansible.run(**ansible.wanted())
    assert (done["changed"], done["verdict"]) == (True, "in_sync")
    assert done["backend_configuration"] == {
        "env": [{"name": "VAULT_ADDR", "value": world.vault.url}],
        "env_from": ["Secret keybuzz-backend-db", "Secret vault-token", "Secret amazon-spapi-creds"],
        "mounts": ["ConfigMap vault-ca at /etc/vault-ca"],
    }
    assert done["deployment"]["generation"] == done["deployment"]["observed_generation"]
    again = ansible.run(**ansible.wanted())
    assert (again["changed"], again["verdict"]) == (False, "in_sync")
    token = yaml.safe_load(world.cluster.kubeconfigs["repair"].read_text())["users"][0]["user"]["token"]
    encoded = base64.b64encode(CANARY.encode()).decode()
    for secret in (CANARY, json.dumps(CANARY)[1:-1], encoded, token):
        assert secret not in ansible.shown
    assert "did not set no_log" not in ansible.shown


def test_an_auditor_gets_the_drift_and_a_warning_and_the_task_succeeds(ansible: Ansible) -> None:
    ansible.world.change({"op": "remove", "path": f"{CONTAINER}/env/0"})
    found = ansible.run("--check", user="audit", **ansible.wanted())
    assert (found["verdict"], found["repair_allowed"]) == ("drift", False)
    assert found["missing_permissions"] == [f"patch deployments.apps {NAMESPACE}/{NAME}"]
    denied = ansible.run(user="audit", **ansible.wanted())
    assert denied["failed"]
    assert "may not patch it" in denied["msg"]


def test_a_refused_repair_fails_with_every_item_and_what_to_do(ansible: Ansible) -> None:
    ansible.world.change({"op": "remove", "path": f"{CONTAINER}/env/0"})
    wanted = {**ansible.wanted(), "config_mounts": [ansible.world.mount(content="garbage")]}
    failed = ansible.run(**wanted)
    assert failed["failed"]
    assert not failed["changed"]
    assert "nothing was written, because backend_access/config/vault-ca is blocked" in failed["msg"]
    assert {one["id"] for one in failed["drift"]} >= {"backend_access/env/VAULT_ADDR", "backend_access/rollout"}
    audited = ansible.run("--check", **wanted)
    assert (audited["verdict"], audited["changed"]) == ("incomplete", False)


def test_secrets_given_where_none_belongs_are_masked_at_every_verbosity(ansible: Ansible) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nCANARYprivate\n-----END PRIVATE KEY-----\n"
    ansible.world.change({"op": "add", "path": f"{CONTAINER}/env/-", "value": {"name": "OLD_TOKEN", "value": CANARY}})
    wanted = {
        "config_mounts": [ansible.world.mount(content=key)],
        "env": [{"name": "OTHER_TOKEN", "value": "CANARYwanted"}],
        "absent": ["OLD_TOKEN"],
    }
    found = ansible.run("--check", **wanted)
    assert found["verdict"] == "incomplete"
    assert "invocation" in found
    result = json.dumps(found)
    for secret in ("CANARYprivate", "CANARYwanted", CANARY, json.dumps(CANARY)[1:-1]):
        assert secret not in result


@pytest.mark.parametrize("running", ["emulator"], indirect=True)  # what differs is tested on both without Ansible
def test_several_deployments_in_one_task(ansible: Ansible) -> None:
    ansible.world.change({"op": "remove", "path": f"{CONTAINER}/env/0"})
    listed = {**ansible.wanted(), "deployments": [{"name": "no-such"}, {"name": NAME}]}
    failed = ansible.run(user="admin", **listed)
    assert failed["failed"]
    assert failed["changed"]
    assert "there is no such Deployment" in failed["msg"]
    assert "of the other Deployments 1 went well: see drift" in failed["msg"]
    left = {one["id"]: one["status"] for one in failed["remaining"]}
    assert left["backend_access/no-such/could-not-check"] == "blocked"
    assert left[f"backend_access/{NAME}/env/VAULT_ADDR"] == "in_sync"
    found = ansible.run("--check", user="admin", **{**listed, "deployments": [{"name": NAME}]})
    assert (found["verdict"], found["changed"]) == ("in_sync", False)
    assert found["deployments"][0]["deployment"]["container"] == NAME
    assert found["deployments"][0]["effective_env"]["VAULT_ADDR"]["value"] == ansible.world.vault.url


@pytest.mark.parametrize("running", ["emulator"], indirect=True)  # no answer of an API decides here
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"container": "web"}, "Set container to one of: keybuzz-backend"),
        ({"env": [{"name": "A"}]}, "one of the following is required"),
        ({"deployment": NAME, "deployments": [{"name": NAME}]}, "mutually exclusive"),
    ],
)
def test_bad_input_fails_in_check_mode_too_and_says_what_to_give(ansible: Ansible, options: Any, words: str) -> None:
    failed = ansible.run("--check", **options)
    assert failed["failed"]
    assert words in failed["msg"]
