# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the inventory plugin tenants does: list the tenants of one environment, from PostgreSQL or from Vault."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import secret_values
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    BlockedError,
    KeybuzzError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import insecure_options
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.tenants_inventory import (
    OPTIONS,
    VARIABLES,
    VAULT_OPTIONS,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, tenant_list
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import tenant_list as vault_list
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.given import Protect

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""A name that a host and a path in Vault can have. The roles take no other."""
READING = "listing the tenants in"
DOING = "reading options of environment"
OF_THE_PLUGIN = ("source", "vars")
"""What an environment may have beside the options of its source."""
CACHE_FORMAT = 1
ALL_SOURCES = frozenset(name for options in OPTIONS.values() for name in options)

Templated = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Fills in what stands in an environment's options, given its name."""


class Tenant(NamedTuple):
    """One tenant. Vault tells nothing but its name."""

    name: str
    status: str | None = None
    marketplace_id: str | None = None


@dataclass(frozen=True)
class Environment:
    """One environment as it was asked for.

    :param given: names of the options that were written down, not those that have a default or come from the
        environment of the process.
    """

    name: str
    source: str
    params: Mapping[str, Any] = field(repr=False)
    given: frozenset[str] = frozenset()

    @property
    def where(self) -> str:
        """What is asked, for messages."""
        if self.source == "postgresql":
            return connection.address(self.params)
        return f"{self.params['vault_addr']}/v1/{self.params['vault_mount']}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is insecure in how the server is reached."""
        return insecure_options(self.params)

    @property
    def variables(self) -> dict[str, Any]:
        """Variables of the roles that the options which were written down stand for. No secret is among them."""
        found = {VARIABLES[name]: self.params[name] for name in VARIABLES if name in self.given}
        further = {name: self.params[name] for name in VAULT_OPTIONS if name in self.given}
        return {**found, "vault_options": further} if further else found

    @property
    def fingerprint(self) -> str:
        """Of everything that the answer depends on but secrets: a list made with other options is not used again."""
        spec = OPTIONS[self.source]
        asked = {name: value for name, value in self.params.items() if not spec[name].get("no_log")}
        return hashlib.sha256(json.dumps([self.source, asked], sort_keys=True, default=str).encode()).hexdigest()


def environments(
    named: Mapping[str, Any], shared: Mapping[str, Any], source: str, templated: Templated
) -> dict[str, Environment | KeybuzzError]:
    """Each environment by name, or what is wrong with its options.

    :param named: the environments' own options.
    :param shared: options of all of them, of whatever source; others are passed over.
    :param source: of those that have none of their own.
    :raises BadInputError: there is no environment.
    """
    if not named:
        raise BadInputError("reading option", "environments", "there is none", "Name at least one.")
    found: dict[str, Environment | KeybuzzError] = {}
    for name, own in named.items():
        try:
            found[str(name)] = _one(str(name), own or {}, shared, source, templated)
        except KeybuzzError as error:
            found[str(name)] = error
    return found


def _one(name: str, own: object, shared: Mapping[str, Any], source: str, templated: Templated) -> Environment:
    if not isinstance(own, Mapping) or not isinstance(own.get("vars") or {}, Mapping):
        raise BadInputError(DOING, name, "they are no dictionary", "Write option: value.")
    source = str(own.get("source") or source)
    if source not in OPTIONS:
        raise BadInputError(DOING, name, f"source is {source}", f"It is one of {', '.join(OPTIONS)}.")
    mine = {option: value for option, value in own.items() if option not in OF_THE_PLUGIN}
    given = {option: shared[option] for option in OPTIONS[source] if option in shared} | mine
    return environment(name, source, templated(name, given))


def environment(name: str, source: str, given: Mapping[str, Any]) -> Environment:
    """Hold an environment's options to what its source takes. :raises BadInputError: naming what cannot be."""
    if not NAME.fullmatch(name):
        raise BadInputError(
            "reading option",
            f"environments: {name!r}",
            "it is no name of an environment",
            "Use letters, digits, '.', '_' and '-'; it becomes a part of the hosts' names.",
        )
    spec = OPTIONS[source]
    given = {option: value for option, value in given.items() if value is not None}
    foreign = sorted(set(given) - set(spec))
    if foreign:
        raise BadInputError(
            DOING,
            name,
            _of_no_use(foreign, source),
            f"With source: {source} it takes {', '.join(spec)}. Other variables of the environment stand below vars.",
        )
    result = ArgumentSpecValidator(dict(spec)).validate(given)
    if result.error_messages:
        raise BadInputError(
            DOING,
            name,
            "; ".join(result.error_messages),
            "ansible-doc -t inventory keybuzz.amazon.tenants describes each option and its environment variable.",
        )
    params: dict[str, Any] = result.validated_parameters
    if source == "vault":
        vault_list.branch(params["tenant_path"])
    else:
        tenant_list.table_of(params["tenants_table"], params["tenant_columns"], by_owner=params["owner"] is not None)
    return Environment(name, source, params, frozenset(given))


def _of_no_use(foreign: list[str], source: str) -> str:
    elsewhere = [name for name in foreign if name in ALL_SOURCES]
    if elsewhere:
        return f"{', '.join(elsewhere)} says nothing where the tenants come from {source}"
    return f"there is no option {', '.join(foreign)}"


def listed(asked: Environment, protect: Protect) -> list[Tenant]:
    """The environment's tenants in the order of their names, each once.

    :raises KeybuzzError: they could not be listed, one has a name that no host can have, or there is none.
    """
    protect(secret_values(OPTIONS[asked.source], asked.params))
    found: list[Tenant] = []
    for tenant in _SOURCES[asked.source](asked, protect):
        if not NAME.fullmatch(tenant.name):
            raise BadInputError(
                READING,
                asked.where,
                f"tenant {tenant.name[:60]!r} has a name that no host can have",
                "Letters, digits, '.', '_' and '-' are possible. Rename it, or leave it out by statuses or a view.",
            )
        if not found or found[-1].name != tenant.name:
            found.append(tenant)
    if not found and not asked.params["allow_empty"]:
        raise BlockedError(
            READING,
            asked.where,
            "there is none" + _narrowed(asked.params),
            "Check the address, the path or table and the filters. If that is meant, set allow_empty: true.",
        )
    return found


def to_keep(asked: Mapping[str, Environment | KeybuzzError], found: Mapping[str, list[Tenant]]) -> dict[str, object]:
    """What a cache holds of the lists. An environment that could not be listed is asked again."""
    environments = {
        name: {"asked": one.fingerprint, "tenants": [list(tenant) for tenant in found[name]]}
        for name, one in asked.items()
        if isinstance(one, Environment) and name in found
    }
    return {"format": CACHE_FORMAT, "environments": environments}


def kept(document: object, asked: Environment) -> list[Tenant] | None:
    """The list that a cache holds, if it is of this release and was asked for in the same way."""
    if not isinstance(document, Mapping) or document.get("format") != CACHE_FORMAT:
        return None
    one = document["environments"].get(asked.name)
    if one is None or one["asked"] != asked.fingerprint:
        return None
    return [Tenant(*tenant) for tenant in one["tenants"]]


def _narrowed(params: Mapping[str, Any]) -> str:
    """The filters, for a message."""
    parts = [f"status {' or '.join(params['statuses'])}"] if params.get("statuses") else []
    parts += [f"owner {params['owner']}"] if params.get("owner") is not None else []
    return f" with {' and '.join(parts)}" if parts else ""


def _of_postgresql(asked: Environment, protect: Protect) -> Iterator[Tenant]:
    params = asked.params
    owner = params["owner"]
    table = tenant_list.table_of(params["tenants_table"], params["tenant_columns"], by_owner=owner is not None)
    with closing(connection.connect(params, protect, "keybuzz.amazon tenants inventory")) as opened:
        opened.set_session(readonly=True)
        with connection.transaction(opened, READING, asked.where) as cursor:
            tenant_list.require(cursor, table, params["pg_user"], asked.where)
            for rows in tenant_list.pages(cursor, table, statuses=params["statuses"], owner=owner):
                yield from (Tenant(name or "", status, marketplace) for name, status, marketplace in rows)


def _of_vault(asked: Environment, protect: Protect) -> Iterator[Tenant]:
    params = asked.params
    with closing(vault.connect(params, protect)) as client:
        for name in vault_list.names(client, params["vault_mount"], params["tenant_path"]):
            yield Tenant(name)


_SOURCES = {"postgresql": _of_postgresql, "vault": _of_vault}
