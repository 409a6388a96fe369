# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When only the seller can help: the report leads him to Amazon, and the code he comes back with connects him."""

from __future__ import annotations

import re
import urllib.parse
from contextlib import closing

from lab.amazon.control import Control
from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.playbooks import Playbooks

TENANT = "ecomlg-001"
NO_TOKEN = ("-e", "amazon_tenant_refresh_token_file=")


def consent_url(output: str) -> urllib.parse.SplitResult:
    """The address in what a person reads, whole in one line."""
    found = re.search(r"https://\S+/apps/authorize/consent\?\S+", output)
    assert found, output
    return urllib.parse.urlsplit(found[0])


def status(lab: Lab) -> str:
    with closing(World.load(lab.directory).database()) as connection, connection.cursor() as cursor:
        cursor.execute('SELECT "status" FROM tenants WHERE "tenantId" = %s', (TENANT,))
        row = cursor.fetchone()
        assert row is not None
        return str(row[0])


def test_the_seller_agrees_at_the_address_of_the_report_and_his_code_connects_the_tenant(
    healthy: Lab, playbooks: Playbooks
) -> None:
    healthy("break", "tenant-connection")
    asked = playbooks.run("playbooks/connect_tenant.yml", *NO_TOKEN)
    assert asked.code == 2 and status(healthy) == "DISCONNECTED"
    url = consent_url(asked.output)
    assert f"{url.scheme}://{url.netloc}" == healthy.state["amazon"]["seller_central"]
    query = dict(urllib.parse.parse_qsl(url.query))

    amazon = Control(healthy.state["amazon"]["admin_url"])
    agreed = amazon.consent(TENANT, state=query["state"], redirect_uri=query["redirect_uri"])
    back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(agreed["location"]).query))
    run = playbooks.run(
        "playbooks/connect_tenant.yml",
        *NO_TOKEN,
        "-vvvv",
        "-e",
        f"amazon_tenant_oauth_state={back['state']}",
        "-e",
        f"amazon_tenant_seller_id={back['selling_partner_id']}",
        env={"AMAZON_AUTHORIZATION_CODE": back["spapi_oauth_code"]},
    )
    assert run.code == 0 and run.report["verdict"] == "in_sync", run.output
    assert status(healthy) == "CONNECTED"
    assert back["spapi_oauth_code"] not in run.output


def test_a_repair_without_consent_goes_on_to_the_second_look_and_shows_where_to_give_it(
    healthy: Lab, playbooks: Playbooks
) -> None:
    healthy("break", "tenant-connection", "vault-addr", "orders")
    amazon = Control(healthy.state["amazon"]["admin_url"])
    amazon.clear_requests()
    run = playbooks.repair(*NO_TOKEN)
    assert run.code == 2 and run.report["verdict"] == "drift"
    consent_url(run.output)
    left = {str(item["id"]) for item in run.items() if item["status"] != "in_sync"}
    assert left == {f"amazon_tenant/{TENANT}/{part}" for part in ("grant", "document", "row")} | {
        f"amazon_orders/{TENANT}/window"
    }
    assert amazon.requests("searchOrders") == []
