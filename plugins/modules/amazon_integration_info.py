#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: amazon_integration_info
short_description: Look at every step of an environment's Amazon integration in one call
version_added: 0.3.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Does what the check mode of the steps' own modules does, one after the other, in one process. The steps share their
    connections, and a document or an object that several of them rest on is read once.
  - Writes nothing, in check mode or out of it, except the file O(items_path) on the machine it runs on.
  - A step that cannot be looked at is an item with the status V(unknown) or V(blocked), and never keeps the next one
    from being looked at. Only an option that cannot be fails the task.
  - A step without options is left out, and RV(verdict) says nothing of it.
  - In a step, what another is about to write is taken into account. The pods have to be restarted when the token in
    their Secret is going to change.
notes:
  - Permissions are those that the check mode of each module needs.
  - A healthy environment with one tenant costs five requests to Vault, six to Kubernetes and one to Amazon. Where
    somebody else has written the token's Secret since the pods were restarted for it, they are listed too.
seealso:
  - module: keybuzz.amazon.vault_token_secret
  - module: keybuzz.amazon.k8s_deployment_env
  - module: keybuzz.amazon.vault_amazon_app_creds
  - module: keybuzz.amazon.amazon_tenant_connect
  - module: keybuzz.amazon.amazon_orders_backfill
  - module: keybuzz.amazon.drift_report
extends_documentation_fragment:
  - keybuzz.amazon._attributes
  - keybuzz.amazon._vault
  - keybuzz.amazon._kubernetes
  - keybuzz.amazon._postgresql
  - keybuzz.amazon._amazon
options:
  vault_token_secret:
    description:
      - Options of M(keybuzz.amazon.vault_token_secret) without those of its connections. Their names, types, defaults
        and environment variables are that module's.
    type: dict
  k8s_deployment_env:
    description:
      - Options of M(keybuzz.amazon.k8s_deployment_env), likewise.
    type: dict
  vault_amazon_app_creds:
    description:
      - Options of M(keybuzz.amazon.vault_amazon_app_creds), likewise.
    type: dict
  amazon_tenant_connect:
    description:
      - Options of M(keybuzz.amazon.amazon_tenant_connect), likewise. Whose connection it is about is O(tenants).
    type: dict
  amazon_orders_backfill:
    description:
      - Options of M(keybuzz.amazon.amazon_orders_backfill), likewise. Whose orders it is about is O(tenants).
    type: dict
  tenants:
    description:
      - The tenants, for O(amazon_tenant_connect) and O(amazon_orders_backfill).
    type: list
    elements: str
    default: []
  items_path:
    description:
      - File for the items of tenants, where thousands of them would make the result too large. One item a line (JSON
        Lines), and a last line with their number, without which M(keybuzz.amazon.drift_report) does not take them for
        complete. Readable by its owner only.
      - RV(drift) then has the items of the other steps, RV(steps) only the tenants that are not in sync. RV(verdict)
        is of all.
    type: path
"""

EXAMPLES = r"""
- name: Look at an environment
  keybuzz.amazon.amazon_integration_info:
    vault_token_secret:
      namespace: keybuzz-backend-dev
    k8s_deployment_env:
      namespace: keybuzz-backend-dev
      deployment: keybuzz-backend
      env_from:
        - secret: vault-token
    vault_amazon_app_creds:
      source_secret:
        namespace: keybuzz-backend-dev
    amazon_tenant_connect:
      marketplace_id: A13V1IB3VIYZZH
    amazon_orders_backfill:
      days: 90
      until: "2026-01-12T12:00:00Z"
    tenants: [ecomlg-001]
  register: found

- name: What is not in sync
  ansible.builtin.debug:
    msg: "{{ found.drift | rejectattr('status', 'in', ['in_sync', 'ignored']) | map(attribute='id') }}"
"""

RETURN = r"""
drift:
  description: Everything that was looked at, as it was found, in the order of the steps.
  returned: always
  type: list
  elements: dict
  sample:
    - id: vault_token/secret
      address: Secret keybuzz-backend-dev/vault-token key VAULT_TOKEN
      check: vault_token
      severity: critical
      status: empty
      action: update
      sensitive: true
      before: empty
      after: present (a new token of its own)
      reason: "The token is empty: the backend cannot read its Amazon credentials."
      hint: A repair makes a new token, writes it here and restarts the backend.
      owner: {managers: [kubectl-create], gitops: null, revert_risk: none}
      precondition: {resource_version: "4711"}
      depends_on: []
remaining:
  description: The same as RV(drift), because nothing is written.
  returned: always
  type: list
  elements: dict
  sample: []
verdict:
  description: V(in_sync), V(drift), V(incomplete) (something could not be looked at) or V(error), of all steps.
  returned: always
  type: str
  sample: drift
verdicts:
  description: The verdict of each step.
  returned: success
  type: dict
  sample: {vault_token: drift, backend_access: drift, amazon_app: in_sync}
servers:
  description: The servers that were asked, by kind. A plan made from this look is good for these.
  returned: success
  type: dict
  sample: {vault: "https://vault.example.com:8200", postgresql: "postgres.example.com:5432/keybuzz"}
would_change:
  description: Whether a repair would write anything.
  returned: success
  type: bool
  sample: true
differing:
  description: The tenants that are not in sync, by step.
  returned: success
  type: dict
  sample: {amazon_tenant: [], amazon_orders: [ecomlg-001]}
steps:
  description:
    - What each step's module returns beside its items, with C(verdict). For C(amazon_tenant) and C(amazon_orders) by
      tenant.
  returned: success
  type: dict
  sample:
    vault_token: {verdict: drift, secret_will_change: true, superseded_tokens: 0}
    amazon_tenant:
      ecomlg-001: {verdict: in_sync, status: connected, seller_id: A12BCIS2R7HD4D}
missing_permissions:
  description: What a repair would need and the caller has not, of all steps.
  returned: success
  type: list
  elements: str
  sample: ["patch secrets keybuzz-backend-dev/vault-token"]
items_path:
  description: Where the items of tenants are, O(items_path); none if they are in RV(drift).
  returned: success
  type: str
  sample: /var/lib/amazon-audit/drift_items-prod.jsonl
items_written:
  description: How many items O(items_path) holds.
  returned: success
  type: int
  sample: 0
git_fragment:
  description: See RV(keybuzz.amazon.k8s_deployment_env#module:git_fragment).
  returned: success
  type: str
  sample: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_integration_info import answer
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.amazon_integration_info import OPTIONS


def main() -> None:
    answer(AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True))


if __name__ == "__main__":
    main()
