# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whom to trust: the authorities that may sign the server's certificate, from a file, a folder or a value."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

REMEDY = "Give a PEM file with the certificate of the authority that signed the server's certificate."
BEGIN = b"-----BEGIN CERTIFICATE-----"


def context(ca_cert: str | None = None, ca_pem: str | None = None) -> ssl.SSLContext:
    """What the connection is verified with. It trusts nobody else: not the system's authorities beside given ones.

    Verifies as curl does: any certificate that is given may be the anchor, a self-signed server's own too. From
    Python 3.13 urllib3's own context demands extensions that many private authorities' certificates lack.

    :param ca_cert: PEM file or folder of PEM files.
    :param ca_pem: certificates in PEM; wins over ``ca_cert``.
    :raises BadInputError: what is given holds no certificate; nothing was sent.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if ca_pem:
        _trust_text(made, ca_pem, "vault_ca_pem", "its value")
    elif not ca_cert:
        _trust_system(made)
    elif Path(ca_cert).is_dir():
        _trust_folder(made, Path(ca_cert))
    else:
        _trust_file(made, ca_cert)
    return made


def transport(trusted: ssl.SSLContext) -> Any:
    """An adapter of requests that verifies with this context alone.

    requests would add certifi's authorities, or those of REQUESTS_CA_BUNDLE, to what is given, and hands a folder to
    OpenSSL, which reads only files that c_rehash has named.
    """
    import requests.adapters

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, ssl_context=trusted, **kwargs)

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            return super().proxy_manager_for(*args, ssl_context=trusted, **kwargs)

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None

        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            host, tls = super().build_connection_pool_key_attributes(request, True, cert)
            return host, {name: value for name, value in tls.items() if name not in {"ca_certs", "ca_cert_dir"}}

    return Adapter()


def _trust_system(made: ssl.SSLContext) -> None:
    system = ssl.get_default_verify_paths()
    if system.cafile or system.capath:
        made.load_verify_locations(cafile=system.cafile, capath=system.capath)
        return
    import certifi

    made.load_verify_locations(cafile=certifi.where())


def _trust_file(made: ssl.SSLContext, path: str) -> None:
    try:
        made.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise _unusable("vault_ca_cert", path, "it holds no PEM certificate") from None
    except OSError as error:
        raise _unusable("vault_ca_cert", path, error.strerror or type(error).__name__) from None


def _trust_text(made: ssl.SSLContext, text: str, option: str, shown: str) -> None:
    # The certificates alone: what stands between them is often a name with accents, which ssl does not take.
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----[\s\x21-\x7e]+?-----END CERTIFICATE-----", text)
    try:
        made.load_verify_locations(cadata="\n".join(blocks))
    except (ssl.SSLError, ValueError):
        raise _unusable(option, shown, "it holds no PEM certificate") from None


def _trust_folder(made: ssl.SSLContext, folder: Path) -> None:
    """Each file of the folder that holds a certificate, whatever its name: OpenSSL wants names made by c_rehash."""
    found = 0
    try:
        for path in sorted(entry for entry in folder.iterdir() if entry.is_file()):
            content = path.read_bytes()
            if BEGIN not in content:
                continue
            _trust_text(made, content.decode("utf-8", "replace"), "vault_ca_cert", str(path))
            found += 1
    except OSError as error:
        raise _unusable(
            "vault_ca_cert", error.filename or str(folder), error.strerror or type(error).__name__
        ) from None
    if not found:
        raise _unusable("vault_ca_cert", str(folder), "no file in this folder holds a PEM certificate")


def _unusable(option: str, shown: str, problem: str) -> BadInputError:
    return BadInputError(f"reading option {option}:", shown, problem, REMEDY)
