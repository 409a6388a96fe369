# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lab chooses its Kubernetes API, and what it says where the real one cannot be built."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cluster import Cluster, choose, client, install
from lab.cluster import kinds as cluster_kinds
from lab.cluster import program as kube_program
from lab.cluster.access import LEASE
from lab.cluster.objects import BACKEND_NAMESPACE
from lab.errors import LabError
from lab.processes import PROJECT, Processes
from tests.lab.kubernetes_world import require, running_cluster

VALUES = {
    "vault_addr": "https://127.0.0.1:1",
    "vault_ca_pem": "pem",
    "vault_token": "scoped",
    "root_token": "root",
    "spapi": {key: key for key in ("client_id", "client_secret", "application_id", "redirect_uri", "region")},
    "database": {"host": "h", "port": 1, "dbname": "d", "user": "u", "password": "p", "ca_pem": "pem"},
}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAB_KUBECONFIG", "LAB_KUBERNETES"):
        monkeypatch.delenv(name, raising=False)


def pretend_built(monkeypatch: pytest.MonkeyPatch, program: Path | None) -> None:
    monkeypatch.setattr(cluster_kinds, "built", lambda: program)


def test_the_real_server_is_taken_when_it_is_built_and_the_emulator_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_built(monkeypatch, Path("/program"))
    assert (choose().kind, choose().why.endswith("because it is built")) == ("kube-apiserver", True)
    pretend_built(monkeypatch, None)
    assert choose().kind == "emulator"
    assert choose().why == "the emulator, because the real API server is not built (make kube builds it)"


def test_an_external_cluster_is_taken_first_and_any_kind_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_built(monkeypatch, Path("/program"))
    monkeypatch.setenv("LAB_KUBECONFIG", "/some/config")
    assert (choose().kind, choose().file) == ("external", Path("/some/config"))
    assert choose("kube-apiserver").kind == "kube-apiserver"
    monkeypatch.setenv("LAB_KUBERNETES", "emulator")
    assert choose().why == "the emulator, because it was asked for"


def test_what_is_forced_but_cannot_be_had_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_built(monkeypatch, None)
    with pytest.raises(LabError, match="not built: run make kube"):
        choose("kube-apiserver")
    with pytest.raises(LabError, match="LAB_KUBECONFIG"):
        choose("external")
    with pytest.raises(LabError, match="choose one of external, kube-apiserver, emulator"):
        choose("minikube")


def fake_go(folder: Path, version: str, *, modules: bool = True) -> Path:
    folder.mkdir()
    go = folder / "go"
    download = "exit 0" if modules else "echo 'dial tcp: lookup modules.example: no such host' >&2; exit 1"
    cases = f"env) echo {version};; mod) {download};; build) echo broken; exit 2;;"
    go.write_text(f'#!/bin/sh\ncase "$1" in {cases} esac\n')
    go.chmod(0o755)
    return folder


def built_by(folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{folder}:/usr/bin:/bin", "XDG_CACHE_HOME": str(cache), "HOME": str(cache)}
    return subprocess.run(
        [sys.executable, "-m", "lab.cluster.build"],
        cwd=PROJECT,
        env=env,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_an_old_go_cannot_build_and_both_versions_are_named(tmp_path: Path) -> None:
    done = built_by(fake_go(tmp_path / "bin", "go1.24.1"), tmp_path)
    assert done.returncode == 3
    assert "is go1.24.1; the API server needs Go 1.26 or newer" in done.stderr


def test_modules_that_cannot_be_had_are_the_reason_given(tmp_path: Path) -> None:
    done = built_by(fake_go(tmp_path / "bin", "go1.26.0", modules=False), tmp_path)
    assert done.returncode == 3
    assert "the Go modules of the API server cannot be had" in done.stderr
    assert "no such host" in done.stderr


def test_a_build_that_fails_is_no_build_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    done = built_by(fake_go(tmp_path / "bin", "go1.26.0"), tmp_path)
    assert done.returncode == 1
    assert "go build failed" in done.stderr
    assert [entry.name for entry in (tmp_path / "keybuzz-amazon" / "kube").iterdir()] == [".lock"]


def test_a_machine_without_go_is_told_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(kube_program.CannotBuild, match=r"no go command: install Go 1\.26 or newer"):
        kube_program.find_go()


def test_a_cache_that_cannot_be_written_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    done = built_by(fake_go(tmp_path / "bin", "go1.26.0"), tmp_path / "cache")
    assert done.returncode == 3
    assert "cannot be written (Not a directory): name another cache folder in XDG_CACHE_HOME" in done.stderr


def test_an_account_without_a_home_folder_has_no_build_and_takes_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert choose().kind == "emulator"
    with pytest.raises(kube_program.CannotBuild, match="set HOME or XDG_CACHE_HOME"):
        kube_program.cache_folder()


@pytest.mark.lab
@pytest.mark.parametrize("kind", ["kube-apiserver", "emulator"])
def test_the_healthy_world_lets_repair_mend_by_name_and_audit_only_look(tmp_path: Path, kind: str) -> None:
    require(kind)
    with running_cluster(tmp_path, kind) as cluster:
        install(cluster, VALUES)
        install(cluster, VALUES)  # again: replaced, not refused
        repair, audit = client(cluster, "repair"), client(cluster, "audit")
        for name in ("keybuzz-backend-db", "vault-token", "amazon-spapi-creds"):
            for verb in ("get", "patch"):
                assert repair.can(verb, "secrets", BACKEND_NAMESPACE, name=name)
            assert not repair.can("update", "secrets", BACKEND_NAMESPACE, name=name)
            assert audit.can("get", "secrets", BACKEND_NAMESPACE, name=name)
            assert not audit.can("patch", "secrets", BACKEND_NAMESPACE, name=name)
        assert not repair.can("get", "secrets", BACKEND_NAMESPACE, name="somebody-elses")
        assert not repair.can("delete", "secrets", BACKEND_NAMESPACE, name="vault-token")
        assert not repair.can("list", "secrets", BACKEND_NAMESPACE)
        assert repair.can("patch", "deployments", BACKEND_NAMESPACE, name="keybuzz-backend", group="apps")
        assert not audit.can("patch", "deployments", BACKEND_NAMESPACE, name="keybuzz-backend", group="apps")
        lease = {"name": LEASE, "group": "coordination.k8s.io"}
        assert all(repair.can(verb, "leases", BACKEND_NAMESPACE, **lease) for verb in ("get", "create", "update"))
        assert audit.can("get", "leases", BACKEND_NAMESPACE, **lease)
        assert not any(audit.can(verb, "leases", BACKEND_NAMESPACE, **lease) for verb in ("create", "update", "patch"))
        assert not repair.can("update", "leases", BACKEND_NAMESPACE, name="another", group="coordination.k8s.io")
        assert repair.can("get", "secrets", "keybuzz-api-dev", name="vault-token")
        assert not repair.can("patch", "secrets", "keybuzz-api-dev", name="vault-token")
        assert cluster.kubeconfigs["repair"].stat().st_mode & 0o777 == 0o600


@pytest.mark.lab
def test_an_external_cluster_is_reached_by_its_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_cluster(tmp_path / "theirs", "emulator") as theirs:
        monkeypatch.setenv("LAB_KUBECONFIG", str(theirs.kubeconfigs["admin"]))
        ours: Cluster = cluster_kinds.start(tmp_path / "ours", Processes(tmp_path / "ours"))
        assert (ours.kind, ours.server, ours.audit_log) == ("external", theirs.server, None)
        install(ours, VALUES)
        made = client(ours).get("deployments", "keybuzz-backend", BACKEND_NAMESPACE)
        assert made["spec"]["template"]["spec"]["schedulerName"] == "keybuzz-lab"
        assert client(ours, "audit").can("get", "secrets", BACKEND_NAMESPACE, name="vault-token")
