#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_token_secret
short_description: Give the backend a Vault token of its own in a Kubernetes Secret
version_added: 0.1.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Looks at the Vault token in a key of a Kubernetes Secret by asking Vault about it, and puts it into one of these
    classes, the worst that applies. V(namespace_missing), V(secret_missing), V(key_missing), V(empty), V(placeholder)
    (a filler such as C(changeme)), V(malformed) (spaces, line breaks, characters that cannot be sent), V(unknown)
    (neither confirmed nor denied, see below), V(invalid) (expired, revoked, another server's), V(root),
    V(wrong_policies) (it lacks the backend's), V(over_privileged) (it has the backend's and more), V(shared) (the
    same token is in another Secret), V(not_orphan), V(not_renewable), V(ttl_low), V(period_capped) (the server gives
    less than O(token_period)), V(good).
  - With O(strategy=scoped) it sees to a policy that can read the Amazon documents and nothing else, to a token role
    that makes orphan periodic tokens with that policy alone, and to a token of that kind in the Secret. A good token
    with little life left is renewed in place, which changes nothing in the Secret and restarts nothing. Any other is
    replaced, except V(unknown) and V(period_capped), which are reported.
  - With O(strategy=copy) it copies the token of another namespace's Secret, inside this one process. A root token that
    was copied is reported as V(insecure) on each run.
  - With O(auth_mode=kubernetes) the backend logs in itself and needs no token in a Secret. The policy, the auth method,
    the role the backend logs in with and its service account are checked, and policy and role set right. A token that
    is left over in the Secret is reported and never touched.
  - A token is asked about itself first. Where its policy or its role's addresses do not let it answer, the caller asks
    about it (C(auth/token/lookup)), or by the accessor that was noted when this very token was stored. A token of which
    nothing is known even so is V(unknown), and is not replaced.
  - The Secret is changed by a JSON Patch that tests exactly what was read. Its other keys stay. Beside the token it
    gets annotations. C(amazon.keybuzz.io/accessor) names the token that was put there, without being it, and
    C(amazon.keybuzz.io/token-proof) ties the two together (a keyed hash), so that an accessor does not answer for a
    token that somebody else put there. C(amazon.keybuzz.io/superseded-accessor) names those that were replaced and not
    revoked yet. C(amazon.keybuzz.io/checksum-key) is drawn once, for M(keybuzz.amazon.k8s_deployment_env) to tell
    whether pods run with the present values. C(amazon.keybuzz.io/token-intent) is there while a token is being made.
  - Before a token is made, that mark is written on the Secret (one that is missing is created with it and without
    data), and the run's id into the token's metadata. The one write that stores value and accessor takes the mark away.
    So a crash leaves at most one token and a mark that tells of it. The next run looks for the token by that id and
    revokes it, if the caller may (C(list) and C(sudo) on C(auth/token/accessors), C(update) on
    C(auth/token/lookup-accessor) and on C(auth/token/revoke-accessor), on a server with at most 2000 tokens). If not,
    it takes the mark away and says by when the token has ended by itself.
  - When the write that stores a token is refused, the token is revoked at once. When its answer is lost, the Secret is
    read again, and made unfit for a write that may still be on its way, before the token is revoked.
  - A root token, a token that another place uses, and a token that Vault does not say was made here for this Secret and
    this O(environment) are never revoked. Annotations alone prove nothing. They come along when a Secret is copied.
notes:
  - In check mode the token, the policy and the role are looked up and nothing else happens. Looking up a token by value
    or by accessor, and asking for one's own capabilities (C(sys/capabilities-self), only if something is pending), are
    C(POST) requests, which Vault's audit log calls updates; they write nothing. A token whose uses are counted loses
    one when it is asked about itself.
  - Vault permissions to look are C(read) on the policy and the role. Also wanted are C(update) on C(auth/token/lookup),
    so that no token is V(unknown) (it tells of tokens that one already holds, nothing more), C(read) on
    C(sys/mounts/auth/token/tune), so that a capped period is told for certain, and C(update) on
    C(auth/token/lookup-accessor) with O(superseded=revoke). To repair, also C(update) on
    C(auth/token/create/<token_role>); on C(auth/token/renew-accessor) where the policy does not let a token renew
    itself; and on C(auth/token/revoke-accessor) with O(superseded=revoke). Without the last, a token that could not be
    stored ends with its period instead of at once.
  - Before the first write the caller's permissions are asked for. Where one is missing nothing is begun; in check mode
    RV(missing_permissions) names it.
  - With O(auth_mode=kubernetes) the permissions to look are C(read) on the policy, on C(auth/<mount>/config) and on
    C(auth/<mount>/role/<role>), and at Kubernetes C(get) on the ServiceAccount. The bootstrap token needs C(create) and
    C(update) on that role.
  - Kubernetes permissions to look are C(get) on the Secrets; with O(consumers) also C(get) on those Deployments and
    C(list) on pods. To repair, also C(patch) on the Secret, and C(create) on Secrets where it may be missing. Who may
    create and not patch gets along without the mark of an interrupted run.
  - Two runs at once do not harm one another. One waits a few seconds for the other's mark to go; the one that writes
    first wins, and the other ends its own token and plans anew.
  - Works with OpenBao and HashiCorp Vault. OpenBao gives a token that is gone the same answer as one that may not look
    itself up; Vault says C(invalid token).
  - Fails when the Secret needs a token and cannot be given one (the namespace or the role is missing, another
    controller generates the Secret), when a server does not answer or refuses, and when the Secret is changed by
    somebody else three times in a row. In check mode each of these is an item instead.
seealso:
  - module: keybuzz.amazon.k8s_deployment_env
  - module: keybuzz.amazon.vault_amazon_app_creds
extends_documentation_fragment:
  - keybuzz.amazon._attributes
  - keybuzz.amazon._planned
  - keybuzz.amazon._vault
  - keybuzz.amazon._kubernetes
options:
  strategy:
    description:
      - V(scoped) gives the backend a token of its own.
      - V(copy) copies the token of O(copy_from).
    type: str
    choices: [scoped, copy]
    default: scoped
  namespace:
    description:
      - Namespace of the Secret. It has to exist.
    type: str
    default: keybuzz-backend-dev
  secret:
    description:
      - Name of the Secret. It is created when it is missing.
    type: str
    default: vault-token
  key:
    description:
      - Key of the token in the Secret.
    type: str
    default: VAULT_TOKEN
  vault_mount:
    description:
      - Mount of the key-value engine that the policy is for.
    type: str
    default: secret
  app_path:
    description:
      - Path of the application's document below O(vault_mount), for the policy.
    type: str
    default: keybuzz/amazon_spapi/app
  tenant_path_pattern:
    description:
      - Path of the tenants' documents below O(vault_mount), for the policy. V(+) stands for one segment.
    type: str
    default: keybuzz/tenants/+/amazon_spapi
  policy_name:
    description:
      - Name of the policy. By default the value of O(namespace). In lower case, as Vault stores it.
    type: str
  policy:
    description:
      - Text of the policy, in Vault's language. It is compared without spaces, line breaks and comments.
      - By default the policy allows reading the documents of O(app_path) and O(tenant_path_pattern), and looking up and
        renewing the token itself. Its paths are those of version 2 of the key-value engine, or those of version 1 with
        O(vault_kv_version=1); here V(auto) does not look.
      - A policy of your own should allow C(read) on C(auth/token/lookup-self) and C(update) on
        C(auth/token/renew-self). Without the first the caller has to be allowed C(auth/token/lookup), without the
        second C(auth/token/renew-accessor).
    type: str
  token_role:
    description:
      - Name of the token role. By default the value of O(policy_name).
    type: str
  token_period:
    description:
      - How long a token lives after it was made or renewed, for example V(168h), V(7d) or V(604800) (seconds).
      - The server's maximum bounds it (32 days, unless it was set otherwise). A token that gets less for that reason is
        V(period_capped). It is reported with both figures, and renewed when it has less than half of what it gets.
    type: str
    default: 168h
  renew_below:
    description:
      - A token with less life than this is renewed.
      - By default half of O(token_period), so that with V(168h) a token survives more than three days without a run.
      - Has to be less than O(token_period), or each run would renew.
    type: str
  copy_from:
    description:
      - The Secret to copy from. Needed with O(strategy=copy).
    type: dict
    suboptions:
      namespace:
        description:
          - Namespace of that Secret.
        type: str
        required: true
      secret:
        description:
          - Name of that Secret.
        type: str
        default: vault-token
      key:
        description:
          - Key of the token in that Secret.
        type: str
        default: VAULT_TOKEN
  compare_with:
    description:
      - Secrets that must not hold the same token. If one does, the token is V(shared) and is replaced.
      - By default the Secret of O(copy_from), if it is given. V([]) compares with nothing.
      - A Secret that may not be read gives an item of its own with the status V(unknown).
    type: list
    elements: dict
    suboptions:
      namespace:
        description:
          - Namespace of that Secret.
        type: str
        required: true
      secret:
        description:
          - Name of that Secret.
        type: str
        default: vault-token
      key:
        description:
          - Key of the token in that Secret.
        type: str
        default: VAULT_TOKEN
  environment:
    description:
      - Name of the environment, noted in the token's metadata and display name. By default the value of O(namespace).
    type: str
  vault_bootstrap_token:
    description:
      - Token that may write the policy and the role. Used for nothing else, and only if one of them differs.
      - Without it a policy or role that differs is reported and not written; the item's hint is the command for an
        administrator.
      - Falls back to the environment variable E(VAULT_BOOTSTRAP_TOKEN).
    type: str
  vault_bootstrap_token_file:
    description:
      - File that holds that token, on the machine the module runs on. Wins over O(vault_bootstrap_token).
      - Falls back to the environment variable E(VAULT_BOOTSTRAP_TOKEN_FILE).
    type: path
  superseded:
    description:
      - What becomes of tokens that were made here and replaced.
      - V(keep) leaves them alone. Pods that were not restarted yet still work with them.
      - V(revoke) revokes them by their accessor. Use it in a second task, after the rollout. A run that also replaces a
        token revokes nothing.
      - Give O(consumers) with it, so that nothing is revoked before the new token is seen in use.
    type: str
    choices: [keep, revoke]
    default: keep
  consumers:
    description:
      - Deployments that read the Secret. With O(superseded=revoke) a token is revoked only when each of them has rolled
        out, is ready, and has no pod left, not even one being deleted, whose container may have started before the
        Secret was written. Vault keeps no time of a token's last use, so this is the proof that there is.
      - A pod proves it by the annotation that O(keybuzz.amazon.k8s_deployment_env#module:restart_for) puts on the pod
        template, or by having started in a later second than the one in which the Secret was written.
      - Where it is not proven, RV(drift) has the item V(vault_token/superseded) with the status V(blocked) and the
        reason. It is revoked by a later run.
      - Without consumers a token is revoked without this proof, and with a warning.
      - With O(auth_mode=kubernetes) also whether their pods run as O(service_account) and project a token for
        O(kubernetes_audience).
    type: list
    elements: dict
    default: []
    suboptions:
      deployment:
        description:
          - Name of the Deployment.
        type: str
        required: true
      namespace:
        description:
          - Its namespace. By default the value of O(namespace); pods read Secrets of their own namespace only.
        type: str
  auth_mode:
    description:
      - How the backend comes to a token.
      - V(token) gives it one in the Secret.
      - V(kubernetes) lets it log in with the token of its service account. The backend has to support that; one that
        reads a token from its environment does not. Needs O(service_account), and O(strategy=scoped).
    type: str
    choices: [token, kubernetes]
    default: token
  service_account:
    description:
      - Service account of the backend's pods, in O(namespace). Only it can log in. Needed with O(auth_mode=kubernetes).
    type: str
  kubernetes_auth_mount:
    description:
      - Mount of the auth method. It is not enabled or configured here, because that takes the cluster's address and a
        reviewer's credentials; the item's hint is the command.
    type: str
    default: kubernetes
  kubernetes_auth_role:
    description:
      - Name of the role that the backend logs in with. By default the value of O(policy_name). Its life is
        O(token_period).
    type: str
  kubernetes_audience:
    description:
      - Audience that the service account's token has to be made for, as it is projected into the pod.
      - Without it the role's own audience is left alone, and a role that has none is V(insecure). Vault demands one
        from 1.21 on.
    type: str
"""

EXAMPLES = r"""
- name: See to a token of the backend's own
  keybuzz.amazon.vault_token_secret:
    namespace: keybuzz-backend-dev
    secret: vault-token
    compare_with:
      - namespace: keybuzz-api-dev
    environment: dev
    vault_bootstrap_token_file: "{{ lookup('ansible.builtin.env', 'VAULT_BOOTSTRAP_TOKEN_FILE') or omit }}"
  register: backend_token

- name: Restart the backend when its token changes
  keybuzz.amazon.k8s_deployment_env:
    namespace: keybuzz-backend-dev
    deployment: keybuzz-backend
    container: keybuzz-backend
    env_from:
      - secret: vault-token
    restart_for:
      - secret: vault-token
        will_change: "{{ backend_token.secret_will_change }}"

- name: After the rollout, revoke the token that was replaced, once the pods are seen to run with the new one
  keybuzz.amazon.vault_token_secret:
    namespace: keybuzz-backend-dev
    compare_with:
      - namespace: keybuzz-api-dev
    superseded: revoke
    consumers:
      - deployment: keybuzz-backend

- name: What a backend that logs in itself needs
  keybuzz.amazon.vault_token_secret:
    namespace: keybuzz-backend-dev
    auth_mode: kubernetes
    service_account: keybuzz-backend
    kubernetes_audience: vault
  check_mode: true

- name: The repair by hand of 2026-01-12, which the audit calls insecure
  keybuzz.amazon.vault_token_secret:
    strategy: copy
    namespace: keybuzz-backend-dev
    copy_from:
      namespace: keybuzz-api-dev
"""

RETURN = r"""
token:
  description:
    - The token in the Secret, after the run; in check mode as it was found. Neither its value nor its accessor.
  returned: success
  type: dict
  contains:
    class:
      description: Its class, see the description of the module.
      type: str
      sample: good
    policies:
      description: Its policies, its identity's included. Empty if Vault does not accept it.
      type: list
      elements: str
      sample: [keybuzz-backend-dev]
    ttl_seconds:
      description: Seconds it has to live; V(0) for a token that never ends, none if Vault does not accept it.
      type: int
      sample: 604800
    period_seconds:
      description: Seconds it lives after a renewal; V(0) if it is not periodic, none if its role may not be read.
      type: int
      sample: 604800
    orphan:
      description: Whether it outlives the token it was made with.
      type: bool
      sample: true
    renewable:
      description: Whether it can be renewed.
      type: bool
      sample: true
    expires_at:
      description: When it ends if nobody renews it (ISO 8601, UTC); none for a token that never ends.
      type: str
      sample: "2026-01-19T12:00:00Z"
  sample:
    class: good
    policies: [keybuzz-backend-dev]
    ttl_seconds: 604800
    period_seconds: 604800
    orphan: true
    renewable: true
    expires_at: "2026-01-19T12:00:00Z"
secret_will_change:
  description:
    - Whether this run writes another token into the Secret, or in check mode would. Pods have to be restarted then.
  returned: success
  type: bool
  sample: true
superseded_tokens:
  description:
    - How many tokens are noted on the Secret as replaced and not revoked, after the run. Each ends with its period if
      nothing renews it. A run with O(superseded=revoke) revokes them.
  returned: success
  type: int
  sample: 0
interrupted_runs:
  description:
    - What became of the tokens of runs that did not end. C(since) says when one began, C(ends_by) when its token is
      dead at the latest. C(token) is V(revoked), V(none) (looked for, and there is none) or V(unsought) (the caller
      may not list all accessors, or there are too many).
  returned: success
  type: list
  elements: dict
  sample:
    - since: "2026-01-12T12:00:00Z"
      token: revoked
      ends_by: "2026-01-19T12:00:00Z"
missing_permissions:
  description:
    - What the repair would need and the caller has not, at Vault and at Kubernetes. Asked in check mode, and only if
      something is pending. What the bootstrap token lacks says so.
  returned: success
  type: list
  elements: str
  sample: ["update auth/token/create/keybuzz-backend-dev", "patch secrets keybuzz-backend-dev/vault-token"]
repair_allowed:
  description:
    - Whether the caller may carry out what is pending; none when nothing is, when nobody could ask, and outside check
      mode.
  returned: success
  type: bool
  sample: true
drift:
  description:
    - Everything that was looked at, as it was found. V(vault_token/policy), V(vault_token/role), V(vault_token/secret);
      with tokens to revoke also V(vault_token/superseded); after an interrupted run also V(vault_token/intent); for a
      Secret of O(compare_with) that may not be read also V(vault_token/sharing/…).
    - With O(auth_mode=kubernetes), V(vault_token/kubernetes_auth), V(vault_token/kubernetes_role) and
      V(vault_token/service_account) take the place of V(vault_token/role).
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
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import vault_token_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.vault_token_secret import OPTIONS, RULES


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, **RULES)

    def work(protect: Protect) -> Outcome:
        return vault_token_secret.from_options(module.params, protect, check_mode=module.check_mode)

    run_module(module, "vault_token", work)


if __name__ == "__main__":
    main()
