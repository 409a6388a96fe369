# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab.shipped_access``: writes docs/access, the rights of this lab's own accounts, for users to paste.

The lab works with exactly these, so every test of the audit and the repair is a test of what is shipped.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import yaml

from lab import openbao, seed
from lab.cluster import access
from lab.processes import PROJECT

FOLDER = PROJECT / "docs" / "access"
LICENCE = """\
{mark} Copyright (c) 2026 KeyBuzz
{mark} GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
{mark} SPDX-License-Identifier: GPL-3.0-or-later
"""
POLICIES = {
    "audit": "An auditor: reads both documents, because a tenant's grant is proven at Amazon. Writes nothing.",
    "audit-keys": "An auditor with vault_depth: keys: sees which keys the documents have, and can read no secret.",
    "repair": "A repair. It cannot write the policy or the token role: see bootstrap.",
    "bootstrap": "vault_bootstrap_token_file: writes the policy and the token role, once.",
}
ACCOUNTS = {
    "audit": "An auditor: reads, by name, what it looks at. No verb here writes.",
    "repair": "A repair: writes, by name, what it mends. create cannot be limited by name.",
}


class _Indented(yaml.SafeDumper):
    """Lists stand deeper than what they belong to, as linters want them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, indentless=False)


def files() -> Mapping[str, str]:
    """Name to text of each file."""
    tenants = seed.TENANT_PATH.format(tenant="+")
    texts = openbao.policies(tenants)
    head = "#\n# Adapt the mount, the paths and keybuzz-backend-dev to your own names."
    found = {
        f"vault-{name}.hcl": f"{LICENCE.format(mark='#')}\n# {about}\n{head}\n# vault policy write keybuzz-{name} "
        f"vault-{name}.hcl\n{texts[f'keybuzz-{name}']}"
        for name, about in POLICIES.items()
    }
    rules = {"audit": access.AUDIT, "repair": access.REPAIR}
    for name, about in ACCOUNTS.items():
        documents: list[Any] = [access.service_account(name)]
        for namespace, granted in rules[name].items():
            documents += [access.role(namespace, name, granted), access.role_binding(namespace, name)]
        body = yaml.dump({"apiVersion": "v1", "kind": "List", "items": documents}, Dumper=_Indented, sort_keys=False)
        found[f"kubernetes-{name}.yaml"] = (
            f"{LICENCE.format(mark='#')}\n# {about}\n{head}\n# kubectl apply -f kubernetes-{name}.yaml\n{body}"
        )
    return found


def main() -> int:
    """The command."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
