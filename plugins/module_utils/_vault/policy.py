# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The backend's policy and token role: read, compared by meaning, written."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import Answer, VaultClient

# HCL in words: a quoted string, a word, a comment of one of three kinds, space, or any other character.
# Strings come first: "//" in one is no comment.
_HCL = re.compile(r'"(?:[^"\\]|\\.)*"|\w+|(?P<nothing>#[^\n]*|//[^\n]*|/\*.*?\*/|\s+)|.', re.DOTALL)

_OLD_NAMES = {
    "token_period": "period",
    "token_explicit_max_ttl": "explicit_max_ttl",
    "token_policies": "policies",
    "token_ttl": "ttl",
}
"""Servers answer with both names, and the older one alone when the role was written with it."""


def policy_address(name: str) -> str:
    return f"sys/policies/acl/{quoted(name)}"


def role_address(name: str) -> str:
    return f"auth/token/roles/{quoted(name)}"


def quoted(name: str) -> str:
    """As one segment of a path."""
    return urllib.parse.quote(name, safe="")


def read_policy(client: VaultClient, name: str) -> str | None:
    """The policy's text; ``None`` if there is no such policy."""
    answer = client.request("GET", policy_address(name), doing="reading the policy", accept=(200, 404))
    return str(having(answer, "policy", client.url(policy_address(name)))["policy"]) if answer.status == 200 else None


def write_policy(client: VaultClient, name: str, text: str) -> None:
    """Write the policy's text.

    :raises BadInputError: the server cannot read the text.
    """
    target = policy_address(name)
    answer = client.request("POST", target, doing="writing the policy", body={"policy": text}, accept=(200, 204, 400))
    if answer.status == 400:
        raise BadInputError(
            "writing the policy",
            client.url(target),
            "the server cannot read its text (HTTP 400)",
            "Correct the option policy; vault policy fmt FILE names the line.",
        )


def read_role(client: VaultClient, name: str) -> Mapping[str, object] | None:
    """The token role's fields; ``None`` if there is no such role."""
    answer = client.request("GET", role_address(name), doing="reading the token role", accept=(200, 404))
    return having(answer, "orphan", client.url(role_address(name))) if answer.status == 200 else None


def having(answer: Answer, key: str, address: str) -> Mapping[str, object]:
    """The answer's data, if it is what was asked for: another is no reason to write over what is there.

    :raises UnexpectedAnswerError: it has no such key.
    """
    if key in answer.data:
        return answer.data
    raise UnexpectedAnswerError(
        "reading",
        address,
        f"the answer has no {key}",
        "Check that no control group and nothing between here and the server stands in for its answers.",
    )


def write_role(client: VaultClient, name: str, fields: Mapping[str, object]) -> None:
    client.request("POST", role_address(name), doing="writing the token role", body=fields)


def same_policy(left: str, right: str) -> bool:
    """Whether two policy texts differ in nothing but space, line breaks and comments."""
    return _normalised(left) == _normalised(right)


def role_differences(found: Mapping[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
    """The wanted fields that the role has otherwise, with what it has. Fields we do not name are left alone."""
    different: dict[str, object] = {}
    for name, value in wanted.items():
        have = found.get(name)
        if not have and name in _OLD_NAMES:
            have = found.get(_OLD_NAMES[name]) or have
        if _plain(have) != _plain(value):
            different[name] = have
    return different


def period_of(role: Mapping[str, object]) -> int:
    """Seconds that the role's tokens live after each renewal; 0 if they are not periodic."""
    period = role.get("token_period") or role.get(_OLD_NAMES["token_period"]) or 0
    return int(period) if isinstance(period, (int, str)) else 0


def _normalised(text: str) -> tuple[str, ...]:
    return tuple(word.group() for word in _HCL.finditer(text) if word.group("nothing") is None)


def _plain(value: object) -> object:
    """Lists without their order; nothing, zero and empty alike, because servers leave such fields out."""
    if isinstance(value, (list, tuple)):
        return tuple(sorted(str(entry) for entry in value)) or None
    return value or None
