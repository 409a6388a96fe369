#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: amazon_tenant_connect
short_description: Connect a tenant to its Amazon seller account
version_added: 0.1.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Proves the seller's authorization at Amazon, stores it in the tenant's document in Vault, and says so in the
    tenant's row in PostgreSQL, in this order.
  - A stored refresh token that works is kept. Otherwise a given one is proven and stored, or a given authorization code
    is exchanged for one. Otherwise the module changes nothing and returns the address where the seller has to agree.
  - Each failure has one meaning. C(invalid_client) is the application's fault (see
    M(keybuzz.amazon.vault_amazon_app_creds)), C(invalid_grant) the seller's, and a 403 a missing role or a wrong
    region.
  - A run that finds everything in order makes one call to Amazon for each tenant, the refresh of the seller's token.
  - Several tenants can be done in one run, over one connection to each server. One that fails never hides the others.
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
      - Id of the tenant. It must have a row in O(tenants_table), unless O(create_row=true).
      - Exactly one of this and O(tenants) is given.
    type: str
  tenants:
    description:
      - Ids of several tenants. The application's document and the rows are read once.
      - What belongs to one seller (O(refresh_token), O(refresh_token_file), O(authorization_code), O(oauth_state),
        O(seller_id)) cannot be given then; tokens that are stored and work are kept as ever.
      - A tenant that cannot be done becomes the item V(amazon_tenant/TENANT/could-not-check), and the others are done
        all the same. Outside check mode the task fails at its end then, with the results of all in it.
    type: list
    elements: str
  depth:
    description:
      - How far to look. V(values) reads both documents and asks Amazon whether the seller's token works.
      - V(keys) reads no secret and asks Amazon nothing. It tells an absent, deleted, destroyed or empty document and
        missing keys, and looks at the row. What was left out is V(amazon_tenant/TENANT/grant) with status V(ignored).
        So the verdict can be V(in_sync), because it is this depth that was asked for; RV(depth) says which it was.
      - V(keys) needs check mode, and version 2 of the key-value engine on Vault 1.10 or later, or OpenBao.
    type: str
    choices: [keys, values]
    default: values
  state:
    description:
      - Whether the tenant should be connected.
      - V(absent) sets the row to O(disconnected_status) and writes a version of the document without the refresh token.
        Older versions keep it until they are destroyed. Amazon is not asked; only the seller can withdraw the consent.
    type: str
    choices: [present, absent]
    default: present
  refresh_token:
    description:
      - Refresh token of the seller, used if none that works is stored. Prefer O(refresh_token_file), which never passes
        through Ansible.
      - Falls back to the environment variable E(AMAZON_REFRESH_TOKEN).
    type: str
  refresh_token_file:
    description:
      - File that holds the refresh token, on the machine the module runs on. It wins over O(refresh_token). It is read
        only if no refresh token that works is stored.
      - C({tenant}) in it stands for the tenant. With O(tenants) it has to be there.
      - Falls back to the environment variable E(AMAZON_REFRESH_TOKEN_FILE).
    type: path
  authorization_code:
    description:
      - The parameter C(spapi_oauth_code) of the address Amazon sent the seller back to. It can be exchanged once,
        within five minutes. In check mode it is not.
      - Used if no refresh token works. Needs O(oauth_state).
      - Falls back to the environment variable E(AMAZON_AUTHORIZATION_CODE). Prefer it where the module runs on the
        controller; the code then never becomes a variable of Ansible.
    type: str
  oauth_state:
    description:
      - The parameter C(state) of the same address. It is accepted if this module made it, for this tenant, with this
        application's secret, at most O(oauth_state_lifetime) ago.
    type: str
  oauth_state_lifetime:
    description:
      - Seconds for which a state is accepted, between V(600) and V(86400).
    type: int
    default: 3600
  marketplace_id:
    description:
      - Amazon's id of the marketplace, for example V(A13V1IB3VIYZZH) for Amazon.fr.
      - By default the one in the tenant's document, else the one in its row.
    type: str
  seller_id:
    description:
      - Amazon's id of the seller, the parameter C(selling_partner_id) of the address Amazon sent the seller back to.
        The Selling Partner API does not tell it.
      - By default the one in the tenant's document, else the one in its row.
    type: str
  seller_ids:
    description:
      - The same by tenant, for O(tenants).
    type: dict
    default: {}
    version_added: 0.3.0
  region:
    description:
      - Region of the Selling Partner API, as V(eu-west-1) or V(eu). It must be that of the marketplace.
      - By default the one in the tenant's document, else that of the marketplace.
    type: str
  amazon_seller_central:
    description:
      - Host or address of the Seller Central that RV(consent_url) leads to. By default that of the marketplace.
    type: str
  draft_application:
    description:
      - The application is not published yet; Amazon then wants C(version=beta) in RV(consent_url).
    type: bool
    default: false
  connected_status:
    description:
      - Status of a connected tenant in the row.
    type: str
    default: CONNECTED
  disconnected_status:
    description:
      - Status of a tenant that is not connected.
    type: str
    default: DISCONNECTED
  display_name:
    description:
      - Name of the tenant in the row. C({seller_id}) stands for the seller's id.
      - A name that is given here is kept to. Without one an empty name becomes C(Amazon Seller {seller_id}), and any
        other name stays.
    type: str
  owner:
    description:
      - Owner of the tenant in the row. Without it the owner stays as it is.
    type: str
  create_row:
    description:
      - Create the tenant's row when it is missing. Otherwise a tenant without a row is an error that names those which
        have one.
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
      - C(tenantId) and C(status) cannot be left out.
    type: dict
    default: {}
seealso:
  - module: keybuzz.amazon.vault_amazon_app_creds
  - module: keybuzz.amazon.amazon_orders_backfill
notes:
  - In Vault the token needs C(read) on both documents and C(create) and C(update) on the tenant's; to bring a deleted
    document back also C(update) on its C(undelete) path; to note where a token comes from C(patch), or C(read) and
    C(update), on its C(metadata) path, without which it is not noted. With O(depth=keys) C(read) on the tenant's
    C(subkeys) and C(metadata) paths is enough.
  - A run that has several things to write asks before the first whether it may do them all. A code is not exchanged
    for a token that could not be stored.
  - In PostgreSQL the role needs SELECT and UPDATE on O(tenants_table), with O(create_row) also INSERT; for check mode
    SELECT is enough.
"""

EXAMPLES = r"""
- name: Connect a tenant with a token from a file; keeps a stored one that works
  keybuzz.amazon.amazon_tenant_connect:
    tenant: ecomlg-001
    marketplace_id: A13V1IB3VIYZZH
    seller_id: A12BCIS2R7HD4D
    refresh_token_file: /run/secrets/ecomlg-001.token

- name: Several tenants over one connection; each keeps its stored token
  keybuzz.amazon.amazon_tenant_connect:
    tenants: [ecomlg-001]

- name: Which keys are there? (for an auditor who must not read secrets)
  keybuzz.amazon.amazon_tenant_connect:
    tenants: [ecomlg-001]
    depth: keys
  check_mode: true

- name: Where does the seller have to agree?
  keybuzz.amazon.amazon_tenant_connect:
    tenant: ecomlg-001
    marketplace_id: A13V1IB3VIYZZH
  register: connection

# The parameters of the address Amazon led back to. Type before: export AMAZON_AUTHORIZATION_CODE=<spapi_oauth_code>
- name: After the seller agreed
  keybuzz.amazon.amazon_tenant_connect:
    tenant: ecomlg-001
    marketplace_id: A13V1IB3VIYZZH
    seller_id: "{{ selling_partner_id }}"
    oauth_state: "{{ state }}"

- name: Disconnect a tenant
  keybuzz.amazon.amazon_tenant_connect:
    tenant: ecomlg-001
    state: absent
"""

RETURN = r"""
status:
  description:
    - V(connected); V(disconnected) with O(state=absent); V(reauthorize) when only the seller can help; V(blocked) when
      the application's credentials are missing or refused; V(unknown) when Amazon did not answer, when the given token
      cannot be read, or when the tenant's document is deleted and has to be brought back first. The last two come in
      check mode only, as a repair fails of them or settles them. V(not_asked) with O(depth=keys), and V(failed) in
      RV(tenants) for one that could not be done.
    - In check mode V(connected) means that nothing stands in its way.
  returned: success, with O(tenant)
  type: str
  sample: connected
row_status:
  description: What the status column of the tenant's row says after the run; none without a row.
  returned: success, with O(tenant) and O(state=present)
  type: str
  sample: CONNECTED
consent_url:
  description: The address the seller has to open.
  returned: when RV(status) is V(reauthorize), with O(tenant)
  type: str
  sample: "https://sellercentral-europe.amazon.com/apps/authorize/consent?application_id=amzn1.sp.solution.x&state=eyJ0.aGk"
oauth_state:
  description: The state in that address. It comes back with the code and is given as O(oauth_state) then.
  returned: when RV(status) is V(reauthorize), with O(tenant)
  type: str
  sample: eyJ0.aGk
seller_id:
  description: The seller's id.
  returned: when O(state=present), with O(tenant) and O(depth=values)
  type: str
  sample: A12BCIS2R7HD4D
marketplace_id:
  description: The marketplace.
  returned: when O(state=present), with O(tenant) and O(depth=values)
  type: str
  sample: A13V1IB3VIYZZH
region:
  description: The region.
  returned: when O(state=present), with O(tenant) and O(depth=values)
  type: str
  sample: eu-west-1
display_name:
  description: The tenant's name.
  returned: when O(state=present), with O(tenant) and O(depth=values)
  type: str
  sample: Amazon Seller A12BCIS2R7HD4D
document_version:
  description: Version of the tenant's document after the run, V(0) if there is none.
  returned: success, with O(tenant)
  type: int
  sample: 3
custom_metadata:
  description: >-
    Whether the origin of what was written was noted in the document's custom metadata. V(written), V(unchanged),
    V(not_permitted) or V(not_supported).
  returned: when a repair looked at the document, with O(tenant)
  type: str
  sample: written
tenants:
  description: What is said above of one tenant, for each by its id. For one that failed also C(error).
  returned: success, and when some of O(tenants) failed
  type: dict
  sample:
    ecomlg-001:
      status: connected
      seller_id: A12BCIS2R7HD4D
      marketplace_id: A13V1IB3VIYZZH
      region: eu-west-1
      display_name: Amazon Seller A12BCIS2R7HD4D
      document_version: 3
depth:
  description: How far was looked, O(depth).
  returned: success
  type: str
  sample: values
repair_allowed:
  description:
    - Whether the token and the database role may write what a repair needs to. V(null) outside check mode, when nothing
      is pending, and when the token may not ask.
  returned: success
  type: bool
  sample: true
missing_permissions:
  description: What they lack for that.
  returned: success
  type: list
  elements: str
  sample: [create secret/data/keybuzz/tenants/ecomlg-001/amazon_spapi, update table tenants]
drift:
  description:
    - Everything that was looked at, as it was found. V(amazon_tenant/TENANT/grant), V(amazon_tenant/TENANT/document)
      and V(amazon_tenant/TENANT/row). The token is shown as a fingerprint that is keyed for this run.
  returned: always
  type: list
  elements: dict
  sample:
    - id: amazon_tenant/ecomlg-001/row
      address: table tenants row tenantId=ecomlg-001 in postgresql://keybuzz_repair@db.example.com:5432/keybuzz
      check: amazon_tenant
      severity: high
      status: drifted
      action: update
      sensitive: false
      before: {status: DISCONNECTED}
      after: {status: CONNECTED}
      reason: "The tenant's row differs in status: the product does not show it as connected."
      hint: A repair writes the row after the document.
      owner: {managers: [], gitops: null, revert_risk: none}
      precondition: {}
      depends_on: []
remaining:
  description: The same list after the run. In check mode it is the same as RV(drift).
  returned: always
  type: list
  elements: dict
  sample: []
verdict:
  description: V(in_sync), V(drift), V(incomplete) (something could not be looked at) or V(error), of RV(remaining).
  returned: always
  type: str
  sample: in_sync
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import Protect, run_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_tenant_connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.amazon_tenant_connect import OPTIONS, RULES


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, **RULES)

    def work(protect: Protect) -> Outcome:
        return amazon_tenant_connect.run(module.params, protect, check_mode=module.check_mode)

    run_module(module, "amazon_tenant", work)


if __name__ == "__main__":
    main()
