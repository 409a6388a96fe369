# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab.emulator``: takes the same arguments as the real API server of lab/kube."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sys
from pathlib import Path

import uvicorn

from lab.emulator.audit import AuditLog
from lab.emulator.authentication import Authentication
from lab.emulator.controllers import Controllers
from lab.emulator.http import Server
from lab.emulator.registry import Registry, Writer
from lab.emulator.resources import BY_NAME
from lab.emulator.storage import Storage

FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.emulator", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="taken, but nothing is kept on disk")
    for name in ("cert-file", "key-file", "token-file", "audit-log"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    return asyncio.run(_serve(parser.parse_args()))


async def _serve(given: argparse.Namespace) -> int:
    try:
        door = socket.create_server(("127.0.0.1", given.port), backlog=256)
    except OSError as error:
        print(f"lab.emulator: cannot listen on 127.0.0.1:{given.port}: {error.strerror}", file=sys.stderr)
        return 1
    storage = Storage()
    registry = Registry(storage)
    for name in FIRST_NAMESPACES:
        registry.create(BY_NAME["namespaces"], "", {"metadata": {"name": name}}, Writer("kube-apiserver"))
    server = Server(registry, Authentication(given.token_file, storage), AuditLog(given.audit_log))
    uvicorn_server = uvicorn.Server(
        uvicorn.Config(
            server.application,
            ssl_certfile=str(given.cert_file),
            ssl_keyfile=str(given.key_file),
            log_level="warning",
            lifespan="off",
            server_header=False,
            # A watch lasts as long as its client likes: it is cut, not waited for.
            timeout_graceful_shutdown=1,
        )
    )
    controllers = asyncio.create_task(Controllers(registry).run())
    serving = asyncio.create_task(uvicorn_server.serve([door]))
    while not uvicorn_server.started and not serving.done():
        await asyncio.sleep(0.01)
    if uvicorn_server.started:
        print(f"ready https://127.0.0.1:{given.port} emulator", flush=True)
    done, _ = await asyncio.wait({serving, controllers}, return_when=asyncio.FIRST_COMPLETED)
    controllers.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await controllers
    return 0 if serving in done and uvicorn_server.started else 1


if __name__ == "__main__":
    sys.exit(main())
