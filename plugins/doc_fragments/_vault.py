# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - hvac >= 2.3.0
options:
  vault_addr:
    description:
      - Address of the Vault or OpenBao server as the controller reaches it, for example V(https://vault.example.com:8200).
      - The backend may use another address for the same server.
      - Falls back to the environment variables E(VAULT_ADDR) and E(BAO_ADDR).
    type: str
    required: true
  vault_token:
    description:
      - Token this module works with. Prefer O(vault_token_file), which never passes through Ansible.
      - Falls back to the environment variables E(VAULT_TOKEN) and E(BAO_TOKEN).
      - O(vault_token_file) wins when both are given.
    type: str
  vault_token_file:
    description:
      - File that holds the token, on the machine the module runs on. Read by the module itself.
      - Falls back to the environment variable E(VAULT_TOKEN_FILE).
    type: path
  vault_auth_method:
    description:
      - How the module gets its token. V(token) uses O(vault_token_file) or O(vault_token). The others log in once, and
        the module ends its token (C(revoke-self)) when it is done. A token that is given is not used then.
      - Falls back to the environment variable E(VAULT_AUTH_METHOD).
    type: str
    choices: [token, approle, kubernetes, jwt]
    default: token
  vault_auth_mount:
    description:
      - Mount of the auth method, below C(auth/). By default the name of the method.
      - Falls back to the environment variable E(VAULT_AUTH_MOUNT).
    type: str
  vault_auth_role:
    description:
      - Role to log in to, with O(vault_auth_method=kubernetes) or O(vault_auth_method=jwt). With V(jwt) the default
        role of the auth method is taken when none is given.
      - Falls back to the environment variable E(VAULT_AUTH_ROLE).
    type: str
  vault_role_id:
    description:
      - Role id, with O(vault_auth_method=approle).
      - Falls back to the environment variable E(VAULT_ROLE_ID).
    type: str
  vault_secret_id:
    description:
      - Secret id, with O(vault_auth_method=approle), if the role wants one. Prefer O(vault_secret_id_file).
      - Falls back to the environment variable E(VAULT_SECRET_ID).
    type: str
  vault_secret_id_file:
    description:
      - File that holds the secret id, on the machine the module runs on. It wins over O(vault_secret_id).
      - Falls back to the environment variable E(VAULT_SECRET_ID_FILE).
    type: path
  vault_jwt:
    description:
      - JSON Web Token to log in with, with O(vault_auth_method=jwt) or O(vault_auth_method=kubernetes). Prefer
        O(vault_jwt_file).
      - Falls back to the environment variable E(VAULT_JWT).
    type: str
  vault_jwt_file:
    description:
      - File that holds that token, on the machine the module runs on. It wins over O(vault_jwt).
      - With O(vault_auth_method=kubernetes) and neither given it is
        C(/var/run/secrets/kubernetes.io/serviceaccount/token), which Kubernetes puts into each pod.
      - Falls back to the environment variable E(VAULT_JWT_FILE).
    type: path
  vault_ca_cert:
    description:
      - PEM file with the authorities that may sign the server's certificate, or folder with such files. The files of a
        folder may have any name.
      - Without it and O(vault_ca_pem) the system's authorities are used. There is no option to switch verification off.
      - Falls back to the environment variables E(VAULT_CACERT), E(BAO_CACERT), E(VAULT_CAPATH) and E(BAO_CAPATH).
    type: path
  vault_ca_pem:
    description:
      - The certificates of these authorities themselves, in PEM. It wins over O(vault_ca_cert).
      - Falls back to the environment variables E(VAULT_CACERT_BYTES) and E(BAO_CACERT_BYTES).
    type: str
  vault_namespace:
    description:
      - Namespace, on servers that have namespaces, from the root on, for example V(team/app). It goes with each
        request, logging in included.
      - A server that has none (Vault's community edition, OpenBao before 2.3) would work on its root instead. It is
        refused, for which its edition is asked for in one more request.
      - Falls back to the environment variables E(VAULT_NAMESPACE) and E(BAO_NAMESPACE).
    type: str
  vault_timeout:
    description:
      - Seconds to wait for one answer.
      - Reads are tried three times within about a second when the connection breaks or the server is busy (HTTP 412,
        429, 502, 503, 504). Writes only after an answer that says that nothing was done (412, 429).
    type: float
    default: 10.0
  vault_kv_version:
    description:
      - Version of the key-value engine. V(auto) finds it out and costs no request with version 2, unless there is no
        document; with version 1 two, once in a run.
      - Version 1 has no check-and-set. The document is read again right before a write, which is given up when it has
        changed, and right after it. What somebody else writes in between the first two cannot be seen. It also keeps
        no times, no deleted versions and no custom metadata.
    type: str
    choices: [auto, "1", "2"]
    default: auto
"""
