# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public side: every path Amazon has, as far as it is simulated."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lab.amazon import consent, orders_2026, orders_v0, reports_2021, sellers
from lab.amazon.answers import errors
from lab.amazon.calls import Handler
from lab.amazon.downloads import download
from lab.amazon.gateway import endpoint, respond, token_endpoint, unknown_path
from lab.amazon.world import World

OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("getMarketplaceParticipations", "/sellers/v1/marketplaceParticipations", sellers.marketplace_participations),
    ("searchOrders", "/orders/2026-01-01/orders", orders_2026.search_orders),
    ("getOrder", "/orders/2026-01-01/orders/{orderId}", orders_2026.get_order),
    ("getOrders", "/orders/v0/orders", orders_v0.get_orders),
    ("getOrderV0", "/orders/v0/orders/{orderId}", orders_v0.get_order),
    ("getOrderItems", "/orders/v0/orders/{orderId}/orderItems", orders_v0.get_order_items),
)

REPORTS = "/reports/2021-06-30"
REPORT_OPERATIONS: tuple[tuple[str, str, str, Handler], ...] = (
    ("createReport", "POST", f"{REPORTS}/reports", reports_2021.create_report),
    ("getReports", "GET", f"{REPORTS}/reports", reports_2021.get_reports),
    ("getReport", "GET", f"{REPORTS}/reports/{{reportId}}", reports_2021.get_report),
    ("cancelReport", "DELETE", f"{REPORTS}/reports/{{reportId}}", reports_2021.cancel_report),
    ("getReportDocument", "GET", f"{REPORTS}/documents/{{reportDocumentId}}", reports_2021.get_report_document),
)


async def _failed(_request: Request, _error: Exception) -> Response:
    """A fault of the simulator itself; the traceback goes to its log."""
    return respond(errors(500, "InternalFailure", "We encountered an internal error. Please try again."))


def public(world: World) -> Starlette:
    """LWA, Seller Central and the APIs."""
    # The first that matches answers, and no other path is asked for as often as this one.
    routes = [Route("/auth/o2/token", token_endpoint(world), methods=["POST"])]
    routes += [
        Route(path, endpoint(world, operation, handler), methods=["GET"]) for operation, path, handler in OPERATIONS
    ]
    routes += [
        Route(path, endpoint(world, operation, handler), methods=[method])
        for operation, method, path, handler in REPORT_OPERATIONS
    ]
    routes.append(Route(f"{reports_2021.DOCUMENTS}/{{documentId}}", download(world), methods=["GET"]))
    routes += consent.routes(world)
    every_method = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    routes.append(Route("/{path:path}", unknown_path(world), methods=every_method))
    return Starlette(routes=routes, exception_handlers={Exception: _failed})
