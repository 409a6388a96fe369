# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Telling somebody elsewhere that the state has changed: one POST, and only then.

The address is a secret: whoever knows it can write there. It is in no message; only its host is.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history import Changes

Format = Literal["generic", "slack"]
TIMEOUT = 10.0
"""Seconds; the report does not wait longer for a notification."""
MARKS = {"in_sync": ".", "drift": "!", "incomplete": "?", "error": "!"}


def has_changed(changes: Changes) -> bool:
    """Whether there is anything to tell since the last report."""
    return any((changes.appeared, changes.returned, changes.cleared, changes.changed))


def message(report: Report, form: Format) -> Mapping[str, Any]:
    """What is sent: verdicts and counts, never a value of an item."""
    verdicts = {environment.name: environment.verdict for environment in report.environments}
    if form == "slack":
        lines = [f"Amazon integration: {report.verdict}", *report.since_last]
        lines += [f"{MARKS[verdict]} {name}: {verdict}" for name, verdict in verdicts.items()]
        return {"text": "\n".join(_plain(line) for line in lines)}
    said = ("generator", "generated_at", "mode", "verdict", "counts", "since_last")
    return {key: value for key, value in report.head().items() if key in said} | {"environments": verdicts}


def _plain(text: str) -> str:
    """Slack reads these three characters as markup (Slack: formatting text for app surfaces)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is told here is meant for nobody else."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


def check(url: str, *, remembers: bool) -> None:
    """:raises BadInputError: the address cannot be one, or nobody knows what has changed."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise BadInputError(
            "reading option", "webhook_url", "it is not an https address", "Its path is a secret, so TLS is needed."
        )
    if not remembers:
        raise BadInputError(
            "reading option",
            "webhook_url",
            "without history_path or history_table nobody knows whether anything has changed",
            "Give history_path, a file that stays from run to run, or history_table.",
        )


def send(url: str, document: Mapping[str, Any], ca_cert: str | None = None, timeout: float = TIMEOUT) -> None:
    """One POST, no second try.

    :raises UnreachableError: it did not arrive; the message names the host only.
    """
    host = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
    answered = ""
    try:
        context = ssl.create_default_context(cafile=ca_cert)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect())
        request = urllib.request.Request(  # noqa: S310 - https only, see check
            url, json.dumps(document).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with opener.open(request, timeout=timeout):
            return
    except urllib.error.HTTPError as error:
        answered = f"HTTP {error.code}"
    except urllib.error.URLError as error:
        answered = f"no connection ({type(error.reason).__name__})"
    except (OSError, HTTPException, ValueError) as error:
        answered = f"no connection ({type(error).__name__})"
    raise UnreachableError(
        "notifying", host, answered, "Check webhook_url, webhook_ca_cert and the way there; the report itself is whole."
    )
