# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two modules as Ansible runs them: options, environment fallbacks, results, and no secret in any output."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.keybuzz.amazon.plugins.modules import vault_amazon_app_creds, vault_token_secret

from lab import openbao
from tests.lab.amazon_process import Simulator

from .conftest import APP_PATH, Cluster, Server

PROJECT = Path(__file__).resolve().parents[3]
SOURCE = {"namespace": "keybuzz-backend-dev"}


class Ansible:
    """Runs one module on localhost at full verbosity, with the lab in the environment."""

    def __init__(self, server: Server, kubernetes: Cluster, amazon: Simulator, home: Path) -> None:
        self.server, self.kubernetes, self.amazon = server, kubernetes, amazon
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections"),
            "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            "VAULT_ADDR": server.vault.addr,
            "VAULT_CACERT": str(server.vault.ca_file),
            "VAULT_TOKEN_FILE": str(server.vault.token_files["repair"]),
            "VAULT_BOOTSTRAP_TOKEN_FILE": str(server.vault.token_files["bootstrap"]),
            "K8S_AUTH_KUBECONFIG": str(kubernetes.running.kubeconfigs["repair"]),
            "AMAZON_LWA_URL": amazon.lwa_url,
            "AMAZON_CACERT": str(amazon.ca_file),
        }
        self.shown = ""

    def run(self, module: str, *arguments: str, exported: dict[str, str] | None = None, **options: Any) -> Any:
        """The module's result, found in the output. All output is kept in ``shown``."""
        command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-c", "local", "-vvvv", "--diff"]
        command += ["-e", f"ansible_python_interpreter={sys.executable}", *arguments]
        command += ["-m", f"keybuzz.amazon.{module}", *(["-a", json.dumps(options)] if options else [])]
        ran = subprocess.run(
            command,
            env=self.environment | (exported or {}),
            capture_output=True,
            text=True,
            cwd="/",
            timeout=60,
            check=False,
        )
        self.shown += ran.stdout + ran.stderr
        for line_start in ("SUCCESS => ", "CHANGED => ", "FAILED! => "):
            _, found, rest = ran.stdout.partition(f"localhost | {line_start}")
            if found:
                return json.JSONDecoder().raw_decode(rest)[0]
        raise AssertionError(ran.stdout + ran.stderr)


@pytest.fixture
def ansible(server: Server, kubernetes: Cluster, amazon: Simulator, tmp_path: Path) -> Ansible:
    amazon.admin.reset()
    kubernetes.put("keybuzz-api-dev", "vault-token", {"VAULT_TOKEN": server.token("root")})
    return Ansible(server, kubernetes, amazon, tmp_path)


def forms(secret: str) -> list[str]:
    raw = secret.encode()
    return [secret, base64.b64encode(raw).decode(), urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1]]


def test_a_token_is_found_missing_made_and_found_good(ansible: Ansible) -> None:
    ansible.kubernetes.put("keybuzz-backend-dev", "vault-token", {"VAULT_TOKEN": "hvs.CANARYdeadtoken"})
    options: dict[str, Any] = {"compare_with": [{"namespace": "keybuzz-api-dev"}], "environment": "dev"}
    predicted = ansible.run("vault_token_secret", "--check", **options)
    assert (predicted["changed"], predicted["verdict"], predicted["secret_will_change"]) == (True, "drift", True)
    assert predicted["token"]["class"] == "invalid"
    done = ansible.run("vault_token_secret", **options)
    assert (done["changed"], done["verdict"], done["token"]["class"]) == (True, "in_sync", "good")
    assert [found["id"] for found in done["drift"] if found["action"] != "none"] == ["vault_token/secret"]
    again = ansible.run("vault_token_secret", superseded="revoke", **options)
    assert (again["changed"], again["verdict"]) == (False, "in_sync")
    value = ansible.kubernetes.values("keybuzz-backend-dev", "vault-token")["VAULT_TOKEN"]
    for holder in ("repair", "bootstrap", "root"):
        assert ansible.server.token(holder) not in ansible.shown
    for secret in (value, "hvs.CANARYdeadtoken"):
        assert not [form for form in forms(secret) if form in ansible.shown]


def test_the_hand_repair_copies_the_root_token_and_shows_nothing_of_it(ansible: Ansible) -> None:
    ansible.kubernetes.put("keybuzz-backend-dev", "vault-token", {"VAULT_TOKEN": ""})
    done = ansible.run("vault_token_secret", strategy="copy", copy_from={"namespace": "keybuzz-api-dev"})
    assert done["changed"]
    assert done["remaining"][0]["status"] == "insecure"
    root = ansible.server.token("root")
    assert ansible.kubernetes.values("keybuzz-backend-dev", "vault-token")["VAULT_TOKEN"] == root
    assert not [form for form in forms(root) if form in ansible.shown]


def test_credentials_are_found_missing_written_and_found_in_sync(ansible: Ansible) -> None:
    ansible.server.forget(APP_PATH)
    predicted = ansible.run("vault_amazon_app_creds", "--check", source_secret=SOURCE)
    assert (predicted["changed"], predicted["drift"][0]["action"]) == (True, "create")
    done = ansible.run("vault_amazon_app_creds", source_secret=SOURCE)
    assert (done["changed"], done["verdict"], done["credentials"]) == (True, "in_sync", "accepted")
    again = ansible.run("vault_amazon_app_creds", source_secret=SOURCE)
    assert (again["changed"], again["verdict"]) == (False, "in_sync")
    assert again["drift"][0]["before"]["region"] == "eu-west-1"
    drawn = ansible.server.drawn
    for secret in (drawn.client_secret, drawn.client_id):
        assert not [form for form in forms(secret) if form in ansible.shown]


def test_a_client_secret_of_the_environment_is_written_and_not_shown(ansible: Ansible) -> None:
    ansible.server.forget(APP_PATH)
    drawn = ansible.server.drawn.app_document()
    exported = {"AMAZON_CLIENT_ID": drawn.pop("client_id"), "AMAZON_CLIENT_SECRET": drawn.pop("client_secret")}
    assert ansible.run("vault_amazon_app_creds", exported=exported, **drawn)["changed"]
    assert ansible.server.get(APP_PATH)["data"] == ansible.server.drawn.app_document()
    assert not [form for form in forms(exported["AMAZON_CLIENT_SECRET"]) if form in ansible.shown]


def test_a_login_by_the_environment_serves_the_run_and_neither_its_secret_nor_its_token_is_shown(
    ansible: Ansible,
) -> None:
    root = ansible.server.root().adapter
    root.post("/v1/sys/auth/awx", json={"type": "approle"})
    try:
        root.post("/v1/auth/awx/role/repair", json={"token_policies": ["keybuzz-repair"], "token_ttl": "1h"})
        secret_id = root.post("/v1/auth/awx/role/repair/secret-id", json={})["data"]["secret_id"]
        exported = {
            "VAULT_AUTH_METHOD": "approle",
            "VAULT_AUTH_MOUNT": "awx",
            "VAULT_ROLE_ID": root.get("/v1/auth/awx/role/repair/role-id")["data"]["role_id"],
            "VAULT_SECRET_ID": secret_id,
            "VAULT_CACERT": "",
            "VAULT_CACERT_BYTES": ansible.server.vault.ca_file.read_text(),
        }
        before = set(root.list("/v1/auth/token/accessors")["data"]["keys"])
        ansible.server.forget(APP_PATH)
        assert ansible.run("vault_amazon_app_creds", exported=exported, source_secret=SOURCE)["changed"]
        assert set(root.list("/v1/auth/token/accessors")["data"]["keys"]) == before, "the login's token is revoked"
        wrong = f"{secret_id[:-4]}0000"
        failed = ansible.run("vault_amazon_app_creds", exported={**exported, "VAULT_SECRET_ID": wrong})
        assert "the role id or the secret id is not accepted" in failed["msg"]
        audited = ansible.run("vault_amazon_app_creds", "--check", exported={**exported, "VAULT_SECRET_ID": wrong})
        assert (audited["verdict"], audited["drift"][0]["status"]) == ("incomplete", "blocked")
    finally:
        root.delete("/v1/sys/auth/awx")
    for secret in (secret_id, wrong):
        assert not [form for form in forms(secret) if form in ansible.shown]
    assert not re.search(r"\b(s\.[A-Za-z0-9]{24}|hvs\.[A-Za-z0-9_-]{20})", ansible.shown)


def test_an_auditor_without_any_value_runs_the_module_in_check_mode_only(ansible: Ansible) -> None:
    ansible.server.put(APP_PATH, ansible.server.drawn.app_document())
    exported = {"VAULT_TOKEN_FILE": str(ansible.server.vault.token_files["audit-keys"])}
    audited = ansible.run("vault_amazon_app_creds", "--check", exported=exported, depth="keys", source_secret=SOURCE)
    assert (audited["verdict"], audited["depth"], audited["changed"]) == ("in_sync", "keys", False)
    assert {found["id"]: found["status"] for found in audited["drift"]}["amazon_app/values"] == "ignored"
    assert "keys only looks" in ansible.run("vault_amazon_app_creds", exported=exported, depth="keys")["msg"]


def test_a_sealed_vault_fails_a_repair_and_is_unknown_to_an_audit(ansible: Ansible) -> None:
    ansible.server.root().sys.seal()
    try:
        audited = ansible.run("vault_amazon_app_creds", "--check", source_secret=SOURCE)
        repaired = ansible.run("vault_token_secret")
    finally:
        openbao.unseal(ansible.server.vault)
    assert (audited["verdict"], audited["changed"]) == ("incomplete", False)
    assert audited["drift"][0]["status"] == "unknown"
    assert "Unseal it" in audited["drift"][0]["hint"]
    assert "the server is sealed. Unseal it" in repaired["msg"]


def test_bad_input_fails_in_check_mode_too(ansible: Ansible) -> None:
    failed = ansible.run("vault_token_secret", "--check", token_period="soon")
    assert "reading option token_period: 'soon': it is not a duration above zero" in failed["msg"]
    failed = ansible.run("vault_token_secret", "--check", renew_below="200h")
    assert "it is not less than token_period" in failed["msg"]
    failed = ansible.run("vault_amazon_app_creds", exported={"VAULT_TOKEN_FILE": "/nowhere"})
    assert "vault_token_file: /nowhere: No such file" in failed["msg"]


@pytest.mark.parametrize("module", [vault_token_secret, vault_amazon_app_creds])
def test_the_examples_of_the_documentation_run_as_they_stand(ansible: Ansible, module: Any, tmp_path: Path) -> None:
    ansible.kubernetes.put("keybuzz-backend-dev", "vault-token", {"VAULT_TOKEN": ""})
    ansible.server.forget(APP_PATH)
    name = f"keybuzz.amazon.{module.__name__.rsplit('.', 1)[1]}"
    tasks = [task for task in yaml.safe_load(module.EXAMPLES) if name in task]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook = tmp_path / "examples.yml"
    playbook.write_text(json.dumps([play]))
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            str(playbook),
        ],
        env=ansible.environment
        | {"ANSIBLE_STDOUT_CALLBACK": "default", "AMAZON_CLIENT_SECRET": ansible.server.drawn.client_secret},
        capture_output=True,
        text=True,
        cwd="/",
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"ok={len(tasks)} " in ran.stdout
