# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody is told when something has changed, and nothing that is a secret."""

from __future__ import annotations

import contextlib
import datetime
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import run

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)
SECRET = "/services/T000/B000/CANARY"


def nothing(secrets: object) -> None:
    """For tests that do not look at masking."""


@contextlib.contextmanager
def receiver(folder: Path, status: int = 200) -> Iterator[tuple[str, str, list[Any]]]:
    """A server with TLS: its address, its authority's file, and what it was sent."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(status)
            self.send_header("Location", "https://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}{SECRET}", str(folder / "ca.pem"), got
    finally:
        server.shutdown()
        server.server_close()


def given(folder: Path, status: str, url: str, **more: Any) -> dict[str, Any]:
    item = {"id": "a/<b>", "check": "a", "address": "x", "severity": "high", "status": status, "before": "CANARY value"}
    return {
        "environments": [{"name": "dev", "drift": [item]}],
        "mode": "audit",
        "history_path": str(folder / "history.jsonl"),
        "webhook_url": url,
        "webhook_format": "generic",
        **more,
    }


def test_a_change_is_told_once_and_no_change_is_not_told(tmp_path: Path) -> None:
    with receiver(tmp_path) as (url, ca_cert, got):
        for day, status in enumerate(("missing", "missing", "in_sync", "in_sync")):
            _report, warnings = run(
                given(tmp_path, status, url, webhook_ca_cert=ca_cert), NOW + datetime.timedelta(days=day), nothing
            )
            assert warnings == ()
    assert [(path, sent["verdict"]) for path, sent in got] == [(SECRET, "drift"), (SECRET, "in_sync")]
    assert got[0][1]["since_last"] == ["First look: 1 new"]
    assert "CANARY" not in json.dumps(got[0][1])


def test_slack_gets_a_text_without_markup_of_ours(tmp_path: Path) -> None:
    with receiver(tmp_path) as (url, ca_cert, got):
        run(given(tmp_path, "missing", url, webhook_ca_cert=ca_cert, webhook_format="slack"), NOW, nothing)
    assert got[0][1] == {"text": "Amazon integration: drift\nFirst look: 1 new\n! dev: drift"}


@pytest.mark.parametrize(("status", "said"), [(500, "HTTP 500"), (302, "HTTP 302")])
def test_a_refusal_or_a_redirect_is_a_warning_without_the_address(tmp_path: Path, status: int, said: str) -> None:
    with receiver(tmp_path, status) as (url, ca_cert, _got):
        report, warnings = run(given(tmp_path, "missing", url, webhook_ca_cert=ca_cert), NOW, nothing)
    assert said in warnings[0] and "CANARY" not in warnings[0]
    assert report.verdict == "drift"


def test_a_server_that_is_not_trusted_is_told_nothing(tmp_path: Path) -> None:
    with receiver(tmp_path) as (url, _ca_cert, got):
        _report, warnings = run(given(tmp_path, "missing", url), NOW, nothing)
    assert "no connection (SSLCertVerificationError)" in warnings[0]
    assert got == []


@pytest.mark.parametrize(
    ("more", "said"),
    [({"webhook_url": f"http://127.0.0.1{SECRET}"}, "not an https address"), ({"history_path": None}, "history_path")],
)
def test_an_address_without_tls_or_without_a_history_is_refused(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        run(given(tmp_path, "missing", f"https://127.0.0.1:1{SECRET}") | more, NOW, nothing)
    assert "CANARY" not in str(caught.value)
