# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon's own SDK and python-amazon-sp-api, both as they are, page through 250 orders of the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lab.amazon.clock import iso
from tests.lab.amazon_caller import SINCE, UNTIL, Caller
from tests.lab.amazon_process import FRANCE, Simulator, running_simulator
from tests.lab.amazon_reports import WINDOWS, XML, orders_of, text_of

TENANT = "switaa-002"
START, END = datetime.fromisoformat(SINCE), datetime.fromisoformat(UNTIL)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("amazon")) as running:
        yield running


@pytest.fixture
def world(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """250 orders for a second tenant, and no proxy between the clients and the simulator."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SP_API_DEFAULT_MARKETPLACE", raising=False)
    simulator.admin.reset()
    assert simulator.admin.generate_orders(TENANT, 250, start=START, end=END, seed=11) == 250
    return simulator


def all_ids(world: Simulator) -> list[str]:
    return [order["orderId"] for order in world.admin.orders(TENANT)]


def ids_in_window(world: Simulator) -> list[str]:
    """The orders of the first 30 days."""
    start, end = (iso(moment) for moment in WINDOWS[0])
    found = [order["orderId"] for order in world.admin.orders(TENANT) if start <= order["createdTime"] <= end]
    assert 60 < len(found) < 120
    return found


@pytest.fixture
def sdk(world: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Amazon's SDK: addresses by its constructor, the CA by its default configuration and requests' variable."""
    from spapi import Configuration, SPAPIClient
    from spapi.auth.credentials import SPAPIConfig

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.ca_file))
    trusting = Configuration()
    trusting.ssl_ca_cert = str(world.ca_file)
    Configuration.set_default(trusting)
    try:
        credentials = SPAPIConfig(world.client_id, world.client_secret, world.refresh_tokens[TENANT], region="EU")
        yield SPAPIClient(credentials, oauth_endpoint=world.lwa_url, endpoint=world.endpoint).api_client
    finally:
        Configuration.set_default(None)


def test_amazons_sdk_pages_through_250_orders(world: Simulator, sdk: Any) -> None:
    from spapi.api.orders_v2026_01_01.search_orders_api import SearchOrdersApi

    query = {
        "created_after": START,
        "created_before": END,
        "marketplace_ids": [FRANCE],
        "included_data": ["PROCEEDS", "FULFILLMENT", "CANCELLATION"],
    }
    page = SearchOrdersApi(sdk).search_orders(**query)
    orders = list(page.orders)
    sizes = [len(page.orders)]
    while page.pagination:
        page = SearchOrdersApi(sdk).search_orders(**query, pagination_token=page.pagination.next_token)
        orders += page.orders
        sizes.append(len(page.orders))
    assert sizes == [100, 100, 50]
    assert [order.order_id for order in orders] == all_ids(world)
    assert all(order.fulfillment.fulfillment_status and order.order_items for order in orders)
    assert all(order.buyer is None and order.recipient is None for order in orders)


def test_amazons_sdk_pages_through_250_older_orders_and_their_items(world: Simulator, sdk: Any) -> None:
    from spapi.api.orders_v0.orders_v0_api import OrdersV0Api

    api = OrdersV0Api(sdk)
    payload = api.get_orders([FRANCE], created_after=SINCE, created_before=UNTIL).payload
    orders = list(payload.orders)
    while payload.next_token:
        payload = api.get_orders([FRANCE], next_token=payload.next_token).payload
        orders += payload.orders
    assert [order.amazon_order_id for order in orders] == all_ids(world)
    items = api.get_order_items(orders[0].amazon_order_id).payload
    assert items.order_items[0].seller_sku.startswith("ECOM-")
    assert api.get_order(orders[0].amazon_order_id).payload.order_status == orders[0].order_status


def test_amazons_sdk_reads_one_order_and_the_participations(world: Simulator, sdk: Any) -> None:
    from spapi.api.orders_v2026_01_01.get_order_api import GetOrderApi
    from spapi.api.sellers_v1.sellers_api import SellersApi

    order_id = all_ids(world)[7]
    assert GetOrderApi(sdk).get_order(order_id).order.order_id == order_id
    (only,) = SellersApi(sdk).get_marketplace_participations().payload
    assert (only.marketplace.id, only.participation.is_participating) == (FRANCE, True)


def test_amazons_sdk_meets_amazons_errors(world: Simulator, sdk: Any) -> None:
    from spapi.api.orders_v2026_01_01.search_orders_api import SearchOrdersApi
    from spapi.rest import ApiException

    world.admin.inject("throttle-storm")
    with pytest.raises(ApiException) as throttled:
        SearchOrdersApi(sdk).search_orders(created_after=START)
    assert throttled.value.status == 429
    assert "x-amzn-RateLimit-Limit" not in throttled.value.headers
    with pytest.raises(ApiException) as refused:
        SearchOrdersApi(sdk).search_orders(created_after=START, last_updated_after=START)
    assert refused.value.status == 400
    assert refused.value.headers["x-amzn-RateLimit-Limit"] == "0.0056"


def test_amazons_sdk_reads_a_report_from_its_request_to_its_document(world: Simulator, sdk: Any) -> None:
    from spapi.api.reports_v2021_06_30.reports_api import ReportsApi
    from spapi.models.reports_v2021_06_30 import CreateReportSpecification

    world.admin.reports(queue=0, progress=0)
    api = ReportsApi(sdk)
    asked = CreateReportSpecification(
        report_type=XML, marketplace_ids=[FRANCE], data_start_time=WINDOWS[0][0], data_end_time=WINDOWS[0][1]
    )
    report = api.get_report(api.create_report(asked).report_id)
    assert (report.processing_status, report.data_start_time) == ("DONE", WINDOWS[0][0])
    assert [one.report_id for one in api.get_reports(report_types=[XML]).reports] == [report.report_id]
    document = api.get_report_document(report.report_document_id)
    # The SDK ends here: what is behind the address is for another client.
    found = orders_of(text_of(Caller(world, TENANT).http.get(document.url)))
    assert [order.findtext("AmazonOrderID") for order in found] == ids_in_window(world)
    second = api.create_report(asked).report_id
    world.admin.reports(queue=60)
    third = api.create_report(asked).report_id
    assert second != third
    api.cancel_report(third)
    assert api.get_report(third).processing_status == "CANCELLED"


def library(world: Simulator, tenant: str = TENANT) -> dict[str, Any]:
    """The public arguments that lead python-amazon-sp-api to the simulator."""
    from sp_api.auth import AccessTokenClient
    from sp_api.base.credential_provider import FromCodeCredentialProvider

    class Tokens(AccessTokenClient):  # type: ignore[misc,unused-ignore]
        host = world.host

    return {
        "marketplace": SimpleNamespace(endpoint=world.endpoint, marketplace_id=FRANCE, region="eu-west-1"),
        "credentials": {
            "refresh_token": world.refresh_tokens[tenant],
            "lwa_app_id": world.client_id,
            "lwa_client_secret": world.client_secret,
        },
        "credential_providers": (FromCodeCredentialProvider,),
        "auth_token_client_class": Tokens,
        "verify": str(world.ca_file),
        "timeout": 20,
    }


pytestmark = pytest.mark.filterwarnings("ignore:`verify=<str>` is deprecated")


def test_python_amazon_sp_api_pages_through_250_orders(world: Simulator) -> None:
    from sp_api.api import OrdersV20260101

    query: dict[str, Any] = {
        "createdAfter": SINCE,
        "createdBefore": UNTIL,
        "marketplaceIds": [FRANCE],
        "includedData": ["PROCEEDS", "FULFILLMENT"],
    }
    rows: list[dict[str, Any]] = []
    with OrdersV20260101(**library(world)) as api:
        page = api.search_orders(**query)
        rows += page.orders
        assert page.rate_limit == "0.0056"
        while page.next_token:
            page = api.search_orders(**query, paginationToken=page.next_token)
            rows += page.orders
        assert api.get_order(rows[3]["orderId"]).order["orderId"] == rows[3]["orderId"]
    assert [row["orderId"] for row in rows] == all_ids(world)


@pytest.mark.parametrize("charset", ["UTF-8", "ISO-8859-1"])
@pytest.mark.parametrize("compressed", [True, False])
def test_python_amazon_sp_api_reads_a_report_from_its_request_to_its_document(
    world: Simulator, compressed: bool, charset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sp_api.api import Reports

    # The library downloads with a client of its own, which knows no `verify`: the CA comes by httpx's variable.
    monkeypatch.setenv("SSL_CERT_FILE", str(world.ca_file))
    world.admin.reports(queue=0, progress=0, gzip=compressed, charset=charset)
    with Reports(**library(world)) as api:
        start, end = WINDOWS[0]
        created = api.create_report(reportType=XML, marketplaceIds=[FRANCE], dataStartTime=start, dataEndTime=end)
        assert created.rate_limit == "0.0167"
        report = api.get_report(created.payload["reportId"]).payload
        assert report["processingStatus"] == "DONE"
        document = api.get_report_document(report["reportDocumentId"], download=True).payload["document"]
        assert len(api.get_reports(reportTypes=[XML]).payload["reports"]) == 1
        world.admin.reports(queue=60)
        waiting = api.create_report(reportType=XML, marketplaceIds=[FRANCE]).payload["reportId"]
        api.cancel_report(waiting)
        assert api.get_report(waiting).payload["processingStatus"] == "CANCELLED"
    found = [order.findtext("AmazonOrderID") for order in orders_of(document)]
    assert found == ids_in_window(world)
    assert "Théière" in document
    (entry,) = world.admin.requests("reportDocument")
    assert (entry["status"], entry["complete"], entry["rows"]) == (200, True, len(found))


def test_python_amazon_sp_apis_extra_marketplace_parameters_do_no_harm(world: Simulator) -> None:
    from sp_api.api import OrdersV20260101

    with OrdersV20260101(**library(world)) as api:
        assert len(api.search_orders(createdAfter=SINCE, createdBefore=UNTIL).orders) == 100
    (entry,) = world.admin.requests("searchOrders")
    assert {"MarketplaceId", "MarketplaceIds", "marketplace_ids", "marketplaceIds"} < set(entry["parameters"])


def test_python_amazon_sp_api_pages_through_250_older_orders(world: Simulator) -> None:
    from sp_api.api import OrdersV0

    with OrdersV0(**library(world)) as api:
        page = api.get_orders(CreatedAfter=SINCE, CreatedBefore=UNTIL, MarketplaceIds=[FRANCE])
        rows = list(page.payload["Orders"])
        while page.next_token:
            page = api.get_orders(NextToken=page.next_token, MarketplaceIds=[FRANCE])
            rows += page.payload["Orders"]
        assert [row["AmazonOrderId"] for row in rows] == all_ids(world)
        items = api.get_order_items(rows[0]["AmazonOrderId"]).payload["OrderItems"]
        assert items[0]["SellerSKU"].startswith("ECOM-")


def test_python_amazon_sp_api_reads_the_participations_and_exchanges_a_code(world: Simulator) -> None:
    from sp_api.api import Sellers

    arguments = library(world)
    with Sellers(**arguments) as api:
        (only,) = api.get_marketplace_participation().payload
        assert only["participation"]["isParticipating"] is True
        tokens = api._auth.authorize_auth_code(world.admin.consent(TENANT)["code"])
    assert tokens["refresh_token"].startswith("Atzr|")


def test_python_amazon_sp_api_takes_a_broken_answer_for_an_empty_last_page(world: Simulator) -> None:
    """The traps that a client over this library has to close: each of these looks like the end of the orders."""
    from sp_api.api import OrdersV20260101

    with OrdersV20260101(**library(world)) as api:
        for name in ("html-503", "html-429", "truncated-200", "missing-payload-key"):
            world.admin.inject(name)
            page = api.search_orders(createdAfter=SINCE, marketplaceIds=[FRANCE])
            assert (page.payload, page.next_token) == ({}, None), name


def test_python_amazon_sp_api_meets_amazons_errors(world: Simulator) -> None:
    import httpx
    from sp_api.api import OrdersV20260101
    from sp_api.auth.exceptions import AuthorizationError
    from sp_api.base.exceptions import (
        SellingApiBadRequestException,
        SellingApiException,
        SellingApiForbiddenException,
        SellingApiRequestThrottledException,
        SellingApiServerException,
    )

    expected = {
        "throttle-storm": SellingApiRequestThrottledException,
        "forbidden-403": SellingApiForbiddenException,
        "internal-500": SellingApiServerException,
        "wrong-400": SellingApiBadRequestException,
        "http-401": SellingApiException,
        "reset": httpx.TransportError,
    }
    with OrdersV20260101(**library(world)) as api:
        for name, kind in expected.items():
            world.admin.inject(name)
            with pytest.raises(kind):
                api.search_orders(createdAfter=SINCE, marketplaceIds=[FRANCE])
    world.admin.inject("revoked-token")
    # The tenant whose token the library has not cached yet.
    with OrdersV20260101(**library(world, "ecomlg-001")) as api, pytest.raises(AuthorizationError) as revoked:
        api.search_orders(createdAfter=SINCE, marketplaceIds=[FRANCE])
    assert revoked.value.error_code == "invalid_grant"
