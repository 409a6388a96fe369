# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Kubernetes REST client on raw dicts, for the lab's own parts and its tests.

The collection has a client of its own; this one shares nothing with it on
purpose, so that a mistake there is not repeated in what the tests look with.
"""

from __future__ import annotations

import http.client
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from lab.cluster.kubeconfig import Access
from lab.errors import LabError

Object = dict[str, Any]
PatchKind = Literal["json", "merge", "strategic", "apply"]

PATCH_TYPES: Mapping[PatchKind, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}

# resource -> (API prefix, namespaced, kind)
RESOURCES: Mapping[str, tuple[str, bool, str]] = {
    "namespaces": ("/api/v1", False, "Namespace"),
    "nodes": ("/api/v1", False, "Node"),
    "secrets": ("/api/v1", True, "Secret"),
    "configmaps": ("/api/v1", True, "ConfigMap"),
    "pods": ("/api/v1", True, "Pod"),
    "events": ("/api/v1", True, "Event"),
    "serviceaccounts": ("/api/v1", True, "ServiceAccount"),
    "deployments": ("/apis/apps/v1", True, "Deployment"),
    "replicasets": ("/apis/apps/v1", True, "ReplicaSet"),
    "roles": ("/apis/rbac.authorization.k8s.io/v1", True, "Role"),
    "rolebindings": ("/apis/rbac.authorization.k8s.io/v1", True, "RoleBinding"),
    "clusterroles": ("/apis/rbac.authorization.k8s.io/v1", False, "ClusterRole"),
    "clusterrolebindings": ("/apis/rbac.authorization.k8s.io/v1", False, "ClusterRoleBinding"),
    "leases": ("/apis/coordination.k8s.io/v1", True, "Lease"),
    "selfsubjectaccessreviews": ("/apis/authorization.k8s.io/v1", False, "SelfSubjectAccessReview"),
}


class ApiError(LabError):
    """The API server's answer when it is not 2xx: its Status, never what was sent."""

    def __init__(self, method: str, path: str, code: int, status: Object) -> None:
        self.code = code
        self.status = status
        self.reason = str(status.get("reason", ""))
        super().__init__(f"{method} {path}: {code} {self.reason}: {status.get('message', '')}")


def path_of(
    resource: str, namespace: str | None = None, name: str | None = None, subresource: str | None = None
) -> str:
    """``/apis/apps/v1/namespaces/<namespace>/deployments/<name>/<subresource>``."""
    prefix, namespaced, _ = RESOURCES[resource]
    parts = [prefix]
    if namespaced and namespace is not None:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(resource)
    parts += [quote(part, safe="") for part in (name, subresource) if part is not None]
    return "/".join(parts)


class Api:
    """One user's access to one API server; safe to share between threads."""

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str = "keybuzz-lab",
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.server = access.server
        self._access = access
        self._agent = user_agent
        self._more = dict(headers or {})
        self._timeout = timeout
        self._tls = _trusting(access)
        self._local = threading.local()

    # -- verbs ---------------------------------------------------------------
    def get(self, resource: str, name: str, namespace: str | None = None) -> Object:
        return self.request("GET", path_of(resource, namespace, name))

    def find(self, resource: str, name: str, namespace: str | None = None) -> Object | None:
        """As ``get``, but None where there is no such object."""
        try:
            return self.get(resource, name, namespace)
        except ApiError as error:
            if error.code == http.client.NOT_FOUND:
                return None
            raise

    def list(self, resource: str, namespace: str | None = None, **query: Any) -> Object:
        """The whole List object; ``query`` e.g. ``labelSelector="app=x"``."""
        return self.request("GET", path_of(resource, namespace), query=query)

    def create(
        self,
        resource: str,
        body: Object,
        namespace: str | None = None,
        *,
        name: str | None = None,
        subresource: str | None = None,
        **query: Any,
    ) -> Object:
        path = path_of(resource, namespace or _namespace(body), name, subresource)
        return self.request("POST", path, body=_typed(resource, body, subresource), query=query)

    def update(self, resource: str, body: Object, *, subresource: str | None = None, **query: Any) -> Object:
        path = path_of(resource, _namespace(body), body["metadata"]["name"], subresource)
        return self.request("PUT", path, body=_typed(resource, body, None), query=query)

    def ensure(self, resource: str, body: Object) -> Object:
        """Create, or replace what is there (its resourceVersion is not compared)."""
        try:
            return self.create(resource, body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        return self.update(resource, body)

    def patch(
        self,
        resource: str,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        kind: PatchKind = "merge",
        subresource: str | None = None,
        **query: Any,
    ) -> Object:
        path = path_of(resource, namespace, name, subresource)
        return self.request("PATCH", path, body=body, content_type=PATCH_TYPES[kind], query=query)

    def delete(
        self,
        resource: str,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
        propagation: str = "Background",
        uid: str | None = None,
    ) -> Object:
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        return self.request("DELETE", path_of(resource, namespace, name), body=options)

    def watch(
        self, resource: str, namespace: str | None = None, *, resource_version: str, seconds: int = 60, **query: Any
    ) -> Iterator[Object]:
        """Events ``{"type": ..., "object": ...}`` after that version, for at most ``seconds``.

        Uses a connection of its own. The server's own end is a plain end of the
        iterator; an ``ERROR`` event is raised as ApiError (410: list anew).
        """
        query |= {"watch": "true", "resourceVersion": resource_version, "timeoutSeconds": str(seconds)}
        path = path_of(resource, namespace)
        connection = self._connect(timeout=seconds + 30.0)
        try:
            connection.request("GET", f"{path}?{urlencode(query)}", headers=self._headers(None))
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise _error("GET", path, response.status, response.read())
            for line in response:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError("WATCH", path, int(event["object"].get("code", 500)), event["object"])
                yield event
        finally:
            connection.close()

    def can(
        self, verb: str, resource: str, namespace: str, *, name: str = "", group: str = "", subresource: str = ""
    ) -> bool:
        """Ask the server whether this user may do that (SelfSubjectAccessReview)."""
        attributes = {
            "verb": verb,
            "resource": resource,
            "namespace": namespace,
            "name": name,
            "group": group,
            "subresource": subresource,
        }
        review = self.create("selfsubjectaccessreviews", {"spec": {"resourceAttributes": attributes}})
        return bool(review["status"]["allowed"])

    # -- transport -----------------------------------------------------------
    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        query: Mapping[str, Any] | None = None,
    ) -> Object:
        """One call; the decoded answer, or ApiError."""
        target = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers(content_type if data is not None else None)
        code, content = self._send(method, target, data, headers)
        if code >= http.client.BAD_REQUEST:
            raise _error(method, path, code, content)
        answer: Object = json.loads(content)
        return answer

    def _send(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        kept: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        for connection in (kept, None):
            fresh = connection is None
            link = connection or self._connect(timeout=self._timeout)
            try:
                link.request(method, target, body=data, headers=headers)
                response = link.getresponse()
                content = response.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                # A kept connection the server has closed meanwhile was never read
                # by it; a fresh one that breaks is a real fault.
                link.close()
                self._local.connection = None
                if fresh:
                    raise
                continue
            except BaseException:
                link.close()
                self._local.connection = None
                raise
            self._local.connection = link
            return response.status, content
        raise AssertionError("unreachable: the second connection is always fresh")

    def _connect(self, *, timeout: float) -> http.client.HTTPSConnection:
        address = urlsplit(self.server)
        return http.client.HTTPSConnection(
            address.hostname or "", address.port or 443, timeout=timeout, context=self._tls
        )

    def _headers(self, content_type: str | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": self._agent, **self._more}
        if self._access.token is not None:
            headers["Authorization"] = f"Bearer {self._access.token}"
        if content_type is not None:
            headers["Content-Type"] = content_type
        return headers


def _trusting(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.ca_pem)
    if access.certificate is not None:
        # ssl reads a client's certificate from a file only; this one is 0600 and gone at once.
        with tempfile.NamedTemporaryFile("w", prefix="keybuzz-lab-") as file:
            file.write(access.certificate)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _namespace(body: Object) -> str | None:
    namespace: str | None = body.get("metadata", {}).get("namespace")
    return namespace


def _typed(resource: str, body: Object, subresource: str | None) -> Object:
    """The body with apiVersion and kind, which the server insists on."""
    if "kind" in body or subresource is not None:
        return body
    prefix, _, kind = RESOURCES[resource]
    return {"apiVersion": prefix.removeprefix("/apis/").removeprefix("/api/"), "kind": kind, **body}


def _error(method: str, path: str, code: int, content: bytes) -> ApiError:
    try:
        status = json.loads(content)
    except ValueError:
        status = {"message": content[:200].decode(errors="replace")}
    return ApiError(method, path, code, status if isinstance(status, dict) else {})
