# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Why PostgreSQL's certificate was not accepted: libpq says only that it was not."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""Documentation of PostgreSQL, "Message Formats", SSLRequest."""
PATIENCE = 5.0


def why_not_trusted(given: Mapping[str, Any]) -> str | None:
    """OpenSSL's words for it, from a handshake of our own that sends nothing else; None if it cannot be told.

    :param given: libpq's ``host``, ``port`` and ``sslrootcert``.
    """
    host, root = str(given["host"]), given.get("sslrootcert")
    if not root or not Path(root).is_file():
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=root)
        with socket.create_connection((host, int(given["port"])), timeout=PATIENCE) as plain:
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) == b"S":
                context.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError):
        return None
    return None
