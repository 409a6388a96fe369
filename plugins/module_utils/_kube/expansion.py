# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""``$(NAME)`` in the value of a variable, as the kubelet expands it.

The rules are those of k8s.io/kubernetes/third_party/forked/golang/expansion: ``$(NAME)`` stands for a variable set
before, ``$$`` for one dollar sign, and a name that is not set stays as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator


def expand(text: str, value_of: Callable[[str], str | None]) -> str:
    """``text`` with each reference replaced; ``value_of`` gives None for a name that is not set."""
    parts = []
    for literal, name in pieces(text):
        value = value_of(name) if name is not None else literal
        parts.append(literal if value is None else value)
    return "".join(parts)


def references(text: str) -> tuple[str, ...]:
    """The names that ``text`` refers to, each once, in order."""
    return tuple(dict.fromkeys(name for _text, name in pieces(text) if name is not None))


def pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """``(what stands for itself, None)`` and ``("$(NAME)", "NAME")`` in turn."""
    at = 0
    while at < len(text):
        dollar = text.find("$", at)
        if dollar < 0 or dollar + 1 == len(text):
            yield text[at:], None
            return
        if dollar > at:
            yield text[at:dollar], None
        following = text[dollar + 1]
        end = text.find(")", dollar + 2) if following == "(" else -1
        if end >= 0:
            yield text[dollar : end + 1], text[dollar + 2 : end]
            at = end + 1
        else:
            yield "$" if following == "$" else text[dollar : dollar + 2], None
            at = dollar + 2
