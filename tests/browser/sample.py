# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of the documentation's picture: the morning of 2026-01-12 in three environments, drawn from the modules.

dev has the drift of that morning, staging the repair that was made by hand, prod a fleet with one tenant whose seller
has withdrawn his consent. Everything is given, so that the same code gives the same page in every run.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import run
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html import render
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.items_writer import writing

NOW = datetime.datetime(2026, 1, 12, 6, 30, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
VAULT = "https://vault.{}.example.com:8200/v1/"
BACKEND = "Deployment keybuzz-backend-{}/keybuzz-backend container keybuzz-backend "
CONTAINER = '.spec.template.spec.containers[name="keybuzz-backend"]'
FLEET = 1_999
RULES = [
    {
        "id": "backend_access/env/LOG_*",
        "environment": "staging",
        "owner": "platform team",
        "reason": "raised for the migration",
        "expires": "2026-01-31",
    }
]
FRAGMENT = """# Makes the repair permanent: a kustomize patch for the Deployment, and its ConfigMaps.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: keybuzz-backend
  namespace: keybuzz-backend-dev
spec:
  template:
    spec:
      containers:
      - name: keybuzz-backend
        env:
        - name: VAULT_ADDR
          value: https://10.0.0.150:8200
        - name: NODE_EXTRA_CA_CERTS
          value: /etc/vault-ca/ca.crt
"""


def item(status: str, severity: str, name: str, address: str, **more: Any) -> dict[str, Any]:
    check = name.partition("/")[0]
    return {"id": name, "check": check, "address": address, "severity": severity, "status": status, **more}


def argo(field: str, since: str) -> dict[str, Any]:
    return {
        "managers": ["argocd-controller"],
        "gitops": "Argo CD",
        "source": "Application backend",
        "declared": True,
        "revert_risk": "certain",
        "path": f"{CONTAINER}{field}",
        "since": since,
    }


def in_sync(environment: str) -> list[dict[str, Any]]:
    """What is as it should be everywhere."""
    vault, backend = VAULT.format(environment), BACKEND.format(environment)
    return [
        item("in_sync", "info", "vault_token/policy", f"{vault}sys/policies/acl/keybuzz-backend-{environment}"),
        item("in_sync", "info", "vault_token/role", f"{vault}auth/token/roles/keybuzz-backend-{environment}"),
        item("in_sync", "high", "backend_access/env_from/vault-token", f"{backend}envFrom Secret vault-token"),
        item("in_sync", "critical", "backend_access/forbidden/VAULT_SKIP_VERIFY", f"{backend}env VAULT_SKIP_VERIFY"),
    ]


def broken() -> list[dict[str, Any]]:
    """dev, on that morning."""
    vault, backend = VAULT.format("dev"), BACKEND.format("dev")
    return [
        *in_sync("dev"),
        item(
            "empty",
            "critical",
            "vault_token/secret",
            "Secret keybuzz-backend-dev/vault-token key VAULT_TOKEN",
            action="update",
            sensitive=True,
            before="empty",
            after="present (a new token of its own)",
            reason="The token is empty: the backend cannot read its Amazon credentials.",
            hint="A repair makes a new token, writes it here and restarts the backend.",
            owner={"managers": ["kubectl-edit"], "path": ".data.VAULT_TOKEN", "since": "2026-01-11T22:14:05Z"},
        ),
        item(
            "missing",
            "high",
            "backend_access/env/VAULT_ADDR",
            f"{backend}env VAULT_ADDR",
            action="create",
            before="missing",
            after="https://10.0.0.150:8200",
            reason="The variable is not there, so the backend starts without it.",
            owner=argo('.env[name="VAULT_ADDR"]', "2026-01-11T21:58:40Z"),
        ),
        item(
            "missing",
            "high",
            "backend_access/config/vault-ca",
            "ConfigMap keybuzz-backend-dev/vault-ca key ca.crt",
            action="create",
            before="missing",
            after="sha256 9e98ba8c6f75adbc, 1 certificate",
            reason="The ConfigMap does not exist, so Node.js has nothing to verify the server's certificate with.",
        ),
        item(
            "missing",
            "critical",
            "amazon_app/document",
            f"{vault}secret/data/keybuzz/amazon_spapi/app",
            action="create",
            reason="There is no document: the backend cannot talk to Amazon for any tenant.",
            hint="A repair writes the values of Secret keybuzz-backend-dev/amazon-spapi-creds, after Amazon has "
            "accepted them.",
        ),
        item(
            "blocked",
            "high",
            "amazon_tenant/ecomlg-001/grant",
            "authorization of tenant ecomlg-001 at Login with Amazon",
            reason="The application's document lacks client_id, client_secret: nothing can be asked of Amazon.",
            hint="Repair amazon_app/document first.",
            depends_on=["amazon_app/document"],
        ),
        item(
            "missing",
            "high",
            "amazon_orders/ecomlg-001/window",
            "table orders tenantId=ecomlg-001 marketplace A13V1IB3VIYZZH 2025-10-14T12:00:00Z/2026-01-12T12:00:00Z",
            action="create",
            before="not imported",
            after="imported until 2026-01-12T12:00:00Z",
            reason="No import of this window is on record. The product does not show these orders.",
            hint="Run keybuzz.amazon.amazon_orders_backfill for this tenant.",
            depends_on=["amazon_tenant/ecomlg-001/grant"],
        ),
    ]


def by_hand() -> list[dict[str, Any]]:
    """staging, as it was repaired by hand."""
    backend = BACKEND.format("staging")
    return [
        *in_sync("staging"),
        item(
            "insecure",
            "critical",
            "backend_access/forbidden/NODE_TLS_REJECT_UNAUTHORIZED",
            f"{backend}env NODE_TLS_REJECT_UNAUTHORIZED",
            action="remove",
            before="0",
            after="missing",
            reason="Node.js accepts any certificate: whoever sits in between reads the token and every secret.",
            hint="A repair mounts the authority of Vault instead and proves the handshake.",
            owner=argo('.env[name="NODE_TLS_REJECT_UNAUTHORIZED"]', "2026-01-12T04:02:11Z"),
        ),
        item(
            "drifted",
            "low",
            "backend_access/env/LOG_LEVEL",
            f"{backend}env LOG_LEVEL",
            action="update",
            before="debug",
            after="info",
            reason="The variable has another value.",
        ),
        item(
            "in_sync",
            "critical",
            "amazon_app/document",
            f"{VAULT.format('staging')}secret/data/keybuzz/amazon_spapi/app",
        ),
    ]


def fleet() -> list[Item]:
    """prod's tenants, as a look at all of them writes them."""
    vault = VAULT.format("prod")
    return [
        Item(f"{check}/{tenant}/{part}", f"{vault}{tenant}", check, "high", "in_sync")
        for tenant in (f"tenant-{number:05}" for number in range(FLEET))
        for check, part in (("amazon_tenant", "grant"), ("amazon_tenant", "document"), ("amazon_orders", "window"))
    ] + [
        Item(
            "amazon_tenant/switaa-002/grant",
            "authorization of tenant switaa-002 at Login with Amazon",
            "amazon_tenant",
            "high",
            "missing",
            action="reauthorize",
            reason="Amazon says invalid_grant: the seller has withdrawn his consent.",
            hint="The seller opens https://sellercentral.amazon.fr/apps/authorize/consent?application_id="
            "amzn1.sp.solution.5f2c and agrees.",
        )
    ]


def report(folder: Path) -> Report:
    """The third of three daily reports: staging's bypass was gone on the second day and came back."""
    path = folder / "prod.jsonl"
    with writing(str(path)) as writer:
        writer.write(fleet())
    fixed = [*in_sync("staging"), item("in_sync", "critical", by_hand()[4]["id"], by_hand()[4]["address"])]
    made = None
    for age, staging, dev in ((2, by_hand(), in_sync("dev")), (1, fixed, in_sync("dev")), (0, by_hand(), broken())):
        environments = [
            {"name": "dev", "tenants": ["ecomlg-001"], "drift": dev, "git_fragment": FRAGMENT},
            {"name": "staging", "tenants": ["ecomlg-001"], "drift": staging},
            {"name": "prod", "drift": in_sync("prod"), "items_path": str(path)},
        ]
        given = {
            "mode": "audit",
            "environments": environments,
            "ignore": RULES,
            "history_path": str(folder / "history"),
        }
        made, _warnings = run(given, NOW - age * DAY, lambda secrets: None)
    assert made is not None
    return made


def page(folder: Path) -> str:
    """Its page."""
    return render(report(folder))
