# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The two documents in Vault that a tenant's connection rests on: the application's and the tenant's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

APP_KEYS = ("client_id", "client_secret", "application_id", "redirect_uri", "region")
TENANT_KEYS = ("refresh_token", "seller_id", "marketplace_id", "region", "created_at")
APP_SECRETS = ("client_secret",)
TENANT_SECRETS = ("refresh_token",)
APP_ITEM = "amazon_app/document"


@dataclass(frozen=True)
class Place:
    """Where the documents are and what their keys are called.

    :param app_keys: logical name to own name; likewise ``tenant_keys``.
    """

    mount: str
    app_path: str
    tenant_path: str
    app_keys: Mapping[str, str]
    tenant_keys: Mapping[str, str]


@dataclass(frozen=True)
class Content:
    """One document under logical names; only keys that hold text which is not blank."""

    document: kv.Document
    values: Mapping[str, str] = field(repr=False, default_factory=dict)

    def lacks(self, *names: str) -> tuple[str, ...]:
        """Those of these keys that are not there."""
        return tuple(name for name in names if name not in self.values)


def place(params: Mapping[str, Any]) -> Place:
    """The documents' place from a module's options. :raises BadInputError: for keys that cannot be."""
    tenant = str(params["tenant"])
    if not tenant.strip() or "/" in tenant or tenant in {".", ".."}:
        raise BadInputError(
            "reading option",
            "tenant",
            f"{tenant!r} cannot be a tenant's id",
            "Give it as the product has it: ecomlg-001.",
        )
    return Place(
        mount=params["vault_mount"],
        app_path=params["app_path"],
        tenant_path=params["tenant_path"].replace("{tenant}", tenant),
        app_keys=_keys("app_document_keys", APP_KEYS, params.get("app_document_keys")),
        tenant_keys=_keys("tenant_document_keys", TENANT_KEYS, params.get("tenant_document_keys")),
    )


def read_app(client: VaultClient, where: Place, protect: Callable[[Iterable[str | None]], None]) -> Content:
    """The application's document."""
    return _content(kv.read(client, where.mount, where.app_path), where.app_keys, APP_SECRETS, protect)


def read_tenant(client: VaultClient, where: Place, protect: Callable[[Iterable[str | None]], None]) -> Content:
    """The tenant's document."""
    return _content(kv.read(client, where.mount, where.tenant_path), where.tenant_keys, TENANT_SECRETS, protect)


def read_tenant_keys(client: VaultClient, where: Place) -> Content:
    """The tenant's document without its values: all of its keys are in ``document.names``."""
    return Content(kv.read(client, where.mount, where.tenant_path, "keys"))


def require_app(app: Content, *names: str) -> None:
    """Accept an application document that has these keys. :raises BlockedError: naming what is missing."""
    lacking = app.lacks(*names)
    if lacking:
        raise BlockedError(
            "reading",
            app.document.address,
            f"the application's document is {_state(app, lacking)}",
            "Write it first with keybuzz.amazon.vault_amazon_app_creds.",
        )


def require_tenant(tenant: Content, name: str, *names: str) -> None:
    """Accept a tenant document that has these keys. :raises BlockedError: naming what is missing."""
    lacking = tenant.lacks(*names)
    if lacking:
        raise BlockedError(
            "reading",
            tenant.document.address,
            f"the document of tenant {name!r} is {_state(tenant, lacking)}",
            "Connect the tenant first with keybuzz.amazon.amazon_tenant_connect.",
        )


def _state(content: Content, lacking: tuple[str, ...]) -> str:
    if content.document.state == "present":
        return f"without {', '.join(lacking)}"
    return content.document.state.replace("_", "-")


def _content(
    document: kv.Document,
    keys: Mapping[str, str],
    secret: tuple[str, ...],
    protect: Callable[[Iterable[str | None]], None],
) -> Content:
    protect([document.data.get(keys[name]) for name in secret])
    found = {logical: document.data.get(own, "") for logical, own in keys.items()}
    return Content(document, {logical: value.strip() for logical, value in found.items() if value.strip()})


def _keys(option: str, known: tuple[str, ...], given: Mapping[str, Any] | None) -> dict[str, str]:
    given = given or {}
    unknown = sorted(set(given) - set(known))
    keys = {logical: str(given.get(logical) or logical) for logical in known}
    if unknown or len(set(keys.values())) < len(keys):
        raise BadInputError(
            "reading option",
            option,
            f"{', '.join(unknown)} is not known" if unknown else "one key is named twice",
            f"It maps any of {', '.join(known)} to the names your documents use.",
        )
    return keys
