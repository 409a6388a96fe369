# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab.amazon --config FILE``: serves until it is told to end (TERM or INT)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from lab.amazon.admin import admin
from lab.amazon.app import public
from lab.amazon.config import Config, load
from lab.amazon.connections import Cuttable, close_all
from lab.amazon.world import build
from lab.errors import LabError


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: two of them share one process and end together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leaves the signals to :func:`serve`."""
        yield


def _server(app: Starlette, config: Config, port: int, *, tls: bool) -> Server:
    return Server(
        uvicorn.Config(
            app,
            host=config.host if tls else "127.0.0.1",
            port=port,
            http=Cuttable,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            ssl_certfile=config.certfile if tls else None,
            ssl_keyfile=config.keyfile if tls else None,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=256)
    except OSError as error:
        raise LabError(f"cannot listen on {host}:{port}: {error.strerror}") from None


async def serve(config: Config) -> None:
    """Runs both ports; the admin port answers last: what it says means that all is up."""
    world = build(config)
    doors = [_listen(config.host, config.port), _listen("127.0.0.1", config.admin_port)]
    outside = _server(public(world), config, config.port, tls=True)
    inside = _server(admin(world), config, config.admin_port, tls=False)

    def end() -> None:
        outside.should_exit = inside.should_exit = True
        close_all()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    first = asyncio.create_task(outside.serve(doors[:1]))
    while not outside.started and not first.done():
        await asyncio.sleep(0.01)
    await asyncio.gather(first, inside.serve(doors[1:]))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.amazon", description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="JSON file, mode 0600")
    arguments = parser.parse_args()
    try:
        config = load(arguments.config)
        asyncio.run(serve(config))
    except (LabError, OSError) as error:
        print(f"lab.amazon: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
