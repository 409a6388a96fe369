# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The steps of a repair, with the options of the module that takes each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._options import AMAZON, KUBERNETES, POSTGRESQL, VAULT
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec import (
    amazon_orders_backfill,
    amazon_tenant_connect,
    k8s_deployment_env,
    vault_amazon_app_creds,
    vault_token_secret,
)


@dataclass(frozen=True)
class Step:
    """One step.

    :param module: its module's name.
    :param options: the module's options, those of its connections included.
    :param rules: which of them exclude or need each other, as :class:`AnsibleModule` takes that.
    """

    module: str
    options: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, Any]

    @property
    def connections(self) -> frozenset[str]:
        """Options that say how to reach a server: the same for all steps."""
        return frozenset(self.options) & CONNECTIONS


CONNECTIONS = frozenset((*VAULT, *KUBERNETES, *POSTGRESQL, *AMAZON))
STEPS: Mapping[str, Step] = {
    "vault_token": Step("vault_token_secret", vault_token_secret.OPTIONS, vault_token_secret.RULES),
    "backend_access": Step("k8s_deployment_env", k8s_deployment_env.OPTIONS, k8s_deployment_env.RULES),
    "amazon_app": Step("vault_amazon_app_creds", vault_amazon_app_creds.OPTIONS, vault_amazon_app_creds.RULES),
    "amazon_tenant": Step("amazon_tenant_connect", amazon_tenant_connect.OPTIONS, amazon_tenant_connect.RULES),
    "amazon_orders": Step("amazon_orders_backfill", amazon_orders_backfill.OPTIONS, amazon_orders_backfill.RULES),
}
"""In the order in which a repair takes them: each can rest on those before it."""
