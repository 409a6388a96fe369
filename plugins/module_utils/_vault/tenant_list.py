# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The tenants that have something below their path, by one LIST. No document is read."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    UnexpectedAnswerError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import engine
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import target

PLACE = "{tenant}"
DOING = "listing the tenants at"


@dataclass(frozen=True)
class Branch:
    """Where the path of a tenant's document branches.

    :param above: what all tenants share, ``keybuzz/tenants``; may be empty.
    :param before: what stands before the tenant in its own segment; likewise ``after``.
    :param is_folder: there is more of the path below the tenant.
    """

    above: str
    before: str
    after: str
    is_folder: bool

    def tenant(self, key: str) -> str | None:
        """The tenant that a key of the list stands for, ``None`` if it is something else."""
        if key.endswith("/") != self.is_folder:
            return None
        name = key.removesuffix("/")
        if not (name.startswith(self.before) and name.endswith(self.after)):
            return None
        return name[len(self.before) : len(name) - len(self.after)] or None


def branch(tenant_path: str) -> Branch:
    """Take the path of a tenant's document apart. :raises BadInputError: no tenant can be found in it."""
    segments = [segment for segment in tenant_path.split("/") if segment]
    holding = [at for at, segment in enumerate(segments) if PLACE in segment]
    if not holding or segments[holding[0]].count(PLACE) != 1:
        raise BadInputError(
            "reading option",
            "tenant_path",
            f"{tenant_path!r} does not say where the tenant stands",
            f"Write {PLACE} where the path has the tenant, once in its segment: keybuzz/tenants/{PLACE}/amazon_spapi.",
        )
    at = holding[0]
    before, _place, after = segments[at].partition(PLACE)
    return Branch("/".join(segments[:at]), before, after, is_folder=at + 1 < len(segments))


def names(client: VaultClient, mount: str, tenant_path: str) -> tuple[str, ...]:
    """The tenants, sorted. One request; one more the first time, if there is nothing or the engine is of version 1.

    :raises ForbiddenError: the token may not list.
    """
    found = branch(tenant_path)
    if engine.expected(client, mount) == 1:
        keys = _keys(client, mount, "", found.above)
    else:
        address = client.url(_place(mount, "metadata", found.above))
        try:
            keys = _keys(client, mount, "metadata", found.above)
        except ForbiddenError:
            # A policy for version 1 knows nothing below metadata/.
            if engine.confirmed(client, mount) or engine.ask(client, mount, address) != 1:
                raise
            keys = None
        if keys is None and engine.ask(client, mount, address) == 1:
            keys = _keys(client, mount, "", found.above)
    return tuple(sorted({name for key in keys or () if (name := found.tenant(key))}))


def _keys(client: VaultClient, mount: str, kind: str, above: str) -> list[str] | None:
    """The keys right below a path, ``None`` if there is nothing."""
    place = _place(mount, kind, above)
    answer = client.request("LIST", place, doing=DOING, accept=(200, 404))
    if answer.status == 404:
        return None
    keys = answer.data.get("keys")
    if not isinstance(keys, list):
        raise UnexpectedAnswerError(
            DOING,
            client.url(place),
            "the answer is no list of keys",
            f"Check vault_mount ({mount}), and that nothing between here and the server rewrites its answers.",
        )
    return [str(key) for key in keys]


def _place(mount: str, kind: str, above: str) -> str:
    """With the slash that a policy for LIST has at its end."""
    return target(mount, kind, above) + "/"
