# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants from Vault: one LIST, and nothing read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import seed
from tests.integration_lab.inventory.conftest import LIST_POLICY, Inventories, Servers


@pytest.fixture(scope="module")
def token(servers: Servers) -> Path:
    return servers.token("keybuzz-list", LIST_POLICY)


@pytest.fixture(scope="module")
def old_engine(servers: Servers) -> Iterator[Servers]:
    """A key-value engine of version 1 with two tenants."""
    root = servers.vault.client("root")
    root.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
    for tenant in ("a-1", "b-2"):
        root.secrets.kv.v1.create_or_update_secret(
            f"keybuzz/tenants/{tenant}/amazon_spapi", {"refresh_token": "x"}, mount_point="old"
        )
    yield servers
    root.sys.disable_secrets_engine("old")


def test_a_token_that_may_only_list_is_enough_and_nothing_is_read(
    servers: Servers, inventories: Inventories, token: Path
) -> None:
    _, mark = servers.marks()
    found = inventories.listed({"dev": servers.from_vault(token)})
    assert list(found.hosts) == [f"{seed.TENANT}@dev"], found.said
    assert servers.vault_requests(mark) == ["list secret/metadata/keybuzz/tenants/"]
    assert found.group("status_unknown") == found.group("marketplace_unknown") == [f"{seed.TENANT}@dev"]
    assert found.hosts[f"{seed.TENANT}@dev"]["vault_token_file"] == str(token)
    text = found.output + found.errors
    assert token.read_text() not in text and servers.drawn.refresh_tokens[seed.TENANT] not in text


def test_a_path_that_ends_with_the_tenant_lists_documents_and_no_folders(
    servers: Servers, inventories: Inventories
) -> None:
    root = servers.vault.client("root").secrets.kv.v2
    for path in ("flat/a-1", "flat/b-2", "flat/folder/c-3"):
        root.create_or_update_secret(path, {"refresh_token": "x"}, mount_point=seed.MOUNT)
    token = servers.token("flat-list", 'path "secret/metadata/flat/" { capabilities = ["list"] }')
    found = inventories.listed({"dev": servers.from_vault(token, tenant_path="flat/{tenant}")})
    assert sorted(found.hosts) == ["a-1@dev", "b-2@dev"]
    assert found.hosts["a-1@dev"]["vault_tenant_path"] == "flat/{tenant}"


@pytest.mark.parametrize("version", ["auto", "1"])
def test_an_engine_of_version_1_lists_them_too(old_engine: Servers, inventories: Inventories, version: str) -> None:
    policy = 'path "old/keybuzz/tenants/" { capabilities = ["list"] }'
    token = old_engine.token("old-list", policy)
    given: dict[str, Any] = {"vault_mount": "old", "vault_kv_version": version}
    found = inventories.listed({"dev": old_engine.from_vault(token, **given)})
    assert sorted(found.hosts) == ["a-1@dev", "b-2@dev"], found.said


def told(found: Any) -> str:
    assert found.group("tenants_not_listed") == ["dev"], found.output
    return str(found.hosts["dev"]["environment_ready_hint"])


def test_a_right_that_is_missing_is_named_as_the_policy_has_it(servers: Servers, inventories: Inventories) -> None:
    token = servers.token("keybuzz-none", 'path "sys/capabilities-self" { capabilities = ["update"] }')
    said = told(inventories.listed({"dev": servers.from_vault(token)}, on_error="warn"))
    assert "the token needs list on secret/metadata/keybuzz/tenants/" in said
    assert 'path "secret/metadata/keybuzz/tenants/" { capabilities = ["list"] }' in said


def test_nothing_below_the_path_is_an_error(servers: Servers, inventories: Inventories) -> None:
    token = servers.token("empty-list", 'path "secret/metadata/nobody/" { capabilities = ["list"] }')
    given = servers.from_vault(token, tenant_path="nobody/{tenant}/amazon_spapi")
    assert "there is none" in told(inventories.listed({"dev": given}, on_error="warn"))


def test_a_mount_that_is_not_there_and_a_server_that_is_not_trusted_are_told(
    servers: Servers, inventories: Inventories, token: Path
) -> None:
    root = servers.vault.token_files["root"]
    nowhere = told(inventories.listed({"dev": servers.from_vault(root, vault_mount="kv2")}, on_error="warn"))
    assert "nothing is mounted at kv2/" in nowhere
    _, mark = servers.marks()
    stranger = servers.from_vault(token, vault_ca_cert=str(servers.database.ca_file))
    assert "certificate" in told(inventories.listed({"dev": stranger}, on_error="warn"))
    assert servers.vault_requests(mark) == []


def test_a_login_of_its_own_is_ended(servers: Servers, inventories: Inventories) -> None:
    root = servers.vault.client("root")
    root.sys.enable_auth_method("approle")
    try:
        root.sys.create_or_update_policy(
            "role-list", LIST_POLICY + '\npath "auth/token/revoke-self" { capabilities = ["update"] }'
        )
        root.auth.approle.create_or_update_approle("lister", token_policies=["role-list"])
        secret = servers.folder / "lister.secret"
        secret.touch(0o600)
        secret.write_text(root.auth.approle.generate_secret_id("lister")["data"]["secret_id"])
        given = {
            "vault_auth_method": "approle",
            "vault_role_id": root.auth.approle.read_role_id("lister")["data"]["role_id"],
            "vault_secret_id_file": str(secret),
        }
        _, mark = servers.marks()
        options = {name: value for name, value in servers.from_vault(secret, **given).items() if "token" not in name}
        found = inventories.listed({"dev": options})
        assert f"{seed.TENANT}@dev" in found.hosts, found.said
        assert servers.vault_requests(mark)[-1] == "update auth/token/revoke-self"
        assert found.hosts[f"{seed.TENANT}@dev"]["vault_options"]["vault_auth_method"] == "approle"
    finally:
        root.sys.disable_auth_method("approle")
