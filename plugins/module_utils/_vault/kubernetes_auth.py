# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The login of pods by their service account: the auth method's mount and the role that the backend logs in with."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import WrongMountError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.policy import having

MountState = Literal["missing", "foreign", "empty", "configured"]
"""``foreign``: another auth method is mounted there. ``empty``: enabled and never told of a cluster."""


def config_address(mount: str) -> str:
    return f"auth/{_quoted(mount)}/config"


def role_address(mount: str, role: str) -> str:
    return f"auth/{_quoted(mount)}/role/{urllib.parse.quote(role, safe='')}"


def default_role(
    policy_name: str, period_seconds: int, *, service_account: str, namespace: str, audience: str | None
) -> dict[str, object]:
    """A role that one service account of one namespace can log in with, for a periodic token with this one policy.

    :param audience: that the service account's token has to be made for. ``None`` leaves the role's own alone.
    """
    fields: dict[str, object] = {
        "bound_service_account_names": [service_account],
        "bound_service_account_namespaces": [namespace],
        # Adds namespaces by their labels: whoever may label a namespace could log in.
        "bound_service_account_namespace_selector": "",
        "token_policies": [policy_name],
        "token_no_default_policy": True,
        "token_period": period_seconds,
        "token_explicit_max_ttl": 0,
        "token_num_uses": 0,
    }
    return fields if audience is None else {**fields, "audience": audience}


def read_mount(client: VaultClient, mount: str) -> MountState:
    """What is at the mount, told by its configuration. Takes ``read`` on it alone, not on the list of mounts."""
    target = config_address(mount)
    try:
        answer = client.request("GET", target, doing="reading the auth method's configuration", accept=(200, 404))
    except WrongMountError:
        return "missing"
    if answer.status == 200:
        # Another method may have a configuration too; only this one's names a cluster.
        return "configured" if answer.data.get("kubernetes_host") else "foreign"
    return "foreign" if any("unsupported path" in error for error in answer.errors) else "empty"


def read_role(client: VaultClient, mount: str, role: str) -> Mapping[str, object] | None:
    """The role's fields; ``None`` if there is no such role, or no such mount."""
    try:
        answer = client.request("GET", role_address(mount, role), doing="reading the login role", accept=(200, 404))
    except WrongMountError:
        return None
    if answer.status == 404:
        return None
    return having(answer, "bound_service_account_names", client.url(role_address(mount, role)))


def write_role(client: VaultClient, mount: str, role: str, fields: Mapping[str, object]) -> None:
    client.request("POST", role_address(mount, role), doing="writing the login role", body=fields)


def _quoted(mount: str) -> str:
    return urllib.parse.quote(mount.strip("/"), safe="/")
