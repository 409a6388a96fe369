# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment of the inventory takes for options, what it makes of them, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import tenants_inventory
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenants_inventory import Environment, Tenant
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.tenants_inventory import OPTIONS

SECRET = "CANARY-of-the-inventory"
DATABASE = {"pg_host": "db.example.com", "pg_dbname": "keybuzz", "pg_user": "keybuzz_audit"}
VAULT = {"vault_addr": "https://vault.example.com:8200"}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in OPTIONS.values():
        for spec in options.values():
            for name in spec.get("fallback", ((), ()))[1]:
                monkeypatch.delenv(name, raising=False)


def asked(source: str = "postgresql", name: str = "dev", **given: Any) -> Environment:
    return tenants_inventory.environment(name, source, {**(DATABASE if source == "postgresql" else VAULT), **given})


def refused(source: str = "postgresql", name: str = "dev", **given: Any) -> str:
    with pytest.raises(BadInputError) as caught:
        asked(source, name, **given)
    return str(caught.value)


def test_what_is_not_written_down_comes_from_the_variables_of_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGHOST": "db", "PGPORT": "6432", "PGDATABASE": "keybuzz", "PGUSER": "audit"}.items():
        monkeypatch.setenv(name, value)
    found = tenants_inventory.environment("dev", "postgresql", {"pg_dbname": "own"})
    assert (found.params["pg_host"], found.params["pg_port"], found.params["pg_dbname"]) == ("db", 6432, "own")
    assert found.params["pg_sslmode"] == "verify-full"


def test_only_what_was_written_down_becomes_a_variable_of_the_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", "/run/pgpass")
    assert asked().variables == DATABASE
    assert asked("vault", tenant_path="t/{tenant}/amazon", vault_auth_method="approle").variables == {
        **VAULT,
        "vault_tenant_path": "t/{tenant}/amazon",
        "vault_options": {"vault_auth_method": "approle"},
    }


@pytest.mark.parametrize(
    ("source", "option"),
    [("postgresql", "pg_password"), ("vault", "vault_token"), ("vault", "vault_secret_id"), ("vault", "vault_jwt")],
)
def test_a_secret_is_in_no_variable_in_no_cache_and_in_no_text(source: str, option: str) -> None:
    with_secret = asked(source, **{option: SECRET})
    kept = tenants_inventory.to_keep({"dev": with_secret}, {"dev": [Tenant("a-1")]})
    assert SECRET not in json.dumps([with_secret.variables, kept]) + repr(with_secret)
    assert with_secret.fingerprint == asked(source, **{option: "another"}).fingerprint


def test_no_option_that_holds_a_secret_is_a_variable_of_the_roles() -> None:
    secret = [name for options in OPTIONS.values() for name, spec in options.items() if spec.get("no_log")]
    everything = {name: f"<{name}>" for options in OPTIONS.values() for name in options}
    for source in OPTIONS:
        found = Environment("dev", source, everything, frozenset(everything)).variables
        assert secret and not any(f"<{name}>" in json.dumps(found) for name in secret)


def test_an_option_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert "there is no option pg_hots. With source: postgresql it takes pg_host, pg_port" in refused(pg_hots="x")


def test_an_option_of_the_other_source_is_refused_with_the_reason() -> None:
    assert "vault_mount says nothing where the tenants come from postgresql" in refused(vault_mount="kv")
    assert "statuses says nothing where the tenants come from vault" in refused("vault", statuses=["CONNECTED"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pg_host": None}, "missing required arguments: pg_host"),
        ({"pg_port": "many"}, "pg_port"),
        ({"pg_sslmode": "verify"}, "value of pg_sslmode must be one of"),
        ({"tenants_table": "a.b.c"}, "'a.b.c' is not a table's name"),
        ({"tenant_columns": {"nope": "x"}}, "nope is not a column"),
        ({"owner": "a", "tenant_columns": {"owner": ""}}, "there is no column with the owner"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anybody_is_asked(given: dict[str, Any], said: str) -> None:
    assert said in refused(**given)


@pytest.mark.parametrize("name", ["a b", "dev@1", "-x", "", "a/b"])
def test_a_name_that_no_host_can_have_is_refused(name: str) -> None:
    assert "it is no name of an environment" in refused(name=name)


def test_a_path_that_does_not_say_where_the_tenant_stands_is_refused() -> None:
    for path in ("keybuzz/tenants", "a/{tenant}{tenant}/b"):
        assert "does not say where the tenant stands" in refused("vault", tenant_path=path)


def untouched(_name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return dict(given)


def test_what_stands_at_the_top_is_for_all_and_an_environments_own_wins() -> None:
    named = {"dev": None, "prod": {"pg_host": "own"}, "vault": {"source": "vault", **VAULT}}
    found = tenants_inventory.environments(named, {**DATABASE, "layout": "tenants"}, "postgresql", untouched)
    assert {name: one.params["pg_host"] for name, one in found.items() if name != "vault"} == {  # type: ignore[union-attr]
        "dev": "db.example.com",
        "prod": "own",
    }
    assert found["vault"].variables == VAULT  # type: ignore[union-attr]


def test_an_environment_that_cannot_be_hides_none_of_the_others() -> None:
    named = {"dev": {"pg_hots": "x"}, "list": ["pg_host"], "odd": {"source": "files"}, "prod": {}}
    found = tenants_inventory.environments(named, DATABASE, "postgresql", untouched)
    assert {name for name, one in found.items() if isinstance(one, KeybuzzError)} == {"dev", "list", "odd"}
    assert "It is one of postgresql, vault" in str(found["odd"])


def test_a_list_is_used_again_only_where_it_was_asked_for_in_the_same_way() -> None:
    before = asked()
    document = json.loads(
        json.dumps(tenants_inventory.to_keep({"dev": before}, {"dev": [Tenant("a-1", "CONNECTED", None)]}))
    )
    assert tenants_inventory.kept(document, before) == [Tenant("a-1", "CONNECTED", None)]
    for other in (asked(statuses=["CONNECTED"]), asked(pg_user="other"), asked(tenants_table="s.t"), asked(name="x")):
        assert tenants_inventory.kept(document, other) is None
    for nothing in (None, {}, "text", {**document, "format": 0}):
        assert tenants_inventory.kept(nothing, before) is None


def test_an_environment_that_was_not_listed_is_not_kept() -> None:
    kept = tenants_inventory.to_keep({"dev": asked(), "prod": asked(name="prod")}, {"prod": []})
    assert list(kept["environments"]) == ["prod"]  # type: ignore[call-overload]
