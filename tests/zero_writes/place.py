# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of a call need to know of the lab, and with whose credentials it is made."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab import seed
from lab.world import World
from tests.chaos.permission import audit_credentials


@dataclass(frozen=True)
class Place:
    """Addresses and files of a lab for one holder of credentials.

    :param code: an authorization code of the seller nobody has connected yet, and ``state`` beside it.
    :param folder: where a call may write its own files.
    :param drift: items of a look at the lab as it is.
    """

    vault_addr: str
    vault_ca: str
    authority_pin: str
    leaf_pin: str
    vault_token: str
    bootstrap_token: str
    bootstrap_value: str = field(repr=False)
    kubeconfig: str
    pg_host: str
    pg_port: str
    pg_dbname: str
    pg_user: str
    pg_passfile: str
    pg_ca: str
    amazon: str
    amazon_lwa: str
    amazon_ca: str
    seller_central: str
    refresh_token: str
    other_refresh_token: str
    refresh_value: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    folder: str
    code: str = field(default="a-code", repr=False)
    state: str = field(default="a-state", repr=False)
    drift: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @classmethod
    def nowhere(cls) -> Place:
        """Without a lab, for what the options are called."""
        names: dict[str, Any] = {one.name: one.name for one in fields(cls) if one.name != "drift"}
        return cls(**names)

    @property
    def vault(self) -> dict[str, str]:
        return {"vault_addr": self.vault_addr, "vault_ca_cert": self.vault_ca, "vault_token_file": self.vault_token}

    @property
    def kubernetes(self) -> dict[str, str]:
        return {"kubeconfig": self.kubeconfig}

    @property
    def postgresql(self) -> dict[str, str]:
        return {
            "pg_host": self.pg_host,
            "pg_port": self.pg_port,
            "pg_dbname": self.pg_dbname,
            "pg_user": self.pg_user,
            "pg_passfile": self.pg_passfile,
            "pg_sslrootcert": self.pg_ca,
        }

    @property
    def login_with_amazon(self) -> dict[str, str]:
        return {"amazon_lwa_url": self.amazon_lwa, "amazon_ca_cert": self.amazon_ca}

    @property
    def selling_partner(self) -> dict[str, str]:
        return {"amazon_endpoint": self.amazon, **self.login_with_amazon}


def place_of(world: World, holder: str, folder: Path) -> Place:
    """The lab's place for ``repair`` or ``audit``. :param folder: private, and kept as long as the place is used."""
    state, drawn = world.state, world.canaries()
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "progress").touch()
    vault, postgres, amazon = state["vault"], state["postgres"], state["amazon"]
    mine = {
        "kubeconfig": state["kubernetes"]["kubeconfigs"][holder],
        "vault_token_file": vault["token_files"][holder],
        "pg_user": postgres["users"][holder],
        "pg_passfile": postgres["passfile"],
    }
    if holder == "audit":
        mine |= audit_credentials(world, folder)
    app = world.vault.client().secrets.kv.v2.read_secret_version(
        seed.APP_PATH, mount_point=seed.MOUNT, raise_on_deleted_version=True
    )["data"]["data"]
    return Place(
        vault_addr=vault["addr"],
        vault_ca=vault["ca_file"],
        authority_pin=_fingerprint(Path(vault["ca_file"]).read_text()),
        leaf_pin=_fingerprint(_presented(vault["addr"])),
        vault_token=mine["vault_token_file"],
        bootstrap_token=vault["token_files"]["bootstrap"],
        bootstrap_value=Path(vault["token_files"]["bootstrap"]).read_text(),
        kubeconfig=mine["kubeconfig"],
        pg_host=postgres["host"],
        pg_port=str(postgres["port"]),
        pg_dbname=postgres["dbname"],
        pg_user=mine["pg_user"],
        pg_passfile=mine["pg_passfile"],
        pg_ca=postgres["ca_file"],
        amazon=amazon["endpoint"],
        amazon_lwa=amazon["lwa_url"],
        amazon_ca=amazon["ca_file"],
        seller_central=amazon["seller_central"],
        refresh_token=f"{amazon['refresh_token_dir']}/{seed.TENANT}.token",
        other_refresh_token=f"{amazon['refresh_token_dir']}/{seed.OTHER_TENANT}.token",
        refresh_value=drawn[f"refresh-token-{seed.TENANT}"],
        client_id=app["client_id"],
        client_secret=app["client_secret"],
        folder=str(folder),
    )


def _presented(address: str) -> str:
    place = urlsplit(address)
    return ssl.get_server_certificate((place.hostname or "", place.port or 443))


def _fingerprint(pem: str) -> str:
    """SHA-256 of a certificate, as openssl prints it but for the colons."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
