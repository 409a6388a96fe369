# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a token must be allowed to do to write a document, asked before the first write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import capabilities
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import Document, target


@dataclass(frozen=True)
class Right:
    """One capability on one path, as policies name them."""

    capability: str
    path: str

    def __str__(self) -> str:
        return f"{self.capability} {self.path}"


def to_write(document: Document, mount: str, path: str, *, without: Iterable[str] = ()) -> tuple[Right, ...]:
    """What a repair of this document needs, on its engine and in its state.

    :param without: keys that are taken out. Version 1 takes no empty document: it is deleted.

    A deleted version that is brought back may turn out to be another than the wanted one: writing is needed as well,
    or the repair would stop half-way. Origin and age are noted where that is allowed; it is no need.
    """
    if document.engine == 1:
        emptied = bool(document.names) and set(document.names or ()) <= set(without)
        verb = "create" if document.state == "absent" else "delete" if emptied else "update"
        return (Right(verb, target(mount, "", path)),)
    data = target(mount, "data", path)
    if document.state == "soft_deleted":
        return (Right("update", target(mount, "undelete", path)), Right("update", data))
    return (Right("create" if document.state == "absent" else "update", data),)


def missing(client: VaultClient, rights: Iterable[Right]) -> tuple[str, ...] | None:
    """Those that the token has not, by one request; ``None`` if it may not ask."""
    wanted = tuple(dict.fromkeys(rights))
    if not wanted:
        return ()
    try:
        held = capabilities.held(client, [right.path for right in wanted])
    except ForbiddenError:  # It has read the document, so it is a token; it may look at nothing of its own.
        return None
    if held is None:
        return None
    return tuple(str(right) for right in wanted if not capabilities.allows(held[right.path], {right.capability}))


def require(client: VaultClient, rights: Iterable[Right], address: str) -> None:
    """Go on only with all of them: a repair of several writes is done as a whole or not begun.

    :raises ForbiddenError: naming those that are missing.
    """
    lacking = missing(client, rights)
    if lacking:
        raise ForbiddenError(
            "preparing to write",
            address,
            f"the token has not: {', '.join(lacking)}; nothing was written",
            "Add them to one of its policies.",
        )


def facts(lacking: tuple[str, ...] | None, *, is_pending: bool) -> dict[str, object]:
    """The results ``repair_allowed`` and ``missing_permissions``; the first is ``None`` if nobody wants or may know."""
    known = is_pending and lacking is not None
    return {"repair_allowed": not lacking if known else None, "missing_permissions": list(lacking or ())}


def warnings(lacking: tuple[str, ...] | None) -> tuple[str, ...]:
    if lacking is None:
        return ("Whether the token may write could not be asked: it has no update on sys/capabilities-self.",)
    return tuple(f"The repair would be denied: {right}." for right in lacking)
