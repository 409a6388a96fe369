#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_amazon_app_creds
short_description: Keep the Amazon application's credentials in Vault
version_added: 0.1.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Sees to a document of a key-value engine that holds the application's client id, client secret, application id,
    redirect URI and region, from a Kubernetes Secret or from given values. The values go from source to Vault inside
    this one process.
  - A deleted version that can be brought back is undeleted, and written anew only if it is not what the source says. A
    destroyed, empty or incomplete document is written. Values that the source does not hold are taken from the
    document, and the other way round. Other keys of the document stay.
  - Where document and source differ, the source is what is wanted, but only after Amazon has accepted it. When Amazon
    refuses the source's client id and secret and accepts the document's, the source is reported as V(stale) and the
    document stays.
  - Every write names the version that was read (check-and-set), also where mount or document demand it
    (C(cas_required)). A lost race is planned anew three times. Version 1 of the engine has no check-and-set, see
    O(vault_kv_version).
  - With O(depth=keys) an auditor sees what is amiss without being able to read any secret.
  - Values are written as strings, without space around them. Secrets made from files like to end in a line break, which
    Amazon refuses.
  - When the token may write the document's custom metadata, a write also notes there where the values come from and
    since when, and since which version, the client secret is in use. That makes no version, keeps what others have
    noted, and is not done when nothing is written.
notes:
  - Vault permissions to look are C(read) on C(<vault_mount>/data/<path>), and on C(<vault_mount>/metadata/<path>) for
    the age of a secret that others have written several versions of. To repair, also C(create) and C(update) on
    C(data/), C(update) on C(<vault_mount>/undelete/<path>), and, if origin and age are to be noted, C(patch), or
    C(read) and C(update), on C(metadata/).
  - With O(depth=keys) C(read) on C(<vault_mount>/subkeys/<path>) and C(<vault_mount>/metadata/<path>) is enough.
  - With version 1 of the engine C(read), and to repair C(create) and C(update), on C(<vault_mount>/<path>).
  - A deleted document is brought back only when the token may also write it, so that a repair never stops half-way.
  - Amazon is asked only when something is about to be written, in check mode too. It gives a token for that, which
    nobody keeps.
  - Fails when a value is nowhere to be had, when Amazon refuses the credentials, when a server does not answer or
    refuses, when O(vault_mount) is no key-value engine, and when the document is written by somebody else three times
    in a row. In check mode each of these but a wrong O(vault_mount) is an item instead.
seealso:
  - module: keybuzz.amazon.vault_token_secret
  - module: keybuzz.amazon.amazon_tenant_connect
extends_documentation_fragment:
  - keybuzz.amazon._attributes
  - keybuzz.amazon._planned
  - keybuzz.amazon._vault
  - keybuzz.amazon._kubernetes
  - keybuzz.amazon._amazon
options:
  vault_mount:
    description:
      - Mount of the key-value engine. It may have several segments, as V(team/kv).
    type: str
    default: secret
  path:
    description:
      - Path of the document below O(vault_mount).
    type: str
    default: keybuzz/amazon_spapi/app
  document_keys:
    description:
      - Names of the five values in the document.
    type: dict
    suboptions:
      client_id:
        description:
          - Key of the client id.
        type: str
        default: client_id
      client_secret:
        description:
          - Key of the client secret.
        type: str
        default: client_secret
      application_id:
        description:
          - Key of the application id.
        type: str
        default: application_id
      redirect_uri:
        description:
          - Key of the redirect URI.
        type: str
        default: redirect_uri
      region:
        description:
          - Key of the region.
        type: str
        default: region
  source_secret:
    description:
      - Kubernetes Secret to take the values from. If it is missing and the document is complete, that is in sync.
      - Without it Kubernetes is not asked for anything.
    type: dict
    suboptions:
      namespace:
        description:
          - Namespace of the Secret.
        type: str
        required: true
      name:
        description:
          - Name of the Secret.
        type: str
        default: amazon-spapi-creds
      keys:
        description:
          - Keys of the five values in the Secret.
        type: dict
        suboptions:
          client_id:
            description:
              - Key of the client id.
            type: str
            default: AMAZON_SPAPI_CLIENT_ID
          client_secret:
            description:
              - Key of the client secret.
            type: str
            default: AMAZON_SPAPI_CLIENT_SECRET
          application_id:
            description:
              - Key of the application id.
            type: str
            default: AMAZON_SPAPI_APPLICATION_ID
          redirect_uri:
            description:
              - Key of the redirect URI.
            type: str
            default: AMAZON_SPAPI_REDIRECT_URI
          region:
            description:
              - Key of the region.
            type: str
            default: AMAZON_SPAPI_REGION
  client_id:
    description:
      - The application's client id. Wins over the one in O(source_secret).
      - Falls back to the environment variable E(AMAZON_CLIENT_ID).
    type: str
  client_secret:
    description:
      - The application's client secret. Wins over the one in O(source_secret).
      - Prefer the environment variable E(AMAZON_CLIENT_SECRET), to which it falls back.
    type: str
  application_id:
    description:
      - The application's id in the Selling Partner API. Wins over the one in O(source_secret).
    type: str
  redirect_uri:
    description:
      - Where Amazon sends a seller after consent. Wins over the one in O(source_secret).
    type: str
  region:
    description:
      - Region of the Selling Partner API, for example V(eu-west-1). Wins over the one in O(source_secret).
    type: str
  verify:
    description:
      - V(lwa) asks Login with Amazon (O(amazon_lwa_url)) whether it accepts client id and secret, before anything is
        written. Credentials that it refuses, or that could not be asked about, are not written.
      - V(none) writes them unproven.
    type: str
    choices: [lwa, none]
    default: lwa
  depth:
    description:
      - How far to look. V(values) reads the document and compares it with the source.
      - V(keys) reads no secret anywhere, O(source_secret) included, and asks Amazon nothing. It tells an absent,
        deleted, destroyed or empty document and missing keys. V(amazon_app/document) then speaks of the keys alone, and
        what was left out is V(amazon_app/values) with status V(ignored). So the verdict can be V(in_sync), because it
        is this depth that was asked for; RV(depth) says which it was.
      - V(keys) needs check mode, and version 2 of the key-value engine on Vault 1.10 or later, or OpenBao.
    type: str
    choices: [keys, values]
    default: values
  client_secret_since:
    description:
      - Day (V(2026-01-31)) or time on which the client secret was rotated. It counts only where Vault cannot tell, as
        with version 1 of the key-value engine.
    type: str
  secret_max_age_days:
    description:
      - Days after which Amazon refuses a client secret that was not rotated.
    type: int
    default: 180
  secret_age_warning_days:
    description:
      - Days before that from which on the module warns. The item V(amazon_app/secret_age) stays V(in_sync), with
        severity V(low), as no repair can help.
      - The age is counted from what this module noted in the document's custom metadata, as long as the noted version
        has the same secret. Else from the earliest of at most ten older versions with the same secret; these are read
        only where their times alone do not settle it. RV(drift) says when that gives a bound and no date.
    type: int
    default: 30
  secret_age_critical_days:
    description:
      - Days before its end from which on the client secret's age is V(expiring), which is drift. After its end it is
        V(stale).
    type: int
    default: 7
"""

EXAMPLES = r"""
- name: Keep the application's credentials in Vault, from the backend's Secret
  keybuzz.amazon.vault_amazon_app_creds:
    source_secret:
      namespace: keybuzz-backend-dev
      name: amazon-spapi-creds

- name: Is the document there and complete? (reads Vault alone)
  keybuzz.amazon.vault_amazon_app_creds:
  check_mode: true

- name: Which keys are there? (for an auditor who must not read secrets)
  keybuzz.amazon.vault_amazon_app_creds:
    depth: keys
  check_mode: true

- name: After a rotation in Developer Central, with the new secret in AMAZON_CLIENT_SECRET
  keybuzz.amazon.vault_amazon_app_creds:
    verify: lwa

- name: A document and a Secret with names of their own
  keybuzz.amazon.vault_amazon_app_creds:
    path: keybuzz/amazon_spapi/app
    document_keys:
      client_id: client_id
      client_secret: client_secret
    source_secret:
      namespace: keybuzz-backend-dev
      name: amazon-spapi-creds
      keys:
        client_id: AMAZON_SPAPI_CLIENT_ID
        client_secret: AMAZON_SPAPI_CLIENT_SECRET
"""

RETURN = r"""
document:
  description: The document, after the run; in check mode as it was found. No values.
  returned: success
  type: dict
  contains:
    state:
      description: V(present), V(absent), V(soft_deleted), V(destroyed) or V(empty).
      type: str
      sample: present
    version_before:
      description: Number of its version before the run; V(0) if there was none, and with version 1 of the engine.
      type: int
      sample: 0
    version:
      description: Number of its version now.
      type: int
      sample: 1
    key_names:
      description: Its keys, others than ours included; V(null) if only its metadata can be read.
      type: list
      elements: str
      sample: [application_id, client_id, client_secret, redirect_uri, region]
    custom_metadata:
      description: >-
        Whether origin and age were noted: V(written), V(unchanged) (nothing was written), V(not_permitted) (the token
        has neither C(patch) nor C(read) and C(update) on the metadata path) or V(not_supported) (version 1 of the
        engine, or a server that wants more for it).
      type: str
      sample: written
    kv_version:
      description: Version of the key-value engine; V(null) if there is no document and the token may not know.
      type: int
      sample: 2
  sample:
    state: present
    version_before: 0
    version: 1
    key_names: [application_id, client_id, client_secret, redirect_uri, region]
    custom_metadata: written
    kv_version: 2
depth:
  description: How far was looked, O(depth).
  returned: success
  type: str
  sample: values
repair_allowed:
  description:
    - Whether the token may write what a repair needs to. V(null) outside check mode, when nothing is pending, and when
      the token may not ask.
  returned: success
  type: bool
  sample: true
missing_permissions:
  description: What it lacks for that.
  returned: success
  type: list
  elements: str
  sample: [create secret/data/keybuzz/amazon_spapi/app]
credentials:
  description:
    - What Amazon says of the client id and secret to be written. V(accepted), V(refused), V(unproven) (it could not be
      asked) or V(not_asked) (nothing to write, or O(verify=none)).
  returned: success
  type: str
  sample: accepted
drift:
  description: >-
    Everything that was looked at, as it was found. V(amazon_app/document), V(amazon_app/secret_age), and with
    O(depth=keys) V(amazon_app/values).
  returned: always
  type: list
  elements: dict
  sample:
    - id: amazon_app/document
      address: https://vault.example.com:8200/v1/secret/data/keybuzz/amazon_spapi/app
      check: amazon_app
      severity: critical
      status: missing
      action: create
      sensitive: true
      before:
        client_id: missing
        client_secret: missing
        application_id: missing
        redirect_uri: missing
        region: missing
      after:
        client_id: present (fp 5f0c1b1e9a77)
        client_secret: present (fp 0d93ce1d20fa)
        application_id: amzn1.sp.solution.00000000-0000-0000-0000-000000000000
        redirect_uri: https://backend.example.com/api/v1/marketplaces/amazon/oauth/callback
        region: eu-west-1
      reason: "There is no document: the backend cannot talk to Amazon for any tenant."
      hint: A repair writes the values of Secret keybuzz-backend-dev/amazon-spapi-creds, after Amazon has accepted them.
      owner: {managers: [], gitops: null, revert_risk: none}
      precondition: {kv_version: 0}
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
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import vault_amazon_app_creds
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.vault_amazon_app_creds import OPTIONS, RULES


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, **RULES)

    def work(protect: Protect) -> Outcome:
        return vault_amazon_app_creds.from_options(module.params, protect, check_mode=module.check_mode)

    run_module(module, "amazon_app", work)


if __name__ == "__main__":
    main()
