# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants from the backend's table: hosts, groups, filters, own names, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import seed
from tests.integration_lab.inventory.conftest import Inventories, Servers

CONNECTED, OTHER = f"{seed.TENANT}@dev", f"{seed.OTHER_TENANT}@dev"


def add(servers: Servers, name: str, status: str = "CONNECTED", marketplace: str | None = None) -> None:
    servers.sql(
        'INSERT INTO tenants ("tenantId", "owner", "status", "marketplaceId") VALUES (%s, %s, %s, %s)',
        (name, "somebody", status, marketplace),
    )


def test_a_tenant_is_a_host_in_the_groups_of_its_environment_status_and_marketplace(
    table: Servers, inventories: Inventories
) -> None:
    found = inventories.listed({"dev": table.postgresql(), "prod": table.postgresql("repair")})
    assert found.code == 0 and found.errors == "", found.errors
    both = [CONNECTED, OTHER]
    assert sorted(found.group("environment_dev")) == both
    assert sorted(found.group("environment_prod")) == [f"{seed.TENANT}@prod", f"{seed.OTHER_TENANT}@prod"]
    assert sorted(found.group("amazon_tenants")) == sorted(
        found.group("environment_dev") + found.group("environment_prod")
    )
    assert found.group("status_CONNECTED") == [CONNECTED, f"{seed.TENANT}@prod"]
    assert found.group("status_DISCONNECTED") == [OTHER, f"{seed.OTHER_TENANT}@prod"]
    assert found.group(f"marketplace_{seed.MARKETPLACE}") == [CONNECTED, f"{seed.TENANT}@prod"]
    assert found.group("marketplace_unknown") == [OTHER, f"{seed.OTHER_TENANT}@prod"]
    host = found.hosts[CONNECTED]
    assert {
        name: host[name] for name in ("tenant", "tenant_status", "tenant_marketplace_id", "amazon_environment")
    } == {
        "tenant": seed.TENANT,
        "tenant_status": "CONNECTED",
        "tenant_marketplace_id": seed.MARKETPLACE,
        "amazon_environment": "dev",
    }


def test_the_shortest_example_lists_the_environment_that_the_variables_name(
    table: Servers, inventories: Inventories
) -> None:
    inventories.write({"dev": None})
    names = {"pg_host": "PGHOST", "pg_port": "PGPORT", "pg_dbname": "PGDATABASE", "pg_user": "PGUSER"}
    names |= {"pg_passfile": "PGPASSFILE", "pg_sslrootcert": "PGSSLROOTCERT"}
    found = inventories.again(**{names[option]: str(value) for option, value in table.postgresql().items()})
    assert sorted(found.hosts) == [CONNECTED, OTHER], found.said
    assert "pg_host" not in found.hosts[CONNECTED], "the roles read the same variables"


def test_an_environments_options_and_vars_are_variables_of_its_group(table: Servers, inventories: Inventories) -> None:
    shared = {**table.postgresql(), "pg_user": "keybuzz_{{ amazon_environment }}"}
    found = inventories.listed({"audit": {"vars": {"backend_namespace": "kb-{{ amazon_environment }}"}}}, **shared)
    host = found.hosts[f"{seed.TENANT}@audit"]
    assert (host["pg_user"], host["pg_host"]) == ("keybuzz_audit", table.database.host)
    assert host["backend_namespace"] == "kb-{{ amazon_environment }}", "a play fills it in, for the host it is of"
    assert "__ansible_unsafe" not in found.output
    assert "pg_dbname" in host and "pg_password" not in host


def test_the_other_layout_is_a_host_for_each_environment_with_its_tenants(
    table: Servers, inventories: Inventories
) -> None:
    found = inventories.listed({"dev": {**table.postgresql()}}, layout="environments")
    assert list(found.hosts) == ["dev"]
    assert found.hosts["dev"]["tenants"] == [seed.TENANT, seed.OTHER_TENANT]
    assert found.group("environment_dev") == ["dev"] and found.group("amazon_tenants") == []


def test_statuses_and_owner_choose_among_the_rows(table: Servers, inventories: Inventories) -> None:
    by_status = inventories.listed({"dev": {**table.postgresql(), "statuses": ["CONNECTED"]}})
    assert list(by_status.hosts) == [CONNECTED]
    by_owner = inventories.listed({"dev": table.postgresql()}, owner=seed.OTHER_OWNER)
    assert list(by_owner.hosts) == [OTHER]
    assert seed.OTHER_OWNER not in by_owner.output, "whose tenant it is belongs into no inventory"


def test_a_table_and_columns_of_other_names_serve_too(table: Servers, inventories: Inventories) -> None:
    table.sql("CREATE SCHEMA other")
    table.sql('CREATE VIEW other."my tenants" AS SELECT "tenantId" AS id, "status" AS "the state" FROM public.tenants')
    table.sql('GRANT USAGE ON SCHEMA other TO keybuzz_audit; GRANT SELECT ON other."my tenants" TO keybuzz_audit')
    try:
        columns = {"tenantId": "id", "status": "the state", "marketplaceId": ""}
        named = {**table.postgresql(), "tenants_table": "other.my tenants", "tenant_columns": columns}
        found = inventories.listed({"dev": named})
        assert sorted(found.hosts) == [CONNECTED, OTHER], found.errors
        assert found.group("marketplace_unknown") == [CONNECTED, OTHER]
    finally:
        table.sql("DROP SCHEMA other CASCADE")


def test_variables_and_groups_can_be_constructed(table: Servers, inventories: Inventories) -> None:
    found = inventories.listed(
        {"dev": table.postgresql()},
        compose={"is_french": "tenant_marketplace_id == 'A13V1IB3VIYZZH'"},
        groups={"to_do": "tenant_status != 'CONNECTED' and amazon_environment == 'dev'"},
        keyed_groups=[{"key": "tenant.split('-') | first", "prefix": "customer"}],
    )
    assert (found.hosts[CONNECTED]["is_french"], found.hosts[OTHER]["is_french"]) == (True, False)
    assert found.group("to_do") == [OTHER]
    assert found.group("customer_ecomlg") == [CONNECTED] and found.group("customer_switaa") == [OTHER]


def test_with_strict_an_expression_that_fails_is_an_error(table: Servers, inventories: Inventories) -> None:
    wrong: dict[str, Any] = {"compose": {"x": "nothing_of_this_name"}}
    assert inventories.listed({"dev": table.postgresql()}, **wrong).errors == ""
    strict = inventories.listed({"dev": table.postgresql()}, strict=True, **wrong)
    assert f"Could not set x for host {CONNECTED}" in strict.said


def test_what_a_row_says_is_never_a_template(table: Servers, inventories: Inventories) -> None:
    add(table, "odd-1", status="{{ 7 * 191 }}", marketplace="{{ lookup('pipe', 'id') }}")
    found = inventories.listed({"dev": table.postgresql()}, compose={"shown": "tenant_status"})
    marked = found.document["_meta"]["hostvars"]["odd-1@dev"]
    assert marked["tenant"] == "odd-1" and marked["tenant_status"] == {"__ansible_unsafe": "{{ 7 * 191 }}"}
    host = found.hosts["odd-1@dev"]
    assert host["shown"] == host["tenant_status"] == "{{ 7 * 191 }}" and "1337" not in found.output
    assert host["tenant_marketplace_id"] == "{{ lookup('pipe', 'id') }}" and "uid=" not in found.output


def not_listed(found: Any, name: str = "dev") -> str:
    """What the host says that stands for an environment which could not be listed."""
    assert found.group("tenants_not_listed") == [name], found.said
    host = found.hosts[name]
    assert host["environment_ready"] is False and host["tenants"] == []
    return str(host["environment_ready_hint"])


def test_a_name_that_no_host_can_have_is_told_and_not_left_out(table: Servers, inventories: Inventories) -> None:
    add(table, "a b")
    found = inventories.listed({"dev": table.postgresql()}, on_error="warn")
    assert "tenant 'a b' has a name that no host can have" in not_listed(found)
    assert CONNECTED not in found.hosts, "a list with a hole is no list"


def test_no_tenant_is_an_error_unless_that_is_meant(table: Servers, inventories: Inventories) -> None:
    nobody = {**table.postgresql(), "statuses": ["CONECTED"]}
    said = not_listed(inventories.listed({"dev": nobody}, on_error="warn"))
    assert "there is none with status CONECTED" in said and "allow_empty" in said
    meant = inventories.listed({"dev": {**nobody, "allow_empty": True}})
    assert meant.code == 0 and meant.hosts == {} and meant.errors == ""


def test_a_right_that_is_missing_is_named_with_the_statement_that_grants_it(
    table: Servers, inventories: Inventories
) -> None:
    table.sql("REVOKE SELECT ON tenants FROM keybuzz_audit")
    try:
        said = not_listed(inventories.listed({"dev": table.postgresql()}, on_error="warn"))
    finally:
        table.sql("GRANT SELECT ON tenants TO keybuzz_audit")
    assert 'GRANT SELECT ON "tenants" TO "keybuzz_audit"' in said


def test_a_broken_environment_hides_no_other_with_warn(table: Servers, inventories: Inventories) -> None:
    named = {"dev": {"pg_port": 1}, "prod": {}}
    found = inventories.listed(named, on_error="warn", **table.postgresql())
    assert found.code == 0 and "The tenants of dev are not listed." in found.said
    assert "nothing listens there" in not_listed(found)
    assert found.group("environment_prod") == [f"{seed.TENANT}@prod", f"{seed.OTHER_TENANT}@prod"]


def test_a_broken_environment_fails_all_and_names_each_that_is_broken(table: Servers, inventories: Inventories) -> None:
    named = {"dev": {"pg_port": 1}, "prod": {}, "odd": {"pg_hots": "x"}}
    inventories.write(named, **table.postgresql())
    found = inventories.again(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true")
    assert found.code == 1 and found.output == ""
    assert "[dev] While connecting to postgresql://" in found.said
    assert "[odd] While reading options of environment odd: there is no option pg_hots" in found.said


def test_where_ansible_only_warns_hosts_say_why_and_no_tenant_is_listed(
    table: Servers, inventories: Inventories
) -> None:
    found = inventories.listed({"dev": {"pg_port": 1}, "prod": {}}, **table.postgresql())
    assert found.code == 0, "ansible-core's own default"
    assert sorted(found.group("tenants_not_listed")) == ["dev", "prod"]
    assert not any("@" in host for host in found.hosts)
    assert all(host["environment_ready"] is False for host in found.hosts.values())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"layuot": "tenants"}, "there is no option layuot"),
        ({"layout": "hosts"}, "layout"),
        ({"on_error": "ignore"}, "on_error"),
        ({"environments": {}}, "there is none"),
        ({"environments": {"a-b": {}, "a_b": {}}}, "a-b and a_b would share one group"),
    ],
)
def test_a_wrong_option_is_refused_and_lists_nothing(
    servers: Servers, inventories: Inventories, given: dict[str, Any], said: str
) -> None:
    environments = given.pop("environments", {"dev": servers.postgresql()})
    found = inventories.listed(environments, **given)
    assert said in found.said
    assert not any("@" in host for host in found.hosts) and found.group("tenants_not_listed")


def test_no_secret_is_in_what_is_listed(table: Servers, inventories: Inventories) -> None:
    password = table.drawn.database_passwords["audit"]
    given = {name: value for name, value in table.postgresql().items() if name != "pg_passfile"}
    found = inventories.listed({"dev": {**given, "pg_password": password}}, "-vvvv", layout="environments")
    assert found.code == 0 and f'"{seed.OTHER_TENANT}"' in found.output, found.said
    shown = found.output + found.errors
    assert not [one for one in (password, json.dumps(password)[1:-1]) if one in shown]
