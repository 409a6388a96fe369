# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a tenant's connection should be and what is missing of it: pure, over what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, Status
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_documents import (
    APP_ITEM,
    TENANT_KEYS,
    Content,
)

CHECK = "amazon_tenant"

GrantKind = Literal[
    "kept", "new", "exchange", "unproven", "deleted", "app_missing", "app_refused", "consent", "unknown"
]
"""
kept        the stored refresh token works
new         another token was given or exchanged, and works
exchange    an authorization code was given and is exchanged outside check mode
unproven    there is a token, but no application document to prove it with
deleted     the document that may hold a token is deleted: it is brought back and tried outside check mode
app_missing there is neither
app_refused Amazon does not accept the application's credentials
consent     there is no token that works: only the seller can give one
unknown     Amazon did not answer, or the given token cannot be read
"""
USABLE: frozenset[GrantKind] = frozenset({"kept", "new", "exchange", "unproven"})


@dataclass(frozen=True)
class Grant:
    """What is known of the seller's authorization.

    :param token: the refresh token to store; the stored one when it is kept.
    :param why: one sentence.
    :param exchanged: the token comes from a code, which has no second use: what is not stored now is lost.
    """

    kind: GrantKind
    why: str
    token: str | None = field(default=None, repr=False)
    exchanged: bool = False


@dataclass(frozen=True)
class Observed:
    """What was read.

    :param row: the tenant's row by logical column names, ``None`` when there is none.
    :param consent_url: where the seller agrees, when that is what is missing and the address can be made.
    """

    tenant: str
    document: Content
    row: Mapping[str, Any] | None
    grant: Grant
    app_address: str
    consent_url: str | None = None


@dataclass(frozen=True)
class Desired:
    """What the connection should be, without its token.

    :param document: logical key to value; no ``refresh_token`` and no ``created_at``.
    :param row: logical column to value, of columns the table has.
    :param now: ISO 8601 in UTC, the time of a new token.
    """

    document: Mapping[str, str]
    row: Mapping[str, Any]
    now: str


def document_changes(observed: Observed, desired: Desired) -> dict[str, str]:
    """The keys of the tenant's document that have to be written, with their values."""
    values = observed.document.values
    wanted = dict(desired.document)
    token = observed.grant.token
    if token and values.get("refresh_token") != token:
        wanted |= {"refresh_token": token, "created_at": desired.now}
    elif "created_at" not in values:
        wanted["created_at"] = desired.now
    return {key: value for key, value in wanted.items() if values.get(key) != value}


def row_changes(observed: Observed, desired: Desired) -> dict[str, Any]:
    """The columns of the tenant's row that have to be written, with their values."""
    row = observed.row or {}
    return {name: value for name, value in desired.row.items() if row.get(name) != value}


def plan(observed: Observed, desired: Desired, row_address: str, fingerprints: Fingerprints) -> tuple[Item, ...]:
    """Grant, document and row, in the order in which they depend on each other."""
    return (
        _grant_item(observed),
        _document_item(observed, desired, fingerprints),
        row_item(observed, desired, row_address),
    )


def grant_id(tenant: str) -> str:
    """Id of the item that says whether the seller's authorization works."""
    return f"{CHECK}/{tenant}/grant"


def document_id(tenant: str) -> str:
    """Id of the item of the tenant's document."""
    return f"{CHECK}/{tenant}/document"


def _grant_item(observed: Observed) -> Item:
    grant, stored = observed.grant, bool(observed.document.values.get("refresh_token"))
    item_id, address = grant_id(observed.tenant), f"authorization of tenant {observed.tenant} at Login with Amazon"
    if grant.kind in {"kept", "new"}:
        return Item(item_id, address, CHECK, "info", "in_sync", reason=grant.why)
    if grant.kind == "exchange":
        return Item(
            item_id,
            address,
            CHECK,
            "critical",
            "drifted" if stored else "missing",
            "create",
            sensitive=True,
            before="present" if stored else "missing",
            after="present",
            reason=grant.why,
            hint="A run outside check mode exchanges the code; it lives five minutes.",
        )
    if grant.kind == "consent":
        return Item(
            item_id,
            address,
            CHECK,
            "critical",
            "drifted" if stored else "missing",
            "reauthorize",
            sensitive=True,
            before="present" if stored else "missing",
            after="present",
            reason=f"{grant.why} Without it no order of this seller can be read.",
            hint=_consent_hint(observed),
        )
    if grant.kind == "unknown":
        hint = "Run again when Amazon answers, on a host that can read the token's file if one is given."
        return Item(item_id, address, CHECK, "high", "unknown", reason=grant.why, hint=hint)
    if grant.kind == "deleted":
        return Item(
            item_id,
            address,
            CHECK,
            "high",
            "blocked",
            reason=grant.why,
            hint="A repair brings the document back and tries the token in it.",
            depends_on=(document_id(observed.tenant),),
        )
    return Item(
        item_id,
        address,
        CHECK,
        "high",
        "blocked",
        reason=grant.why,
        hint=f"Repair {observed.app_address} first, with keybuzz.amazon.vault_amazon_app_creds.",
        depends_on=(APP_ITEM,),
    )


def _consent_hint(observed: Observed) -> str:
    if not observed.consent_url:
        return (
            f"There is no address to agree at: complete {observed.app_address} first, with "
            "keybuzz.amazon.vault_amazon_app_creds."
        )
    return (
        f"The seller opens {observed.consent_url} and agrees. Amazon leads back to an address with the parameters "
        "spapi_oauth_code and state: within five minutes run keybuzz.amazon.connect_tenant with the first as the "
        "environment variable AMAZON_AUTHORIZATION_CODE and the second as amazon_tenant_oauth_state."
    )


def _document_item(observed: Observed, desired: Desired, fingerprints: Fingerprints) -> Item:
    document = observed.document.document
    item_id = document_id(observed.tenant)
    changes = document_changes(observed, desired)
    status = _document_status(observed, changes)
    token = observed.grant.token or observed.document.values.get("refresh_token")
    if status == "in_sync":
        return Item(item_id, document.address, CHECK, "info", "in_sync", sensitive=True)
    possible = bool(token) or observed.grant.kind == "exchange" or status == "soft_deleted"
    names = [key for key in TENANT_KEYS if key in changes]
    return Item(
        item_id,
        document.address,
        CHECK,
        "critical" if "refresh_token" in changes or not token else "medium",
        status,
        document_action(status) if possible else "none",
        sensitive=True,
        before=_shown(observed.document.values, names, fingerprints) if status == "drifted" else status,
        after=_shown({**observed.document.values, **changes}, names, fingerprints) if possible else None,
        reason=document_reason(status, names),
        hint="A repair writes these keys and keeps all others."
        if possible
        else "There is no token to store yet: the seller has to agree first.",
        precondition={"version": document.version},
        depends_on=_depends(observed),
    )


def _document_status(observed: Observed, changes: Mapping[str, str]) -> Status:
    state = observed.document.document.state
    if state in {"absent", "destroyed"}:
        return "missing"
    if state == "soft_deleted":
        return "soft_deleted"
    if state == "empty":
        return "empty"
    return "drifted" if changes or not observed.document.values.get("refresh_token") else "in_sync"


def document_action(status: Status) -> Literal["create", "undelete", "update"]:
    """What a repair does to a document in this state."""
    if status == "soft_deleted":
        return "undelete"
    return "create" if status == "missing" else "update"


def document_reason(status: Status, names: list[str]) -> str:
    """Why the document's state matters. ``names``: the keys that are not as they should be."""
    if status == "soft_deleted":
        return "The tenant's document is deleted: the backend cannot get the seller's token."
    if status in {"missing", "empty"}:
        return f"The tenant's document is {status}: the backend has no token of this seller."
    return f"The tenant's document differs in {', '.join(names) or 'refresh_token'}."


def row_item(observed: Observed, desired: Desired, address: str) -> Item:
    """The tenant's row; it follows the document."""
    item_id = f"{CHECK}/{observed.tenant}/row"
    usable = observed.grant.kind in USABLE
    changes = row_changes(observed, desired)
    status_only_if_usable = {} if usable else {"status": desired.row["status"]}
    if not changes and usable:
        return Item(item_id, address, CHECK, "info", "in_sync")
    if not changes:
        dead = observed.grant.kind == "consent"
        return Item(
            item_id,
            address,
            CHECK,
            "medium" if dead else "info",
            "drifted" if dead else "in_sync",
            before=dict(status_only_if_usable),
            reason="The row says that the tenant is connected, but Amazon does not accept its authorization."
            if dead
            else "",
            hint=(
                "Have the seller agree again, or disconnect the tenant (amazon_tenant_connect with state: absent)."
                if dead
                else ""
            ),
            depends_on=(grant_id(observed.tenant),) if dead else (),
        )
    missing = observed.row is None
    return Item(
        item_id,
        address,
        CHECK,
        "high",
        "missing" if missing else "drifted",
        ("create" if missing else "update") if usable else "none",
        before={name: (observed.row or {}).get(name) for name in changes},
        after=changes if usable else None,
        reason=("The tenant has no row" if missing else f"The tenant's row differs in {', '.join(changes)}")
        + ": the product does not show it as connected.",
        hint="A repair writes the row after the document."
        if usable
        else "The row follows when the authorization works.",
        depends_on=() if observed.grant.kind in {"kept", "new"} else (grant_id(observed.tenant),),
    )


def _depends(observed: Observed) -> tuple[str, ...]:
    if observed.grant.kind in {"unproven", "app_missing", "app_refused"}:
        return (APP_ITEM,)
    return () if observed.grant.kind in {"kept", "new", "deleted"} else (grant_id(observed.tenant),)


def _shown(values: Mapping[str, str], names: list[str], fingerprints: Fingerprints) -> dict[str, object]:
    """Values as they may be shown: the token as a keyed fingerprint, the rest as it is."""
    return {
        name: fingerprints.of(values.get(name)) if name == "refresh_token" else values.get(name, "missing")
        for name in names
    }
