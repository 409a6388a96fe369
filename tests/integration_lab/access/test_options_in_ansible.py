# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""environment_lease as Ansible runs it: options and variables of kubernetes.core, and no credential in any output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster import Api, Cluster, client
from lab.processes import PROJECT
from tests.integration_lab.access.scripted_server import connect_proxy
from tests.lab.kubernetes_world import new_namespace, running_cluster

pytestmark = pytest.mark.lab
NAME = "keybuzz-amazon-repair"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The emulator: no answer of the real server decides here."""
    with running_cluster(tmp_path_factory.mktemp("emulator"), "emulator") as running:
        yield running


@pytest.fixture
def api(cluster: Cluster) -> Api:
    return client(cluster)


class Ansible:
    """Runs the module as loudly as Ansible can; ``shown`` is all that was ever printed."""

    def __init__(self, home: Path) -> None:
        self.home, self.shown = home, ""

    def run(self, *arguments: str, variables: dict[str, str] | None = None, **options: Any) -> Any:
        file = self.home / "play.yml"  # in a file: a command line would show it to every user of the machine
        task = {"keybuzz.amazon.environment_lease": options, "name": "Lease", "register": "found"}
        show = {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(self.home / "found.json")}}
        keep = {**show, "name": "Keep", "check_mode": False, "diff": False, "when": "found is defined"}
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [{"block": [task], "always": [keep], "name": "Run"}],
        }
        file.write_text(yaml.safe_dump([play]))
        command = [sys.executable, "-m", "ansible", "playbook", "-c", "local", "-vvvv", "--diff", *arguments, str(file)]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections"),
            "ANSIBLE_LOCAL_TEMP": str(self.home / "tmp"),
            "ANSIBLE_INJECT_INVOCATION": "true",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            **(variables or {}),
        }
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", timeout=90, check=False)
        self.shown += ran.stdout + ran.stderr
        found = self.home / "found.json"
        assert found.exists(), self.shown
        return json.loads(found.read_text())


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    return Ansible(tmp_path)


def document(cluster: Cluster) -> dict[str, Any]:
    return dict(yaml.safe_load(cluster.kubeconfigs["admin"].read_text()))


def test_the_variables_of_kubernetes_core_serve_and_nothing_secret_is_shown(
    ansible: Ansible, cluster: Cluster, api: Api
) -> None:
    namespace, token = new_namespace(api), document(cluster)["users"][0]["user"]["token"]
    with connect_proxy() as proxy:
        variables = {
            "K8S_AUTH_HOST": cluster.server,
            "K8S_AUTH_API_KEY": token,
            "K8S_AUTH_SSL_CA_CERT": str(cluster.ca_file),
            "K8S_AUTH_VERIFY_SSL": "yes",
            "K8S_AUTH_PROXY": proxy.url,
            "K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH": "me:CANARYproxy",
            "K8S_AUTH_IMPERSONATE_USER": "jane",
            "K8S_AUTH_IMPERSONATE_GROUPS": "writers,system:masters",
        }
        found = ansible.run(variables=variables, namespace=namespace, holder="run-1")
        assert found["lease"]["written"] == "taken", found
        assert b"Proxy-Authorization: Basic" in proxy.heads[0].replace(b"proxy-authorization", b"Proxy-Authorization")
    assert found["changed"] is False
    assert "@" in found["lease"]["description"]
    assert api.get("leases", NAME, namespace)["spec"]["holderIdentity"] == "run-1"
    variables.pop("K8S_AUTH_PROXY")
    refused = ansible.run(variables=variables, namespace=namespace, holder="run-2")
    assert refused["failed"]
    assert "(run-1) holds it since" in refused["msg"]
    assert (refused["verdict"], refused["lease"]["standing"]) == ("incomplete", "held")
    refused = ansible.run(variables={**variables, "K8S_AUTH_VERIFY_SSL": "no"}, namespace=namespace, holder="run-2")
    assert "validate_certs is false" in refused["msg"]
    for secret in (token, "CANARYproxy"):
        assert secret not in ansible.shown


def test_a_kubeconfig_given_as_a_dictionary_is_not_shown(ansible: Ansible, cluster: Cluster, api: Api) -> None:
    namespace, given = new_namespace(api), document(cluster)
    looked = ansible.run("--check", namespace=namespace, holder="run-1", kubeconfig=given)
    assert (looked["lease"]["standing"], looked["repair_allowed"]) == ("free", True)
    assert api.find("leases", NAME, namespace) is None
    given["current-context"] = "nowhere"
    failed = ansible.run(namespace=namespace, holder="run-1", kubeconfig=given)
    assert "has no context nowhere" in failed["msg"]
    assert given["users"][0]["user"]["token"] not in ansible.shown
