# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the client's own token may do on some paths: one request for all of them, which writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import TokenRefusedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

PATH = "sys/capabilities-self"


def held(client: VaultClient, paths: Iterable[str]) -> Mapping[str, frozenset[str]] | None:
    """The capabilities on each path (``read``, ``sudo``, …); ``None`` if the token may not ask.

    :param paths: below ``/v1/``, as policies name them.
    :raises TokenRefusedError: the server does not take the client's token at all.
    """
    asked = list(dict.fromkeys(paths))
    try:
        answer = client.request("POST", PATH, doing="asking for the capabilities at", body={"paths": asked})
    except TokenRefusedError:
        raise
    except ForbiddenError:
        return None
    # Both servers answer at the top and, since 2018, under data.
    told = answer.data or answer.body
    return {path: frozenset(told.get(path) or ()) for path in asked}


def allows(capabilities: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether all the wanted ones are among them. A root token has one, which stands for all."""
    have = set(capabilities)
    return "root" in have or ("deny" not in have and have.issuperset(wanted))
