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
      - Path of a kubeconfig file, or several joined by V(:), or the content of one as a dictionary. Without it, and
        without O(host), the default file is used, or the pod's own service account inside a cluster.
      - Prefer a file. The credentials in a dictionary are masked, but Ansible knows them as part of the task's
        arguments before this collection does.
      - Falls back to the environment variables E(K8S_AUTH_KUBECONFIG) and E(KUBECONFIG).
    type: raw
  context:
    description:
      - Name of a context in the kubeconfig file; by default its current context.
      - Falls back to the environment variable E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server, instead of a kubeconfig file. Needs O(api_key) or O(client_cert).
      - Falls back to the environment variable E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token for O(host), or instead of the kubeconfig's own credentials.
      - There is no user name with a password, because Kubernetes removed basic authentication in 1.19.
      - Falls back to the environment variable E(K8S_AUTH_API_KEY).
    type: str
  ca_cert:
    description:
      - PEM file with the authorities that may sign the API server's certificate.
      - Falls back to the environment variables E(K8S_AUTH_SSL_CA_CERT) and E(K8S_AUTH_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - The server's certificate is always verified, because Secrets are read over the connection. The option is here
        so that V(false), which other collections take, fails with an explanation instead of being ignored.
      - Falls back to the environment variables E(K8S_AUTH_VERIFY_SSL) and E(K8S_AUTH_VALIDATE_CERTS).
    type: bool
    aliases: [verify_ssl]
  tls_server_name:
    description:
      - Name that the server's certificate must carry, if it is not the one in the URL (an address, a tunnel).
      - Falls back to the environment variable E(K8S_AUTH_TLS_SERVER_NAME), then to the kubeconfig.
    type: str
  client_cert:
    description:
      - PEM file with a client certificate, instead of a token or of the kubeconfig's own credentials.
      - Falls back to the environment variables E(K8S_AUTH_CERT_FILE) and E(K8S_AUTH_CLIENT_CERT).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - PEM file with the key of O(client_cert), without a passphrase.
      - Falls back to the environment variables E(K8S_AUTH_KEY_FILE) and E(K8S_AUTH_CLIENT_KEY).
    type: path
    aliases: [key_file]
  proxy:
    description:
      - URL of an HTTP proxy. The connection through it is a tunnel, so it sees neither credentials nor objects. User
        name and password may be part of the URL.
      - Falls back to the environment variable E(K8S_AUTH_PROXY), then to the kubeconfig, then, as for C(kubectl), to
        E(HTTPS_PROXY).
    type: str
  no_proxy:
    description:
      - Names, domains, addresses and networks, separated by commas, that are reached without the proxy.
      - Falls back to the environment variable E(K8S_AUTH_NO_PROXY). E(NO_PROXY) holds for E(HTTPS_PROXY) only.
    type: str
  proxy_headers:
    description:
      - What the proxy is told.
    type: dict
    suboptions:
      proxy_basic_auth:
        description:
          - User name and password for the proxy, joined by V(:).
          - Falls back to the environment variable E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH).
        type: str
      basic_auth:
        description:
          - The same for a proxy that takes it from the header C(Authorization).
          - Falls back to the environment variable E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH).
        type: str
      user_agent:
        description:
          - The C(User-Agent) that the proxy is shown.
          - Falls back to the environment variable E(K8S_AUTH_PROXY_HEADERS_USER_AGENT).
        type: str
  impersonate_user:
    description:
      - User to act as. The caller needs the verb C(impersonate) on it. The permissions that check mode asks for
        are then those of that user.
      - Falls back to the environment variable E(K8S_AUTH_IMPERSONATE_USER), then to the kubeconfig.
    type: str
  impersonate_groups:
    description:
      - Groups to act as a member of, together with O(impersonate_user).
      - Falls back to the environment variable E(K8S_AUTH_IMPERSONATE_GROUPS) (separated by commas), then to the
        kubeconfig.
    type: list
    elements: str
  kubernetes_timeout:
    description:
      - Seconds to wait for one answer of the API server. What only reads is sent up to three times when the connection
        breaks or the server is busy; a write whose answer was lost is never sent again.
    type: float
    default: 10.0
"""
