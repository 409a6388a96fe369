# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One connection to an API server: raw requests with plain dicts, and errors told apart."""

from __future__ import annotations

import builtins
import json
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.access import Access, Protect, access
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import resource_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.kubeconfig import secrets_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.refusals import (
    AdmissionRefused,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    ServerTrouble,
    Unauthorized,
    refusal,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.silence import Unreachable, broke, unreachable

__all__ = [
    "FIELD_MANAGER",
    "JSON_PATCH",
    "MERGE_PATCH",
    "AdmissionRefused",
    "Conflict",
    "Denied",
    "Invalid",
    "KubeClient",
    "NotFound",
    "ServerTrouble",
    "Unauthorized",
    "Unreachable",
    "connect",
]

FIELD_MANAGER = "keybuzz-amazon"
"""Our name in managedFields."""
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
PAGE = 500
"""Objects a page when listing: kubectl's own chunk size."""
ATTEMPTS = 3
"""How often a request is sent at most: any after a 429, which means that it was not begun (API priority and fairness),
one that only reads after a broken connection or a 503 too. A write whose answer was lost is never sent again."""
FIRST_PAUSE = 0.2
"""Seconds, doubled for each further attempt, with jitter, where the server names no Retry-After."""


class KubeClient:
    """Requests to one API server. Every error is a KeybuzzError without any part of a body."""

    def __init__(self, connection: Access, *, timeout: float = 10.0) -> None:
        self.server = connection.server
        self.timeout = timeout
        self.server_time: datetime | None = None
        """The server's clock (header Date, whole seconds) at its last answer, in UTC."""
        self._access = connection
        self._may: dict[tuple[str, str, str, str, str | None], bool] = {}

    def __repr__(self) -> str:
        return f"KubeClient({self.server!r})"

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at ``path``, or None if the server says 404."""
        code, body = self._send("GET", path)
        if code == 404:
            return None
        return self._checked("get", path, code, body)

    def forget(self) -> None:
        """Go by nothing that was read before. A client of this class does not."""

    def list(self, path: str, *, label_selector: str | None = None) -> builtins.list[dict[str, Any]]:
        """All objects of a collection, page by page."""
        found: builtins.list[dict[str, Any]] = []
        query = {"limit": str(PAGE)}
        if label_selector:
            query["labelSelector"] = label_selector
        while True:
            body = self._checked("list", path, *self._send("GET", path, query=query))
            found += body.get("items") or []
            token = (body.get("metadata") or {}).get("continue")
            if not token:
                return found
            query["continue"] = token

    def create(self, path: str, body: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create an object in the collection ``path``; Conflict if it is there already."""
        code, answer = self._send("POST", path, body=body, query=self._write(dry_run))
        return self._checked("create", path, code, answer)

    def patch(
        self, path: str, body: builtins.list[Any] | dict[str, Any], *, content_type: str, dry_run: bool = False
    ) -> dict[str, Any]:
        """Patch the object at ``path``. Conflict: 409, or a JSON Patch whose ``test`` failed."""
        code, answer = self._send("PATCH", path, body=body, content_type=content_type, query=self._write(dry_run))
        return self._checked("patch", path, code, answer, json_patch=content_type == JSON_PATCH)

    def update(self, path: str, body: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Replace the object at ``path``. Conflict unless its resourceVersion is the one in ``body``."""
        code, answer = self._send("PUT", path, body=body, query=self._write(dry_run))
        return self._checked("update", path, code, answer)

    def may(self, verb: str, group: str, resource: str, namespace: str, name: str | None) -> bool:
        """Ask by SelfSubjectAccessReview whether this caller may; asked once, then remembered."""
        question = (verb, group, resource, namespace, name)
        if question not in self._may:
            attributes: dict[str, str] = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
            if name and verb != "create":  # creating cannot be allowed by name
                attributes["name"] = name
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
            path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            answer = self._checked("create", path, *self._send("POST", path, body=review, reads=True))
            self._may[question] = bool((answer.get("status") or {}).get("allowed"))
        return self._may[question]

    @staticmethod
    def _write(dry_run: bool) -> dict[str, str]:
        return {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}

    def _checked(
        self, verb: str, path: str, code: int, body: dict[str, Any] | None, *, json_patch: bool = False
    ) -> dict[str, Any]:
        if code >= 300:
            raise refusal(verb, resource_of(path), code, body or {}, json_patch=json_patch)
        if body is None:
            raise UnexpectedAnswerError(
                "reading the answer about",
                resource_of(path).address,
                "it is not a JSON object",
                f"Check that {self.server} is a Kubernetes API server.",
            )
        return body

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        reads: bool = False,
    ) -> tuple[int, dict[str, Any] | None]:
        """One request; ``reads``: it changes nothing though it is no GET."""
        import urllib3

        repeatable = reads or method == "GET"
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        attempt = 0
        while True:
            attempt += 1
            last = attempt == ATTEMPTS
            try:
                answer = self._access.pool.request(
                    method,
                    url,
                    body=None if body is None else json.dumps(body).encode(),
                    headers=self._headers(None if body is None else content_type),
                    timeout=urllib3.Timeout(connect=self.timeout, read=self.timeout),
                    retries=False,
                    redirect=False,
                )
            except urllib3.exceptions.HTTPError as error:
                if repeatable and not last and broke(error):
                    time.sleep(_pause(attempt, None, self.timeout))
                    continue
                raise unreachable(self.server, resource_of(path), method, error, self.timeout) from None
            self.server_time = _date(answer.headers.get("Date"))
            if not last and (answer.status == 429 or (answer.status == 503 and repeatable)):
                time.sleep(_pause(attempt, answer.headers.get("Retry-After"), self.timeout))
                continue
            return answer.status, _json_object(answer.data)

    def _headers(self, content_type: str | None) -> Any:
        from urllib3._collections import HTTPHeaderDict  # of urllib3 1.26 and 2: Impersonate-Group may come repeatedly

        headers = HTTPHeaderDict({"Accept": "application/json", "User-Agent": FIELD_MANAGER})
        authorization = self._access.authorization()
        if authorization:
            headers["Authorization"] = authorization
        if content_type is not None:
            headers["Content-Type"] = content_type
        for name, value in self._access.headers:
            headers.add(name, value)
        return headers


def connect(params: Mapping[str, Any], protect: Protect, kind: type[KubeClient] = KubeClient) -> KubeClient:
    """From the Kubernetes options (see :mod:`_options`). Sends nothing yet, except what an exec plugin sends."""
    headers = params.get("proxy_headers") or {}
    secrets = [params.get("api_key"), headers.get("proxy_basic_auth"), headers.get("basic_auth")]
    secrets += secrets_of(params.get("kubeconfig"))
    if any(secrets):
        protect([secret for secret in secrets if secret])
    return kind(access(params, protect), timeout=float(params.get("kubernetes_timeout") or 10.0))


def _pause(attempt: int, retry_after: str | None, longest: float) -> float:
    if retry_after and retry_after.isdigit():
        return min(float(retry_after), longest)
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - it spreads callers in time, it guards nothing
    return min(FIRST_PAUSE * 2.0 ** (attempt - 1) * jitter, longest)


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except ValueError:
        return None


def _json_object(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
