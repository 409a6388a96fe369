# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin port, for tests and for the lab: faults, clock, buckets, orders, consent and the request log.

Plain HTTP on the loopback address. Every refusal is ``{"error": "<sentence>"}`` with status 400 or 404.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.amazon.big_books import ProceduralBook
from lab.amazon.books import OrderBook
from lab.amazon.clock import iso, parse_iso
from lab.amazon.config import Seller
from lab.amazon.consent import answer_uri
from lab.amazon.faults import NAMES, Fault
from lab.amazon.generator import change, synthetic_orders
from lab.amazon.procedural import ProceduralOrders
from lab.amazon.report_queue import changed
from lab.amazon.usage_plans import DEFAULT_PLANS
from lab.amazon.world import World, fixture_orders

Body = dict[str, Any]
Action = Callable[[Request, Body], Any]


class Unusable(Exception):
    """A request that cannot be done; says why."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


def _action(action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        raw = await request.body()
        try:
            body = json.loads(raw) if raw else {}
            if not isinstance(body, dict):
                raise Unusable("the body must be a JSON object")
            return JSONResponse(action(request, body) or {})
        except Unusable as unusable:
            return JSONResponse({"error": str(unusable)}, unusable.status)
        except KeyError as missing:
            return JSONResponse({"error": f"missing {missing.args[0]!r}"}, 400)
        except (ValueError, TypeError) as wrong:
            return JSONResponse({"error": str(wrong)}, 400)

    return serve


def _seller(world: World, tenant: str) -> Seller:
    seller = world.config.seller(tenant)
    if seller is None:
        known = ", ".join(one.tenant for one in world.config.sellers)
        raise Unusable(f"no tenant {tenant!r}; known: {known}", 404)
    return seller


def _clock(world: World) -> Body:
    return {"now": iso(world.clock.now(), milliseconds=True), "speed": world.clock.speed}


def _faults(world: World) -> list[Route]:
    def inject(_request: Request, body: Body) -> Any:
        world.faults.inject(Fault(**body))
        return {"faults": world.faults.describe()}

    def clear(_request: Request, _body: Body) -> Any:
        world.faults.clear()
        world.reports.release()

    def show(_request: Request, _body: Body) -> Any:
        return {"faults": world.faults.describe(), "known": list(NAMES)}

    return [
        Route("/faults", _action(inject), methods=["POST"]),
        Route("/faults", _action(clear), methods=["DELETE"]),
        Route("/faults", _action(show), methods=["GET"]),
    ]


def _requests(world: World) -> list[Route]:
    def show(request: Request, _body: Body) -> Any:
        operation = request.query_params.get("operation")
        entries = world.journal.entries()
        return {"requests": [one for one in entries if operation in (None, one["operation"])]}

    def clear(_request: Request, _body: Body) -> Any:
        world.journal.clear()

    return [
        Route("/requests", _action(show), methods=["GET"]),
        Route("/requests", _action(clear), methods=["DELETE"]),
    ]


def _time_and_quota(world: World) -> list[Route]:
    def clock(_request: Request, body: Body) -> Any:
        at = parse_iso(body["at"]) if body.get("at") else None
        advance = float(body.get("advance", 0.0))
        world.clock.set(speed=body.get("speed"), offset=body.get("offset"), advance=advance, at=at)
        return _clock(world)

    def buckets(_request: Request, body: Body) -> Any:
        if "rate_header" in body:
            world.rate_header = bool(body["rate_header"])
        if "operation" in body:
            if body["operation"] not in DEFAULT_PLANS:
                raise Unusable(f"no operation {body['operation']!r}; known: {', '.join(DEFAULT_PLANS)}")
            tenants = [body["tenant"]] if body.get("tenant") else [one.tenant for one in world.config.sellers]
            for tenant in tenants:
                world.plans.set(
                    world.config.client_id,
                    _seller(world, tenant).seller_id,
                    body["operation"],
                    tokens=body.get("tokens"),
                    rate=body.get("rate"),
                    burst=body.get("burst"),
                )
        return {"buckets": world.plans.describe(), "rate_header": world.rate_header}

    def refill(_request: Request, _body: Body) -> Any:
        world.plans.reset()

    return [
        Route("/clock", _action(clock), methods=["POST"]),
        Route("/buckets", _action(buckets), methods=["POST"]),
        Route("/buckets", _action(refill), methods=["DELETE"]),
    ]


def _sellers(world: World) -> list[Route]:
    def generate(request: Request, body: Body) -> Any:
        seller = _seller(world, request.path_params["tenant"])
        world.reports.settle()
        if body.get("replace"):
            world.books[seller.tenant] = OrderBook()
        book = world.books[seller.tenant]
        count, seed = int(body["count"]), int(body.get("seed", 1))
        start, end = parse_iso(body["start"]), parse_iso(body["end"])
        marketplace_id = body.get("marketplace_id", seller.marketplace_ids[0])
        if not body.get("procedural"):
            book.add(synthetic_orders(count, seed, start, end, marketplace_id=marketplace_id))
        elif isinstance(book, ProceduralBook):
            raise Unusable("the seller's book is procedural already; ask with replace")
        else:
            made = ProceduralOrders.between(count, seed, start, end, marketplace_id=marketplace_id)
            world.books[seller.tenant] = book = ProceduralBook(made, book.all())
        return {"orders": len(book)}

    def restore(request: Request, _body: Body) -> Any:
        seller = _seller(world, request.path_params["tenant"])
        world.reports.settle()
        world.books[seller.tenant] = OrderBook(fixture_orders(seller))
        return {"orders": len(world.books[seller.tenant])}

    def show(request: Request, _body: Body) -> Any:
        return {"orders": world.books[_seller(world, request.path_params["tenant"]).tenant].all()}

    def update(request: Request, body: Body) -> Any:
        book = world.books[_seller(world, request.path_params["tenant"]).tenant]
        order = book.get(request.path_params["order_id"])
        if order is None:
            raise Unusable(f"no order {request.path_params['order_id']!r}", 404)
        at = parse_iso(body["at"]) if body.get("at") else world.clock.now()
        world.reports.settle()
        book.add([change(order, status=body["status"], at=at)])

    def rights(request: Request, body: Body) -> Any:
        seller = _seller(world, request.path_params["tenant"])
        if "revoked" in body:
            world.grants.revoke(seller.tenant, bool(body["revoked"]))
        for name, absent in (("not_participating", world.not_participating), ("suspended", world.suspended)):
            if name in body:
                absent.difference_update({key for key in absent if key[0] == seller.tenant})
                absent.update((seller.tenant, marketplace_id) for marketplace_id in body[name])

    return [
        Route("/sellers/{tenant}/orders", _action(generate), methods=["POST"]),
        Route("/sellers/{tenant}/orders", _action(restore), methods=["DELETE"]),
        Route("/sellers/{tenant}/orders", _action(show), methods=["GET"]),
        Route("/sellers/{tenant}/orders/{order_id}", _action(update), methods=["PATCH"]),
        Route("/sellers/{tenant}", _action(rights), methods=["PATCH"]),
    ]


def _reports(world: World) -> list[Route]:
    def show(_request: Request, body: Body) -> Any:
        world.reports.settings = changed(world.reports.settings, body)
        return world.reports.describe()

    return [Route("/reports", _action(show), methods=["GET", "POST"])]


def _rest(world: World) -> list[Route]:
    def consent(_request: Request, body: Body) -> Any:
        seller = _seller(world, body["tenant"])
        uri, code = answer_uri(world, seller, body.get("state", ""), body.get("redirect_uri"))
        return {"code": code, "location": uri, "selling_partner_id": seller.seller_id}

    def issued(_request: Request, _body: Body) -> Any:
        return {**world.grants.issued(), "document_signatures": list(world.reports.signatures)}

    def reset(_request: Request, _body: Body) -> Any:
        world.reset()

    def state(_request: Request, _body: Body) -> Any:
        sellers = [
            {
                "tenant": seller.tenant,
                "seller_id": seller.seller_id,
                "marketplace_ids": list(seller.marketplace_ids),
                "orders": len(world.books[seller.tenant]),
                "revoked": world.grants.revoked(seller.tenant),
                "not_participating": sorted(key[1] for key in world.not_participating if key[0] == seller.tenant),
                "suspended": sorted(key[1] for key in world.suspended if key[0] == seller.tenant),
            }
            for seller in world.config.sellers
        ]
        return {
            "clock": _clock(world),
            "sellers": sellers,
            "buckets": world.plans.describe(),
            "faults": world.faults.describe(),
            "rate_header": world.rate_header,
        }

    return [
        Route("/consent", _action(consent), methods=["POST"]),
        Route("/issued", _action(issued), methods=["GET"]),
        Route("/reset", _action(reset), methods=["POST"]),
        Route("/state", _action(state), methods=["GET"]),
    ]


def admin(world: World) -> Starlette:
    """The application behind the admin port."""
    groups = (_faults, _requests, _time_and_quota, _sellers, _reports, _rest)
    return Starlette(routes=[route for group in groups for route in group(world)])
