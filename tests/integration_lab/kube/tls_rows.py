# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of servers and CA files on which the probe's prediction is held against real Node.js processes."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from tests.unit.kube.tls_certificates import Certificate, authority, make, server, signed_with_sha1, tls_1_1


@dataclass(frozen=True)
class Row:
    """A server and the CA file a client has.

    :param ca: content of the file; None: there is no such file.
    :param fault: what the probe calls it; None where the server is trusted.
    """

    name: str
    context: ssl.SSLContext
    ca: bytes | None
    fault: str | None = None
    host: str = "127.0.0.1"


def rows() -> Iterator[Row]:
    yield from names()
    yield from dates_and_authorities()
    yield from chains()
    yield from weak()
    yield from files()


def names() -> Iterator[Row]:
    root = authority()
    ca = root.pem.encode()

    def row(name: str, fault: str | None, host: str = "localhost", **properties: tuple[str, ...] | str) -> Row:
        return Row(name, make(properties.pop("common", "server"), root, **properties).context(), ca, fault, host)

    yield row("IP address, right", None, "127.0.0.1", ips=("127.0.0.1",))
    yield row("IP address, another", "wrong_name", "127.0.0.1", ips=("127.0.0.2",))
    yield row("IP address against a DNS name", "wrong_name", "127.0.0.1", dns=("localhost",))
    yield row("IP address written as a DNS name", "wrong_name", "127.0.0.1", dns=("127.0.0.1",))
    yield row("IP address in the CN alone", "wrong_name", "127.0.0.1", common="127.0.0.1")
    yield row("DNS name, right", None, dns=("other.example", "localhost"))
    yield row("DNS name in capitals", None, dns=("LOCALHOST",))
    yield row("DNS name with a final dot", None, dns=("localhost.",))
    yield row("DNS name, another", "wrong_name", dns=("vault.example",))
    yield row("DNS name against an IP address, CN of others", "wrong_name", ips=("127.0.0.1",))
    yield row("DNS name in the CN alone", None, common="localhost")
    yield row("DNS name in the CN beside an IP address", None, common="localhost", ips=("127.0.0.1",))
    yield row("DNS name in the CN beside another DNS name", "wrong_name", common="localhost", dns=("vault.example",))
    yield row("wildcard of one label", "wrong_name", dns=("*",))
    deep = "vault.tls.localhost"
    yield row("wildcard", None, deep, dns=("*.tls.localhost",))
    yield row("wildcard in part of a label", None, deep, dns=("v*t.tls.localhost",))
    yield row("two wildcards in a label", "wrong_name", deep, dns=("v*l*.tls.localhost",))
    yield row("wildcard over two labels", "wrong_name", deep, dns=("*.localhost",))
    yield row("wildcard in the second label", "wrong_name", deep, dns=("vault.*.localhost",))
    yield row("wildcard below a top-level domain", "wrong_name", "vault.localhost", dns=("*.localhost",))


def dates_and_authorities() -> Iterator[Row]:
    root, other = authority(), authority("Another authority")
    ca = root.pem.encode()
    yield Row("right CA", server(root).context(), ca)
    yield Row("expired", server(root, dates="expired").context(), ca, "expired")
    yield Row("not yet valid", server(root, dates="future").context(), ca, "not_yet_valid")
    yield Row(
        "expired and for another name", server(root, dates="expired", dns=("a.example",)).context(), ca, "expired"
    )
    old = authority(dates="expired")
    yield Row("expired CA", server(old).context(), old.pem.encode(), "expired")
    early = authority(dates="future")
    yield Row("CA not yet valid", server(early).context(), early.pem.encode(), "not_yet_valid")
    yield Row("another CA", server(root).context(), other.pem.encode(), "unknown_ca")
    yield Row("another CA of the same name", server(root).context(), authority().pem.encode(), "unknown_ca")
    yield Row("another CA, and expired", server(root, dates="expired").context(), other.pem.encode(), "expired")
    yield Row("another CA, another name", server(root, dns=("a.example",)).context(), other.pem.encode(), "unknown_ca")
    yield Row("root sent along, not trusted", server(root).context(root), other.pem.encode(), "unknown_ca")
    yield Row("root sent along, trusted", server(root).context(root), ca)
    alone = server(None, name="self-signed")
    yield Row("self-signed, not trusted", alone.context(), ca, "unknown_ca")
    yield Row("self-signed, pinned", alone.context(), alone.pem.encode())
    no_ca = server(None, name="self-signed", ca=False)
    yield Row("self-signed with CA:FALSE, pinned", no_ca.context(), no_ca.pem.encode())
    its_own = server(None, name="self-signed", ca=True)
    yield Row("self-signed with CA:TRUE, pinned", its_own.context(), its_own.pem.encode())
    gone = server(None, name="self-signed", dates="expired")
    yield Row("self-signed, pinned, expired", gone.context(), gone.pem.encode(), "expired")
    yield Row("self-signed, not trusted, expired", gone.context(), ca, "expired")
    leaf = server(root)
    yield Row("leaf of an authority as the CA", leaf.context(), leaf.pem.encode(), "unknown_ca")
    not_a_ca = make("Test authority", ca=False)
    yield Row("signed by what is no CA", server(not_a_ca).context(), not_a_ca.pem.encode(), "not_a_ca")
    plain = make("Test authority")
    yield Row("signed by a v1-like root without extensions", server(plain).context(), plain.pem.encode(), "not_a_ca")
    yield Row(
        "signed by what is no CA, expired",
        server(not_a_ca, dates="expired").context(),
        not_a_ca.pem.encode(),
        "expired",
    )
    yield Row("EKU of a client only", server(root, client_only=True).context(), ca, "wrong_purpose")
    limited = authority(permitted="inside.example")
    yield Row(
        "name constraints broken", server(limited, dns=("localhost",)).context(), limited.pem.encode(), "constraint"
    )
    near = authority(permitted="localhost")
    yield Row("name constraints kept", server(near, dns=("localhost",)).context(), near.pem.encode(), None, "localhost")


def chains() -> Iterator[Row]:
    root = authority()
    middle = authority("Test intermediate", root)
    leaf = server(middle)
    ca, between, both = root.pem.encode(), middle.pem.encode(), (root.pem + middle.pem).encode()
    yield Row("chain complete, root given", leaf.context(middle), ca)
    yield Row("chain complete, intermediate given", leaf.context(middle), between, "unknown_ca")
    yield Row("chain complete, other root", leaf.context(middle), authority("Other").pem.encode(), "unknown_ca")
    yield Row("chain without intermediate, root given", leaf.context(), ca, "unknown_ca")
    yield Row("chain without intermediate, intermediate given", leaf.context(), between, "unknown_ca")
    yield Row("chain without intermediate, both given", leaf.context(), both)
    yield Row("chain in the wrong order", leaf.context(root, middle), ca)
    yield Row(
        "chain complete, leaf expired, other root",
        server(middle, dates="expired").context(middle),
        authority("Other").pem.encode(),
        "expired",
    )
    stale = authority("Test intermediate", root, dates="expired")
    yield Row("intermediate expired", server(stale).context(stale), ca, "expired")
    short = authority(path_length=0)
    below = authority("Test intermediate", short)
    yield Row("path length exceeded", server(below).context(below), short.pem.encode(), "not_a_ca")


def weak() -> Iterator[Row]:
    root = authority(rsa_bits=2048)
    ca = root.pem.encode()
    yield Row("RSA 1024 leaf", server(root, rsa_bits=1024).context(), ca, "weak")
    small = authority(rsa_bits=1024)
    yield Row("RSA 1024 CA", server(small).context(), small.pem.encode(), "weak")
    yield Row("SHA-1 leaf", signed_with_sha1(server(root), root).context(), ca, "weak")
    middle = authority("Test intermediate", root, rsa_bits=2048)
    old = signed_with_sha1(middle, root)
    yield Row("SHA-1 intermediate", server(middle).context(old), ca, "weak")
    yield Row("SHA-1 root", server(root).context(), signed_with_sha1(root, root).pem.encode())
    yield Row("RSA 1024 leaf, expired", server(root, rsa_bits=1024, dates="expired").context(), ca, "expired")
    other = authority("Another authority").pem.encode()
    yield Row("RSA 1024 leaf, unknown CA", server(root, rsa_bits=1024).context(), other, "unknown_ca")
    yield Row("RSA 1024 leaf, chain of an unknown CA", server(middle, rsa_bits=1024).context(middle), other, "weak")
    yield Row(
        "another CA of the same name, of another kind", server(root).context(), authority().pem.encode(), "unknown_ca"
    )
    yield Row("TLS 1.1 only", tls_1_1(server(root).context()), ca, "handshake")
    tls12 = server(root).context()
    tls12.maximum_version = ssl.TLSVersion.TLSv1_2
    yield Row("TLS 1.2 only", tls12, ca)
    keyed = server(root, rsa_bits=2048).context()
    keyed.maximum_version = ssl.TLSVersion.TLSv1_2
    keyed.set_ciphers("AES128-SHA:@SECLEVEL=0")
    yield Row("TLS 1.2 without forward secrecy", keyed, ca)


def files() -> Iterator[Row]:
    root, other = authority(), authority("Another authority")
    context = server(root).context()
    good, more = root.pem, other.pem
    broken = block(b"not a certificate")
    torn = good.replace("-----END", "!!!!\n-----END")
    half = good[: len(good) // 2] + "\n"

    def row(name: str, content: bytes | str | None, fault: str | None) -> Row:
        return Row(f"file: {name}", context, content.encode() if isinstance(content, str) else content, fault)

    yield row("two certificates", more + good, None)
    yield row("missing", None, "pem_missing")
    yield row("empty", "", "pem_empty")
    yield row("white space", " \n\n", "pem_empty")
    yield row("garbage", "garbage\n", "pem_garbage")
    yield row("DER", root.der, "pem_der")
    yield row("DER with PEM behind it", root.der + b"\n" + good.encode(), None)
    for kind, bad in (("no certificate", broken), ("not base64", torn), ("cut off", half)):
        yield row(f"{kind} first", bad + good, "pem_garbage")
        yield row(f"{kind} second", good + bad + more, "pem_garbage")
        yield row(f"{kind} last", more + good + bad, "pem_garbage")
        yield row(f"{kind} alone", bad, "pem_garbage")
    yield row("CRLF", good.replace("\n", "\r\n"), None)
    yield row("CR alone", good.replace("\n", "\r"), "pem_garbage")
    yield row("one line", good.replace("\n", ""), "pem_garbage")
    yield row("base64 in one line", one_line(root), None)
    yield row("spaces behind the lines", good.replace("\n", "  \n"), None)
    yield row("spaces before the lines", "  " + good.replace("\n", "\n  "), "pem_garbage")
    yield row("blank line behind BEGIN", good.replace("CERTIFICATE-----\n", "CERTIFICATE-----\n\n", 1), None)
    headed = good.replace("CERTIFICATE-----\n", "CERTIFICATE-----\nComment: the authority\n\n", 1)
    yield row("headers in the block", headed, "pem_garbage")
    yield row("text around it", f"subject=CN = été\n{good}\n# the end\n", None)
    yield row("text on the line before", f"# {good}", "pem_garbage")
    yield row("byte order mark", b"\xef\xbb\xbf" + good.encode(), None)
    yield row("UTF-16", good.encode("utf-16"), "pem_garbage")
    yield row("no line break at the end", good.rstrip(), None)
    yield row("TRUSTED CERTIFICATE", block(root.der, "TRUSTED CERTIFICATE"), "pem_garbage")
    yield row("X509 CERTIFICATE", block(root.der, "X509 CERTIFICATE"), None)
    yield row("TRUSTED CERTIFICATE before a good one", block(root.der, "TRUSTED CERTIFICATE") + good, "pem_garbage")
    yield row("private key before", root.key_pem + good, "pem_private_key")
    yield row("private key behind", good + root.key_pem, "pem_private_key")
    yield row("certificate with a tail in its DER", block(root.der + b"\0\0"), None)
    yield row("labels that differ", good.replace("END CERTIFICATE", "END X509 CRL"), "pem_garbage")
    yield row("the same twice", good + good, None)
    yield row("the leaf before the CA", server(root).pem + good, None)


def block(body: bytes, label: str = "CERTIFICATE") -> str:
    lines = base64.b64encode(body).decode()
    text = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"


def one_line(certificate: Certificate) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(certificate.der).decode()}\n-----END CERTIFICATE-----\n"
