#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_deployment_env
short_description: Set the environment and the TLS trust of one container of one or several Deployments
version_added: 0.1.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Compares the environment variables, the sources of C(envFrom), and the mounted ConfigMaps of one container of a
    Deployment with what is wanted, and tells whether its pods run with data that have changed since they started.
  - All changes of the Deployment are one JSON Patch, hence one rollout. The patch tests uid, generation and every
    value that it replaces, so that it fails instead of overwriting what somebody else changed meanwhile; the module
    then reads and plans again, four times at most.
  - What is not named in the options stays as it is. That includes other variables, volumes, sidecars, init
    containers and the number of replicas.
  - The value that a variable has in the end is found as the kubelet finds it. The sources of C(envFrom) are resolved
    in their order, the last one wins, and an entry of C(env) wins over all of them, unless it is an optional reference
    that leads nowhere. V($(NAME\)) stands for a variable that is set before. Secrets and ConfigMaps of C(envFrom) are
    read only when a variable named in the options, or what it refers to, can arrive by them.
  - Before a ConfigMap with O(config_mounts[].verify_url) is written, a TLS handshake with that server, trusting
    exactly this content, has to succeed as it would for Node.js. Otherwise nothing at all is written.
  - Waits for the rollout by the rules of C(kubectl rollout status). A C(ReplicaFailure) (a full quota) ends the wait
    when nothing else has moved for ten seconds.
notes:
  - Permissions to look are C(get) on the Deployment, on the ConfigMaps of O(config_mounts), on the Secrets of
    O(restart_for) and C(envFrom), and on what references of O(env) name, and C(list) on pods. To repair, also C(patch)
    on the Deployment, C(patch) on these ConfigMaps, and C(create) on ConfigMaps where one may be missing.
  - In check mode nothing is written. When something is to be repaired, the server is asked by SelfSubjectAccessReview
    whether the caller may, and where the caller may, the patch is also sent with C(dryRun=All), so that a refusal by an
    admission policy is known before the repair. The repair itself asks the same before its first write, so that a
    ConfigMap is not left behind by a Deployment that may not be patched.
  - If anything is V(blocked), nothing at all is written. Outside check mode the module then fails.
  - The number of replicas is never touched, so that an autoscaler keeps its say. A PodDisruptionBudget does not hold a
    rollout up, because the Deployment's controller deletes pods and does not evict them.
  - A change is announced on the pod template by the annotations C(amazon.keybuzz.io/restart-for) (a keyed hash of the
    Secrets of O(restart_for), or their uid and time of last write where vault_token_secret has not given them a key)
    and C(amazon.keybuzz.io/config-checksum). While these are absent, the age of the pods decides. Pods that are older
    than the last write of a wanted key of a mounted ConfigMap are V(stale) in any case, because a run that was killed
    between writing it and patching the Deployment leaves no other trace.
    The same holds for a Secret that somebody else has written since, because the same data may have been away in
    between. What this collection itself writes into a Secret it notes in C(amazon.keybuzz.io/data-written), which
    changes the hash.
  - Where the Deployment carries annotations of Stakater Reloader (C(reloader.stakater.com/auto) and the like), a
    restart for what it watches is left to it; the module waits for the rollout as always. If Reloader does not act
    within 20 seconds, the module restarts the pods, so that nothing is rolled out twice and nothing is missed.
seealso:
  - module: keybuzz.amazon.vault_token_secret
  - name: kubernetes.core.k8s
    description: For whole objects. It replaces C(envFrom) as a whole and prints a Secret's data in its diff.
    link: https://docs.ansible.com/projects/ansible/latest/collections/kubernetes/core/k8s_module.html
extends_documentation_fragment:
  - keybuzz.amazon._attributes
  - keybuzz.amazon._planned
  - keybuzz.amazon._kubernetes
options:
  namespace:
    description: Namespace of the Deployment.
    type: str
    required: true
  deployment:
    description:
      - Name of the Deployment. It has to exist. Exactly one of this and O(deployments) is given.
    type: str
  deployments:
    description:
      - Several Deployments of which the same is wanted. They share the connection and what is read, are changed one
        after the other, and are waited for side by side.
      - One that fails does not keep the others from being looked at or repaired; outside check mode the module fails
        in the end and returns the items of all.
      - The V(id) of an item then has the Deployment's name in it, as in
        V(backend_access/keybuzz-worker/env/VAULT_ADDR); with its namespace before it where two have the same name.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the Deployment.
        type: str
        required: true
      namespace:
        description: Its namespace; by default O(namespace).
        type: str
      container:
        description: Name of its container; by default O(container).
        type: str
  container:
    description:
      - Name of the container. Needed when the Deployment has several; the module never takes the first of many, and
        leaves init containers alone.
    type: str
  env:
    description:
      - Variables that must have this value. Exactly one of O(env[].value), O(env[].secret_key_ref) and
        O(env[].config_map_key_ref) is given.
      - An entry is replaced as a whole in its place; a new one is appended, so that it can refer to those before it.
      - A value may refer to other variables by V($(NAME\)). One that stands before what it refers to is moved behind
        it. One that refers to what is set nowhere would reach the process as bare text, so it is V(blocked), or
        V(drifted) where it stands there already. V($$(NAME\)) means the bare text.
      - A variable that stands more than once in the container is refused.
      - C(NODE_TLS_REJECT_UNAUTHORIZED=0) is written if it is wanted here, and reported as V(insecure) and V(critical)
        on each run.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the variable.
        type: str
        required: true
      value:
        description:
          - Plain value. It is shown in results, unless name or value look like a secret's; give secrets by
            O(env[].secret_key_ref).
        type: str
      secret_key_ref:
        description: Key of a Secret in the same namespace. It has to exist, unless optional.
        type: dict
        suboptions:
          name:
            description: Name of the Secret.
            type: str
            required: true
          key:
            description: Key in the Secret.
            type: str
            required: true
          optional:
            description: The container may start without it, and then lacks the variable.
            type: bool
            default: false
      config_map_key_ref:
        description: Key of a ConfigMap in the same namespace. It has to exist, unless optional.
        type: dict
        suboptions:
          name:
            description: Name of the ConfigMap.
            type: str
            required: true
          key:
            description: Key in the ConfigMap.
            type: str
            required: true
          optional:
            description: The container may start without it, and then lacks the variable.
            type: bool
            default: false
  env_from:
    description:
      - Sources that must be in C(envFrom), in this order among themselves (the last one wins). Exactly one of
        O(env_from[].secret) and O(env_from[].config_map) is given. Missing ones are appended, others are kept.
      - One that is there already, not optional, and known not to exist is V(blocked), because no container starts with
        it.
    type: list
    elements: dict
    default: []
    suboptions:
      secret:
        description: Name of a Secret in the same namespace. It has to exist when it is added, unless optional.
        type: str
      config_map:
        description: Name of a ConfigMap in the same namespace. It has to exist when it is added, unless optional.
        type: str
      prefix:
        description: Text put before each key.
        type: str
        default: ''
      optional:
        description: The container may start without the source.
        type: bool
        default: false
  absent:
    description:
      - Names that must not stand in the container's own C(env). What arrives by C(envFrom) is not looked at; use
        O(forbidden) for that.
    type: list
    elements: str
    default: []
  forbidden:
    description:
      - Variables that must not reach the process. One that stands in C(env) is removed. One that arrives by C(envFrom)
        is reported with its source, which this module does not edit; C(NODE_TLS_REJECT_UNAUTHORIZED) and
        C(VAULT_SKIP_VERIFY) are then made harmless by an explicit entry, which wins.
      - A variable that is wanted in O(env) is not forbidden.
      - A word of C(NODE_OPTIONS) that mentions a forbidden variable is found too, because a script given there can set
        it while the process runs.
    type: list
    elements: dict
    default:
      - name: NODE_TLS_REJECT_UNAUTHORIZED
        value: '0'
      - name: VAULT_SKIP_VERIFY
      - name: NODE_OPTIONS
        flags: [--use-openssl-ca, --insecure-http-parser, --tls-min-v1.0, --tls-min-v1.1]
    suboptions:
      name:
        description: Name of the variable.
        type: str
        required: true
      value:
        description: Only this value is forbidden. By default any value that is not known to be harmless.
        type: str
      flags:
        description:
          - For V(NODE_OPTIONS) only, these command line options are forbidden in it, and the others are kept. They are
            taken out where the variable is a plain value of C(env), and reported as V(insecure) with their source where
            they arrive from elsewhere.
        type: list
        elements: str
      in_env_from:
        description:
          - Also look into the Secrets and ConfigMaps of C(envFrom), which takes C(get) on each and one request each.
            Without it a variable that arrives by C(envFrom) is not seen.
        type: bool
        default: true
  config_mounts:
    description:
      - Files from ConfigMaps. The whole ConfigMap is mounted as a directory, read only, never by C(subPath), which
        would not see changes. One of O(config_mounts[].content), O(config_mounts[].content_file) and
        O(config_mounts[].content_from) is given, or O(config_mounts[].verify_url) without any of them.
    type: list
    elements: dict
    default: []
    suboptions:
      volume:
        description:
          - Name of the volume. Refused if something else has that name. A volume that only this container mounts, at
            O(config_mounts[].mount_path), is switched over when O(config_mounts[].config_map) has another name.
        type: str
        required: true
      config_map:
        description:
          - Name of the ConfigMap. It is created when it is missing; its other keys are kept. An immutable one that
            holds something else is V(blocked), delete it or name another.
        type: str
        required: true
      key:
        description: Key in the ConfigMap, and name of the file.
        type: str
        required: true
      mount_path:
        description: Directory in the container. Refused if another volume is mounted there.
        type: path
        required: true
      content:
        description: What the file must hold. It is public. A private key is refused and masked.
        type: str
      content_file:
        description: File, on the host this module runs on, with what the file must hold.
        type: path
      content_from:
        description: Key of a Secret or ConfigMap with what the file must hold.
        type: dict
        suboptions:
          namespace:
            description: Namespace of the object; by default that of the Deployment.
            type: str
          secret:
            description: Name of a Secret. Exactly one of this and O(config_mounts[].content_from.config_map) is given.
            type: str
          config_map:
            description: Name of a ConfigMap.
            type: str
          key:
            description: Key in it.
            type: str
            required: true
      verify_url:
        description:
          - An https URL. The content must be PEM certificates, and a TLS handshake with that server that trusts exactly
            these must succeed, on each run. Nothing but the handshake is sent.
          - With this and no content, what the ConfigMap holds is kept if it proves the server.
        type: str
      pin_sha256:
        description:
          - Used where no content is given. SHA-256 fingerprint of the certificate to trust, of the whole certificate
            as C(openssl x509 -noout -fingerprint -sha256) prints it. Needs O(config_mounts[].verify_url).
          - What the ConfigMap holds is kept if that certificate is in it and it proves the server. Else the certificate
            with this fingerprint is taken from the chain that the server shows, its root or a self-signed certificate
            of its own, and has to prove the server.
          - Nothing else that a server shows is ever trusted, and the fingerprint it shows instead is never told. Take
            the pin from the server's own machine or from whoever runs it.
        type: str
  restart_for:
    description:
      - Secrets whose change must restart the pods, because the environment is read when a container starts.
    type: list
    elements: dict
    default: []
    suboptions:
      secret:
        description: Name of a Secret in the same namespace.
        type: str
        required: true
      will_change:
        description:
          - An earlier task predicts in check mode that it will write this Secret, so this check predicts the restart.
            Outside check mode this option has no effect.
        type: bool
        default: false
  on_foreign_owner:
    description:
      - What to do where another tool applies the object too (Argo CD, Flux, Helm, known by the labels, annotations and
        field managers they leave). The tool, what it applies the object from, and since when the field is so, stand in
        the C(owner) of each item.
      - With V(auto), a field that Argo CD or Flux declares with another value is V(blocked), because it would be
        written back at once; a field that they do not declare is written with a warning, and so is all that Helm
        declares, which comes back with the next C(helm upgrade) only.
      - What Flux's helm-controller declares is V(blocked) only if its HelmRelease corrects drift (or may not be read;
        that takes C(get) on C(helmreleases.helm.toolkit.fluxcd.io)).
      - With V(block), whatever is not as wanted in an object that such a tool applies is V(blocked).
      - With V(warn), everything is written, with warnings.
      - With V(force), everything is written; the reason of the item says what will be undone.
      - In each case RV(git_fragment) is what to put where the tool takes the object from.
    type: str
    choices: [auto, warn, block, force]
    default: auto
  wait:
    description:
      - Wait until the rollout is complete, and fail if it fails or does not end in time. Waits for a rollout that was
        going on already, too.
      - A rollout that had failed before the module was called, and that needs no change here, gets 330 seconds to
        recover, because what its pods lacked can have been repaired elsewhere.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait. By default the Deployment's C(progressDeadlineSeconds) and 30 more, so that the
        controller's verdict comes first.
    type: float
"""

EXAMPLES = r"""
- name: Vault's address and CA, the Secrets, and no bypass
  keybuzz.amazon.k8s_deployment_env:
    namespace: keybuzz-backend-dev
    deployment: keybuzz-backend
    container: keybuzz-backend
    env:
      - name: VAULT_ADDR
        value: https://10.0.0.150:8200
      - name: NODE_EXTRA_CA_CERTS
        value: /etc/vault-ca/ca.crt
    env_from:
      - secret: keybuzz-backend-db
      - secret: vault-token
      - secret: amazon-spapi-creds
    config_mounts:
      - volume: vault-ca
        config_map: vault-ca
        key: ca.crt
        mount_path: /etc/vault-ca
        content_file: /etc/ssl/private-ca/vault.pem
        verify_url: https://10.0.0.150:8200
    restart_for:
      - secret: vault-token

- name: The same address for two Deployments, waited for side by side
  keybuzz.amazon.k8s_deployment_env:
    namespace: keybuzz-backend-dev
    deployments:
      - name: keybuzz-backend
        container: keybuzz-backend
      - name: keybuzz-worker
    env:
      - name: VAULT_ADDR
        value: https://10.0.0.150:8200

- name: Look only, as an auditor without any right to write
  keybuzz.amazon.k8s_deployment_env:
    kubeconfig: /etc/keybuzz/audit.kubeconfig
    namespace: keybuzz-backend-dev
    deployment: keybuzz-backend
    env:
      - name: VAULT_ADDR
        value: https://10.0.0.150:8200
  check_mode: true
  register: access
"""

RETURN = r"""
drift:
  description: What was looked at, as it was found; an item for each variable, source, file, mount, restart and rollout.
  returned: always
  type: list
  elements: dict
  sample:
    - id: backend_access/env/VAULT_ADDR
      address: Deployment keybuzz-backend-dev/keybuzz-backend container keybuzz-backend env VAULT_ADDR
      check: backend_access
      severity: high
      status: missing
      action: create
      before: missing
      after: https://10.0.0.150:8200
      reason: The variable is not there, so the backend starts without it.
remaining:
  description: The items after the run; in check mode the same as RV(drift).
  returned: always
  type: list
  elements: dict
  sample: []
verdict:
  description: V(in_sync), V(drift), V(incomplete) or V(error), of RV(remaining).
  returned: always
  type: str
  sample: in_sync
deployments:
  description:
    - With O(deployments), for each the results that a single one has at the top (RV(deployment), RV(effective_env),
      RV(backend_configuration), RV(pods), RV(repair_allowed), RV(missing_permissions)), its V(changed) and V(verdict),
      and its V(error) if it failed.
  returned: with O(deployments)
  type: list
  elements: dict
  sample:
    - deployment: {namespace: keybuzz-backend-dev, name: keybuzz-worker, container: worker, generation: 2}
      changed: true
      verdict: in_sync
deployment:
  description: Which container of which Deployment, and its generations after the run.
  returned: with O(deployment)
  type: dict
  sample:
    namespace: keybuzz-backend-dev
    name: keybuzz-backend
    container: keybuzz-backend
    generation: 3
    observed_generation: 3
effective_env:
  description:
    - For each variable named in the options that is set, where it comes from, and its value if it is a plain one in
      C(env), nothing of a Secret is in it, and its name does not speak of a secret.
    - C(state) is V(present), V(empty), V(unset) (an optional reference that leads nowhere), V(broken) (the
      container cannot start with it) or V(unknown). C(unresolved) lists the V($(NAME\)) that the process gets
      as bare text, C(problem) says why something is not known.
  returned: with O(deployment)
  type: dict
  sample:
    VAULT_ADDR: {source: env, state: present, value: "https://10.0.0.150:8200"}
backend_configuration:
  description: The container's configuration after the run, as far as the options name it, and all of C(envFrom).
  returned: with O(deployment)
  type: dict
  sample:
    env:
      - {name: VAULT_ADDR, value: "https://10.0.0.150:8200"}
    env_from: [Secret keybuzz-backend-db, Secret vault-token, Secret amazon-spapi-creds]
    mounts: [ConfigMap vault-ca at /etc/vault-ca]
pods:
  description: State of the pods, if they had to be looked at. Why containers wait, never their logs.
  returned: with O(deployment)
  type: list
  elements: dict
  sample:
    - name: keybuzz-backend-5d4f9-x2x1k
      phase: Pending
      ready: false
      template_hash: 5d4f9
      waiting:
        - {container: keybuzz-backend, reason: CreateContainerConfigError, message: secret "vault-token" not found}
git_fragment:
  description:
    - What makes the repair permanent, as YAML that is ready to paste. It holds a strategic merge patch for the
      Deployment, as in C(patches) of a kustomization, and the ConfigMaps. It holds no secret; a value that looks like
      one is left out and named in a comment.
    - Applied to the Deployment as it was found it does the same as this module, except for the order of new entries.
  returned: success
  type: str
  sample: |
    # Makes the repair permanent: a kustomize patch for the Deployment, and its ConfigMaps.
    ---
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
            - name: NODE_TLS_REJECT_UNAUTHORIZED
              $patch: delete
repair_allowed:
  description: In check mode, whether the caller may carry the repair out; null when there is nothing to repair.
  returned: success
  type: bool
  sample: true
missing_permissions:
  description: In check mode, what the caller may not do and the repair would need.
  returned: success
  type: list
  elements: str
  sample: [patch deployments.apps keybuzz-backend-dev/keybuzz-backend]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import Protect, run_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import k8s_deployment_env
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.k8s_deployment_env import OPTIONS, RULES


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, **RULES)

    def work(protect: Protect) -> Outcome:
        return k8s_deployment_env.from_options(module.params, protect, check_mode=module.check_mode)

    run_module(module, "backend_access", work)


if __name__ == "__main__":
    main()
