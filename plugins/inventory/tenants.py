# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tenants
short_description: Tenants of the backend as hosts, from PostgreSQL or Vault
version_added: 0.3.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Lists the tenants of each environment, from the table that the backend keeps them in, or by the paths of their
    documents in Vault.
  - With O(layout=tenants) a host is a tenant, C(<tenant>@<environment>), for slices, groups and C(--limit). With
    O(layout=environments) a host is an environment with a list C(tenants). C(keybuzz.amazon.audit_tenants) takes both,
    and looks at the tenants of one environment in one call with either.
  - It reads names, and from PostgreSQL status and marketplace. It reads no document in Vault and writes nothing. No
    secret is in a variable or in the cache.
  - What could not be listed is never left out silently. Its environment becomes a host, in the group
    C(tenants_not_listed), that says why, and that the audit reports as C(error).
notes:
  - The connection's options stand at the top, for all environments, or below one of them, which wins. They have the
    names and the environment variables of the modules' options. C({{ amazon_environment }}) in them is the
    environment's name.
  - What is written down of them also becomes variables of the environment's group (C(pg_host), C(vault_addr) and so on;
    C(tenant_path) as C(vault_tenant_path)), so that the roles need not be told again. Secrets do not. Files in
    C(group_vars/all) win over a group's variables from an inventory.
  - PostgreSQL needs C(SELECT) on the table. Vault needs C(list) on the path above the tenants, for example
    C(secret/metadata/keybuzz/tenants/).
  - Without E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED), or its counterpart in C(ansible.cfg), Ansible itself only warns
    when an inventory cannot be read, and goes on with the hosts that say why.
seealso:
  - module: keybuzz.amazon.amazon_integration_info
  - plugin: ansible.builtin.constructed
    plugin_type: inventory
extends_documentation_fragment:
  - keybuzz.amazon._postgresql
  - keybuzz.amazon._vault
  - constructed
  - inventory_cache
options:
  plugin:
    description: Marks the file as one of this plugin.
    type: str
    required: true
    choices: [keybuzz.amazon.tenants]
  source:
    description:
      - Where the tenants come from. An environment may have one of its own.
      - V(postgresql) tells each tenant's status and marketplace.
      - V(vault) tells only which tenants there are, by one C(LIST). It reads no document, because the marketplace
        stands beside the refresh token there. A tenant whose path holds other documents, or a deleted one, is listed
        as well.
    type: str
    choices: [postgresql, vault]
    default: postgresql
  layout:
    description:
      - V(tenants) makes a host of each tenant, with the variables C(tenant), C(tenant_status), C(tenant_marketplace_id)
        and C(amazon_environment), in the groups C(amazon_tenants), C(environment_<name>), C(status_<status>) and
        C(marketplace_<id>). What is not known is in C(status_unknown) and C(marketplace_unknown).
      - V(environments) makes a host of each environment, with the variables C(tenants) and C(amazon_environment), in
        the group C(environment_<name>).
    type: str
    choices: [tenants, environments]
    default: tenants
  environments:
    description:
      - The environments by name. Each may have options of its connection, O(source), O(statuses), O(owner),
        O(allow_empty), and C(vars), which are variables of its group.
    type: dict
    required: true
  statuses:
    description:
      - Only tenants whose row has one of these, as the backend writes them.
      - With O(source=postgresql) only.
    type: list
    elements: str
    default: []
  owner:
    description:
      - Only tenants whose row has this owner.
      - With O(source=postgresql) only.
    type: str
  allow_empty:
    description:
      - An environment without a tenant is more often a wrong address, path, filter or right than the truth, and an
        error unless this is set.
    type: bool
    default: false
  on_error:
    description:
      - What happens when the tenants of an environment cannot be listed. The others are asked in any case, and a host
        C(<environment>) stands for it, which the audit reports as C(error).
      - V(fail) lists no environment at all, and fails. V(warn) lists the others, and warns.
    type: str
    choices: [fail, warn]
    default: fail
  tenants_table:
    description: Table of the tenants, with its schema if that is not in the role's search path.
    type: str
    default: tenants
  tenant_columns:
    description:
      - Names of its columns where they differ from C(tenantId), C(status), C(owner) and C(marketplaceId). An empty name
        says that the column is not there.
    type: dict
    default: {}
  vault_mount:
    description: Mount of the key-value engine, version 1 or 2.
    type: str
    default: secret
  tenant_path:
    description: Path of a tenant's document below O(vault_mount). C({tenant}) stands for the tenant.
    type: str
    default: keybuzz/tenants/{tenant}/amazon_spapi
  pg_host:
    description:
      - Host name of the PostgreSQL server. Needed with O(source=postgresql).
      - Falls back to the environment variable E(PGHOST).
    type: str
    required: false
  pg_dbname:
    description:
      - Name of the database. Needed with O(source=postgresql).
      - Falls back to the environment variable E(PGDATABASE).
    type: str
    required: false
  pg_user:
    description:
      - Role to log in as. Needed with O(source=postgresql).
      - Falls back to the environment variable E(PGUSER).
    type: str
    required: false
  vault_addr:
    description:
      - Address of the Vault or OpenBao server, for example V(https://vault.example.com:8200). Needed with
        O(source=vault).
      - Falls back to the environment variables E(VAULT_ADDR) and E(BAO_ADDR).
    type: str
    required: false
"""

EXAMPLES = r"""
# tenants.yml: ansible-playbook -i tenants.yml keybuzz.amazon.audit_tenants
# The one environment whose address is in PGHOST, PGDATABASE, PGUSER, PGPASSFILE and PGSSLROOTCERT.
---
plugin: keybuzz.amazon.tenants
environments:
  dev:

# Three environments, connected tenants only, listed anew after ten minutes, with groups of their own.
---
plugin: keybuzz.amazon.tenants
pg_host: postgres.{{ amazon_environment }}.example.com
pg_dbname: keybuzz
pg_user: keybuzz_audit
pg_passfile: /run/secrets/{{ amazon_environment }}/pgpass
pg_sslrootcert: /etc/ssl/private-ca/postgres.pem
statuses: [CONNECTED]
on_error: warn
environments:
  dev:
    statuses: []
    allow_empty: true
  staging:
  prod:
    pg_host: db-1.example.com
    vars:
      backend_namespace: keybuzz-backend-prod
      kubeconfig_context: prod
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /var/cache/keybuzz
cache_timeout: 600
compose:
  is_french: tenant_marketplace_id == 'A13V1IB3VIYZZH'
groups:
  french_production: tenant_marketplace_id == 'A13V1IB3VIYZZH' and amazon_environment == 'prod'
keyed_groups:
  - key: tenant.split('-') | first
    prefix: customer

# A host for each environment, its tenants from Vault.
---
plugin: keybuzz.amazon.tenants
source: vault
layout: environments
vault_addr: https://vault.{{ amazon_environment }}.example.com:8200
vault_token_file: /run/secrets/{{ amazon_environment }}/vault-list.token
vault_ca_cert: /etc/ssl/private-ca/vault.pem
environments:
  staging:
  prod:
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import tenants_inventory
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenants_inventory import (
    Environment,
    Tenant,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import protect
from ansible_collections.keybuzz.amazon.plugins.plugin_utils._in_process import LocalModule, plain

UNKNOWN = "unknown"
NOT_LISTED = "tenants_not_listed"
ALL_TENANTS = "amazon_tenants"
NO_TEMPLATE = re.compile(r"[A-Za-z0-9 ._@:/+=~,-]*")
"""Text that cannot be a template. Ansible lists other text, which no file of the user vouches for, as unsafe."""


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """Tenants as hosts, or environments with their tenants."""

    NAME = "keybuzz.amazon.tenants"

    def verify_file(self, path: str) -> bool:
        """Whether the file may be one of this plugin: what is in it decides."""
        return bool(super().verify_file(path)) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """List the environments' tenants into the inventory."""
        super().parse(inventory, loader, path, cache=cache)
        raw = loader.load_from_file(path, cache="none")
        if not isinstance(raw, Mapping) or raw.get("plugin") != self.NAME:
            self._read_config_data(path)  # which says what is wrong with it
        try:
            config = self._read_config_data(path)
            asked = self._asked(config)
            failed = self._populate(asked, path, cache)
        except (AnsibleError, KeybuzzError) as error:
            self._stand_in(dict.fromkeys(self._named(raw, path), str(error)))
            raise AnsibleParserError(str(error)) from error
        if failed and self.get_option("on_error") == "fail":
            said = " ".join(f"[{name}] {why}" for name, why in failed.items())
            others = "No tenant of another environment is listed either. With on_error: warn they are."
            self._stand_in({name: failed.get(name, said) for name in self._named(raw, path)})
            raise AnsibleParserError(f"{said} {others}")
        self._stand_in(failed)
        for name, why in failed.items():
            self.display.warning(f"The tenants of {name} are not listed. {why}")

    def _asked(self, config: Mapping[str, Any]) -> dict[str, Environment | KeybuzzError]:
        """Each environment by name, or why it cannot be asked. :raises BadInputError: the file cannot be."""
        unknown = sorted(set(config) - set(self._options))
        if unknown:
            raise BadInputError(
                "reading options in",
                "the inventory's file",
                f"there is no option {', '.join(unknown)}",
                f"ansible-doc -t inventory {self.NAME} describes those that there are.",
            )
        named = self.get_option("environments")
        groups = [self._sanitize_group_name(str(name)) for name in named]
        alike = [str(name) for name, group in zip(named, groups, strict=True) if groups.count(group) > 1]
        if alike:
            raise BadInputError(
                "reading option",
                "environments",
                f"{' and '.join(alike)} would share one group",
                "Groups have only letters, digits and '_' in their names. Call one of them otherwise.",
            )
        return tenants_inventory.environments(named, config, self.get_option("source"), self._templated)

    def _templated(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        self.templar.available_variables = {**(self._vars or {}), "amazon_environment": name}
        try:
            found: dict[str, Any] = plain(self.templar.template(dict(given)))
        except AnsibleError as error:
            raise BadInputError(
                "reading options of environment", name, f"a template in them failed ({error})", "Mend it."
            ) from None
        return found

    def _populate(self, asked: Mapping[str, Environment | KeybuzzError], path: str, cache: bool) -> dict[str, str]:
        """List, and add what was listed. Returns why an environment was not, by name."""
        found, failed = self._listed(asked, path, cache)
        if failed and self.get_option("on_error") == "fail":
            return failed
        vars_of = {name: (given or {}).get("vars") or {} for name, given in self.get_option("environments").items()}
        for name, tenants in found.items():
            group = self._group("environment", name)
            known = asked[name].variables
            for variable, value in {**known, **vars_of[name], "amazon_environment": name}.items():
                self.inventory.set_variable(group, variable, _vouched(value))
            if self.get_option("layout") == "environments":
                self._add_host(name, {"amazon_environment": name, "tenants": [one.name for one in tenants]}, [group])
            else:
                self._add_tenants(name, group, tenants)
        return failed

    def _listed(
        self, asked: Mapping[str, Environment | KeybuzzError], path: str, cache: bool
    ) -> tuple[dict[str, list[Tenant]], dict[str, str]]:
        """The tenants by environment, from the cache where that is as asked for, and why others are not there."""
        use_cache = bool(self.get_option("cache"))
        kept = self._kept(path) if use_cache and cache else None
        found: dict[str, list[Tenant]] = {}
        failed: dict[str, str] = {}
        fresh = False
        for name, environment in asked.items():
            try:
                if isinstance(environment, KeybuzzError):
                    raise environment
                before = tenants_inventory.kept(kept, environment)
                if before is None:
                    for warning in environment.warnings:
                        self.display.warning(f"{name}: {warning}")
                    before, fresh = tenants_inventory.listed(environment, _protect), True
                found[name] = before
            except KeybuzzError as error:
                failed[name] = str(error)
        if use_cache and fresh:
            self._cache[self.get_cache_key(path)] = tenants_inventory.to_keep(asked, found)
        return found, failed

    def _kept(self, path: str) -> Any:
        try:
            return self._cache[self.get_cache_key(path)]
        except KeyError:
            return None

    def _add_tenants(self, environment: str, group: str, tenants: Iterable[Tenant]) -> None:
        everybody = self.inventory.add_group(ALL_TENANTS)
        groups: dict[tuple[str, str], str] = {}
        for one in tenants:
            also = []
            for prefix, value in (("status", one.status), ("marketplace", one.marketplace_id)):
                key = (prefix, value or UNKNOWN)
                if key not in groups:
                    groups[key] = self._group(*key)
                also.append(groups[key])
            variables = {
                "tenant": one.name,
                "tenant_status": one.status,
                "tenant_marketplace_id": one.marketplace_id,
            }
            self._add_host(
                f"{one.name}@{environment}", variables, [everybody, group, *also], {"amazon_environment": environment}
            )

    def _add_host(
        self,
        host: str,
        variables: Mapping[str, Any],
        groups: Iterable[str],
        of_group: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a host, and what the file wants constructed of it."""
        self.inventory.add_host(host)
        for name, value in variables.items():
            self.inventory.set_variable(host, name, _vouched(value))
        for group in groups:
            self.inventory.add_child(group, host)
        known = {**(of_group or {}), **variables, "inventory_hostname": host}
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), known, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), known, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), known, host, strict=strict)

    def _group(self, *parts: str) -> str:
        name: str = self.inventory.add_group(self._sanitize_group_name("_".join(parts)))
        return name

    def _stand_in(self, failed: Mapping[str, str]) -> None:
        """A host for each environment whose tenants are not known, which no audit takes for checked."""
        for name, why in failed.items():
            self.inventory.add_host(name)
            for group in (self._group("environment", name), self._group(NOT_LISTED)):
                self.inventory.add_child(group, name)
            told = {"tenants": [], "environment_ready": False, "environment_ready_hint": f"Not listed. {why}"}
            for variable, value in told.items():
                self.inventory.set_variable(name, variable, value)
        # Ansible does this only with what was read; a play has to meet these hosts all the same.
        self.inventory.reconcile_inventory()

    def _named(self, raw: Mapping[str, Any], path: str) -> list[str]:
        """The environments that the file names as far as it can be read, else one of the file's own name."""
        environments = raw.get("environments")
        names = [str(name) for name in environments] if isinstance(environments, Mapping) else []
        possible = [name for name in names if tenants_inventory.NAME.fullmatch(name)]
        return possible or [Path(path).stem]


def _vouched(value: Any) -> Any:
    """The value with every text in it that cannot be a template marked as one that may be used like one."""
    if isinstance(value, str):
        return trust_as_template(value) if NO_TEMPLATE.fullmatch(value) else value
    if isinstance(value, Mapping):
        return {key: _vouched(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_vouched(inner) for inner in value]
    return value


def _protect(secrets: Iterable[str | None]) -> None:
    """Have ansible-core mask them. Before 2.22 only a module's result can be masked, and there is none."""
    protect(LocalModule({}, {}, check_mode=True), secrets)
