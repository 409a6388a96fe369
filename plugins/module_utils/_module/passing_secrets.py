# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Secrets of a few tenants: masked in what is said of these tenants, and then forgotten.

Ansible compares every text of a result with every secret it was told of: 7 ms for one text and the secrets of ten
thousand tenants, which is an hour for all of their results. So what is said of a chunk of tenants is masked here, with
the secrets of the whole chunk, before anybody else gets it. They can be forgotten then: what is said later rests on
other secrets, as nothing but the connections, and what all tenants share, outlives a chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import MINIMUM_LENGTH, ORDINARY_WORD, forms

MASK = "*" * 8


class PassingSecrets:
    """The secrets of one chunk. Many threads may add to them; masking begins when all are known."""

    def __init__(self) -> None:
        self._by_head: dict[str, list[str]] = {}
        self._start: re.Pattern[str] | None = None

    def protect(self, secrets: Iterable[str | None]) -> None:
        """Remember them, in each form in which servers and libraries repeat them; see :func:`_secrets.protect`."""
        for secret in secrets:
            if not secret or len(secret) < MINIMUM_LENGTH or ORDINARY_WORD.fullmatch(secret):
                continue
            for form in forms(secret):
                self._by_head.setdefault(form[:MINIMUM_LENGTH], []).append(form)
        self._start = None

    def masked(self, outcome: Outcome) -> Outcome:
        """The same outcome without any of them. Nothing is expected to be found: this is a second line of defence."""
        if not self._by_head:
            return outcome
        if self._start is None:
            self._start = re.compile(f"[{re.escape(''.join({head[0] for head in self._by_head}))}]")
        everything = "\n".join(_texts(outcome))
        if self._text(everything) == everything:
            return outcome
        found: Outcome = self._masked(outcome)
        return found

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {name: self._masked(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._masked(one) for one in value)
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{name: self._masked(one) for name, one in vars(value).items()})
        return value

    def _text(self, text: str) -> str:
        if self._start is None:
            return text
        parts: list[str] = []
        end = 0
        for start in self._start.finditer(text):
            at = start.start()
            found = self._form_at(text, at) if at >= end else None
            if found is not None:
                parts += (text[end:at], MASK)
                end = at + len(found)
        return "".join((*parts, text[end:]))

    def _form_at(self, text: str, at: int) -> str | None:
        """The longest that begins there."""
        beginning = self._by_head.get(text[at : at + MINIMUM_LENGTH], ())
        return max((form for form in beginning if text.startswith(form, at)), key=len, default=None)


def _texts(outcome: Outcome) -> list[str]:
    """Every text in it; the names of mappings are ours, or those of tenants and columns."""
    found: list[str] = []
    waiting: list[Any] = [outcome]
    while waiting:
        value = waiting.pop()
        if value is None or value is True or value is False:
            continue
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            waiting += value
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif hasattr(value, "__dict__"):
            waiting += vars(value).values()
    return found
