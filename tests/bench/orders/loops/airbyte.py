# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airbyte's source-amazon-seller-partner: its streams Orders and OrderItems, read as Airbyte reads them.

Its endpoints are written into its code, so two functions of it are replaced; the rest is as it is installed.
"""

from __future__ import annotations

import logging
import os
import tempfile
from types import SimpleNamespace
from typing import Any

from tests.bench.orders.place import Place, Tally
from tests.bench.orders.virtual_clock import VirtualClock

# These ask datetime for the time: page waits, the life of an access token, the end of the window.
TIMED = (
    "airbyte_cdk.utils.datetime_helpers",
    "airbyte_cdk.sources.streams.call_rate",
    "airbyte_cdk.sources.declarative.interpolation.macros",
    "airbyte_cdk.sources.declarative.incremental.datetime_based_cursor",
    "backoff._sync",
)

GRACE = 0.02
"""Two threads read at once; a request of the slower one takes about 5 ms here."""


def prepare(clock: VirtualClock) -> None:
    """The connector's time is the simulator's, but for the pauses of its work queue, which are the machine's."""
    from airbyte_cdk.sources.streams.concurrent import partition_enqueuer  # type: ignore[import-not-found,unused-ignore]
    from pyrate_limiter.abstracts import bucket  # type: ignore[import-not-found,unused-ignore]

    clock.install_datetime(*TIMED)
    clock.grace, clock.least = GRACE, 1
    pauses: Any = partition_enqueuer
    pauses.time = SimpleNamespace(sleep=clock.real_sleep)
    cleaning: Any = bucket
    cleaning.sleep = clock.doze


def _stream(name: str) -> dict[str, Any]:
    modes = ["full_refresh", "incremental"]
    return {
        "stream": {"name": name, "json_schema": {}, "supported_sync_modes": modes},
        "sync_mode": "incremental",
        "destination_sync_mode": "append_dedup",
    }


def v0(place: Place, tally: Tally) -> None:
    """One sync of both streams from the window's start; the connector has no end to give, it reads up to now."""
    from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, Type  # type: ignore[import-not-found,unused-ignore]
    from requests import adapters
    from source_amazon_seller_partner import SourceAmazonSellerPartner, source  # type: ignore[import-not-found,unused-ignore]
    from source_amazon_seller_partner.components import AmazonSPOauthAuthenticator  # type: ignore[import-not-found,unused-ignore]

    # The connector's own calls do not look at REQUESTS_CA_BUNDLE.
    trusted: Any = adapters
    trusted.DEFAULT_CA_BUNDLE_PATH = place.ca_file
    source.get_marketplaces = lambda _environment: {"FR": (place.endpoint, place.marketplace_id, "eu-west-1")}
    AmazonSPOauthAuthenticator.get_token_refresh_endpoint = lambda _self: place.lwa_url
    config = {
        "refresh_token": place.refresh_token,
        "lwa_app_id": place.client_id,
        "lwa_client_secret": place.client_secret,
        "replication_start_date": place.since,
        "aws_environment": "PRODUCTION",
        "region": "FR",
        "account_type": "Seller",
    }
    catalog = ConfiguredAirbyteCatalogSerializer.load({"streams": [_stream("Orders"), _stream("OrderItems")]})
    # As the connector's own entry point does it; in memory its response cache does not stand two threads.
    folder = tempfile.TemporaryDirectory()
    os.environ["REQUEST_CACHE_PATH"] = folder.name
    connector = SourceAmazonSellerPartner(catalog, config, None)
    for message in connector.read(logging.getLogger("airbyte"), config, catalog, None):
        if message.type != Type.RECORD:
            continue
        if message.record.stream == "Orders":
            tally.order(message.record.data["AmazonOrderId"])
        else:
            tally.items += 1
