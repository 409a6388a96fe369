# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which item of the drift report answers for a change on the servers. What no item answers for is a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.parity.snapshot import Snapshot

TENANT = "ecomlg-001"
BACKEND = "keybuzz-backend-dev"
SECRET, SUPERSEDED, RESTART = "vault_token/secret", "vault_token/superseded", "backend_access/restart"
ROW = f"amazon_tenant/{TENANT}/row"

_SECRET = f"kubernetes/secrets/{BACKEND}/vault-token"
_DEPLOYMENT = f"kubernetes/deployments/{BACKEND}/keybuzz-backend"
_TEMPLATE = f"{_DEPLOYMENT}#template"
_CONTAINER = f"{_TEMPLATE}/keybuzz-backend"
_NOTES = f"{_SECRET}#annotations/amazon.keybuzz.io"
ACCESSOR = f"{_NOTES}/accessor"
_MARKS = f"{_TEMPLATE}/annotations/amazon.keybuzz.io"
_RESTART_FOR, _CONFIG_CHECKSUM = f"{_MARKS}/restart-for", f"{_MARKS}/config-checksum"

# What is called like this, or begins like this where it ends in / or #, is that item's. The longest that fits wins.
OWNED: Mapping[str, str] = {
    f"vault/policy/{BACKEND}": "vault_token/policy",
    f"vault/role/{BACKEND}/": "vault_token/role",
    f"{_SECRET}#data/VAULT_TOKEN": SECRET,
    f"{_NOTES}/": SECRET,
    f"{_NOTES}/superseded-accessor": SUPERSEDED,
    f"kubernetes/configmaps/{BACKEND}/vault-ca#": "backend_access/config/vault-ca",
    f"{_TEMPLATE}/volumes/vault-ca": "backend_access/mount/vault-ca",
    f"{_CONTAINER}/volumeMounts/vault-ca": "backend_access/mount/vault-ca",
    "vault/kv/keybuzz/amazon_spapi/app#": "amazon_app/document",
    f"vault/kv/keybuzz/tenants/{TENANT}/amazon_spapi#": f"amazon_tenant/{TENANT}/document",
    f"postgres/tenants/{TENANT}": ROW,
    **{
        f"postgres/{table}": f"amazon_orders/{TENANT}/window"
        for table in ("orders", "order_items", "order_import_errors", "amazon_backfill_runs", "amazon_quota")
    },
}
# One item for each entry of the list.
ENTRIES: Mapping[str, str] = {
    f"{_CONTAINER}/env/": "backend_access/env/",  # what is only taken away was forbidden
    f"{_CONTAINER}/envFrom/": "backend_access/env_from/",
}
FORBIDDEN = "backend_access/forbidden/"
# The order of a list changes with its entries, and never alone.
ORDERS: Mapping[str, str] = {f"{_CONTAINER}/order/{field}": f"{_CONTAINER}/{field}/" for field in ("env", "envFrom")}
# Follows from any change of the pod template: another generation, and the controller's ReplicaSet for it.
FOLLOWS = (f"{_DEPLOYMENT}#generation", f"kubernetes/replicasets/{BACKEND}#newest")


# One repair at a time: taken and given back by every repair, and no drift.
LEASE = f"kubernetes/leases/{BACKEND}/keybuzz-amazon-repair"


@dataclass(frozen=True)
class Difference:
    """Between two snapshots: what answers for it, and what nothing answers for."""

    items: frozenset[str]
    unexplained: frozenset[str]


def changed(before: Snapshot, after: Snapshot) -> set[str]:
    """The addresses that came, went, or have another value."""
    return {address for address in before.keys() | after.keys() if before.get(address) != after.get(address)}


def between(before: Snapshot, after: Snapshot) -> Difference:
    addresses = changed(before, after)
    items, unexplained = set(), set()
    for address in addresses:
        owners = list(_owners(address, before, after, addresses))
        items |= {owner for owner in owners if owner}
        if not owners:
            unexplained.add(address)
    missing = set(FOLLOWS) - addresses if _template(addresses) else set()
    return Difference(frozenset(items), frozenset(unexplained | {f"{one} stayed" for one in missing}))


def _template(addresses: set[str]) -> set[str]:
    return {address for address in addresses if address.startswith(f"{_TEMPLATE}/")}


def _owners(address: str, before: Snapshot, after: Snapshot, addresses: set[str]) -> Iterator[str]:
    """The items that answer for one address; the empty name where it follows from another change."""
    if address.startswith(f"vault/token/{BACKEND}/"):
        yield SECRET if address in after else SUPERSEDED
    elif address == LEASE:
        yield ""
    elif address in FOLLOWS:
        if _template(addresses):
            yield ""
    elif address in ORDERS:
        if any(one.startswith(ORDERS[address]) for one in addresses):
            yield ""
    elif address in {_RESTART_FOR, _CONFIG_CHECKSUM}:
        yield _restarts(address, before, addresses)
    else:
        for start, items in ENTRIES.items():
            if address.startswith(start):
                name = address.removeprefix(start)
                yield f"{items}{name}" if address in after else f"{FORBIDDEN}{name}"
        fitting = [name for name in OWNED if address == name or (name[-1] in "/#" and address.startswith(name))]
        if fitting:
            yield OWNED[max(fitting, key=len)]


def _restarts(address: str, before: Snapshot, addresses: set[str]) -> str:
    """A mark that is set for the first time, or anew because the mounted content was written in the same rollout,
    only says with what the pods were started. A mark that changes for another reason is the restart itself.
    """
    others = _template(addresses) - {_RESTART_FOR, _CONFIG_CHECKSUM}
    if address == _RESTART_FOR:
        return RESTART if address in before or not others else ""
    return "" if others or _RESTART_FOR in addresses else RESTART


def superseded_follows(before: Snapshot, predicted: set[str]) -> set[str]:
    """A token of ours that is replaced is revoked afterwards: part of replacing it, though it is an item of its own."""
    return {SUPERSEDED} if SECRET in predicted and ACCESSOR in before else set()
