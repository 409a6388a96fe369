# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the simulator of Amazon as a process of its own for one test, or for a file of tests."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from lab.amazon.control import Control
from lab.errors import LabError
from lab.processes import free_port

PROJECT = Path(__file__).resolve().parents[2]
FRANCE = "A13V1IB3VIYZZH"


def default_sellers() -> list[dict[str, Any]]:
    """Two tenants; python-amazon-sp-api caches by refresh token, so every simulator has its own."""
    mark = secrets.token_hex(4)
    return [
        {
            "tenant": "ecomlg-001",
            "seller_id": "A12BCIS2R7HD4D",
            "marketplace_ids": [FRANCE, "APJ6JRA9NG5V4"],
            "refresh_token": f'Atzr|CANARY-{mark}-ecomlg+/="\\x',
            "fixture": "ecomlg-001",
        },
        {
            "tenant": "switaa-002",
            "seller_id": "A2SWITAA00002X",
            "marketplace_ids": [FRANCE],
            "refresh_token": f'Atzr|CANARY-{mark}-switaa+/="\\x',
        },
    ]


@dataclass(frozen=True)
class Simulator:
    """Addresses, credentials and the admin client of a running simulator."""

    endpoint: str
    ca_file: Path
    admin_url: str
    admin: Control
    log: Path
    client_id: str
    client_secret: str = field(repr=False)
    application_id: str
    redirect_uri: str
    refresh_tokens: dict[str, str] = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def lwa_url(self) -> str:
        """LWA's token endpoint."""
        return f"{self.endpoint}/auth/o2/token"

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``."""
        return self.endpoint.removeprefix("https://")


def _certificates(directory: Path) -> tuple[Path, Path, Path]:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    ca_file, certfile, keyfile = (directory / name for name in ("amazon-ca.pem", "amazon.pem", "amazon.key"))
    authority.cert_pem.write_to_path(str(ca_file))
    for at, blob in enumerate(leaf.cert_chain_pems):
        blob.write_to_path(str(certfile), append=at > 0)
    leaf.private_key_pem.write_to_path(str(keyfile))
    keyfile.chmod(0o600)
    return ca_file, certfile, keyfile


def configuration(
    directory: Path, sellers: Sequence[dict[str, Any]] | None = None, **settings: Any
) -> tuple[dict[str, Any], Path]:
    """A complete configuration with new certificates and free ports, and the CA file."""
    ca_file, certfile, keyfile = _certificates(directory)
    config = {
        "port": free_port(),
        "admin_port": free_port(),
        "certfile": str(certfile),
        "keyfile": str(keyfile),
        "client_id": "amzn1.application-oa2-client.lab",
        "client_secret": 'amzn1.oa2-cs.v1.CANARY+/="\\secret',
        "application_id": "amzn1.sellerapps.app.lab",
        "redirect_uri": "https://backend.keybuzz.example/amazon/callback",
        "sellers": list(default_sellers() if sellers is None else sellers),
        "log": str(directory / "amazon-requests.jsonl"),
        **settings,
    }
    return config, ca_file


@contextlib.contextmanager
def running_simulator(
    directory: Path, sellers: Sequence[dict[str, Any]] | None = None, *, patience: float = 30.0, **settings: Any
) -> Iterator[Simulator]:
    """A simulator in ``directory``, ended with the block. ``settings`` go into its configuration file.

    :param patience: seconds that an answer of the admin port may take.
    """
    config, ca_file = configuration(directory, sellers, **settings)
    config_file = directory / "amazon.json"
    config_file.touch(0o600)
    config_file.write_text(json.dumps(config), encoding="utf-8")
    output = directory / "amazon.log"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.amazon", "--config", str(config_file)],
            cwd=PROJECT,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(PROJECT)},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    admin_url = f"http://127.0.0.1:{config['admin_port']}"
    admin = Control(admin_url, timeout=patience)
    tokens = {one["tenant"]: one["refresh_token"] for one in config["sellers"] if one.get("refresh_token")}
    try:
        _await(process, admin, output)
        yield Simulator(
            endpoint=f"https://127.0.0.1:{config['port']}",
            ca_file=ca_file,
            admin_url=admin_url,
            admin=admin,
            log=Path(config["log"]),
            client_id=config["client_id"],
            client_secret=config["client_secret"],
            application_id=config["application_id"],
            redirect_uri=config["redirect_uri"],
            refresh_tokens=tokens,
            process=process,
        )
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], admin: Control, output: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            admin.state()
        except LabError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the simulator did not start: {output.read_text()}") from None
            time.sleep(0.05)
        else:
            return
