# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One connection to an API server: raw requests with plain dicts, and errors told apart."""

from __future__ import annotations

import builtins
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    KeybuzzError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.access import Access, Protect, access
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import Resource, resource_of
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
ATTEMPTS_WHEN_BUSY = 3
"""A 429 means the request was not begun (API priority and fairness), so that it may be sent again."""


class Unreachable(UnreachableError):
    """No answer from the API server: refused, unknown name, time-out, TLS not verified."""


class KubeClient:
    """Requests to one API server. Every error is a KeybuzzError without any part of a body."""

    def __init__(self, connection: Access, *, timeout: float = 10.0) -> None:
        self.server = connection.server
        self.timeout = timeout
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
            answer = self._checked("create", path, *self._send("POST", path, body=review))
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
    ) -> tuple[int, dict[str, Any] | None]:
        import urllib3

        headers = {"Accept": "application/json", "User-Agent": FIELD_MANAGER}
        authorization = self._access.authorization()
        if authorization:
            headers["Authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = content_type
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        attempts = 0
        while True:
            attempts += 1
            try:
                answer = self._access.pool.request(
                    method,
                    url,
                    body=None if body is None else json.dumps(body).encode(),
                    headers=headers,
                    timeout=urllib3.Timeout(connect=self.timeout, read=self.timeout),
                    retries=False,
                    redirect=False,
                )
            except urllib3.exceptions.HTTPError as error:
                raise unreachable(self.server, resource_of(path), method, error, self.timeout) from None
            if answer.status == 429 and attempts < ATTEMPTS_WHEN_BUSY:
                time.sleep(min(_seconds(answer.headers.get("Retry-After")), self.timeout))
                continue
            return answer.status, _json_object(answer.data)


def connect(params: Mapping[str, Any], protect: Protect) -> KubeClient:
    """From the Kubernetes options (see :mod:`_options`). Sends nothing yet, except what an exec plugin sends."""
    if params.get("api_key"):
        protect([params["api_key"]])
    return KubeClient(access(params, protect), timeout=float(params.get("kubernetes_timeout") or 10.0))


def unreachable(  # noqa: PLR0911 - one return for each way
    server: str, target: Resource, method: str, error: Exception, timeout: float
) -> KeybuzzError:
    """Which of the ways to get no answer this was. A lost answer to a write leaves open whether it was done."""
    import urllib3

    doing = "asking for" if method == "GET" else "writing"
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (ssl.SSLError, ConnectionError)):
        cause = cause.__cause__ or (cause.args[-1] if cause.args and isinstance(cause.args[-1], Exception) else None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            doing,
            target.address,
            f"the certificate of {server} is not trusted ({cause.verify_message})",
            "Give the cluster's own CA (ca_cert or certificate-authority) and a server name its certificate is for; "
            "verification cannot be switched off.",
        )
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    ):
        lost = "" if method == "GET" else " It is not known whether the write was done."
        return Unreachable(
            doing,
            target.address,
            f"{server} did not answer within {timeout:g} s",
            f"Check the network and the server, or raise kubernetes_timeout.{lost}",
        )
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return Unreachable(
            doing, target.address, f"the host name of {server} is unknown", "Check kubeconfig or host, and DNS."
        )
    if isinstance(error, urllib3.exceptions.ProxyError):
        return Unreachable(
            doing, target.address, f"the proxy to {server} did not answer", "Check HTTPS_PROXY, NO_PROXY and proxy-url."
        )
    if isinstance(cause, ConnectionRefusedError):
        return Unreachable(
            doing,
            target.address,
            f"{server} refused the connection",
            "Check that the API server runs there and that kubeconfig or host names it.",
        )
    if isinstance(cause, ssl.SSLError):
        return Unreachable(
            doing,
            target.address,
            f"{server} does not complete the TLS handshake",
            "Check that the port is the API server's and speaks TLS.",
        )
    return Unreachable(
        doing, target.address, f"the connection to {server} broke ({type(error).__name__})", "Run again."
    )


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else 1.0


def _json_object(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
