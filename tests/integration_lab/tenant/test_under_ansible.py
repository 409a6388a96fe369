# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: every secret it meets, at every verbosity, in success and in failure."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lab import seed
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.one_task import run_task
from tests.lab.amazon_process import FRANCE

pytestmark = pytest.mark.lab


def ansible(world: AmazonWorld, tmp_path: Path, *switches: str, **given: Any) -> str:
    """One task, run by ansible-core; returns everything it printed, after looking for secrets in it."""
    done = run_task("amazon_tenant_connect", world.params(**given), tmp_path, *switches)
    printed = done.stdout + done.stderr
    for secret in (world.amazon.client_secret, world.amazon.refresh_tokens[TENANT], "Atza|", "Atzr|"):
        for form in (secret, json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()):
            assert form not in printed
    return printed


def test_connecting_anew_shows_no_secret_at_the_highest_verbosity(world: AmazonWorld, tmp_path: Path) -> None:
    world.kv().delete_metadata_and_all_versions(seed.TENANT_PATH.format(tenant=TENANT), mount_point=seed.MOUNT)
    given = {
        "refresh_token": world.amazon.refresh_tokens[TENANT],
        "seller_id": seed.SELLER_ID,
        "marketplace_id": FRANCE,
    }
    assert "changed=1" in ansible(world, tmp_path, "-vvvv", "--diff", "--check", **given)
    assert "changed=1" in ansible(world, tmp_path, "-vvvv", "--diff", **given)
    assert "changed=0" in ansible(world, tmp_path, "-vvvv", "--diff", **given)


def test_failures_show_no_secret_and_say_what_to_do(world: AmazonWorld, tmp_path: Path) -> None:
    world.amazon.admin.inject("invalid-client", count=None)
    printed = ansible(world, tmp_path, "-vvvv")
    assert "failed=1" in printed
    assert "invalid_client (HTTP 401)" in printed
    assert "Known tenants: ecomlg-001, switaa-002" in ansible(world, tmp_path, tenant="typo")


def test_a_code_without_its_state_is_refused_before_anything_is_asked(world: AmazonWorld, tmp_path: Path) -> None:
    world.kv().delete_metadata_and_all_versions(seed.TENANT_PATH.format(tenant=TENANT), mount_point=seed.MOUNT)
    given = {"seller_id": seed.SELLER_ID, "marketplace_id": FRANCE, "authorization_code": "ANcode-CANARY-x"}
    printed = ansible(world, tmp_path, "-vvv", **given)
    assert "failed=1" in printed
    assert "without the state that came back with it" in printed
    assert "ANcode-CANARY-x" not in printed
    assert world.calls() == []


def test_several_tenants_fail_with_what_became_of_each(world: AmazonWorld, tmp_path: Path) -> None:
    printed = ansible(world, tmp_path, "-vvvv", "--diff", tenant=None, tenants=[TENANT, "typo"])
    assert "failed=1" in printed
    assert "1 of the tenants failed (typo)" in printed
    assert f"amazon_tenant/{TENANT}/grant" in printed
    assert "changed=0" in ansible(world, tmp_path, tenant=None, tenants=[TENANT])
    assert "mutually exclusive" in ansible(world, tmp_path, tenants=[TENANT])


def test_keys_alone_read_no_secret_under_ansible(world: AmazonWorld, tmp_path: Path) -> None:
    given = {"vault_token_file": str(world.vault.token_files["audit-keys"]), "depth": "keys"}
    assert "changed=0" in ansible(world, tmp_path, "-vvvv", "--check", **given)
    assert "keys only looks" in ansible(world, tmp_path, **given)
    assert world.calls() == []
