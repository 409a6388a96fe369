# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option set with which a module could write somewhere, for each module of the collection.

The lab is prepared so that each has something to write about in one state or another, see ``temptations``. One that
never has says why (``idle``). Options that cannot write at all are in ``explained``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.zero_writes.place import Place
from tests.zero_writes.variant import HOLDER, NAMESPACE, NEWCOMER, SOMEBODY, TENANT, Variant
from tests.zero_writes.variants_of_backend import k8s_deployment_env, vault_amazon_app_creds, vault_token_secret
from tests.zero_writes.variants_of_tenants import amazon_orders_backfill, amazon_tenant_connect


def all_variants(place: Place) -> tuple[Variant, ...]:
    """In the order in which they are called: a plan is held after it is written."""
    steps = (
        *vault_token_secret(place),
        *k8s_deployment_env(place),
        *vault_amazon_app_creds(place),
        *amazon_tenant_connect(place),
        *amazon_orders_backfill(place),
    )
    return (*steps, *amazon_integration_info(place, steps), *environment_lease(place), *files_only(place))


def amazon_integration_info(place: Place, steps: tuple[Variant, ...]) -> Iterator[Variant]:
    """Looks that ask each step for another of its own variants at once: it never writes, outside check mode neither."""
    connections = {**place.vault, **place.kubernetes, **place.postgresql, **place.selling_partner}
    by_module: dict[str, list[Variant]] = {}
    for variant in steps:
        by_module.setdefault(variant.module, []).append(variant)
    for number in range(max(map(len, by_module.values()))):
        chosen = {module: variants[number % len(variants)] for module, variants in by_module.items()}
        asked = {module: _of_a_step(variant, connections) for module, variant in chosen.items()}
        who = chosen["amazon_tenant_connect"].options
        if who.get("tenant") == NEWCOMER:  # whose orders nobody can look at before he has a row
            del asked["amazon_orders_backfill"]
        given: dict[str, Any] = {**asked, "tenants": who.get("tenants") or [who["tenant"]]}
        if number % 2:
            given["items_path"] = f"{place.folder}/items.jsonl"
        holders = frozenset.intersection(*(variant.holders for variant in chosen.values()))
        yield Variant(
            "amazon_integration_info",
            f"look {number}",
            given,
            connections,
            check_mode=number % 3 == 0,
            holders=holders,
        )


def _of_a_step(variant: Variant, connections: Mapping[str, Any]) -> dict[str, Any]:
    """Its options as a look takes them: who is asked, and about whom, is said once for all steps."""
    once = {*connections, "tenant", "tenants"}
    return {name: value for name, value in variant.options.items() if name not in once and value is not None}


def environment_lease(place: Place) -> Iterator[Variant]:
    base = {**place.kubernetes, "namespace": NAMESPACE, "holder": HOLDER}
    for name, given, idle in (
        ("an expired Lease, taken over", {"state": "held", "holder": SOMEBODY, "wait": 30.0}, ""),
        ("a Lease that nobody has made", {"state": "held", "name": "another", "holder": SOMEBODY}, ""),
        ("its own Lease, held", {"state": "held"}, "it holds it already"),
        ("its own Lease, renewed", {"state": "renewed", "duration": 60}, ""),
        ("another's Lease, renewed", {"state": "renewed", "holder": SOMEBODY}, "it is not its own"),
        ("its own Lease, given back", {"state": "released"}, ""),
        ("another's Lease, given back", {"state": "released", "holder": SOMEBODY}, "it is not its own"),
    ):
        yield Variant("environment_lease", name, given, base, idle=idle)


def files_only(place: Place) -> Iterator[Variant]:
    """Modules that ask no server: they write the files they are told to, and nothing else."""
    looked: dict[str, Any] = {"name": "lab", "drift": list(place.drift), "tenants": [TENANT]}
    why = "it knows no server"
    plan = {"path": f"{place.folder}/plan.json", "environments": [looked]}
    outputs = {
        "path": f"{place.folder}/report.json",
        "history_path": f"{place.folder}/report.history",
        **{f"{kind}_path": f"{place.folder}/report.{kind}" for kind in ("html", "junit", "sarif")},
        "prometheus_path": f"{place.folder}/report.prom",
        "repair_path": f"{place.folder}/report.md",
        "repair_text": "What was repaired.",
    }
    for check_mode in (True, False):
        yield Variant("repair_plan", "a plan", {"state": "present"}, plan, check_mode=check_mode, idle=why)
        yield Variant("repair_plan", "a plan, held", {"state": "held"}, plan, check_mode=check_mode, idle=why)
    for mode in ("check", "audit", "repair"):
        given = {"mode": mode, "environments": [{**looked, "found": looked["drift"]}], **outputs}
        yield Variant("drift_report", f"a report of mode {mode}", given, {}, check_mode=mode == "check", idle=why)
