# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  amazon_endpoint:
    description:
      - URL of the Selling Partner API. By default that of the tenant's region.
      - Falls back to the environment variable E(AMAZON_ENDPOINT).
    type: str
  amazon_lwa_url:
    description:
      - URL of Login with Amazon's token endpoint.
      - Falls back to the environment variable E(AMAZON_LWA_URL).
    type: str
    default: https://api.amazon.com/auth/o2/token
  amazon_ca_cert:
    description:
      - PEM file with the authorities that may sign the certificates of O(amazon_endpoint) and O(amazon_lwa_url). By
        default the authorities of the Python installation. There is no option to switch verification off.
      - Falls back to the environment variable E(AMAZON_CACERT).
    type: path
  amazon_timeout:
    description:
      - Seconds to wait for one answer.
    type: float
    default: 30.0
"""
