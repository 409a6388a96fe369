# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Items of a backend that logs in itself: the auth method, its role, the service account. Pure: asks nobody."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_class import classify
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_setup import (
    CHECK,
    arguments,
    set_up,
    unreadable,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    Login,
    Observed,
    ObservedLogin,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kubernetes_auth
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.policy import role_differences

AUTH, LOGIN_ROLE, ACCOUNT = (f"{CHECK}/{part}" for part in ("kubernetes_auth", "kubernetes_role", "service_account"))
NO_AUDIENCE = (
    "The role names no audience: a token that the service account got for any other service logs in here too, and "
    "Vault demands an audience from 1.21 on."
)
_DOWN = "so the backend cannot log in"


def login_items(observed: Observed, desired: Desired) -> tuple[Item, ...]:
    """Auth method, role and service account, in the order in which they are needed."""
    login, found = desired.login, observed.login
    if login is None or found is None:
        return ()
    return (_mount(found, login, desired), _role(found, login, desired), _account(found, login, desired))


def _mount(found: ObservedLogin, login: Login, desired: Desired) -> Item:
    address = f"{desired.vault_addr}/v1/{kubernetes_auth.config_address(login.mount)}"
    if isinstance(found.mount, KeybuzzError):
        return unreadable(AUTH, address, found.mount)
    item = Item(
        id=AUTH,
        address=address,
        check=CHECK,
        severity="info",
        status="in_sync",
        before=found.mount,
        after="configured",
        reason="The Kubernetes auth method is enabled and was told of a cluster; of which one is not compared.",
    )
    configure = f"vault write auth/{login.mount}/config kubernetes_host=https://<API server>:6443"
    if found.mount == "missing":
        reason = f"No auth method is enabled at {login.mount}/, {_DOWN}."
        hint = f"As an administrator: vault auth enable -path={login.mount} kubernetes, then {configure}"
        return replace(item, severity="critical", status="missing", reason=reason, hint=hint)
    if found.mount == "empty":
        reason = f"The auth method at {login.mount}/ was never told of a cluster, {_DOWN}."
        return replace(
            item, severity="critical", status="empty", reason=reason, hint=f"As an administrator: {configure}"
        )
    if found.mount == "foreign":
        reason = f"The auth method at {login.mount}/ is not that of Kubernetes, {_DOWN}."
        hint = "Set kubernetes_auth_mount to the right one: vault auth list shows them."
        return replace(item, severity="critical", status="drifted", reason=reason, hint=hint)
    return item


def _role(found: ObservedLogin, login: Login, desired: Desired) -> Item:
    path = kubernetes_auth.role_address(login.mount, login.role_name)
    address = f"{desired.vault_addr}/v1/{path}"
    if isinstance(found.role, KeybuzzError):
        return unreadable(LOGIN_ROLE, address, found.role)
    present = found.role is not None
    different = role_differences(found.role or {}, login.role)
    same = present and not different
    who = f"{desired.place.namespace}/{login.service_account}"
    item = Item(
        id=LOGIN_ROLE,
        address=address,
        check=CHECK,
        severity="info" if same else "high" if present else "critical",
        status="in_sync" if same else "drifted" if present else "missing",
        action="none" if same else "update" if present else "create",
        before=(different or None) if present else None,
        after={name: login.role[name] for name in different} or None if present else dict(login.role),
        reason=f"Only service account {who} can log in with it, for the backend's policy alone."
        if same
        else f"The role lets others log in than it should, or gives other tokens: {', '.join(different)}."
        if present
        else f"There is no such role, {_DOWN}.",
    )
    if same and login.audience is None and not (found.role or {}).get("audience"):
        return replace(
            item,
            severity="medium",
            status="insecure",
            reason=NO_AUDIENCE,
            hint="Give kubernetes_audience: the audience that the pod's token is projected with.",
        )
    if item.action != "none" and found.mount in {"missing", "foreign"}:
        return replace(
            item,
            status="blocked",
            action="none",
            after=item.before,
            reason=f"{item.reason} It cannot be written before {AUTH} is in place.",
            hint="Enable the auth method first.",
            depends_on=(AUTH,),
        )
    return set_up(item, desired, f"vault write {path} {arguments(login.role)}")


def _account(found: ObservedLogin, login: Login, desired: Desired) -> Item:
    name = f"{desired.place.namespace}/{login.service_account}"
    address = f"ServiceAccount {name}"
    if isinstance(found.account_exists, KeybuzzError):
        return unreadable(ACCOUNT, address, found.account_exists)
    item = Item(id=ACCOUNT, address=address, check=CHECK, severity="info", status="in_sync", before="present")
    item = replace(item, after="present", reason="The service account that the role is bound to exists.")
    if found.account_exists:
        return _fit(item, found, login)
    return replace(
        item,
        severity="critical",
        status="missing",
        before="missing",
        reason=f"There is no such service account, {_DOWN}.",
        hint=f"kubectl -n {desired.place.namespace} create serviceaccount {login.service_account}, and set it as "
        "serviceAccountName of the Deployment.",
    )


def _fit(item: Item, found: ObservedLogin, login: Login) -> Item:
    """Whether the Deployments that were named can log in as the account."""
    if isinstance(found.unfit, KeybuzzError):
        return unreadable(ACCOUNT, item.address, found.unfit)
    if not found.unfit:
        return item
    volume = f", and project a token with audience {login.audience} into a volume" if login.audience else ""
    return replace(
        item,
        severity="high",
        status="drifted",
        reason=f"The service account exists, but {'; '.join(found.unfit)}.",
        hint=f"In the pod template set serviceAccountName: {login.service_account}{volume}.",
    )


def leftover_item(observed: Observed, desired: Desired, fingerprints: Fingerprints, item_id: str) -> Item:
    """A token that is still in the Secret although the backend logs in itself. Reported, never touched."""
    shown = fingerprints.of(observed.value)
    item = Item(
        id=item_id,
        address=str(desired.place),
        check=CHECK,
        severity="info",
        status="in_sync",
        sensitive=True,
        before=shown,
        after=shown,
        reason="The backend logs in itself, and no token that Vault accepts is kept for it.",
        owner=observed.owner,
    )
    remove = (
        f"When no pod reads it any more, remove the key {desired.place.key} from Secret "
        f"{desired.place.namespace}/{desired.place.secret} and revoke the token. It is not touched here."
    )
    kind = classify(observed, desired)
    if kind == "unknown":
        return replace(item, severity="low", status="unknown", reason=f"{observed.doubt}.", hint=remove)
    if observed.token is None:
        return item
    if kind == "root":
        reason = "A root token is left in it: whoever reads this Secret owns all of Vault."
        return replace(item, severity="critical", status="insecure", reason=reason, hint=remove)
    reason = "A token is left in it that the backend, which logs in itself, does not need."
    return replace(item, status="insecure", reason=reason, hint=remove)
