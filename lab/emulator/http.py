# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side: authentication, authorization, verbs, watches, the request log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lab.emulator import errors, patch
from lab.emulator.audit import AuditLog
from lab.emulator.authentication import ANONYMOUS, Authentication, User
from lab.emulator.authorization import allowed, denial
from lab.emulator.calls import Call, parse
from lab.emulator.impersonation import impersonated
from lab.emulator.registry import Registry, Writer
from lab.emulator.resources import discovery
from lab.emulator.reviews import access_review, bind_pod, issue_token, who_am_i
from lab.emulator.selectors import field_selector, label_selector
from lab.emulator.watches import events

Object = dict[str, Any]

LARGEST_BODY = 3 * 1024 * 1024  # bytes, kube-apiserver's own limit
HEALTH = {"/healthz", "/livez", "/readyz"}


class Server:
    """One API server; ``application`` is what uvicorn serves."""

    def __init__(self, registry: Registry, authentication: Authentication, audit: AuditLog) -> None:
        self._registry = registry
        self._authentication = authentication
        self._audit = audit
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        self.application = Starlette(routes=[Route("/{path:path}", self._handle, methods=methods)])

    async def _handle(self, request: Request) -> Response:
        received = datetime.now(UTC)
        user, call, response = ANONYMOUS, None, None
        asking = None  # who asks to be taken for ``user``
        try:
            user = self._authentication.user(request.headers.get("authorization"))
            acted = impersonated(
                self._registry.storage,
                user,
                request.headers.get("impersonate-user"),
                request.headers.getlist("impersonate-group"),
            )
            if acted is not None:
                asking, user = user, acted
            response = self._open_paths(request, user)
            if response is None:
                call = parse(request.method, request.scope["raw_path"].decode("ascii"), request.query_params)
                if not allowed(self._registry.storage, user, call.attributes):
                    raise denial(call.resource, user, call.attributes)
                response = await self._answer(request, user, call)
        except errors.StatusError as error:
            response = JSONResponse(error.body(), error.code)
        self._audit.write(
            uri=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            verb=call.verb if call else request.method.lower(),
            user=asking or user,
            impersonated=user if asking else None,
            agent=request.headers.get("user-agent", ""),
            target=call.reference() if call else None,
            code=response.status_code,
            received=received,
            stage="ResponseStarted" if isinstance(response, StreamingResponse) else "ResponseComplete",
        )
        return response

    @staticmethod
    def _open_paths(request: Request, user: User) -> Response | None:
        path = request.url.path.rstrip("/")
        if path in HEALTH:
            return PlainTextResponse("ok")
        document = discovery(path)
        if document is None:
            return None
        if user is ANONYMOUS and path != "/version":
            raise errors.StatusError(
                403, "Forbidden", f'forbidden: User "{user.name}" cannot get path "{request.url.path}"'
            )
        return JSONResponse(document)

    async def _answer(self, request: Request, user: User, call: Call) -> Response:
        query = request.query_params
        registry = self._registry
        if call.verb == "get":
            return JSONResponse(registry.get(call.resource, _home(call), call.name))
        if call.verb == "list":
            return JSONResponse(self._list(call, query))
        if call.verb == "watch":
            stream = events(registry.storage, call.resource, _home(call), query)
            return StreamingResponse(stream, media_type="application/json")
        body = await _body(request)
        writer = Writer(_manager(request), _dry_run(query), call.subresource)
        if call.verb == "create":
            return JSONResponse(self._create(call, user, body, writer), 201)
        if call.verb in ("update", "patch"):
            return self._write(request, call, body, writer)
        return self._delete(call, query, {**_delete_options(query), **(body or {})}, dry=writer.dry_run)

    def _delete(self, call: Call, query: Mapping[str, str], options: Object, *, dry: bool) -> Response:
        registry = self._registry
        dry = dry or options.get("dryRun") == ["All"]
        if call.verb == "deletecollection":
            for item in self._list(call, query)["items"]:
                registry.delete(
                    call.resource, item["metadata"].get("namespace", ""), item["metadata"]["name"], options, dry_run=dry
                )
            return JSONResponse({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        item, gone = registry.delete(call.resource, _home(call), call.name, options, dry_run=dry)
        if not gone or call.resource.plural == "pods":
            return JSONResponse(item)
        details = {
            "name": call.name,
            "group": call.resource.group,
            "kind": call.resource.plural,
            "uid": item["metadata"]["uid"],
        }
        return JSONResponse(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {key: value for key, value in details.items() if value},
            }
        )

    def _list(self, call: Call, query: Mapping[str, str]) -> Object:
        storage = self._registry.storage
        labels = label_selector(query.get("labelSelector", ""))
        selected = field_selector(query.get("fieldSelector", ""))
        found = [item for item in storage.list(call.resource, _home(call)) if labels(item) and selected(item)]
        return {
            "kind": f"{call.resource.kind}List",
            "apiVersion": call.resource.api_version,
            "metadata": {"resourceVersion": str(storage.version)},
            "items": found,
        }

    def _create(self, call: Call, user: User, body: Any, writer: Writer) -> Object:
        if not isinstance(body, dict):
            raise errors.bad_request("the body is not a JSON object")
        if call.resource.plural == "selfsubjectaccessreviews":
            return access_review(self._registry.storage, user, body)
        if call.resource.plural == "selfsubjectreviews":
            return who_am_i(user)
        if call.subresource == "token":
            return issue_token(self._registry, self._authentication, call, body)
        if call.subresource == "binding":
            return bind_pod(self._registry, call, body, writer)
        if call.name:
            raise errors.not_allowed()
        _check_kind(call, body)
        namespace = body.get("metadata", {}).get("namespace", call.namespace)
        if call.resource.namespaced and namespace != call.namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        return self._registry.create(call.resource, call.namespace, body, writer)

    def _write(self, request: Request, call: Call, body: Any, writer: Writer) -> Response:
        registry, home = self._registry, _home(call)
        if call.verb == "patch":
            kind = request.headers.get("content-type", "").split(";")[0].strip()
            if kind not in (patch.JSON_PATCH, patch.MERGE_PATCH, patch.STRATEGIC_PATCH):
                raise errors.unsupported_media_type()
            return JSONResponse(
                registry.update(call.resource, home, call.name, lambda item: patch.apply(item, body, kind), writer)
            )
        if not isinstance(body, dict):
            raise errors.bad_request("the body is not a JSON object")
        _check_kind(call, body)
        if call.resource.created_by_update and registry.storage.find(call.resource, home, call.name) is None:
            return JSONResponse(registry.create(call.resource, home, body, writer), 201)
        return JSONResponse(registry.update(call.resource, home, call.name, lambda item: body, writer, by_put=True))


def _home(call: Call) -> str:
    """The namespace an object is stored under: none for one that is of the cluster."""
    return call.namespace if call.resource.namespaced else ""


def _check_kind(call: Call, body: Object) -> None:
    given = (body.get("apiVersion"), body.get("kind"))
    if given != (call.resource.api_version, call.resource.kind):
        raise errors.bad_request(
            f"{given[1] or 'an object without kind'} of {given[0] or 'no apiVersion'} cannot be "
            f"handled as a {call.resource.kind} of {call.resource.api_version}"
        )


async def _body(request: Request) -> Any:
    content = await request.body()
    if len(content) > LARGEST_BODY:
        raise errors.StatusError(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    if not content:
        return None
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if request.method != "PATCH" and kind not in ("", "application/json"):
        raise errors.unsupported_media_type()
    if kind == "application/apply-patch+yaml":
        raise errors.unsupported_media_type()
    try:
        return json.loads(content)
    except ValueError:
        raise errors.bad_request("the body is not JSON") from None


def _dry_run(query: Mapping[str, str]) -> bool:
    given = query.get("dryRun", "")
    if given not in ("", "All"):
        raise errors.StatusError(422, "Invalid", f'dryRun: Unsupported value: "{given}": supported values: "All"')
    return given == "All"


def _manager(request: Request) -> str:
    given = request.query_params.get("fieldManager", "")
    return given or request.headers.get("user-agent", "unknown").split("/")[0][:128]


def _delete_options(query: Mapping[str, str]) -> Object:
    if "gracePeriodSeconds" in query:
        return {"gracePeriodSeconds": int(query["gracePeriodSeconds"])}
    return {}
