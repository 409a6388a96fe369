# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab as its commands and tests see it: where everything is, and a client for each part.

``state.json`` says where everything is. It holds no secret, only the paths of the files that do.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lab import seed
from lab.errors import LabError
from lab.openbao import Vault
from lab.postgres import Postgres
from lab.processes import PROJECT, Processes, accepts

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from lab.amazon.control import Control
    from lab.cluster import Api, Cluster

FORMAT = 1


@dataclass(frozen=True)
class Part:
    """One part of the lab as ``status`` shows it."""

    name: str
    process: str | None  # its name in processes.json; None for what runs elsewhere
    address: str


@dataclass(frozen=True)
class World:
    """A complete lab. ``state`` is the content of its state.json, with absolute paths."""

    directory: Path
    state: dict[str, Any]

    @classmethod
    def load(cls, directory: Path | None = None) -> World:
        """The lab of that folder. Raises LabError where none is complete, with what to type."""
        place = directory_of(directory)
        try:
            state = json.loads((place / "state.json").read_text())
        except FileNotFoundError:
            raise LabError(f"there is no lab in {place}: start one with python -m lab up") from None
        except ValueError:
            state = {}
        if state.get("format") != FORMAT:
            raise LabError(f"{place}/state.json is not of this version: start anew with python -m lab up")
        return cls(place, state)

    @classmethod
    def up(cls, directory: Path | None = None, say: Callable[[str], None] = print) -> World:
        """The lab of that folder, started if it is not up. Raises PartFailed naming the part and its log."""
        from lab import startup

        return startup.up(directory_of(directory), say)

    def down(self, say: Callable[[str], None] = print) -> None:
        """Ends every process of this lab and removes every file of it."""
        from lab import startup

        startup.down(self.directory, say)

    @cached_property
    def processes(self) -> Processes:
        return Processes(self.directory)

    @cached_property
    def vault(self) -> Vault:
        """Its ``client("root" | "bootstrap" | "repair" | "audit")`` is an hvac client."""
        part = self.state["vault"]
        return Vault(
            addr=part["addr"],
            ca_file=Path(part["ca_file"]),
            token_files={name: Path(file) for name, file in part["token_files"].items()},
            unseal_key_file=Path(part["unseal_key_file"]),
            audit_log=Path(part["audit_log"]),
        )

    @cached_property
    def postgres(self) -> Postgres:
        part = self.state["postgres"]
        return Postgres(
            port=part["port"],
            ca_file=Path(part["ca_file"]),
            passfile=Path(part["passfile"]),
            log=Path(part["log"]),
            users=part["users"],
        )

    @cached_property
    def cluster(self) -> Cluster:
        from lab.cluster import Cluster

        part = self.state["kubernetes"]
        return Cluster(
            kind=part["kind"],
            why=part["why"],
            server=part["server"],
            ca_file=Path(part["ca_file"]),
            kubeconfigs={name: Path(file) for name, file in part["kubeconfigs"].items()},
            audit_log=Path(part["audit_log"]) if part["audit_log"] else None,
        )

    @cached_property
    def amazon(self) -> Control:
        """The simulator's admin side: faults, clock, request log."""
        from lab.amazon.control import Control

        return Control(self.state["amazon"]["admin_url"])

    def database(self, role: str = "admin") -> Connection:
        """A new psycopg2 connection as admin, backend, repair or audit. The caller closes it."""
        return self.postgres.connect(role)

    def kubernetes(self, user: str = "admin") -> Api:
        """The lab's own Kubernetes client as admin, repair or audit."""
        from lab.cluster import client

        return client(self.cluster, user)

    def backend(self, path: str = "/healthz") -> tuple[int, Any]:
        """What the backend answers there: (status, decoded body); (0, reason) when nobody answers."""
        address = urlsplit(self.state["backend"]["url"])
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content.decode(errors="replace")

    def backend_says(self) -> str:
        """The backend's state in a few words, with the fault it names."""
        code, answer = self.backend()
        if code == 200:
            return "is healthy"
        fault = answer.get("fault") or answer.get("error") if isinstance(answer, dict) else answer
        return f"is down: {fault or f'HTTP {code}'}"

    def canaries(self) -> dict[str, str]:
        """Every secret of this lab by name."""
        found: dict[str, str] = json.loads((self.directory / "secrets" / "canaries.json").read_text())
        return found

    def parts(self) -> list[Part]:
        state = self.state
        kubernetes = state["kubernetes"]
        return [
            Part("Vault (OpenBao)", "openbao", state["vault"]["addr"]),
            Part("PostgreSQL", "postgres", self.postgres.address),
            Part(
                f"Kubernetes ({kubernetes['kind']})",
                None if kubernetes["kind"] == "external" else "kubernetes",
                kubernetes["server"],
            ),
            Part("Amazon (simulator)", "amazon", state["amazon"]["endpoint"]),
            Part("nodes (kubelet)", "kubelet", state["backend"]["url"]),
        ]

    def dead_parts(self) -> list[str]:
        """The parts whose process is gone or whose port is closed; empty for a lab that is up."""
        return [part.name for part in self.parts() if not self.running(part)]

    def running(self, part: Part) -> bool:
        if part.process is not None and not self.processes.alive(part.process):
            return False
        address = urlsplit(part.address)
        return address.port is None or accepts(address.port, address.hostname or "")

    def vault_is_sealed(self) -> bool:
        """Asked without hvac, whose import alone takes longer than a second ``up`` should."""
        address = urlsplit(self.state["vault"]["addr"])
        trust = ssl.create_default_context(cafile=self.state["vault"]["ca_file"])
        connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=5, context=trust)
        try:
            connection.request("GET", "/v1/sys/seal-status")
            return bool(json.loads(connection.getresponse().read())["sealed"])
        finally:
            connection.close()

    def environment(self, who: str = "repair") -> dict[str, str]:
        """What a shell exports to reach the lab as repair or audit: addresses and paths, no secret."""
        vault, postgres, amazon = self.state["vault"], self.state["postgres"], self.state["amazon"]
        kubeconfig = self.state["kubernetes"]["kubeconfigs"][who]
        return {
            "LAB_DIR": str(self.directory),
            "VAULT_ADDR": vault["addr"],
            "VAULT_CACERT": vault["ca_file"],
            "VAULT_TOKEN_FILE": vault["token_files"][who],
            "VAULT_BOOTSTRAP_TOKEN_FILE": vault["token_files"]["bootstrap"],
            "KUBECONFIG": kubeconfig,
            "K8S_AUTH_KUBECONFIG": kubeconfig,
            "PGHOST": postgres["host"],
            "PGPORT": str(postgres["port"]),
            "PGDATABASE": postgres["dbname"],
            "PGUSER": postgres["users"][who],
            "PGPASSFILE": postgres["passfile"],
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": postgres["ca_file"],
            "AMAZON_ENDPOINT": amazon["endpoint"],
            "AMAZON_LWA_URL": amazon["lwa_url"],
            "AMAZON_CACERT": amazon["ca_file"],
        }


def directory_of(given: Path | None = None) -> Path:
    """The lab's folder: the given one, else LAB_DIR, else ``.lab`` in the project."""
    named = given or Path(os.environ.get("LAB_DIR") or PROJECT / ".lab")
    return named.expanduser().resolve()


def state_of(
    directory: Path,
    *,
    vault: Vault,
    postgres: Postgres,
    cluster: Cluster,
    amazon: dict[str, str],
    backend: dict[str, str],
) -> dict[str, Any]:
    """The content of state.json for parts that have just been started; every path is text."""
    state: dict[str, Any] = {
        "format": FORMAT,
        "directory": directory,
        "project": PROJECT,
        "vault": {**vars(vault), "mount": seed.MOUNT},
        "postgres": dict(vars(postgres)),
        "kubernetes": {
            "kind": cluster.kind,
            "why": cluster.why,
            "server": cluster.server,
            "ca_file": cluster.ca_file,
            "kubeconfigs": cluster.kubeconfigs,
            "audit_log": cluster.audit_log,
        },
        "amazon": amazon,
        "backend": backend,
        "tenant": seed.TENANT,
        "until": seed.UNTIL,
        "logs": f"{directory}/logs/",
    }
    as_text: dict[str, Any] = json.loads(json.dumps(state, default=str))
    return as_text


def save(world: World) -> None:
    """Writes state.json: from now on the lab is complete."""
    fresh = world.directory / "state.new"
    fresh.write_text(json.dumps(world.state, indent=1) + "\n")
    fresh.chmod(0o644)
    fresh.replace(world.directory / "state.json")
