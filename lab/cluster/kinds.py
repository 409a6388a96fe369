# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses which Kubernetes API the lab runs on, and starts it.

An external throw-away cluster if LAB_KUBECONFIG names one, else the real API server if it is built, else the
emulator. LAB_KUBERNETES (or ``kind``) forces one of the three.
"""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.certificates import authority, write_private
from lab.cluster import kubeconfig
from lab.cluster.api import Api
from lab.cluster.kubeconfig import Access
from lab.cluster.program import built, kubernetes_version
from lab.errors import LabError
from lab.processes import Processes, free_port, wait_until

KINDS = ("external", "kube-apiserver", "emulator")
PROCESS = "kubernetes"

# Users with a fixed token; each a name of its own, so that the audit log tells the lab's hands apart.
STATIC_USERS = {"admin": "lab-admin", "kubelet": "lab-kubelet"}
# Service accounts; lab.cluster.install makes them and their tokens.
ACCOUNTS = ("repair", "audit")


@dataclass(frozen=True)
class Choice:
    """Which API, why (a sentence), and the program or kubeconfig it needs."""

    kind: str
    why: str
    file: Path | None = None


@dataclass(frozen=True)
class Cluster:
    """One running API. ``kubeconfigs`` names the files of all users; those of repair and audit are written by
    ``install``. ``audit_log`` holds one JSON object for each request (audit.k8s.io/v1 Event, level Metadata)."""

    kind: str
    why: str
    server: str
    ca_file: Path
    kubeconfigs: dict[str, Path]
    audit_log: Path | None


def choose(kind: str | None = None) -> Choice:
    """The API to use, from the argument, the environment and what is built. Raises LabError for a kind that is
    not one, or cannot be had."""
    external = os.environ.get("LAB_KUBECONFIG", "")
    program = built()
    forced = kind or os.environ.get("LAB_KUBERNETES", "")
    if forced and forced not in KINDS:
        raise LabError(f"there is no Kubernetes API of kind {forced}: choose one of {', '.join(KINDS)}")
    if forced == "external" and not external:
        raise LabError("an external cluster is asked for: name its kubeconfig in LAB_KUBECONFIG")
    if forced == "kube-apiserver" and program is None:
        raise LabError("the real API server is asked for but not built: run make kube")
    why_forced = "because it was asked for"
    if forced == "external" or (not forced and external):
        why = why_forced if forced else "because LAB_KUBECONFIG names it"
        return Choice("external", f"the throw-away cluster of {external}, {why}", Path(external).absolute())
    if program is not None and forced != "emulator":
        why = why_forced if forced else "because it is built"
        return Choice("kube-apiserver", f"the real kube-apiserver {kubernetes_version()}, {why}", program)
    why = why_forced if forced else "because the real API server is not built (make kube builds it)"
    return Choice("emulator", f"the emulator, {why}")


def start(directory: Path, processes: Processes, *, kind: str | None = None) -> Cluster:
    """Start the chosen API and wait until it answers. Raises PartFailed with its log when it does not."""
    choice = choose(kind)
    directory.mkdir(parents=True, exist_ok=True)
    if choice.kind == "external":
        return _external(directory, choice)
    folder = directory / "kubernetes"
    folder.mkdir(mode=0o700, exist_ok=True)
    certificates = authority(directory, "platform")
    certificate, key = certificates.leaf("kubernetes", ["127.0.0.1", "localhost"])
    port = free_port()
    server = f"https://127.0.0.1:{port}"
    files = _kubeconfig_files(directory)
    token_file = folder / "tokens.csv"
    _write_tokens(token_file, files, server, certificates.ca_file)
    # The emulator is called exactly as the real server is.
    program = [str(choice.file)] if choice.file else [sys.executable, "-m", "lab.emulator"]
    audit_log = directory / "logs" / "kubernetes-audit.log"
    audit_log.parent.mkdir(mode=0o700, exist_ok=True)
    processes.spawn(
        PROCESS,
        [
            *program,
            "--data-dir",
            str(folder / "data"),
            "--cert-file",
            str(certificate),
            "--key-file",
            str(key),
            "--token-file",
            str(token_file),
            "--audit-log",
            str(audit_log),
            "--port",
            str(port),
        ],
    )
    cluster = Cluster(choice.kind, choice.why, server, certificates.ca_file, files, audit_log)
    admin = client(cluster)
    log = processes.log(PROCESS)
    # Both programs say so once their controllers run, which /readyz does not know.
    wait_until(
        "the Kubernetes API",
        lambda: f"ready {server}" in log.read_text(errors="replace"),
        timeout=90,
        log=log,
        alive=lambda: processes.alive(PROCESS),
    )
    admin.list("namespaces", limit=1)
    return cluster


def client(cluster: Cluster | Path, user: str = "admin") -> Api:
    """The lab's REST client for a user of a cluster, or for a kubeconfig file."""
    file = cluster.kubeconfigs[user] if isinstance(cluster, Cluster) else cluster
    return Api(kubeconfig.read(file))


def _kubeconfig_files(directory: Path) -> dict[str, Path]:
    return {user: directory / "secrets" / f"kubeconfig-{user}.yaml" for user in (*STATIC_USERS, *ACCOUNTS)}


def _write_tokens(token_file: Path, files: dict[str, Path], server: str, ca_file: Path) -> None:
    lines = []
    for user, name in STATIC_USERS.items():
        token = secrets.token_urlsafe(32)
        lines.append(f'{token},{name},{name},"system:masters"\n')
        kubeconfig.write(files[user], Access(server, ca_file.read_text(), token), user=name, namespace="default")
    write_private(token_file, "".join(lines))


def _external(directory: Path, choice: Choice) -> Cluster:
    if choice.file is None:
        raise LabError("an external cluster needs a kubeconfig")
    access = kubeconfig.read(choice.file)
    ca_file = directory / "certificates" / "kubernetes-ca.pem"
    ca_file.parent.mkdir(parents=True, exist_ok=True)
    ca_file.write_text(access.ca_pem)
    files = {**_kubeconfig_files(directory), **dict.fromkeys(STATIC_USERS, choice.file)}
    cluster = Cluster("external", choice.why, access.server, ca_file, files, None)
    admin = client(cluster)
    wait_until(f"the cluster at {access.server}", lambda: bool(admin.list("namespaces", limit=1)), timeout=15, log=None)
    return cluster
