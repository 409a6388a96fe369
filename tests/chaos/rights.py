# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each right of repair, bootstrap and audit, as the servers themselves list them, and a world without it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from lab.processes import wait_until
from lab.world import World

_PATH = re.compile(r'path ("[^"]+") \{ capabilities = (\[[^\]]*\]) \}')
GROUPS = {"deployments": "apps", "replicasets": "apps", "leases": "coordination.k8s.io"}
NAMESPACES = ("keybuzz-backend-dev", "keybuzz-api-dev")


@dataclass(frozen=True)
class Right:
    """One verb on one object. ``holder`` is repair, bootstrap or audit."""

    server: str
    holder: str
    verb: str
    target: str

    def __str__(self) -> str:
        return f"{self.holder} {self.server} {self.verb} {self.target}"

    @property
    def words(self) -> tuple[str, ...]:
        """What a message that names it has to contain, in any case. ``+`` of a policy stands for any tenant, so it is
        cut there; a message may speak of a Secret or of secrets.
        """
        if self.server == "vault":
            return (self.verb, *self.target.split("+"))
        if self.server == "kubernetes":
            _, resource, *name = self.target.split("/")
            return (self.verb, resource.removesuffix("s"), *name)
        return (self.verb, self.target.partition(" ")[2])


def of(world: World, *holders: str) -> list[Right]:
    """Every right of these holders."""
    found: list[Right] = []
    for holder in holders:
        for path, capabilities in _policy(world, holder).items():
            found += [Right("vault", holder, capability, path) for capability in capabilities]
        if holder == "bootstrap":
            continue
        for namespace in NAMESPACES:
            found += [_rule_right(holder, namespace, rule) for rule in _rules(world, holder, namespace)]
        found += [Right("postgres", holder, *grant) for grant in _grants(world, holder)]
    return list(dict.fromkeys(found))


@contextmanager
def without(world: World, right: Right) -> Iterator[None]:
    """The world in which the holder has every right but this one."""
    take = {"vault": _without_capability, "kubernetes": _without_rule, "postgres": _without_grant}[right.server]
    with take(world, right):
        yield


def _policy(world: World, holder: str) -> dict[str, list[str]]:
    text = world.vault.client().sys.read_policy(f"keybuzz-{holder}")["data"]["rules"]
    return {json.loads(path): json.loads(capabilities) for path, capabilities in _PATH.findall(text)}


@contextmanager
def _without_capability(world: World, right: Right) -> Iterator[None]:
    client, name = world.vault.client(), f"keybuzz-{right.holder}"
    paths = _policy(world, right.holder)
    whole = client.sys.read_policy(name)["data"]["rules"]
    left = {
        path: [one for one in capabilities if (path, one) != (right.target, right.verb)]
        for path, capabilities in paths.items()
    }
    text = "\n".join(
        f"path {json.dumps(path)} {{ capabilities = {json.dumps(capabilities)} }}"
        for path, capabilities in left.items()
        if capabilities
    )
    client.sys.create_or_update_policy(name, text)
    try:
        yield
    finally:
        client.sys.create_or_update_policy(name, whole)


def _rules(world: World, holder: str, namespace: str) -> list[dict[str, Any]]:
    """The Role's rules, each taken apart until it has one verb on one thing."""
    role = world.kubernetes().get("roles", f"keybuzz-{holder}", namespace)
    return [
        {
            "apiGroups": [group],
            "resources": [resource],
            "verbs": [verb],
            **({"resourceNames": [name]} if name else {}),
        }
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
    ]


def _rule_right(holder: str, namespace: str, rule: dict[str, Any]) -> Right:
    target = "/".join([namespace, rule["resources"][0], *rule.get("resourceNames", [])])
    return Right("kubernetes", holder, rule["verbs"][0], target)


@contextmanager
def _without_rule(world: World, right: Right) -> Iterator[None]:
    api, name = world.kubernetes(), f"keybuzz-{right.holder}"
    namespace = right.target.partition("/")[0]
    whole = api.get("roles", name, namespace)["rules"]
    left = [
        rule for rule in _rules(world, right.holder, namespace) if _rule_right(right.holder, namespace, rule) != right
    ]
    api.patch("roles", name, {"rules": left}, namespace)
    _until(world, right, False)
    try:
        yield
    finally:
        api.patch("roles", name, {"rules": whole}, namespace)
        _until(world, right, True)


def _until(world: World, right: Right, allowed: bool) -> None:
    """The server learns of a changed Role from its own watch, a moment later."""
    namespace, resource, *name = right.target.split("/")
    caller = world.kubernetes(right.holder)

    def known() -> bool:
        return (
            caller.can(right.verb, resource, namespace, name="".join(name), group=GROUPS.get(resource, "")) == allowed
        )

    wait_until(f"{right} to be {allowed}", known, timeout=10, log=None)


def _grants(world: World, holder: str) -> list[tuple[str, str]]:
    """``(SELECT, TABLE tenants)``, ``(CREATE, SCHEMA public)``, …: given directly, not by being the owner."""
    user = world.postgres.users[holder]
    with closing(world.database()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            """SELECT a.privilege_type, 'TABLE ' || c.relname
                 FROM pg_class c, aclexplode(c.relacl) a
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.grantee = %(user)s::regrole
                  AND c.relowner <> a.grantee
                UNION ALL
               SELECT a.privilege_type, 'SCHEMA public' FROM pg_namespace n, aclexplode(n.nspacl) a
                WHERE n.nspname = 'public' AND a.grantee = %(user)s::regrole
                UNION ALL
               SELECT a.privilege_type, 'DATABASE ' || d.datname FROM pg_database d, aclexplode(d.datacl) a
                WHERE d.datname = current_database() AND a.grantee = %(user)s::regrole
                ORDER BY 2, 1""",
            {"user": user},
        )
        return [(str(verb), str(target)) for verb, target in cursor.fetchall()]


@contextmanager
def _without_grant(world: World, right: Right) -> Iterator[None]:
    kind, _, name = right.target.partition(" ")
    what = sql.SQL(f"{right.verb} ON {kind} {{}}").format(sql.Identifier(name))
    user = sql.Identifier(world.postgres.users[right.holder])
    _execute(world, sql.SQL("REVOKE {} FROM {}").format(what, user))
    try:
        yield
    finally:
        _execute(world, sql.SQL("GRANT {} TO {}").format(what, user))


def _execute(world: World, statement: sql.Composed) -> None:
    with closing(world.database()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
