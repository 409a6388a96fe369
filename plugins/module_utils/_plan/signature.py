# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""An operator's signature under a plan: Ed25519 (RFC 8032), by the library that ansible-core itself needs."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

ALGORITHM = "ed25519"
MAKE_ONE = "Make one: openssl genpkey -algorithm ed25519 -out plan.key; openssl pkey -in plan.key -pubout -out plan.pub"


def sign(text: bytes, key_file: str) -> dict[str, str]:
    """The signature of ``text``.

    :param key_file: private key without a passphrase, PKCS #8 PEM or OpenSSH's format.
    :raises BadInputError: the file holds no such key.
    """
    key = _private(key_file)
    return {
        "algorithm": ALGORITHM,
        "key_id": key_id(key.public_key()),
        "value": base64.b64encode(key.sign(text)).decode(),
    }


def verify(text: bytes, signature: Mapping[str, Any], key_file: str, plan: str) -> None:
    """Accept a signature of ``text`` by the owner of this key.

    :param key_file: public key, PEM or one line of OpenSSH.
    :raises BadInputError: another key has signed, the text was changed, or the file holds no such key.
    """
    from cryptography.exceptions import InvalidSignature

    key = _public(key_file)
    try:
        value = base64.b64decode(str(signature.get("value")), validate=True)
        if signature.get("algorithm") != ALGORITHM:
            raise InvalidSignature
        key.verify(value, text)
    except (InvalidSignature, binascii.Error):
        signed_by = str(signature.get("key_id"))
        why = (
            "it was changed after it was signed" if signed_by == key_id(key) else f"key {signed_by[:60]} has signed it"
        )
        raise BadInputError(
            "verifying the signature of",
            plan,
            f"it is not one of {key_file} ({key_id(key)}): {why}. Nothing was applied",
            "Apply the plan that was reviewed, with the public key of who signed it.",
        ) from None


def key_id(key: Any) -> str:
    """A short name of a public key: SHA-256 of its 32 bytes, as OpenSSH writes such hashes."""
    digest = hashlib.sha256(key.public_bytes_raw()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _private(path: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = _read(path, "plan_signing_key")
    load = serialization.load_ssh_private_key if b"OPENSSH" in text else serialization.load_pem_private_key
    try:
        key = load(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "plan_signing_key", f"it cannot be read as one ({type(error).__name__})") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "plan_signing_key", f"it is one of another kind ({type(key).__name__})")
    return key


def _public(path: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text = _read(path, "plan_public_key")
    load = serialization.load_ssh_public_key if text.startswith(b"ssh-") else serialization.load_pem_public_key
    try:
        key = load(text)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "plan_public_key", f"it cannot be read as one ({type(error).__name__})") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "plan_public_key", f"it is one of another kind ({type(key).__name__})")
    return key


def _read(path: str, option: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _no_key(path, option, error.strerror or type(error).__name__) from None


def _no_key(path: str, option: str, why: str) -> BadInputError:
    return BadInputError(
        "reading the key of option",
        f"{option}: {path}",
        f"an Ed25519 key without a passphrase is wanted, and {why}",
        MAKE_ONE,
    )
