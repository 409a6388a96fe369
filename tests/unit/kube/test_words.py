# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options, kubeconfig files and refusals: what is said, and that nothing secret is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import kubeconfig
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.access import access
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import resource_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.options import desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import in_container, named, owner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.refusals import (
    AdmissionRefused,
    Conflict,
    Denied,
    Invalid,
    ServerTrouble,
    refusal,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.deployment_facts import Done, joined

CANARY = "CANARY-value"
BASE = {"namespace": "ns", "deployment": "web"}
MOUNT = {"volume": "v", "config_map": "c", "key": "k", "mount_path": "/etc/v", "content": "x"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"env": [{"name": "A=B", "value": "1"}]}, "is no name of a variable"),
        ({"env": [{"name": "", "value": "1"}]}, "is no name of a variable"),
        ({"env": [{"name": "A", "value": "1"}], "absent": ["A"]}, "both wanted and absent"),
        ({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, "given more than once"),
        ({"env_from": [{"secret": "a"}, {"secret": "a"}]}, "given more than once"),
        ({"forbidden": [{"name": "a"}, {"name": "a"}]}, "given more than once"),
        ({"restart_for": [{"secret": "a"}, {"secret": "a"}]}, "given more than once"),
        ({"config_mounts": [{**MOUNT, "mount_path": "etc"}]}, "no directory below /"),
        ({"config_mounts": [{**MOUNT, "mount_path": "/"}]}, "no directory below /"),
        ({"config_mounts": [{**MOUNT, "verify_url": "http://v"}]}, "not an https URL"),
        ({"config_mounts": [MOUNT, {**MOUNT, "mount_path": "/other"}]}, "given more than once"),
        ({"config_mounts": [MOUNT, {**MOUNT, "volume": "w", "mount_path": "/etc/v/"}]}, "given more than once"),
        ({"config_mounts": [{**MOUNT, "content": None, "content_file": "/no/such"}]}, "does not exist on the host"),
        ({"wait_timeout": -1.0}, "negative"),
    ],
)
def test_what_cannot_work_is_refused_before_any_request(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        desired({**BASE, **options})


def test_a_der_file_as_content_is_named_as_such(tmp_path: Path) -> None:
    file = tmp_path / "ca.der"
    file.write_bytes(b"\x30\x82\xff\xfe")
    with pytest.raises(BadInputError, match="DER certificate has to be converted"):
        desired({**BASE, "config_mounts": [{**MOUNT, "content": None, "content_file": str(file)}]})


# -- kubeconfig ---------------------------------------------------------------
def document(**user: Any) -> dict[str, Any]:
    return {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api:6443/", "certificate-authority": "ca.pem"}}],
        "users": [{"name": "u", "user": user}],
    }


def written(folder: Path, content: Any, name: str = "config") -> str:
    file = folder / name
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(file)


def test_relative_paths_start_at_the_kubeconfigs_folder(tmp_path: Path) -> None:
    found = kubeconfig.read(written(tmp_path, document(tokenFile="token")), None)
    assert (found.server, found.ca_file) == ("https://api:6443", str(tmp_path / "ca.pem"))
    (tmp_path / "token").write_text(f"{CANARY}\n")
    assert found.authorization() == f"Bearer {CANARY}"


def test_the_first_of_several_files_to_name_something_wins(tmp_path: Path) -> None:
    other = document(token="second")
    other["contexts"].append({"name": "there", "context": {"cluster": "c", "user": "u2"}})
    other["users"].append({"name": "u2", "user": {"token": "there"}})
    paths = ":".join([written(tmp_path, document(token="first"), "a"), written(tmp_path, other, "b")])
    assert kubeconfig.read(paths, None).token == "first"
    assert kubeconfig.read(paths, "there").token == "there"


@pytest.mark.parametrize(
    ("content", "context", "words"),
    [
        (document(), "nowhere", "no context nowhere.*Those there are: here"),
        ({**document(), "current-context": ""}, None, "no current-context"),
        ({**document(), "clusters": []}, None, "names no cluster with a server"),
        (f"users: [{{token: {CANARY}", None, "not YAML"),
        ("", None, "empty or not a kubeconfig"),
        (document(**{"client-key-data": f"{CANARY}!"}), None, "client-key-data is not base64"),
    ],
)
def test_a_broken_kubeconfig_is_explained_without_its_content(
    tmp_path: Path, content: Any, context: str | None, words: str
) -> None:
    with pytest.raises(BadInputError, match=words) as caught:
        kubeconfig.read(written(tmp_path, content), context)
    assert CANARY not in str(caught.value)


def test_a_kubeconfig_that_is_not_there_names_the_ways_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="K8S_AUTH_KUBECONFIG"):
        connect({"kubeconfig": str(tmp_path / "none")}, lambda secrets: None)


def test_credentials_are_never_sent_to_a_server_that_is_not_verified(tmp_path: Path) -> None:
    insecure = document(token=CANARY)
    insecure["clusters"][0]["cluster"] = {"server": "https://api", "insecure-skip-tls-verify": True}
    plain = document(token=CANARY)
    plain["clusters"][0]["cluster"] = {"server": "http://api"}
    for content, words in ((insecure, "switches verification off"), (plain, "without TLS")):
        with pytest.raises(BadInputError, match=words):
            access({"kubeconfig": written(tmp_path, content)}, lambda secrets: None)
    with pytest.raises(BadInputError, match="over TLS only"):
        access({"host": "http://api", "api_key": CANARY}, lambda secrets: None)
    with pytest.raises(BadInputError, match="without api_key"):
        access({"host": "https://api"}, lambda secrets: None)


def test_a_token_from_a_file_is_masked_before_it_is_sent(tmp_path: Path) -> None:
    masked: list[str | None] = []
    content = document(tokenFile="token")
    del content["clusters"][0]["cluster"]["certificate-authority"]
    found = access({"kubeconfig": written(tmp_path, content)}, masked.extend)
    (tmp_path / "token").write_text(f"{CANARY}\n")
    assert found.authorization() == f"Bearer {CANARY}"
    assert CANARY in masked


def test_a_folder_as_the_servers_ca_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="ca_cert"):
        access({"host": "https://api", "api_key": CANARY, "ca_cert": str(tmp_path)}, lambda secrets: None)


def test_the_repr_of_a_kubeconfig_and_of_a_client_hold_no_credentials(tmp_path: Path) -> None:
    found = kubeconfig.read(written(tmp_path, document(token=CANARY, password=CANARY)), None)
    assert CANARY not in repr(found)
    client = connect({"host": "https://api", "api_key": CANARY}, lambda secrets: None)
    assert CANARY not in repr(client)


# -- refusals -----------------------------------------------------------------
SECRET = resource_of("/api/v1/namespaces/ns/secrets/s")
DEPLOYMENT = resource_of("/apis/apps/v1/namespaces/ns/deployments/web")


def test_paths_name_what_a_person_calls_it() -> None:
    assert SECRET.address == "Secret ns/s"
    assert (DEPLOYMENT.qualified, DEPLOYMENT.address) == ("deployments.apps", "Deployment ns/web")
    assert resource_of("/api/v1/namespaces/ns/pods?limit=1").address == "pods in ns"
    assert resource_of("/api/v1/namespaces/ns").address == "Namespace ns"
    assert "resourceNames" not in SECRET.rule("create")


def status(message: str, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "message": f"{message} {CANARY}", "details": details}


@pytest.mark.parametrize(
    ("code", "body", "json_patch", "kind"),
    [
        (403, status('secrets "s" is forbidden: User "bob" cannot patch'), False, Denied),
        (409, status("the object has been modified"), False, Conflict),
        (422, status("the server rejected our request due to an error in our request"), True, Conflict),
        (422, status("invalid", causes=[{"field": "data", "message": CANARY}]), True, Invalid),
        (422, status("invalid", causes=[{"field": "data", "message": CANARY}]), False, Invalid),
        (400, status('admission webhook "p" denied the request: no'), False, AdmissionRefused),
        (403, status("exceeded quota: q"), False, AdmissionRefused),
        (403, status("gone", causes=[{"reason": "NamespaceTerminating"}]), False, BlockedError),
        (429, status("slow down"), False, ServerTrouble),
        (503, status("no endpoints"), False, ServerTrouble),
        (418, {}, False, KeybuzzError),
    ],
)
def test_each_refusal_has_one_meaning_and_repeats_no_body(
    code: int, body: dict[str, Any], json_patch: bool, kind: type[KeybuzzError]
) -> None:
    error = refusal("patch", SECRET, code, body, json_patch=json_patch)
    assert type(error) is kind or (kind is KeybuzzError and isinstance(error, KeybuzzError))
    assert CANARY not in str(error)
    assert error.remedy


def test_a_policys_own_words_are_given_where_no_secret_was_sent() -> None:
    error = refusal("patch", DEPLOYMENT, 403, status('admission webhook "p" denied the request: no'), json_patch=True)
    assert isinstance(error, AdmissionRefused)
    assert error.words.startswith('admission webhook "p" denied the request: no')


# -- owners -------------------------------------------------------------------
def fields(manager: str, *path: str) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for step in reversed(path):
        node = {step: node}
    return {"manager": manager, "operation": "Update", "fieldsV1": node}


@pytest.mark.parametrize(
    ("mark", "declared", "expected"),
    [
        ({}, True, (None, "none")),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, True, ("Argo CD", "certain")),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, False, ("Argo CD", "possible")),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, False, ("Flux", "possible")),
        ({"annotations": {"meta.helm.sh/release-name": "x"}}, False, ("Helm", "possible")),
    ],
)
def test_the_owner_of_a_field_tells_whether_our_change_survives(
    mark: dict[str, Any], declared: bool, expected: tuple[str | None, str]
) -> None:
    path = in_container("web", "f:env", named("VAULT_ADDR"))
    metadata = {**mark, "managedFields": [fields("argocd-controller", *path)] if declared else [fields("x", "f:spec")]}
    found = owner_of(metadata, path)
    assert (found.gitops, found.revert_risk) == expected
    assert json.dumps(found.managers) == json.dumps(["argocd-controller"] if declared else [])


def test_of_several_deployments_one_that_may_not_be_read_would_stop_the_repair() -> None:
    denied = Denied("reading", "Deployment ns/web", "the caller may not get it (HTTP 403)", "", permission="get x")
    first, second = (desired({**BASE, "deployment": name}) for name in ("web", "worker"))
    fine = Outcome((), changed=False, facts={"repair_allowed": True, "missing_permissions": []})
    told = joined([Done(first, error=denied), Done(second, fine)], check_mode=True).facts
    assert told["repair_allowed"] is False
    assert told["missing_permissions"] == ["Deployment ns/web: the caller may not get it (HTTP 403)"]


@pytest.mark.parametrize("kind", ["host", "kubeconfig"])
def test_a_password_in_the_servers_url_is_masked_before_any_message_names_the_server(kind: str) -> None:
    server, masked = f"http://ops:{CANARY}@server:6443", list[str | None]()
    cluster = {"name": "c", "cluster": {"server": server}}
    context = {"name": "x", "context": {"cluster": "c"}}
    document = {"current-context": "x", "contexts": [context], "clusters": [cluster]}
    given = {"host": server, "api_key": "t"} if kind == "host" else {"kubeconfig": document}
    with pytest.raises(BadInputError, match="CANARY"):
        access(given, masked.extend)
    assert CANARY in masked
