# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether the caller may carry the plan out. Asked of both servers before anything is written, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_intent import INTENT_ITEM
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_login import LOGIN_ROLE
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_look import Servers
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_plan import SECRET
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_setup import POLICY, ROLE
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import Desired, Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_superseded import SUPERSEDED
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import capabilities, kubernetes_auth, policy
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import TokenRefusedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token import lookup, lookup_self

REVOKE, RENEW_SELF, RENEW = (f"auth/token/{what}" for what in ("revoke-accessor", "renew-self", "renew-accessor"))


@dataclass(frozen=True)
class Permission:
    """Whether the repair would be allowed; ``allowed`` is ``None`` when nothing is pending or nobody could ask.

    :param missing: ``update auth/token/create/keybuzz-backend-dev``, ``patch secrets keybuzz-backend-dev/vault-token``.
    """

    allowed: bool | None = None
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, object]:
        return {"repair_allowed": self.allowed, "missing_permissions": list(self.missing)}

    def noted(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items, with a word at those that a repair would write."""
        if not self.missing:
            return items
        word = f"The repair would be denied: {', '.join(self.missing)}."
        return tuple(
            replace(item, hint=f"{item.hint} {word}".strip()) if item.action != "none" else item for item in items
        )


def ask(servers: Servers, desired: Desired, observed: Observed, actions: Mapping[str, str]) -> Permission:
    """Ask for everything that the pending items need.

    :param actions: of the pending items, by their ids.
    """
    if not actions:
        return Permission()
    missing: list[str] = []
    unasked = False
    for client, needed, suffix in (
        (servers.bootstrap, _of_bootstrap(desired, actions), " (with the bootstrap token)"),
        (servers.vault, _of_vault(desired, observed, actions), ""),
    ):
        if client is None or not needed:
            continue
        try:
            held = capabilities.held(client, (path for _right, path in needed))
        except TokenRefusedError:
            if client is servers.vault:
                raise
            if not _is_dead(servers.vault, client):
                unasked = True
                continue
            held = {path: frozenset() for _right, path in needed}
            suffix = " (Vault does not accept the bootstrap token)"  # noqa: PLW2901
        if held is None:
            unasked = True
            continue
        missing += [f"{verb} {path}{suffix}" for verb, path in needed if not capabilities.allows(held[path], (verb,))]
    missing += _of_a_renewal(servers, observed, actions)
    missing += _of_kubernetes(servers, desired, observed, actions)
    warnings = [f"The repair would be denied: {permission}." for permission in missing]
    if unasked:
        warnings.append(
            f"Whether the repair would be allowed at Vault is not known: the token may not ask ({capabilities.PATH})."
        )
    allowed = False if missing else None if unasked else True
    return Permission(allowed, tuple(missing), tuple(warnings))


def _is_dead(asker: VaultClient, holder: VaultClient) -> bool:
    """Whether Vault says that a token is none. One that may ask nothing about itself looks just like it."""
    try:
        return lookup(asker, holder.bearer()) is None
    except ForbiddenError:
        return lookup_self(holder)[1]


def unread(servers: Servers, desired: Desired, observed: Observed, actions: Mapping[str, str]) -> tuple[str, ...]:
    """What the caller may not read. The plan goes without it, and says that it could not be checked.

    A token that is yet to be made will be compared with those of other places, so these are asked about ahead.
    """
    missing = [
        f"read {refusal.address.partition('/v1/')[2] or refusal.address}"
        for refusal in (observed.policy, observed.role)
        if isinstance(refusal, ForbiddenError)
    ]
    missing += [f"get {refusal.address}" for _what, refusal in observed.unread if isinstance(refusal, ForbiddenError)]
    if desired.strategy == "scoped" and actions.get(SECRET) in {"create", "update"}:
        missing += [
            f"get Secret {place.namespace}/{place.secret}"
            for place in desired.compare_with
            if not servers.kube.may("get", "", "secrets", place.namespace, place.secret)
        ]
    return tuple(dict.fromkeys(missing))


def _of_bootstrap(desired: Desired, actions: Mapping[str, str]) -> list[tuple[str, str]]:
    needed = []
    if POLICY in actions:
        needed.append(("update", policy.policy_address(desired.policy_name)))  # writing a policy is always an update
    if ROLE in actions:
        needed.append((actions[ROLE], policy.role_address(desired.role_name)))
    if LOGIN_ROLE in actions and desired.login:
        path = kubernetes_auth.role_address(desired.login.mount, desired.login.role_name)
        needed.append((actions[LOGIN_ROLE], path))
    return needed


def _of_vault(desired: Desired, observed: Observed, actions: Mapping[str, str]) -> list[tuple[str, str]]:
    needed = []
    replaces = desired.strategy == "scoped" and actions.get(SECRET) in {"create", "update"}
    if replaces:
        # Not also revoking: only a token that cannot be stored takes it, and that ends by itself as well.
        needed.append(("update", f"auth/token/create/{policy.quoted(desired.role_name)}"))
    # The token that is replaced now is one to revoke when the pods have the new one.
    if SUPERSEDED in actions or (replaces and desired.revoke_superseded and observed.recorded):
        needed.append(("update", REVOKE))
    return needed


def _of_a_renewal(servers: Servers, observed: Observed, actions: Mapping[str, str]) -> Iterable[str]:
    """By its accessor, or by the token itself: one of them is enough."""
    if actions.get(SECRET) != "renew" or observed.value is None:
        return []
    for client, path in ((servers.vault, RENEW), (servers.vault.acting_as(observed.value), RENEW_SELF)):
        held = _held(client, path)
        if held is None or capabilities.allows(held, ("update",)):
            return []  # may, or cannot be asked: the backend's own policy has no word on capabilities
    return [f"update {RENEW}"]


def _held(client: VaultClient, path: str) -> frozenset[str] | None:
    try:
        held = capabilities.held(client, (path,))
    except TokenRefusedError:  # it is bound to other addresses, and cannot be used from here at all
        return frozenset()
    return None if held is None else held[path]


def _of_kubernetes(servers: Servers, desired: Desired, observed: Observed, actions: Mapping[str, str]) -> Iterable[str]:
    place = desired.place
    writes = actions.get(SECRET) in {"create", "update"} or SUPERSEDED in actions or INTENT_ITEM in actions
    if not writes:
        return []
    # A missing Secret is marked first, where that is allowed; creating it is enough.
    verb = "patch" if observed.secret_exists else "create"
    if servers.kube.may(verb, "", "secrets", place.namespace, place.secret):
        return []
    return [f"{verb} secrets {place.namespace}/{place.secret}"]
