# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""PEM files as Node.js reads them, and when one serves as NODE_EXTRA_CA_CERTS."""

from __future__ import annotations

import base64
import re
import ssl
from typing import Literal

PemFault = Literal["pem_missing", "pem_empty", "pem_der", "pem_garbage", "pem_private_key"]

BEGIN = re.compile(r"^.*-----BEGIN ", re.MULTILINE)
LABEL = re.compile(r"^-----BEGIN (X509 )?CERTIFICATE-----", re.MULTILINE)
"""What Node.js tries to read; it passes over any other block."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def examine_pem(content: str | bytes | None) -> PemFault | None:
    """Whether a CA file serves as NODE_EXTRA_CA_CERTS: None if so, else which fault it has.

    Stricter than Node.js where Node.js is silent: a garbage, empty or DER file is ignored without a warning, and so is
    everything from the first broken block on [measured on Node 20 and 24]. Good is only what is read to the end.

    :param content: None for a file that is not there.
    """
    if content is None:
        return "pem_missing"
    raw = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    if not raw.strip():
        return "pem_empty"
    if raw[:1] == b"\x30" and b"-----BEGIN" not in raw:
        return "pem_der"
    if b"PRIVATE KEY-----" in raw:
        return "pem_private_key"
    pieces = blocks(raw)
    return None if pieces and all(_is_certificate(piece) for piece in pieces) else "pem_garbage"


def blocks(content: str | bytes) -> list[str]:
    """The text from each line with a BEGIN to the next such line."""
    text = _ascii(content)
    starts = [found.start() for found in BEGIN.finditer(text)]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=False)]


def load_as_node(context: ssl.SSLContext, content: str | bytes | None) -> None:
    """Trust what Node.js would take from a file with this content: all before the first block that is broken.

    Python reads text with the same function of OpenSSL (PEM_read_bio_X509) as Node.js, and what was read before an
    error stays.
    """
    if content is None:
        return
    try:
        context.load_verify_locations(cadata=_ascii(content))
    except (ssl.SSLError, ValueError):
        return


def ders(content: str | bytes | None) -> list[bytes]:
    """The certificates that Node.js takes from a file with this content, in DER form."""
    found = []
    for piece in blocks(content or ""):
        if _is_certificate(piece):
            body = piece[piece.index("-----BEGIN ") : piece.index("-----END ")].split("-----", 2)[2]
            der = base64.b64decode("".join(body.split()))
            found += [der] if _is_certificate(der) else []
        elif LABEL.search(piece):
            break
    return found


def _is_certificate(piece: str | bytes) -> bool:
    """Whether OpenSSL reads it, as PEM text or DER bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=piece)
    except (ssl.SSLError, ValueError):
        return False
    return bool(context.cert_store_stats()["x509"])


def _ascii(content: str | bytes) -> str:
    """Python takes ASCII only. What is not ASCII belongs to no certificate, so that any other letter does as well."""
    raw = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    return raw.removeprefix(BYTE_ORDER_MARK).decode("ascii", errors="replace").replace("\ufffd", "?")
