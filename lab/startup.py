# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a whole lab, and removes one whatever state it is in."""

from __future__ import annotations

import http.client
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import folder, openbao, postgres, seed
from lab.certificates import authority, write_private
from lab.errors import LabError, PartFailed
from lab.processes import MARK, Processes, free_port, wait_until
from lab.world import World, save, state_of

if TYPE_CHECKING:
    from lab.cluster import Cluster

Say = Callable[[str], None]

_PSQL = Path(__file__).with_name("psql.py")
_PORT_TAKEN = "address already in use"  # EADDRINUSE as Go and Python word it


class _Progress:
    """One line per step: what, where, and the seconds since the start."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._start = time.monotonic()

    def line(self, what: str, detail: str = "") -> None:
        self._say(f"{self.seconds:6.1f} s  {what:<12} {detail}".rstrip())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start


def up(directory: Path, say: Say) -> World:
    """Returns the lab that is up, or cleans what is left of one and starts it anew.

    Raises PartFailed when a part does not come up; its logs stay until the next ``up`` or ``down``.
    """
    progress = _Progress(say)
    with folder.alone(directory, say):
        world = _living(directory, progress)
        if world is not None:
            progress.line("lab", f"is up in {directory}")
            return world
        # Also where the folder itself was removed by hand: its processes and the folder outside may live on.
        leftovers = folder.holds_anything(directory)
        if folder.clear(directory) or leftovers:
            progress.line("cleaned", "what an earlier lab has left here")
        folder.sign(directory)
        try:
            world = _start_or_stop(directory, progress)
        except PartFailed as error:
            if _PORT_TAKEN not in str(error).lower():
                raise
            progress.line("port", "taken by somebody else between its choice and its use: all is started once more")
            folder.clear(directory)
            world = _start_or_stop(directory, progress)
        progress.line("lab", f"is up in {directory}")
        return world


def down(directory: Path, say: Say) -> None:
    """Ends every process and removes every file of the lab in that folder. Quiet success when there is none."""
    if not directory.exists() and not postgres.private_folder(directory).exists():
        Processes(directory).stop_everything()
        say(f"there is no lab in {directory}")
        return
    progress = _Progress(say)
    with folder.alone(directory, say):
        _leave_external_cluster(directory, progress)
        count = folder.clear(directory)
        folder.remove(directory)
    progress.line("lab", f"is down: {count} processes ended, {directory} removed")


def _leave_external_cluster(directory: Path, progress: _Progress) -> None:
    """Takes the lab's namespaces out of a cluster that is not the lab's own and stays."""
    try:
        world = World.load(directory)
    except LabError:
        return
    if world.state["kubernetes"]["kind"] != "external":
        return
    from lab.cluster import ApiError, objects

    for namespace in (objects.BACKEND_NAMESPACE, objects.API_NAMESPACE, objects.OPS_NAMESPACE):
        try:
            world.kubernetes().delete("namespaces", namespace)
        except (ApiError, OSError) as error:
            progress.line("cluster", f"namespace {namespace} could not be removed: {error}")


def _living(directory: Path, progress: _Progress) -> World | None:
    try:
        world = World.load(directory)
        dead = world.dead_parts()
    except (LabError, KeyError):
        return None
    try:
        sealed = not dead and world.vault_is_sealed()
    except (OSError, ValueError, http.client.HTTPException):  # it listens, but does not answer
        dead = ["Vault (OpenBao)"]
    if dead:
        progress.line("dead", f"{', '.join(dead)}: the lab is started anew")
        return None
    if sealed:
        openbao.unseal(world.vault)
        progress.line("vault", "was sealed, is open again")
    return world


def _start_or_stop(directory: Path, progress: _Progress) -> World:
    processes = Processes(directory)
    try:
        return _start(directory, processes, progress)
    except BaseException:
        processes.stop_everything()
        raise


def _start(directory: Path, processes: Processes, progress: _Progress) -> World:
    (directory / "secrets").mkdir(mode=0o700)
    (directory / "logs").mkdir(mode=0o700)
    folder.note_outside(directory, postgres.private_folder(directory))
    drawn = seed.draw()
    seed.store_secrets(directory, drawn)
    seed.store_canaries(directory, drawn.canaries())

    def vault() -> tuple[openbao.Vault, str]:
        started = openbao.start(directory, processes, authority(directory, "vault"))
        token = openbao.furnish(started, drawn)
        progress.line("vault", started.addr)
        return started, token

    def database() -> postgres.Postgres:
        started = postgres.start(directory, processes, authority(directory, "platform"), drawn)
        progress.line("postgresql", started.address)
        return started

    def kubernetes() -> Cluster:
        from lab import cluster

        started = cluster.start(directory, processes)
        progress.line("kubernetes", f"{started.server}  {started.why}")
        return started

    def amazon() -> dict[str, str]:
        started = _start_amazon(directory, processes, drawn)
        progress.line("amazon", started["endpoint"])
        return started

    # Four servers that do not know of each other; then what stands on all of them.
    with ThreadPoolExecutor(max_workers=4) as pool:
        try:
            vault_start, database_start = pool.submit(vault), pool.submit(database)
            cluster_start, amazon_start = pool.submit(kubernetes), pool.submit(amazon)
            starts: list[Future[Any]] = [vault_start, database_start, cluster_start, amazon_start]
            wait(starts)
        except BaseException:  # Ctrl-C: what the four have begun ends now, not when it is ready
            processes.close()
            processes.stop_everything()
            raise
    _raise_all(starts)
    in_vault, backend_token = vault_start.result()
    in_database, in_cluster, in_amazon = database_start.result(), cluster_start.result(), amazon_start.result()
    _install(in_cluster, in_vault, backend_token, in_database, drawn)
    progress.line("objects", "namespaces, access, Secrets, ConfigMap, Deployment")
    seed.store_canaries(directory, _secrets(drawn, in_vault, backend_token, in_cluster))
    backend = _start_backend(directory, processes, in_cluster, in_database, in_amazon)
    world = World(
        directory,
        state_of(
            directory, vault=in_vault, postgres=in_database, cluster=in_cluster, amazon=in_amazon, backend=backend
        ),
    )
    wait_until(
        "the backend",
        lambda: _is_healthy(world),
        timeout=60,
        log=processes.log("kubelet"),
        alive=lambda: processes.alive("kubelet"),
    )
    progress.line("backend", f"{backend['url']} is healthy")
    save(world)
    return world


def _is_healthy(world: World) -> bool:
    said = world.backend_says()
    if said != "is healthy":
        raise LabError(f"it {said}")
    return True


def _raise_all(futures: Sequence[Future[Any]]) -> None:
    """All that failed in one message: whoever repairs one part wants to know of the others."""
    failed = [error for future in futures if (error := future.exception()) is not None]
    unexpected = [error for error in failed if not isinstance(error, LabError)]
    if unexpected:
        raise unexpected[0]
    if failed:
        raise PartFailed("\n".join(str(error) for error in failed))


def _start_amazon(directory: Path, processes: Processes, drawn: seed.Seed) -> dict[str, str]:
    trust = authority(directory, "amazon")
    certificate, key = trust.leaf("amazon", ["localhost", "127.0.0.1", "::1"])
    port, admin_port = free_port(), free_port()
    app = drawn.app_document()
    config = directory / "secrets" / "amazon.json"
    write_private(
        config,
        json.dumps(
            {
                "port": port,
                "admin_port": admin_port,
                "certfile": str(certificate),
                "keyfile": str(key),
                **{name: app[name] for name in ("client_id", "client_secret", "application_id", "redirect_uri")},
                "sellers": drawn.sellers(),
                "log": str(directory / "logs" / "amazon-requests.log"),
            },
            indent=1,
        ),
    )
    processes.spawn("amazon", [sys.executable, "-m", "lab.amazon", "--config", str(config)])
    wait_until(
        "the simulator of Amazon",
        # Not only whether somebody listens: it binds both ports before it serves one, with a certificate of ours.
        lambda: trust.verifies(port),
        timeout=30,
        log=processes.log("amazon"),
        alive=lambda: processes.alive("amazon"),
    )
    address = f"https://127.0.0.1:{port}"
    return {
        "endpoint": address,
        "lwa_url": f"{address}/auth/o2/token",
        "seller_central": address,
        "ca_file": str(trust.ca_file),
        "admin_url": f"http://127.0.0.1:{admin_port}",
        "refresh_token_dir": str(directory / "secrets" / "refresh_tokens"),
    }


def _start_backend(
    directory: Path,
    processes: Processes,
    cluster: Cluster,
    database: postgres.Postgres,
    amazon: dict[str, str],
) -> dict[str, str]:
    """The node that runs the Deployment's pods, and a stable port in front of them."""
    from lab import backend
    from lab.cluster import objects
    from lab.kubelet.config import Config, Image, Service

    port = free_port()
    (directory / "pods").mkdir(mode=0o700)
    psql = write_psql(directory / "bin" / "psql")
    # What the image brings; all that a repair is about comes from the Deployment.
    image = Image(
        argv=backend.argv(backend.node_binary()),
        env={
            MARK: str(directory),
            "AMAZON_LWA_URL": amazon["lwa_url"],
            "AMAZON_CA_FILE": amazon["ca_file"],
            "PSQL": str(psql),
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(database.ca_file),
            "HOME": str(directory),
        },
    )
    config = directory / "secrets" / "kubelet.json"
    Config(
        kubeconfig=cluster.kubeconfigs["kubelet"],
        folder=directory / "pods",
        logs=directory / "logs" / "pods",
        images={objects.IMAGE: image},
        services=[Service(port=port, namespace=objects.BACKEND_NAMESPACE, selector=dict(objects.LABELS))],
    ).write(config)
    # A real cluster has a scheduler and nodes of its own, which must not take these pods.
    only = ["--only-scheduler", objects.SCHEDULER] if cluster.kind == "external" else []
    processes.spawn("kubelet", [sys.executable, "-m", "lab.kubelet", "--config", str(config), *only])
    return {
        "url": f"http://127.0.0.1:{port}",
        "namespace": objects.BACKEND_NAMESPACE,
        "deployment": objects.DEPLOYMENT,
    }


def write_psql(program: Path) -> Path:
    """The psql of the backend's image, as a program of that path."""
    program.parent.mkdir()
    # Not as the first line's interpreter: its path may hold a space, or be longer than the kernel reads.
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I {shlex.quote(str(_PSQL))} "$@"\n')
    program.chmod(0o755)
    return program


def _install(
    cluster: Cluster, vault: openbao.Vault, backend_token: str, database: postgres.Postgres, drawn: seed.Seed
) -> None:
    from lab import cluster as kubernetes

    kubernetes.install(
        cluster,
        {
            "vault_addr": vault.addr,
            "vault_ca_pem": vault.ca_file.read_text(),
            "vault_token": backend_token,
            "root_token": vault.token_files["root"].read_text(),
            "spapi": drawn.app_document(),
            "database": {
                "host": database.host,
                "port": database.port,
                "dbname": database.dbname,
                "user": database.users["backend"],
                "password": drawn.database_passwords["backend"],
                "ca_pem": database.ca_file.read_text(),
            },
        },
    )


def _secrets(drawn: seed.Seed, vault: openbao.Vault, backend_token: str, cluster: Cluster) -> dict[str, str]:
    from lab.cluster import kubeconfig

    bearers = {name: kubeconfig.read(file).token for name, file in cluster.kubeconfigs.items()}
    return {
        **drawn.canaries(),
        **{f"vault-{name}": file.read_text() for name, file in vault.token_files.items()},
        "vault-backend": backend_token,
        "vault-unseal-key": vault.unseal_key_file.read_text(),
        **{f"kubernetes-{name}": token for name, token in bearers.items() if token},
    }
