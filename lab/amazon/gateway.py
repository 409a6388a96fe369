# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before every operation: access, usage plans, faults, headers and the request log."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from lab.amazon import faults as names
from lab.amazon.answers import Answer, Refused, errors, html, json_answer, unauthorized
from lab.amazon.calls import Call, Handler
from lab.amazon.clock import iso
from lab.amazon.config import Seller
from lab.amazon.connections import cut
from lab.amazon.faults import Fault
from lab.amazon.journal import Entry, without_secrets
from lab.amazon.lwa import refuse
from lab.amazon.world import World

Endpoint = Callable[[Request], Awaitable[Response]]

# Amazon: the rate comes best-effort with 20x, 400 and 404, never with a throttled or unauthorised answer.
RATE_STATUSES = (200, 201, 202, 400, 404)
USER_AGENT_LIMIT = 500
FORM = "application/x-www-form-urlencoded"


def throttled() -> Answer:
    """429, without a rate and without Retry-After: Amazon sends neither."""
    return errors(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


# Fault -> what is answered instead of anything else.
REPLACEMENTS: dict[str, Callable[[], Answer]] = {
    "throttle-storm": throttled,
    "forbidden-403": lambda: unauthorized(""),
    "internal-500": lambda: errors(500, "InternalFailure", "We encountered an internal error. Please try again."),
    "http-401": lambda: unauthorized("The access token you provided is not valid.", status=401),
    "wrong-400": lambda: errors(400, "InvalidInput", "Invalid Input"),
    "html-503": lambda: html(503, "Service Unavailable"),
    "html-429": lambda: html(429, "Too Many Requests"),
    "lwa-503-html": lambda: html(503, "Service Temporarily Unavailable"),
    "lwa-429": lambda: json_answer(
        {"error": "temporarily_unavailable", "error_description": "Too many requests"},
        429,
        error="temporarily_unavailable",
    ),
    "lwa-500-json": lambda: json_answer(
        {"error": "server_error", "error_description": "The authorization server met an unexpected condition"},
        500,
        error="server_error",
    ),
    "quota-429-with-retry-after": throttled,
    # API Gateway's own words when what is behind it does not answer in time: no error list.
    "gateway-504": lambda: json_answer({"message": "Endpoint request timed out"}, 504),
    "not-json-200": lambda: html(200, "Welcome"),
    "http-413": lambda: errors(413, "RequestTooLarge", "The request size exceeded the maximum accepted size."),
    "document-html-503": lambda: html(503, "Slow Down"),
    "revoked-token": lambda: refuse("refresh_token"),
    "invalid-client": lambda: refuse("invalid_client"),
    "unauthorized-client": lambda: refuse("unauthorized_client"),
}


def damaged(answer: Answer, fault: Fault | None) -> Answer:
    """The answer as it arrives."""
    if fault is None or answer.status not in (200, 202):
        return answer
    if fault.name in ("truncated-200", "lwa-truncated"):
        # A body that ends early and says so in its Content-Length: only its JSON is broken.
        return Answer(answer.status, answer.body[: len(answer.body) * 2 // 3], answer.media_type, answer.headers)
    if fault.name == "missing-payload-key":
        return json_answer({}, answer.status)
    return answer


async def _wait(request: Request, seconds: float) -> None:
    """Real seconds, or until the client has given up."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not await request.is_disconnected():
        await asyncio.sleep(min(left, 0.05))


async def interfered(request: Request, fault: Fault | None) -> Answer | None:
    """Does what a fault does before the operation; status 0 says that the connection is cut."""
    if fault is None:
        return None
    if fault.name in ("slow", "lwa-slow"):
        await _wait(request, fault.seconds)
    if fault.name == "reset":
        cut(request)
        return Answer(0, b"")
    replacement = REPLACEMENTS.get(fault.name)
    answer = replacement() if replacement else None
    if answer and fault.name == "quota-429-with-retry-after":
        # Amazon does not document it for 429; a client that meets it may obey.
        answer.headers["Retry-After"] = str(max(1, int(fault.seconds)))
    return answer


def record(
    world: World,
    request: Request,
    operation: str,
    parameters: dict[str, str],
    answer: Answer,
    *,
    seller: Seller | None,
    fault: Fault | None,
) -> None:
    """Writes the request log."""
    world.journal.add(
        Entry(
            time=iso(world.clock.now(), milliseconds=True),
            operation=operation,
            method=request.method,
            path=request.url.path,
            status=answer.status,
            tenant=seller.tenant if seller else None,
            seller=seller.seller_id if seller else None,
            fault=fault.name if fault else None,
            error=answer.error,
            rows=answer.rows,
            parameters=without_secrets(parameters),
            user_agent=request.headers.get("user-agent", "")[:USER_AGENT_LIMIT],
            complete=answer.complete,
        )
    )


def respond(answer: Answer) -> Response:
    """The HTTP answer with the two ids that Amazon always sends."""
    headers = {
        "x-amzn-RequestId": str(uuid.uuid4()),
        "x-amz-apigw-id": uuid.uuid4().hex[:16],
        **answer.headers,
    }
    return Response(answer.body, answer.status or 503, headers, answer.media_type)


def query_of(request: Request) -> dict[str, str]:
    """Each parameter once; a repeated one is the same as one with commas."""
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


async def form_of(request: Request) -> dict[str, str]:
    """A form in the body; empty when the body is anything else."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        return {}
    body = (await request.body()).decode("utf-8", errors="replace")
    return dict(parse_qsl(body, keep_blank_values=True))


async def body_of(request: Request) -> tuple[dict[str, Any], Answer | None]:
    """The JSON object in the body of a POST (of any other method: none), or the refusal of what is none."""
    if request.method != "POST":
        return {}, None
    if "json" not in request.headers.get("content-type", "json").lower():
        return {}, errors(415, "UnsupportedMediaType", "The request payload must be application/json.")
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return {}, errors(400, "InvalidInput", "Request body is not a JSON object.")
    return body, None


def parameters_of(query: dict[str, str], body: dict[str, Any]) -> dict[str, str]:
    """Query and body for the request log: lists joined by commas, other values as they would be in a query."""
    flat = {name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in body.items()}
    return {**query, **flat}


def _access(world: World, request: Request) -> tuple[Seller | None, Answer | None]:
    """Whose call it is, and the refusal if it may not be made."""
    token = world.grants.token(request.headers.get("x-amz-access-token", ""))
    seller = token.seller if token else None
    agent = request.headers.get("user-agent", "")
    if not agent or len(agent) > USER_AGENT_LIMIT:
        return seller, errors(400, "InvalidInput", "A User-Agent header of at most 500 characters is required.")
    if "x-amz-access-token" not in request.headers:
        return None, unauthorized("Access token is missing in the request header.")
    if token is None:
        return None, unauthorized("The access token you provided is revoked, malformed or invalid.")
    if world.clock.timestamp() >= token.expires:
        return seller, unauthorized("The access token you provided has expired.")
    if seller is None or world.grants.revoked(seller.tenant):
        return seller, unauthorized("")
    return seller, None


def endpoint(world: World, operation: str, handler: Handler) -> Endpoint:
    """``handler`` behind the gateway."""

    async def serve(request: Request) -> Response:
        query = query_of(request)
        body, unreadable = await body_of(request)
        seller, refusal = _access(world, request)
        later_page = "paginationToken" in query
        fault = world.faults.take(operation, seller.tenant if seller else None, later_page=later_page)
        answer = await interfered(request, fault)
        if answer is None and (refusal or seller is None):
            answer = refusal
        if answer is None and seller is not None:
            host = request.headers.get("host", "")
            name = fault.name if fault else None
            call = Call(operation, seller, query, dict(request.path_params), name, body, host)
            answer = damaged(_rated(world, call, handler, unreadable), fault)
        assert answer is not None  # noqa: S101 - one of the three always answers
        parameters = parameters_of(query, body)
        record(world, request, operation, parameters, answer, seller=seller, fault=fault)
        return respond(answer)

    return serve


def _rated(world: World, call: Call, handler: Handler, unreadable: Answer | None) -> Answer:
    application = world.config.client_id
    if not world.plans.take(application, call.seller.seller_id, call.operation):
        return throttled()
    try:
        answer = unreadable or handler(world, call)
    except Refused as refused:
        answer = refused.answer
    if world.rate_header and answer.status in RATE_STATUSES:
        rate = world.plans.plan(call.seller.seller_id, call.operation).rate
        answer.headers["x-amzn-RateLimit-Limit"] = str(rate)
    return answer


def token_endpoint(world: World) -> Endpoint:
    """LWA's ``/auth/o2/token``."""

    async def serve(request: Request) -> Response:
        form = await form_of(request)
        seller = world.grants.seller_of(form)
        fault = world.faults.take(names.LWA, seller.tenant if seller else None)
        answer = await interfered(request, fault)
        if answer is None:
            answer = damaged(world.grants.exchange(form), fault)
        record(world, request, names.LWA, form, answer, seller=seller, fault=fault)
        return respond(answer)

    return serve


def unknown_path(world: World) -> Endpoint:
    """Amazon's shape for what does not exist."""

    async def serve(request: Request) -> Response:
        answer = errors(404, "NotFound", "The resource specified does not exist.")
        record(world, request, "unknown", query_of(request), answer, seller=None, fault=None)
        return respond(answer)

    return serve
