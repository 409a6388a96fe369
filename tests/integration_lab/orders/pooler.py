# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pooler does to a session as seen from outside: the number of the server's process is not the real one."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

ANOTHER = 424242
"""The process number that clients are told."""


@contextlib.contextmanager
def pooler(server: Path) -> Iterator[int]:
    """Listens on a port of the loopback address, without TLS, before the server's own socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, server), daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def _accept(listener: socket.socket, server: Path) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _address = listener.accept()
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(str(server))
            threading.Thread(target=_relay, args=(client, upstream), daemon=True).start()
            threading.Thread(target=_relay_with_another_number, args=(upstream, client), daemon=True).start()


def _relay(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError), source, target:
        while data := source.recv(65536):
            target.sendall(data)


def _relay_with_another_number(source: socket.socket, target: socket.socket) -> None:
    """Messages one by one up to BackendKeyData (K), whose first field is the process; the rest as it comes."""
    with contextlib.suppress(OSError), source.makefile("rb") as messages:
        while head := messages.read(5):
            (length,) = struct.unpack("!i", head[1:])
            body = messages.read(length - 4)
            if head[:1] == b"K":
                target.sendall(head + struct.pack("!i", ANOTHER) + body[4:])
                break
            target.sendall(head + body)
        while data := messages.read1():
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.close()
