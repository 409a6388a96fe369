# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever answers in a server's place gets no byte of a credential, on any of the five links."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.figures import record
from tests.chaos.tls_links import CANARY, KINDS, LINKS
from tests.chaos.tls_peer import (
    Peer,
    Prologue,
    hang_up,
    peer,
    plain_http,
    postgres_asks_at_once,
    postgres_without_tls,
)
from tests.unit.kube.tls_certificates import Certificate, authority, server, tls_1_1

TRUSTED = authority()
"""The authority that every client here trusts."""


@dataclass(frozen=True)
class Attack:
    """How somebody answers.

    :param says: the message must hold one of these: the cause.
    :param instead: said in place of TLS.
    """

    context: Callable[[], ssl.SSLContext]
    says: tuple[str, ...]
    instead: Prologue | None = None


def signed_by_a_leaf() -> ssl.SSLContext:
    """An ordinary certificate of the right authority, used to sign another: its holder is no authority."""
    leaf = server(TRUSTED, name="somebody", dns=("somebody.example",), ips=())
    return server(leaf).context(leaf)


def good() -> ssl.SSLContext:
    return server(TRUSTED).context()


def elsewhere() -> ssl.SSLContext:
    return server(TRUSTED, dns=("elsewhere.example",), ips=("127.0.0.9",)).context()


def in_the_cn() -> ssl.SSLContext:
    return server(TRUSTED, name="127.0.0.1", dns=("elsewhere.example",)).context()


def theirs(of: Certificate) -> Callable[[], ssl.SSLContext]:
    return lambda: server(of).context(of)


NOT_TRUSTED = ("not trusted", "not accepted", "not signed by")
NO_TLS = ("TLS",)
ATTACKS = {
    "a man in the middle with his own authority": Attack(theirs(authority("Mallory")), NOT_TRUSTED),
    "a man in the middle with an authority of the same name": Attack(theirs(authority()), NOT_TRUSTED),
    "an unknown authority": Attack(lambda: server(authority("Unknown")).context(), NOT_TRUSTED),
    "self-signed": Attack(lambda: server(None, name="self-signed").context(), NOT_TRUSTED),
    "signed by an ordinary certificate": Attack(signed_by_a_leaf, NOT_TRUSTED),
    "another server's certificate": Attack(elsewhere, ("not for this host name", "mismatch", "not accepted")),
    "a name in the CN alone": Attack(in_the_cn, ("not for this host name", "mismatch")),
    "expired": Attack(lambda: server(TRUSTED, dates="expired").context(), ("has expired",)),
    "not yet valid": Attack(lambda: server(TRUSTED, dates="future").context(), ("not yet valid",)),
    "a client's certificate": Attack(lambda: server(TRUSTED, client_only=True).context(), ("purpose",)),
    "TLS 1.1": Attack(lambda: tls_1_1(good()), NO_TLS),
    "plain HTTP": Attack(good, NO_TLS, plain_http),
    "hung up": Attack(good, ("connection", "TLS"), hang_up),
    "PostgreSQL without TLS": Attack(good, NO_TLS, postgres_without_tls),
    "PostgreSQL asking for the password at once": Attack(good, NO_TLS, postgres_asks_at_once),
}


def possible(link: str, attack: str) -> bool:
    """libpq takes an address that stands in the CN: the authority has vouched for it there, too."""
    return (
        link != "postgresql"
        if attack == "a name in the CN alone"
        else (link == "postgresql" or not attack.startswith("PostgreSQL"))
    )


CASES = [(link, attack) for link in LINKS for attack in ATTACKS if possible(link, attack)]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    file.write_text(TRUSTED.pem)
    return file


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ticket, service file or certificate of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def sent() -> Iterator[dict[str, int]]:
    """Credentials that got through, by case; recorded when all cases have run."""
    found: dict[str, int] = {}
    yield found
    if len(found) == len(CASES):
        record("tls", {"links": len(KINDS), "attacks": len(found), "credential_bytes_sent": sum(found.values())})


@pytest.mark.parametrize("link", LINKS)
def test_the_right_server_does_get_the_credential(link: str, ca: Path, tmp_path: Path) -> None:
    # Otherwise the silence below would prove nothing.
    used = LINKS[link]
    with peer(good(), used.prologue, used.answer) as right:
        error = used.error("127.0.0.1", right.port, ca, tmp_path)
    assert right.knows(CANARY)
    assert right.request_lines
    assert CANARY not in str(error)


@pytest.mark.parametrize(("link", "attack"), CASES)
def test_nobody_else_gets_a_byte_of_it(link: str, attack: str, ca: Path, tmp_path: Path, sent: dict[str, int]) -> None:
    used, how = LINKS[link], ATTACKS[attack]
    with peer(how.context(), how.instead or used.prologue, used.answer) as wrong:
        error = used.error("127.0.0.1", wrong.port, ca, tmp_path)
    nothing_got_through(wrong)
    sent[f"{link}: {attack}"] = len(wrong.read) + wrong.knows(CANARY) * len(CANARY)
    assert error.status in ("unknown", "blocked", "error")
    assert any(word in error.answered for word in how.says), str(error)
    assert error.remedy
    assert CANARY not in str(error)


def nothing_got_through(wrong: Peer) -> None:
    assert wrong.connections
    assert bytes(wrong.read) == b""
    assert wrong.request_lines == 0
    assert not wrong.knows(CANARY)
