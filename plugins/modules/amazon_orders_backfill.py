#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: amazon_orders_backfill
short_description: Import a tenant's Amazon orders into PostgreSQL, and keep them up to date
version_added: 0.1.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Reads all orders that were created in a window of time, with all their lines, from Amazon's Selling Partner API and
    writes them into the product's tables. Nothing is lost on the way. For each page and in total the number of orders
    fetched is the sum of those inserted, updated, unchanged, stale and quarantined, or the page is not stored.
  - A page is one transaction, and the place in the window is stored in it. A run that was killed goes on where it
    stopped, and fetches at most one page again. Before a run counts as complete, the orders that Amazon named of each
    day are held against the table.
  - A window that was imported completely is not imported again. Such a run asks Amazon for nothing and changes no row.
    O(mode=catch_up) brings what has changed since, and is what a schedule runs.
  - In check mode the answer comes from the database alone. Amazon and Vault are not asked. The result's RV(plan) says
    which source would be taken, how many calls it would need, and how long it would wait.
  - Amazon's usage plans (searchOrders has a burst of 20 pages, then one page in 178.6 seconds) are kept account of in a
    table, so that a new process does not believe it may do what another has done a minute ago. With O(source=auto) the
    source that ends first by them is taken.
  - An older version of an order never overwrites a newer one, and a page that changes nothing rewrites no row.
  - No data of buyers or recipients is asked for or stored. Gift messages, customization links and the recipient's city,
    which Amazon sends unasked, are dropped while an answer is read. A row that cannot be stored is noted in
    O(errors_table) with its order id, a reason and the name of a field, never with its content.
  - Only one import of a tenant runs at a time; see O(lock). Several tenants can be imported side by side in one call.
extends_documentation_fragment:
  - keybuzz.amazon._attributes
  - keybuzz.amazon._planned
  - keybuzz.amazon._vault
  - keybuzz.amazon._postgresql
  - keybuzz.amazon._amazon
  - keybuzz.amazon._amazon_documents
requirements:
  - python-amazon-sp-api >= 2.1.30
options:
  tenant:
    description:
      - Id of the tenant. It must have a row in O(tenants_table).
      - Exactly one of this and O(tenants) is given.
    type: str
  tenants:
    description:
      - Ids of several tenants, imported side by side. One that fails never hides the others. The application's document
        is read once, and a few connections to PostgreSQL serve all of them.
    version_added: 0.3.0
    type: list
    elements: str
  parallel:
    description:
      - How many of O(tenants) are worked on at the same time. Nearly all of the time is waiting for Amazon.
    version_added: 0.3.0
    type: int
    default: 100
  mode:
    description:
      - V(backfill) imports the orders that were created in a window.
      - V(catch_up) reads what has changed since the end of the last window that was read, from O(overlap) seconds
        before it. It needs a completed backfill.
      - V(reconcile) looks through an imported window a second time, another way than it was imported (by the time of
        the last change, or by a report), and stores what the first list missed.
      - V(replay) asks once more for the orders that could not be stored.
      - V(purge) deletes orders, with their lines, that were created more than O(retention_days) days ago.
    version_added: 0.3.0
    type: str
    choices: [backfill, catch_up, reconcile, replay, purge]
    default: backfill
  retention_days:
    description:
      - For O(mode=purge), which cannot do without it.
    version_added: 0.3.0
    type: int
  overlap:
    description:
      - For O(mode=catch_up), seconds before the watermark that are read again.
    version_added: 0.3.0
    type: int
    default: 600
  max_lag:
    description:
      - For O(mode=catch_up), seconds that the watermark may lie back without being stale.
    version_added: 0.3.0
    type: int
    default: 900
  marketplace_id:
    description:
      - Amazon's id of the marketplace, for example V(A13V1IB3VIYZZH) for Amazon.fr.
      - By default the one in the tenant's row.
    type: str
  days:
    description:
      - Length of the window in days, between V(1) and V(730). Amazon keeps two years of orders.
    type: int
    default: 90
  until:
    description:
      - End of the window (ISO 8601 with a zone), at least two minutes before now. Exactly this window must then be
        complete.
      - Without it any completed window of O(days) days will do whose end is at most O(fresh_for) old. A new one ends at
        the last full minute that lies two minutes back.
    type: str
  fresh_for:
    description:
      - Seconds for which a completed window counts as up to date when O(until) is not given.
    type: int
    default: 86400
  source:
    description:
      - Which of Amazon's interfaces the orders are read from.
      - V(auto) takes the one that ends first by the usage plans as they stand. It begins with V(search) when nobody
        knows how many orders there are, and goes over to another source when its pages show that it ends earlier.
      - V(search) is C(searchOrders) of the Orders API 2026-01-01, which sends orders together with their lines.
      - V(report) has Amazon make reports (C(GET_XML_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL), thirty days each) and reads
        them as they arrive. However many orders there are, no page waits for the usage plan. A report has no total of
        an order. The sum of its lines' components is stored and marked in C(amountBasis).
      - V(v0) is the Orders API v0, which needs a call for each order and which Amazon removes on 2027-03-27.
    type: str
    choices: [auto, search, report, v0]
    default: auto
  expected_orders:
    description:
      - About how many orders the window has, if it is known, for the choice of O(source=auto). By default as many a day
        as in the last window that was read, or what the first page shows.
    version_added: 0.3.0
    type: int
  page_size:
    description:
      - Orders on a page of Amazon's lists, between V(1) and V(100). A page costs one call whatever its size.
    type: int
    default: 100
  wait_budget:
    description:
      - Seconds this call may wait for Amazon in all. When they are spent the module fails, and the next call goes on.
    type: float
    default: 3600
  max_quarantine_ratio:
    description:
      - Share of orders that may be impossible to store. Above it the run does not count as complete.
    type: float
    default: 0.05
  lock:
    description:
      - How other imports of the same tenant are held off.
      - V(session) is an advisory lock of the session. It ends with its connection, so that a killed import can be gone
        on with at once. It needs a connection to PostgreSQL itself.
      - V(heartbeat) writes into the row of the run every 30 seconds. It works behind a pooler in transaction mode,
        where sessions are not one's own. A killed import can be gone on with after 180 seconds.
      - V(auto) takes the session where it is one's own, else the heartbeat.
    version_added: 0.3.0
    type: str
    choices: [auto, session, heartbeat]
    default: auto
  restart:
    description:
      - Give an unfinished run up and begin anew. Needed when O(days) or O(until) are other than those of that run.
      - What it has stored stays.
    type: bool
    default: false
  manage_schema:
    description:
      - Create O(errors_table), O(runs_table) and O(quota_table) when they are missing, and add the columns that a newer
        release of this collection wants. The product's tables are never created or altered.
      - Without it, and for the product's tables always, everything that is missing is named at once together with the
        SQL that adds it.
    type: bool
    default: false
  tenants_table:
    description:
      - Table with one row a tenant, V(table) or V(schema.table).
    type: str
    default: tenants
  tenant_columns:
    description:
      - Names of its columns where they differ from C(tenantId), C(status), C(displayName), C(owner), C(marketplaceId),
        C(sellerId), C(updatedAt). An empty name says that there is no such column.
    type: dict
    default: {}
  orders_table:
    description:
      - Table of the orders. It needs a unique key on tenant and order id.
    type: str
    default: orders
  order_columns:
    description:
      - Names of its columns where they differ from C(tenantId), C(externalOrderId), C(orderRef), C(marketplaceId),
        C(orderDate), C(totalAmount), C(currency), C(amountBasis), C(orderStatus), C(fulfillmentChannel),
        C(lastUpdatedAt), C(updatedAt). An empty name says that there is no such column.
      - C(tenantId), C(externalOrderId), C(orderDate), C(orderStatus) and C(lastUpdatedAt) cannot be left out.
    type: dict
    default: {}
  items_table:
    description:
      - Table of the orders' lines. It needs a unique key on tenant, order id and item id.
    type: str
    default: order_items
  item_columns:
    description:
      - Names of its columns where they differ from C(tenantId), C(externalOrderId), C(externalItemId), C(sku), C(asin),
        C(title), C(quantityOrdered), C(quantityFulfilled), C(unitPrice), C(lineTotal), C(currency), C(lineStatus),
        C(updatedAt). An empty name says that there is no such column.
      - C(tenantId), C(externalOrderId), C(externalItemId) and C(quantityOrdered) cannot be left out.
    type: dict
    default: {}
  errors_table:
    description:
      - The import's own table of rows that could not be stored.
    type: str
    default: order_import_errors
  runs_table:
    description:
      - The import's own table of runs.
    type: str
    default: amazon_backfill_runs
  quota_table:
    description:
      - The import's own table of token buckets. Environments that use the same application at Amazon should share it.
    type: str
    default: amazon_quota
  progress_interval:
    description:
      - Seconds between two lines of progress.
    type: float
    default: 10
  progress_file:
    description:
      - Internal. Set by the action plugin that shows the progress.
    type: path
seealso:
  - module: keybuzz.amazon.amazon_tenant_connect
notes:
  - The role needs SELECT on O(tenants_table), and SELECT, INSERT and UPDATE on the other tables; for check mode SELECT
    is enough. With DELETE on O(items_table) lines that a newer version of their order does not have are removed,
    otherwise they are left and counted. O(mode=purge) needs DELETE on orders, lines and O(errors_table).
  - C(amountBasis) says what C(totalAmount) is. C(GRAND_TOTAL) is Amazon's C(proceeds.grandTotal) (source V(search)),
    C(REPORT_COMPONENTS) the sum of the price components of an order's lines (V(report)), C(ORDER_TOTAL) the
    C(OrderTotal) of V(v0). They cannot be compared with each other. An order that has none, as pending and many
    cancelled ones, has no amount rather than zero. A row with the grand total is overwritten by another basis only with
    a newer version.
  - A line that was cancelled down to quantity 0 is stored with the line status C(CANCELLED_ZERO_QUANTITY).
"""

EXAMPLES = r"""
- name: Import the last ninety days
  keybuzz.amazon.amazon_orders_backfill:
    tenant: ecomlg-001
    manage_schema: true

- name: Import exactly the ninety days before a date
  keybuzz.amazon.amazon_orders_backfill:
    tenant: ecomlg-001
    days: 90
    until: "2026-01-12T12:00:00Z"
    manage_schema: true

- name: Is everything there? Asks the database only
  keybuzz.amazon.amazon_orders_backfill:
    tenant: ecomlg-001
    manage_schema: true
  check_mode: true
  register: orders

- name: What has changed since, every quarter of an hour
  keybuzz.amazon.amazon_orders_backfill:
    tenants: [ecomlg-001]
    mode: catch_up
    manage_schema: true

- name: Look through the window a second time, another way
  keybuzz.amazon.amazon_orders_backfill:
    tenant: ecomlg-001
    mode: reconcile
    manage_schema: true

- name: Try the orders again that could not be stored
  keybuzz.amazon.amazon_orders_backfill:
    tenant: ecomlg-001
    mode: replay

- name: How many orders are older than they may be kept? Without check mode they are deleted
  keybuzz.amazon.amazon_orders_backfill:
    tenant: ecomlg-001
    mode: purge
    retention_days: 730
  check_mode: true

- name: Into tables with other names
  keybuzz.amazon.amazon_orders_backfill:
    tenant: ecomlg-001
    orders_table: sales.amazon_orders
    order_columns:
      externalOrderId: amazon_order_id
      amountBasis: ""
    manage_schema: true
"""

RETURN = r"""
tenants:
  description: With O(tenants), the results below for each of them under its id, with C(error) for one that failed.
  returned: with O(tenants)
  type: dict
  sample: {ecomlg-001: {order_count: 94, item_count: 117}}
mode:
  description: The option of that name.
  returned: success
  type: str
  sample: backfill
source:
  description: The source of the run that the answer rests on; none when there is none yet.
  returned: success
  type: str
  sample: search
plan:
  description:
    - Which source is taken and why, and for every source the calls by operation, the seconds of waiting for tokens, and
      the seconds that Amazon is expected to need for reports. C(expected_orders) is none where only the first page
      tells.
  returned: when something is to be read
  type: dict
  sample:
    source: report
    expected_orders: 10000
    expected_from: as given
    why: >-
      source report 66 calls, 0 s of waiting and about 306 s for Amazon to make it for 10000 orders (as given); instead
      of search 100 calls, 14286 s of waiting.
    calls_before: {}
    estimates:
      - source: report
        calls: {createReport: 3, getReport: 60, getReportDocument: 3}
        waiting_seconds: 0.0
        making_seconds: 306.0
        seconds: 339.0
completeness:
  description:
    - What Amazon named of the window against what the table holds, day by day. A run with C(missing) orders fails.
    - C(doubtful) orders may have been named twice; they cannot be counted exactly after an interruption of a list that
      does not come oldest first.
  returned: after an import by time of creation
  type: dict
  sample: {named_by_amazon: 94, stored: 94, missing: 0, missing_days: {}, doubtful: 0}
found_missing:
  description: Orders of the window that its import had missed; up to twenty of their ids.
  returned: after O(mode=reconcile)
  type: dict
  sample: {count: 0, orders: []}
waiting:
  description: Orders that could not be stored so far.
  returned: with O(mode=replay)
  type: int
  sample: 0
purged:
  description: Orders and lines that were deleted, and the time before which they were created (ISO 8601, UTC).
  returned: with O(mode=purge)
  type: dict
  sample: {before: "2024-01-13T12:00:00Z", orders: 0, items: 0}
window:
  description:
    - The window, both ends included (ISO 8601, UTC). It is one of creation times; with O(mode=catch_up) and mostly with
      O(mode=reconcile) it is one of the times of the last change.
  returned: success
  type: dict
  sample: {after: "2025-10-14T12:00:00Z", before: "2026-01-12T12:00:00Z"}
marketplace_id:
  description: The marketplace that was read.
  returned: success
  type: str
  sample: A13V1IB3VIYZZH
run_id:
  description: The run in O(runs_table) that the answer rests on; none when there is none yet.
  returned: success
  type: str
  sample: 8f5f0d0a-2f0c-4f63-9d43-1d6c2f6f3a52
pages:
  description: Pages that run has loaded, also those of earlier calls.
  returned: success
  type: int
  sample: 1
counts:
  description:
    - What became of the rows of that run, also those of earlier calls. C(fetched) is the sum of C(inserted),
      C(updated), C(unchanged), C(stale) and C(quarantined), and C(items_fetched) likewise.
    - C(items_removed) and C(items_left) are lines that newer versions of their orders do not have any more.
      C(elsewhere) are orders of other marketplaces that a report had too; they are not stored and not part of
      C(fetched).
  returned: success
  type: dict
  sample:
    fetched: 94
    inserted: 94
    updated: 0
    unchanged: 0
    stale: 0
    quarantined: 0
    items_fetched: 117
    items_inserted: 117
    items_updated: 0
    items_unchanged: 0
    items_stale: 0
    items_quarantined: 0
    items_removed: 0
    items_left: 0
    elsewhere: 0
this_call:
  description:
    - What this call did, with the same counts, its calls of Amazon (in all and by operation), the seconds it waited for
      tokens (C(throttled_seconds)), for Amazon's reports (C(report_seconds)) and in all (C(waited_seconds)).
  returned: success
  type: dict
  sample:
    calls: 1
    calls_by_operation: {searchOrders: 1}
    throttled_seconds: 0.0
    report_seconds: 0.0
    waited_seconds: 0.0
    fetched: 94
    inserted: 94
resumed:
  description: Whether this call went on with a run that an earlier one had begun.
  returned: success
  type: bool
  sample: false
repair_allowed:
  description: Whether the database would let the caller import; none when there is nothing to import.
  returned: in check mode
  type: bool
  sample: true
missing_permissions:
  description: The rights in the database that an import needs and the caller has not.
  returned: in check mode
  type: list
  elements: str
  sample: [INSERT on table orders]
order_count:
  description: Orders of the window in O(orders_table), after the run or in check mode as they are.
  returned: success
  type: int
  sample: 94
item_count:
  description: Lines of these orders in O(items_table).
  returned: success
  type: int
  sample: 117
by_status:
  description: These orders by status.
  returned: success
  type: dict
  sample: {CANCELLED: 6, PARTIALLY_SHIPPED: 2, PENDING: 3, SHIPPED: 79, UNSHIPPED: 4}
by_currency:
  description: These orders by currency; V(none) for those without an amount.
  returned: success
  type: dict
  sample: {EUR: 88, none: 6}
by_day:
  description: These orders by the day of their creation (UTC).
  returned: success
  type: dict
  sample: {"2025-11-21": 4, "2025-11-22": 1}
by_line_status:
  description: These lines by status. C(CANCELLED_ZERO_QUANTITY) is a line that was cancelled down to quantity 0.
  returned: success
  type: dict
  sample: {ACTIVE: 110, CANCELLED_ZERO_QUANTITY: 7}
sample:
  description: The five newest orders of the window. Amounts are text, so that no digit is lost.
  returned: success
  type: list
  elements: dict
  sample:
    - externalOrderId: 407-8949262-6149120
      orderRef: "#149120"
      orderDate: "2025-11-22T12:00:24Z"
      totalAmount: "391.84"
      currency: EUR
      orderStatus: SHIPPED
drift:
  description:
    - The one thing that was looked at for each tenant, as it was found. Its id is V(amazon_orders/TENANT/window), with
      other modes V(amazon_orders/TENANT/updates), C(reconciled), C(quarantine) or C(retention).
    - When the seller's authorization ended while orders were read, its action is V(reauthorize).
  returned: always
  type: list
  elements: dict
  sample:
    - id: amazon_orders/ecomlg-001/window
      address: table orders tenantId=ecomlg-001 marketplace A13V1IB3VIYZZH 2025-10-14T12:00:00Z/2026-01-12T12:00:00Z
      check: amazon_orders
      severity: high
      status: missing
      action: create
      sensitive: false
      before: not imported
      after: imported until 2026-01-12T12:00:00Z
      reason: No import of this window is on record. The product does not show these orders.
      hint: Run keybuzz.amazon.amazon_orders_backfill for this tenant.
      owner: {managers: [], gitops: null, revert_risk: none}
      precondition: {}
      depends_on: [amazon_tenant/ecomlg-001/grant]
remaining:
  description: The same list after the run. In check mode it is the same as RV(drift).
  returned: always
  type: list
  elements: dict
  sample: []
verdict:
  description: V(in_sync), V(drift), V(incomplete) (it could not be looked at) or V(error), of RV(remaining).
  returned: always
  type: str
  sample: in_sync
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import Protect, run_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_orders_backfill
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.amazon_orders_backfill import OPTIONS, RULES


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, **RULES)

    def work(protect: Protect) -> Outcome:
        return amazon_orders_backfill.run(module.params, protect, check_mode=module.check_mode)

    run_module(module, "amazon_orders", work)


if __name__ == "__main__":
    main()
