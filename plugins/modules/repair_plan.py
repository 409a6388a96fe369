#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repair_plan
short_description: Write down what a repair would do, and later do that and nothing else
version_added: 0.3.0
author:
  - KeyBuzz (@keybuzz)
description:
  - With O(state=present) writes the items that a repair would write, as a look has found them, into a file that
    somebody can review.
  - With O(state=held) holds a new look against that file. What has moved since then is refused as stale, and a step is
    taken only if all that it would write was planned.
  - A plan is good for the environment, the servers, the tenants and the release of the collection it was made with, and
    for O(max_age).
  - A plan holds no secret, and no fingerprint of one either. Which value a secret gets cannot be read from it.
  - The playbook C(keybuzz.amazon.repair_amazon) does both, with C(-e plan_out=FILE) in check mode and C(-e plan=FILE).
notes:
  - The end of an orders' window that has none given moves with the time. It is not part of what has to be the same.
  - What a planned item makes necessary later is part of the plan, as the revocation of a token that was replaced.
  - Signing needs the Python library C(cryptography), which ansible-core needs itself.
extends_documentation_fragment:
  - keybuzz.amazon._attributes
attributes:
  check_mode:
    details:
      - The plan is written in check mode too, because that is when it is made.
  diff_mode:
    support: none
    details:
      - Nothing is changed, so there is no difference to show.
options:
  path:
    description:
      - The plan's file. Written readable by its owner only.
    type: path
    required: true
  state:
    description:
      - V(present) writes the plan, V(held) reads it and says what of it may be applied.
    type: str
    choices: [present, held]
    default: present
  environments:
    description:
      - What was looked at. With O(state=held) exactly one.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the environment.
        type: str
        required: true
      drift:
        description:
          - Its items, as RV(keybuzz.amazon.amazon_integration_info#module:drift) has them.
        type: list
        elements: dict
        default: []
      tenants:
        description:
          - The tenants that were looked at.
        type: list
        elements: str
        default: []
      servers:
        description:
          - Names and addresses of what would be written to. A plan for other addresses is refused.
        type: dict
        default: {}
      error:
        description:
          - Why the look was not finished. Then there is no plan.
        type: str
        default: ""
  signing_key:
    description:
      - File with the Ed25519 private key (PEM or OpenSSH, no passphrase) to sign the plan with.
    type: path
  public_key:
    description:
      - File with the public key that has to have signed it. Without it a signed plan is refused, because nobody would
        have looked at the signature.
    type: path
  max_age:
    description:
      - Seconds after which a plan is too old to be applied. V(0) for never.
    type: float
    default: 86400
"""

EXAMPLES = r"""
- name: Look
  keybuzz.amazon.amazon_integration_info:
    vault_token_secret:
      namespace: keybuzz-backend-dev
  register: found

- name: Write what a repair would do
  keybuzz.amazon.repair_plan:
    path: plan.json
    environments:
      - name: "{{ inventory_hostname }}"
        drift: "{{ found.drift }}"
        servers:
          vault: "{{ lookup('ansible.builtin.env', 'VAULT_ADDR') }}"

- name: Later, what of it still holds
  keybuzz.amazon.repair_plan:
    path: plan.json
    state: held
    environments:
      - name: "{{ inventory_hostname }}"
        drift: "{{ found.drift }}"
        servers:
          vault: "{{ lookup('ansible.builtin.env', 'VAULT_ADDR') }}"
"""

RETURN = r"""
planned:
  description: Ids of the planned items, by environment.
  returned: O(state=present)
  type: dict
  sample: {staging: [vault_token/secret, backend_access/restart]}
key_id:
  description: The key that has signed it, as SHA-256 of the public key; none without O(signing_key).
  returned: O(state=present)
  type: str
  sample: SHA256:0Fqk3m0YyCtk9nmqvP0Q3rmQYt1LCqTkCykTyU0bS7E
apply:
  description: The entries of the plan that may be applied, for the option C(planned) of the modules.
  returned: O(state=held)
  type: list
  elements: dict
  sample:
    - id: vault_token/secret
      check: vault_token
      status: empty
      action: update
      precondition: {resource_version: "4711"}
steps:
  description: The steps to take.
  returned: O(state=held)
  type: list
  elements: str
  sample: [vault_token, backend_access]
tenants:
  description: For the steps of tenants, the tenants.
  returned: O(state=held)
  type: dict
  sample: {amazon_tenant: [], amazon_orders: [ecomlg-001]}
refused:
  description: Planned items that are not applied, each with why.
  returned: O(state=held)
  type: list
  elements: dict
  sample:
    - id: amazon_app/document
      why: "precondition was {\"kv_version\": 3} and is {\"kv_version\": 4}"
unplanned:
  description: Ids of items that a repair would write and that the plan does not have. They stay as they are.
  returned: O(state=held)
  type: list
  elements: str
  sample: []
done:
  description: Ids of planned items that are in sync already.
  returned: O(state=held)
  type: list
  elements: str
  sample: []
"""

from datetime import UTC, datetime

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.repair_plan import run

ENVIRONMENT = {
    "name": {"type": "str", "required": True},
    "drift": {"type": "list", "elements": "dict", "default": []},
    "tenants": {"type": "list", "elements": "str", "default": []},
    "servers": {"type": "dict", "default": {}},
    "error": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "held"], "default": "present"},
            "environments": {"type": "list", "elements": "dict", "required": True, "options": ENVIRONMENT},
            "signing_key": {"type": "path", "no_log": False},
            "public_key": {"type": "path", "no_log": False},
            "max_age": {"type": "float", "default": 86400},
        },
        supports_check_mode=True,
    )
    try:
        result, warnings = run(module.params, datetime.now(UTC))
    except KeybuzzError as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
