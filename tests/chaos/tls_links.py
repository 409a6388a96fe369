# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own clients on each of its five links, each carrying a credential that nobody else has."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import connect as connect_kubernetes
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import source_search
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import Credentials, SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import AccessToken, LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sellers import participations
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import connect as connect_postgres
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

from tests.chaos.tls_peer import PASSWORD_PLEASE, Prologue, postgres, straight

CANARY = f"CANARY{secrets.token_hex(12)}"
"""The credential on every link; drawn for each run of the tests."""


def nothing(_values: object) -> None:
    """Nothing is masked: what is printed is looked at as it is."""


@dataclass(frozen=True)
class Link:
    """One way out of the collection.

    :param use: talks to (host, port) as the collection does, trusting the CA file (None: what the machine trusts); the
        folder is for files of its own.
    :param answer: what a peer says inside TLS to get to the credential.
    """

    name: str
    use: Callable[[str, int, Path | None, Path], object]
    prologue: Prologue = straight
    answer: bytes = b""

    def error(self, host: str, port: int, ca: Path | None, folder: Path) -> KeybuzzError:
        """The failure, which has to be one that the collection foresees."""
        try:
            self.use(host, port, ca, folder)
        except KeybuzzError as error:
            return error
        raise AssertionError(f"{self.name}: no failure at all")


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def _vault(host: str, port: int, ca: Path | None, _folder: Path) -> object:
    client = VaultClient(f"https://{host}:{port}", CANARY, ca_cert=_text(ca), timeout=5)
    return client.request("GET", "secret/data/keybuzz/amazon_spapi/app", doing="reading")


def _vault_write(host: str, port: int, ca: Path | None, _folder: Path) -> object:
    client = VaultClient(f"https://{host}:{port}", "hvs.token", ca_cert=_text(ca), timeout=5)
    body = {"data": {"client_secret": CANARY}, "options": {"cas": 0}}
    return client.request("POST", "secret/data/keybuzz/amazon_spapi/app", doing="writing", body=body)


def _kubernetes(params: Mapping[str, Any]) -> object:
    return connect_kubernetes({"kubernetes_timeout": 5, **params}, nothing).get("/api/v1/namespaces/a/secrets/b")


def _api_key(host: str, port: int, ca: Path | None, _folder: Path) -> object:
    return _kubernetes({"host": f"https://{host}:{port}", "api_key": CANARY, "ca_cert": _text(ca)})


def _kubeconfig(user: Mapping[str, Any]) -> Callable[[str, int, Path | None, Path], object]:
    def use(host: str, port: int, ca: Path | None, folder: Path) -> object:
        authority = {"certificate-authority": str(ca)} if ca else {}
        document = {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": f"https://{host}:{port}", **authority}}],
            "users": [{"name": "it", "user": user}],
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(document))
        return _kubernetes({"kubeconfig": str(file)})

    return use


def _program() -> dict[str, Any]:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": CANARY},
    }
    api = str(credential["apiVersion"])
    return {
        "exec": {"apiVersion": api, "command": "echo", "args": [json.dumps(credential)], "interactiveMode": "Never"}
    }


def _lwa(host: str, port: int, ca: Path | None, _folder: Path) -> object:
    client = LwaClient(f"https://{host}:{port}/auth/o2/token", ca_cert=_text(ca), timeout=5, sleep=nothing)
    return client.refresh(f"id-{CANARY}", CANARY, f"Atzr|{CANARY}")


class Granted:
    """Stands for Login with Amazon, which is another link."""

    def refresh(self, *_credentials: str) -> AccessToken:
        return AccessToken(f"Atza|{CANARY}", 3600)


def _partner(host: str, port: int, ca: Path | None) -> SellingPartner:
    credentials = Credentials("id", CANARY, f"Atzr|{CANARY}")
    lwa: Any = Granted()
    return SellingPartner(f"https://{host}:{port}", credentials, lwa, protect=nothing, ca_cert=_text(ca), timeout=5)


def _participations(host: str, port: int, ca: Path | None, _folder: Path) -> object:
    return participations(_partner(host, port, ca))


def _search(host: str, port: int, ca: Path | None, _folder: Path) -> object:
    query = {"marketplaceIds": "A13V1IB3VIYZZH"}
    return _partner(host, port, ca).get(source_search.PATH, query, payload_key="orders")


def _postgres(host: str, port: int, ca: Path | None, _folder: Path) -> object:
    params = {
        "pg_host": host,
        "pg_port": port,
        "pg_dbname": "keybuzz",
        "pg_user": "import",
        "pg_password": CANARY,
        "pg_sslmode": "verify-full",
        "pg_sslrootcert": _text(ca),
        "pg_connect_timeout": 5,
    }
    return connect_postgres(params, nothing, "keybuzz.amazon")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


REFUSED = http("403 Forbidden", b"{}")
LINKS = {
    link.name: link
    for link in (
        Link("vault", _vault, answer=REFUSED),
        Link("vault, a secret written", _vault_write, answer=REFUSED),
        Link("kubernetes, host and api_key", _api_key, answer=REFUSED),
        Link("kubernetes, kubeconfig with a token", _kubeconfig({"token": CANARY}), answer=REFUSED),
        Link(
            "kubernetes, kubeconfig with a password", _kubeconfig({"username": "u", "password": CANARY}), answer=REFUSED
        ),
        Link("kubernetes, kubeconfig with a program", _kubeconfig(_program()), answer=REFUSED),
        Link("lwa", _lwa, answer=http("400 Bad Request", b'{"error": "invalid_grant"}')),
        Link("sp-api, getMarketplaceParticipations", _participations, answer=REFUSED),
        Link("sp-api, searchOrders", _search, answer=REFUSED),
        Link("postgresql", _postgres, postgres, PASSWORD_PLEASE),
    )
}
KINDS = ("vault", "kubernetes", "lwa", "sp-api", "postgresql")
"""The five links; the rest are ways to use one of them."""
