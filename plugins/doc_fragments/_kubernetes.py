# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - kubernetes >= 31.0.0
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file. Without it, and without O(host), the default file is used, or the pod's own service
        account inside a cluster.
      - Falls back to the environment variables E(K8S_AUTH_KUBECONFIG) and E(KUBECONFIG).
    type: path
  context:
    description:
      - Name of a context in the kubeconfig file; by default its current context.
      - Falls back to the environment variable E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server, instead of a kubeconfig file. Needs O(api_key).
      - Falls back to the environment variable E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token for O(host).
      - Falls back to the environment variable E(K8S_AUTH_API_KEY).
    type: str
  ca_cert:
    description:
      - PEM file with the authorities that may sign the API server's certificate. There is no option to switch
        verification off.
      - Falls back to the environment variable E(K8S_AUTH_SSL_CA_CERT).
    type: path
  kubernetes_timeout:
    description:
      - Seconds to wait for one answer of the API server.
    type: float
    default: 10.0
"""
