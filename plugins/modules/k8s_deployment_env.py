#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_deployment_env
short_description: Set the environment and the TLS trust of one container of a Deployment
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
    in their order, the last one wins, and an entry of C(env) wins over all of them. Secrets and ConfigMaps of
    C(envFrom) are read only when a variable named in the options can arrive by them and no entry of C(env) sets it.
  - Before a ConfigMap with O(config_mounts[].verify_url) is written, a TLS handshake with that server, trusting
    exactly this content, has to succeed as it would for Node.js. Otherwise nothing at all is written.
  - Waits for the rollout by the rules of C(kubectl rollout status).
notes:
  - Permissions to look are C(get) on the Deployment, on the ConfigMaps of O(config_mounts) and on the Secrets of
    O(restart_for) and C(envFrom), and C(list) on pods. To repair, also C(patch) on the Deployment, C(patch) on these
    ConfigMaps, and C(create) on ConfigMaps where one may be missing.
  - In check mode nothing is written. When something is to be repaired, the server is asked by SelfSubjectAccessReview
    whether the caller may, and where the caller may, the patch is also sent with C(dryRun=All), so that a refusal by an
    admission policy is known before the repair.
  - If anything is V(blocked), nothing at all is written. Outside check mode the module then fails.
  - A change is announced on the pod template by the annotations C(amazon.keybuzz.io/restart-for) (a keyed hash of the
    Secrets of O(restart_for), or their uid and time of last write where vault_token_secret has not given them a key)
    and C(amazon.keybuzz.io/config-checksum). While these are absent, the age of the pods decides.
seealso:
  - module: keybuzz.amazon.vault_token_secret
  - name: kubernetes.core.k8s
    description: For whole objects. It replaces C(envFrom) as a whole and prints a Secret's data in its diff.
    link: https://docs.ansible.com/projects/ansible/latest/collections/kubernetes/core/k8s_module.html
extends_documentation_fragment:
  - keybuzz.amazon._attributes
  - keybuzz.amazon._kubernetes
options:
  namespace:
    description: Namespace of the Deployment.
    type: str
    required: true
  deployment:
    description: Name of the Deployment. It has to exist.
    type: str
    required: true
  container:
    description:
      - Name of the container. Needed when the Deployment has several; the module never takes the first of many.
    type: str
  env:
    description:
      - Variables that must have this value. Exactly one of O(env[].value), O(env[].secret_key_ref) and
        O(env[].config_map_key_ref) is given.
      - An entry is replaced as a whole in its place; a new one is appended, so that it can refer to those before it.
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
        description: Key of a Secret in the same namespace. It has to exist when the reference is added.
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
      config_map_key_ref:
        description: Key of a ConfigMap in the same namespace. It has to exist when the reference is added.
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
  env_from:
    description:
      - Sources that must be in C(envFrom), in this order among themselves (the last one wins). Exactly one of
        O(env_from[].secret) and O(env_from[].config_map) is given. Missing ones are appended, others are kept.
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
    type: list
    elements: dict
    default:
      - name: NODE_TLS_REJECT_UNAUTHORIZED
        value: '0'
      - name: VAULT_SKIP_VERIFY
    suboptions:
      name:
        description: Name of the variable.
        type: str
        required: true
      value:
        description: Only this value is forbidden. By default any value that is not known to be harmless.
        type: str
      in_env_from:
        description:
          - Also look into the Secrets and ConfigMaps of C(envFrom), which takes C(get) on each and one request each.
            Without it a variable that arrives by C(envFrom) is not seen.
        type: bool
        default: true
  config_mounts:
    description:
      - Files from ConfigMaps. The whole ConfigMap is mounted as a directory, read only, never by C(subPath), which
        would not see changes. Exactly one of O(config_mounts[].content), O(config_mounts[].content_file) and
        O(config_mounts[].content_from) is given.
    type: list
    elements: dict
    default: []
    suboptions:
      volume:
        description: Name of the volume. Refused if something else has that name.
        type: str
        required: true
      config_map:
        description: Name of the ConfigMap. It is created when it is missing; its other keys are kept.
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
deployment:
  description: Which container of which Deployment, and its generations after the run.
  returned: success
  type: dict
  sample:
    namespace: keybuzz-backend-dev
    name: keybuzz-backend
    container: keybuzz-backend
    generation: 3
    observed_generation: 3
effective_env:
  description:
    - For each variable named in the options that reaches the process, where it comes from, and its value if it is a
      plain one in C(env) and its name does not speak of a secret.
  returned: success
  type: dict
  sample:
    VAULT_ADDR: {source: env, value: "https://10.0.0.150:8200"}
backend_configuration:
  description: The container's configuration after the run, as far as the options name it, and all of C(envFrom).
  returned: success
  type: dict
  sample:
    env:
      - {name: VAULT_ADDR, value: "https://10.0.0.150:8200"}
    env_from: [Secret keybuzz-backend-db, Secret vault-token, Secret amazon-spapi-creds]
    mounts: [ConfigMap vault-ca at /etc/vault-ca]
pods:
  description: State of the pods, if they had to be looked at. Why containers wait, never their logs.
  returned: success
  type: list
  elements: dict
  sample:
    - name: keybuzz-backend-5d4f9-x2x1k
      phase: Pending
      ready: false
      template_hash: 5d4f9
      waiting:
        - {container: keybuzz-backend, reason: CreateContainerConfigError, message: secret "vault-token" not found}
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
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import argument_spec, run_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.options import desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.k8s_deployment_env import run
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import KUBERNETES

KEY = {"type": "str", "required": True, "no_log": False}
REFERENCE = {
    "type": "dict",
    "no_log": False,
    "options": {"name": {"type": "str", "required": True}, "key": KEY},
}
SECRET = {"type": "str", "no_log": False}
ENV = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str"},
    "secret_key_ref": REFERENCE,
    "config_map_key_ref": REFERENCE,
}
ENV_FROM = {
    "secret": SECRET,
    "config_map": {"type": "str"},
    "prefix": {"type": "str", "default": ""},
    "optional": {"type": "bool", "default": False},
}
FORBIDDEN = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str"},
    "in_env_from": {"type": "bool", "default": True},
}
CONTENT_FROM = {
    "namespace": {"type": "str"},
    "secret": SECRET,
    "config_map": {"type": "str"},
    "key": KEY,
}
CONFIG_MOUNT = {
    "volume": {"type": "str", "required": True},
    "config_map": {"type": "str", "required": True},
    "key": KEY,
    "mount_path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "content_file": {"type": "path"},
    "content_from": {
        "type": "dict",
        "options": CONTENT_FROM,
        "mutually_exclusive": [("secret", "config_map")],
        "required_one_of": [("secret", "config_map")],
    },
    "verify_url": {"type": "str"},
}
RESTART_FOR = {
    "secret": {**SECRET, "required": True},
    "will_change": {"type": "bool", "default": False},
}
ONE_VALUE = ("value", "secret_key_ref", "config_map_key_ref")
ONE_CONTENT = ("content", "content_file", "content_from")


def list_of(options, *, one_of=None, default=()):
    """A list of dicts with these options, exactly one of ``one_of`` among them."""
    spec = {"type": "list", "elements": "dict", "default": list(default), "options": options}
    if one_of:
        spec.update(mutually_exclusive=[one_of], required_one_of=[one_of])
    return spec


def main():
    module = AnsibleModule(
        argument_spec=argument_spec(
            KUBERNETES,
            namespace={"type": "str", "required": True},
            deployment={"type": "str", "required": True},
            container={"type": "str"},
            env=list_of(ENV, one_of=ONE_VALUE),
            env_from=list_of(ENV_FROM, one_of=("secret", "config_map")),
            absent={"type": "list", "elements": "str", "default": []},
            forbidden=list_of(
                FORBIDDEN,
                default=({"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"}, {"name": "VAULT_SKIP_VERIFY"}),
            ),
            config_mounts=list_of(CONFIG_MOUNT, one_of=ONE_CONTENT),
            restart_for=list_of(RESTART_FOR),
            wait={"type": "bool", "default": True},
            wait_timeout={"type": "float"},
        ),
        supports_check_mode=True,
    )
    run_module(
        module,
        "backend_access",
        lambda protect: run(
            connect(module.params, protect), desired(module.params), protect, check_mode=module.check_mode
        ),
    )


if __name__ == "__main__":
    main()
