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
  vault_ca_cert:
    description:
      - PEM file, or folder of PEM files, with the authorities that may sign the server's certificate.
      - Without it the system's authorities are used. There is no option to switch verification off.
      - Falls back to the environment variables E(VAULT_CACERT) and E(BAO_CACERT).
    type: path
  vault_namespace:
    description:
      - Namespace, on servers that have namespaces.
      - Falls back to the environment variables E(VAULT_NAMESPACE) and E(BAO_NAMESPACE).
    type: str
  vault_timeout:
    description:
      - Seconds to wait for one answer.
    type: float
    default: 10.0
"""
