# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acting as somebody else: the headers ``Impersonate-User`` and ``Impersonate-Group``, and who may send them."""

from __future__ import annotations

from collections.abc import Sequence

from lab.emulator.authentication import User
from lab.emulator.authorization import Attributes, allowed, denial
from lab.emulator.errors import StatusError
from lab.emulator.resources import Resource
from lab.emulator.storage import Storage

# Not served: they exist for RBAC alone.
USERS = Resource("", "v1", "users", "User", namespaced=False)
GROUPS = Resource("", "v1", "groups", "Group", namespaced=False)
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
ACCOUNT = "system:serviceaccount:"


def impersonated(storage: Storage, user: User, name: str | None, groups: Sequence[str]) -> User | None:
    """Whom the request is made as; None without such headers. Raises 403 where that is not allowed."""
    if not name:
        if groups:
            raise StatusError(
                500, "InternalError", f"Internal error occurred: requested {list(groups)} without impersonating a user"
            )
        return None
    namespace, _, account = name.removeprefix(ACCOUNT).partition(":") if name.startswith(ACCOUNT) else ("", "", "")
    if account:
        _permit(storage, user, ACCOUNTS, account, namespace)
    else:
        _permit(storage, user, USERS, name)
    for group in groups:
        _permit(storage, user, GROUPS, group)
    if account and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(name, "", tuple(dict.fromkeys((*groups, "system:authenticated"))))


def _permit(storage: Storage, user: User, resource: Resource, name: str, namespace: str = "") -> None:
    wanted = Attributes("impersonate", "", resource.plural, namespace, name)
    if not allowed(storage, user, wanted):
        raise denial(resource, user, wanted)
