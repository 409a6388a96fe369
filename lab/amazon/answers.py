# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes back over the wire, and Amazon's error bodies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. ``body`` is sent as it is; ``rows`` counts the orders in it, ``error`` is Amazon's code and
    ``complete`` says of a download whether it was sent to its end: these are for the request log.
    """

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    rows: int | None = None
    error: str | None = None
    complete: bool | None = None


class Refused(Exception):
    """A request that Amazon answers with an error list."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.answer = errors(status, code, message, details)


def json_answer(document: Any, status: int = 200, *, rows: int | None = None, error: str | None = None) -> Answer:
    """``document`` as UTF-8 JSON."""
    return Answer(status, json.dumps(document, ensure_ascii=False).encode(), rows=rows, error=error)


def errors(status: int, code: str, message: str, details: str = "") -> Answer:
    """Amazon's error list. ``details`` is always there, often empty, in answers seen from Amazon."""
    return json_answer({"errors": [{"code": code, "message": message, "details": details}]}, status, error=code)


def invalid_input(message: str) -> Refused:
    """400 InvalidInput."""
    return Refused(400, "InvalidInput", message)


def unauthorized(details: str, status: int = 403) -> Answer:
    """The one text Amazon has for every refusal of access; only the details tell which."""
    return errors(status, "Unauthorized", "Access to requested resource is denied.", details)


def html(status: int, title: str) -> Answer:
    """What a load balancer in front of Amazon says when the API itself does not answer."""
    page = f"<html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Answer(status, page.encode(), "text/html")
