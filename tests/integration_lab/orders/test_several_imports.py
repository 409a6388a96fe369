# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several tenants in one call: side by side, over a few connections, and none hides another."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import TenantsFailedError

from lab import seed
from tests.integration_lab.amazon_world import FRANCE, OTHER, TENANT, UNTIL, AmazonWorld

pytestmark = pytest.mark.lab


def both_connected(world: AmazonWorld) -> None:
    world.own_tables()
    end = datetime.fromisoformat(UNTIL)
    world.amazon.admin.generate_orders(OTHER, 30, start=end - timedelta(days=80), end=end, replace=True)
    world.query('UPDATE tenants SET "marketplaceId" = %s WHERE "tenantId" = %s', (FRANCE, OTHER))
    world.kv().create_or_update_secret(
        seed.TENANT_PATH.format(tenant=OTHER),
        {**world.tenant_document(), "seller_id": "A2SWITAA00002X", "refresh_token": world.amazon.refresh_tokens[OTHER]},
        cas=0,
        mount_point=seed.MOUNT,
    )


def test_two_tenants_are_imported_side_by_side_and_each_has_its_own_result(world: AmazonWorld) -> None:
    both_connected(world)
    checked = world.import_orders(tenant=None, tenants=[TENANT, OTHER], check_mode=True)
    assert [item.status for item in checked.items] == ["missing", "missing"]
    outcome = world.import_orders(tenant=None, tenants=[TENANT, OTHER])
    assert outcome.facts["tenants"][TENANT]["order_count"] == 94
    assert outcome.facts["tenants"][OTHER]["order_count"] == 30
    assert world.query('SELECT "tenantId", count(*) FROM orders GROUP BY 1 ORDER BY 1') == [(TENANT, 94), (OTHER, 30)]
    world.amazon.admin.clear_requests()
    assert not world.import_orders(tenant=None, tenants=[TENANT, OTHER]).changed
    assert world.calls() == []


def test_a_tenant_that_fails_does_not_hide_the_other(world: AmazonWorld) -> None:
    both_connected(world)
    world.amazon.admin.seller(TENANT, revoked=True)
    with pytest.raises(TenantsFailedError, match=rf"1 of the tenants failed \({TENANT}\)") as caught:
        world.import_orders(tenant=None, tenants=[TENANT, OTHER])
    outcome = caught.value.outcome
    assert outcome.facts["tenants"][OTHER]["order_count"] == 30
    assert "invalid_grant" in outcome.facts["tenants"][TENANT]["error"]
    actions = {item.id.split("/")[1]: item.action for item in outcome.remaining or ()}
    assert actions == {TENANT: "reauthorize", OTHER: "none"}


def test_neither_or_both_ways_to_name_tenants_are_refused(world: AmazonWorld) -> None:
    for given in ({"tenant": None, "tenants": None}, {"tenants": [OTHER]}, {"tenant": None, "tenants": []}):
        with pytest.raises(BadInputError, match="tenant and tenants"):
            world.import_orders(**given)
