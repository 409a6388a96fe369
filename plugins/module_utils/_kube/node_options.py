# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""``NODE_OPTIONS``: its words as Node.js splits them, and the text without some of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

NODE_OPTIONS = "NODE_OPTIONS"


@dataclass(frozen=True)
class Word:
    """One option or argument; ``start`` and ``end`` are its place in the text."""

    text: str
    start: int
    end: int

    @property
    def flag(self) -> str:
        """The option's name. Node.js takes ``_`` for ``-`` in names; a value may follow after ``=``."""
        return normal(self.text.partition("=")[0])


def normal(flag: str) -> str:
    """The name of an option in one spelling."""
    return flag.replace("_", "-") if flag.startswith("-") else flag


def words(text: str) -> tuple[Word, ...]:
    """Split at blanks; double quotes group, and a backslash inside them takes the next character as it is.

    As ParseNodeOptionsEnvVar of Node.js (src/node_options.cc). What it refuses (an open quote) is split as far as it
    goes: such a process does not start.
    """
    found: list[Word] = []
    part, start, quoted, at = "", -1, False, 0
    while at < len(text):
        character = text[at]
        if character == " " and not quoted:
            if start >= 0:
                found.append(Word(part, start, at))
            part, start = "", -1
        else:
            start = at if start < 0 else start
            if character == '"':
                quoted = not quoted
            elif character == "\\" and quoted and at + 1 < len(text):
                at += 1
                part += text[at]
            else:
                part += character
        at += 1
    return (*found, Word(part, start, len(text))) if start >= 0 else tuple(found)


def unwanted(text: str, flags: Iterable[str], names: Iterable[str]) -> tuple[Word, ...]:
    """The words that are one of ``flags`` or mention one of ``names``.

    A script given here (``--import=data:…``) can set ``process.env`` at run time, which takes effect for
    NODE_TLS_REJECT_UNAUTHORIZED [measured on Node 20].
    """
    forbidden = {normal(flag) for flag in flags}
    mentioned = tuple(names)
    return tuple(word for word in words(text) if word.flag in forbidden or any(name in word.text for name in mentioned))


def without(text: str, unwanted_words: Iterable[Word]) -> str:
    """The text without these words, the others as they are written.

    An argument goes together with the option before it (``--require ./x.js``).
    """
    gone = set(unwanted_words)
    every = words(text)
    for before, word in pairwise(every):
        if word in gone and not word.text.startswith("-") and before.text.startswith("-") and "=" not in before.text:
            gone.add(before)
    return " ".join(text[word.start : word.end] for word in every if word not in gone)
