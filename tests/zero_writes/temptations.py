# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in sync in which everything that a repair can write about is there to be written about.

The pieces of the lab are one half of it; here is what they leave out: a replaced token that waits to be revoked, a
variable that Argo CD declares, a flag of Node's, a login method, an expired Lease, an order in quarantine, an import
that was never finished.
"""

from __future__ import annotations

import json
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

from lab import pieces, seed
from lab.cluster import access, objects
from lab.world import World
from tests.parity import modules
from tests.zero_writes.place import Place
from tests.zero_writes.variant import (
    API_NAMESPACE,
    DEPLOYMENT,
    FLAGGED,
    HOLDER,
    MORE,
    NAMESPACE,
    OTHER,
    OWNED,
    SPARE,
    TENANT,
    Variant,
)
from tests.zero_writes.variants_of_backend import k8s_deployment_env, vault_amazon_app_creds, vault_token_secret
from tests.zero_writes.variants_of_tenants import amazon_orders_backfill, amazon_tenant_connect

_LOGIN = "auth/kubernetes"
# Beside what the lab's own accounts may: whatever a variant names, its caller could write.
_SET_UP = ("sys/policies/acl/*", "auth/token/roles/*", f"{_LOGIN}/role/*")
_PATHS = {
    "audit": {key: ["read"] for key in (*_SET_UP, f"{_LOGIN}/config")},
    "repair": {**{key: ["read"] for key in (*_SET_UP, f"{_LOGIN}/config")}, "auth/token/create/*": ["update"]},
    "bootstrap": {key: ["create", "update", "read"] for key in _SET_UP},
}
_KINDS = (
    ("", ["secrets", "configmaps", "serviceaccounts"]),
    ("apps", ["deployments"]),
    ("coordination.k8s.io", ["leases"]),
)
_VERBS = {"audit": ["get"], "repair": ["get", "create", "update", "patch"]}


def settle(world: World, place: Place) -> None:
    """Bring a new lab into that state. :param place: the repair's."""
    _stop_what_writes_by_itself(world)
    _repair_everything(world, place)
    _declare_by_argo_cd(world)
    _replace_the_token(world, place)
    _enable_login(world)
    _grant(world)
    _leave_objects(world)
    _leave_rows(world)
    _leave_a_lease(world)
    (Path(place.folder) / "progress").write_text("")


def _stop_what_writes_by_itself(world: World) -> None:
    """PostgreSQL's own cleaning counts as a transaction too."""
    with closing(world.database()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET autovacuum = off")
            cursor.execute("SELECT pg_reload_conf()")


def _repair_everything(world: World, place: Place) -> None:
    """Step by step as the playbook does, so that what a repair leaves is there: notes, marks, runs."""
    pieces.break_pieces(world, pieces.ALL, wait=False)
    token, access, app, tenant, orders = (
        {str(variant): variant for variant in table(place)}
        for table in (
            vault_token_secret,
            k8s_deployment_env,
            vault_amazon_app_creds,
            amazon_tenant_connect,
            amazon_orders_backfill,
        )
    )
    for step in (
        token["vault_token_secret: a token of its own"],
        app["vault_amazon_app_creds: the document from the Secret, proven"],
        access["k8s_deployment_env: what the backend needs"],
        tenant["amazon_tenant_connect: a connection with the token of a file"],
        orders["amazon_orders_backfill: the window"],
    ):
        done(step)


def _declare_by_argo_cd(world: World) -> None:
    marks = {"argocd.argoproj.io/tracking-id": f"backend:apps/Deployment:{NAMESPACE}/{DEPLOYMENT}"}
    env = {
        "argocd-controller": [{"name": OWNED, "value": "info"}],
        "kubectl-edit": [{"name": SPARE, "value": "1"}, {"name": "NODE_OPTIONS", "value": FLAGGED}],
    }
    for manager, variables in env.items():
        template = {"spec": {"containers": [{"name": DEPLOYMENT, "env": variables}]}}
        body = {"metadata": {"annotations": marks}, "spec": {"template": template}}
        world.kubernetes().patch("deployments", DEPLOYMENT, body, NAMESPACE, kind="strategic", fieldManager=manager)


def _replace_the_token(world: World, place: Place) -> None:
    """The Secret notes the token it held before, which is revoked only where that is asked for."""
    pieces.break_pieces(world, pieces.chosen(["vault-token-secret"]), wait=False)
    done(next(vault_token_secret(place)))
    done(next(k8s_deployment_env(place)))


def _enable_login(world: World) -> None:
    client = world.vault.client()
    client.adapter.post("/v1/sys/auth/kubernetes", json={"type": "kubernetes"})
    kubernetes = world.state["kubernetes"]
    where = {
        "kubernetes_host": kubernetes["server"],
        "kubernetes_ca_cert": Path(kubernetes["ca_file"]).read_text(),
        "disable_local_ca_jwt": True,
    }
    client.adapter.post(f"/v1/{_LOGIN}/config", json=where)


def _grant(world: World) -> None:
    client, api = world.vault.client(), world.kubernetes()
    for name, paths in _PATHS.items():
        more = "".join(f'path "{path}" {{ capabilities = {json.dumps(verbs)} }}\n' for path, verbs in paths.items())
        text = client.sys.read_policy(f"keybuzz-{name}")["data"]["rules"]
        client.sys.create_or_update_policy(f"keybuzz-{name}", text + more)
    for name, verbs in _VERBS.items():
        for namespace in (NAMESPACE, API_NAMESPACE):
            bound = access.role_binding(namespace, name)
            role = access.role(namespace, name, [access.rule(group, kinds, verbs) for group, kinds in _KINDS])
            for kind, body in (("roles", role), ("rolebindings", bound)):
                body["metadata"]["name"] += "-more"
                if kind == "rolebindings":
                    body["roleRef"]["name"] += "-more"
                api.ensure(kind, body)


def _leave_rows(world: World) -> None:
    run = (
        'INSERT INTO amazon_backfill_runs ("runId", "tenantId", "marketplaceId", "source", "days", "windowAfter",'
        ' "windowBefore", "query", "status", "counters") SELECT %s, %s, "marketplaceId", "source", "days",'
        ' "windowAfter", "windowBefore", "query", \'RUNNING\', \'{}\' FROM amazon_backfill_runs'
        " WHERE \"status\" = 'COMPLETED' LIMIT 1"
    )
    with closing(world.database()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(run, (str(uuid.uuid4()), OTHER))
        for tenant in (TENANT, OTHER):
            cursor.execute(
                'INSERT INTO order_import_errors ("tenantId", "externalOrderId", "reasonCode", "field", "runId",'
                ' "page") VALUES (%s, %s, %s, %s, %s, 1)',
                (tenant, "405-0000000-0000000", "bad_value", "orderDate", str(uuid.uuid4())),
            )


def _leave_objects(world: World) -> None:
    api = world.kubernetes()
    api.ensure("configmaps", objects.config_map(NAMESPACE, MORE, {"ca.crt": "another authority\n"}))
    other = objects.deployment("https://elsewhere.example:8200")
    labels = {"app": MORE}
    other["metadata"] |= {"name": MORE, "labels": labels}
    other["spec"] |= {"replicas": 0, "selector": {"matchLabels": labels}}
    other["spec"]["template"]["metadata"]["labels"] = labels
    api.ensure("deployments", other)


def _leave_a_lease(world: World) -> None:
    lease = {
        "metadata": {"namespace": NAMESPACE, "name": "keybuzz-amazon-repair"},
        "spec": {
            "holderIdentity": HOLDER,
            "leaseDurationSeconds": 1,
            "acquireTime": "2026-01-12T12:00:00.000000Z",
            "renewTime": "2026-01-12T12:00:00.000000Z",
            "leaseTransitions": 1,
        },
    }
    world.kubernetes().ensure("leases", lease)


def done(variant: Variant) -> dict[str, Any]:
    """The result of a call outside check mode, which has to succeed and to write."""
    result = modules.run(variant.module, variant.options, check_mode=False)
    assert not result["failed"] and result["changed"], f"{variant}: {result.get('msg')}"
    return result


def new_code(world: World, place: Place) -> tuple[str, str]:
    """A consent of the seller nobody has connected: his code, good once, and the state that came back beside it."""
    from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import consent

    state = consent.new_state(place.client_secret, OTHER, time.time())
    return str(world.amazon.consent(OTHER, state=state, redirect_uri=seed.REDIRECT_URI)["code"]), state
