# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A man in the middle on one link of a living world: what the modules say, and what he hears of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.certificates import write_private
from tests.chaos.chaos_world import STEPS, Addresses, ChaosWorld, Said
from tests.chaos.figures import record
from tests.chaos.healthy import TENANT, TENANT_PATH
from tests.chaos.tls_peer import Peer, Prologue, peer, postgres, straight
from tests.integration_lab.one_task import run_task
from tests.unit.kube.tls_certificates import authority, server

MALLORY = authority("Mallory")
GREEN = {"in_sync", "drift"}
"""Verdicts that say everything could be looked at."""


@dataclass(frozen=True)
class Link:
    """A link of the collection, and the module that uses it here.

    :param through: the addresses with his port in place of the server's.
    :param given: options that make the module use the link.
    """

    step: str
    through: Callable[[Addresses, int, Path], Addresses]
    prologue: Prologue = straight
    given: Callable[[int], dict[str, Any]] = lambda port: {}


def _kubernetes(where: Addresses, port: int, folder: Path) -> Addresses:
    document = yaml.safe_load(where.kubeconfig.read_text())
    for cluster in document["clusters"]:
        cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
    file = folder / "mallory.kubeconfig"
    write_private(file, yaml.safe_dump(document))
    return replace(where, kubeconfig=file)


def _vault(where: Addresses, port: int, _folder: Path) -> Addresses:
    return replace(where, vault=f"https://127.0.0.1:{port}")


def _postgres(where: Addresses, port: int, folder: Path) -> Addresses:
    file = folder / "mallory.pgpass"
    write_private(file, where.pg_passfile.read_text().replace(f":{where.pg_port}:", f":{port}:"))
    return replace(where, pg_port=port, pg_passfile=file)


def _same(where: Addresses, _port: int, _folder: Path) -> Addresses:
    return where


def _lwa(port: int) -> dict[str, Any]:
    return {"amazon_lwa_url": f"https://127.0.0.1:{port}/auth/o2/token"}


def _endpoint(port: int) -> dict[str, Any]:
    return {"amazon_endpoint": f"https://127.0.0.1:{port}"}


LINKS = {
    "vault, token": Link("token", _vault),
    "vault, application": Link("app", _vault),
    "vault, tenant": Link("tenant", _vault),
    "kubernetes, token": Link("token", _kubernetes),
    "kubernetes, access": Link("access", _kubernetes),
    "kubernetes, application": Link("app", _kubernetes),
    "lwa, application": Link("app", _same, given=_lwa),
    "lwa, tenant": Link("tenant", _same, given=_lwa),
    "lwa, orders": Link("orders", _same, given=_lwa),
    "sp-api, tenant": Link("tenant", _same, given=_endpoint),
    "sp-api, orders": Link("orders", _same, given=_endpoint),
    "postgresql, tenant": Link("tenant", _postgres, postgres),
    "postgresql, orders": Link("orders", _postgres, postgres),
}
IN_ANSIBLE = ("vault, application", "kubernetes, access", "lwa, tenant", "sp-api, tenant", "postgresql, orders")


@contextmanager
def in_the_middle(world: ChaosWorld, link: Link, folder: Path) -> Iterator[tuple[Peer, Addresses, dict[str, Any]]]:
    """His port, the addresses that lead to him, and options that do."""
    with peer(server(MALLORY).context(MALLORY), link.prologue) as found:
        yield found, link.through(world.direct, found.port, folder), link.given(found.port)


def secrets_of(world: ChaosWorld) -> list[str]:
    """Every credential that one of the links carries."""
    state = world.world.state
    tokens = [Path(path).read_text().strip() for path in state["vault"]["token_files"].values()]
    passwords = [line.rpartition(":")[2] for line in Path(state["postgres"]["passfile"]).read_text().split()]
    kubeconfig = yaml.safe_load(world.direct.kubeconfig.read_text())
    users = [
        str(user["user"][key]) for user in kubeconfig["users"] for key in ("token", "password") if key in user["user"]
    ]
    refresh = Path(f"{state['amazon']['refresh_token_dir']}/{TENANT}.token").read_text().strip()
    found = [
        *tokens,
        *passwords,
        *users,
        refresh,
        world.secret_value("amazon-spapi-creds", "AMAZON_SPAPI_CLIENT_SECRET"),
    ]
    assert all(len(one) > 5 for one in found)
    return found


def unheard(found: Peer, secrets: list[str], printed: str) -> None:
    assert found.connections
    assert bytes(found.read) == b""
    assert found.request_lines == 0
    for secret in secrets:
        assert not found.knows(secret)
        assert secret not in printed
        assert json.dumps(secret)[1:-1] not in printed


def make_work(world: ChaosWorld, link: str) -> None:
    """Break what makes the module use the link: a world in sync is not always asked about at Amazon."""
    if link in ("lwa, application",):
        world.break_("app-creds")
    if link == "sp-api, tenant":
        world.root().secrets.kv.v2.delete_metadata_and_all_versions(TENANT_PATH, mount_point="secret")
    if link.endswith("orders"):
        world.query("DROP TABLE IF EXISTS amazon_backfill_runs")


@pytest.fixture(scope="module")
def held() -> Iterator[set[str]]:
    """The links on which it held, counted at the end."""
    found: set[str] = set()
    yield found
    record("tls", {"modules_in_the_middle": len(found)})


@pytest.mark.parametrize("link", LINKS)
def test_a_module_says_so_and_tells_him_nothing(world: ChaosWorld, link: str, tmp_path: Path, held: set[str]) -> None:
    make_work(world, link)
    secrets, used = secrets_of(world), LINKS[link]
    # A look spares Amazon's quota: it asks no more than whether the seller's token still works.
    check_asks = not link.startswith("sp-api") and link != "lwa, orders"
    with in_the_middle(world, used, tmp_path) as (found, where, given):
        looked = world.run(used.step, check_mode=True, addresses=where, **given)
        if check_asks:
            told(looked)
        repaired = world.run(used.step, addresses=where, **given)
    assert repaired.failed, repaired.text
    told(repaired)
    unheard(found, secrets, looked.text + repaired.text)
    held.add(link)


def told(said: Said) -> None:
    """Never green, the cause named, and something to do."""
    assert said.result["verdict"] not in GREEN, said.text
    assert said.statuses & {"unknown", "blocked", "error"}
    assert "certificate" in said.text
    assert any(item["hint"] for item in said.result["remaining"] if item["status"] != "in_sync")


def test_a_weaker_mode_of_postgresql_works_and_is_warned_of(
    world: ChaosWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    warned = {}
    for mode in ("verify-full", "require"):
        said = world.run("orders", check_mode=True, pg_sslmode=mode)
        # A process that has loaded Ansible's controller shows warnings itself, and leaves them out of the result.
        warned[mode] = f"{said.result.get('warnings')} {capsys.readouterr().err}"
    assert "does not verify the server" not in warned["verify-full"]
    assert "does not verify the server" in warned["require"]


@pytest.mark.parametrize("link", IN_ANSIBLE)
def test_ansible_shows_the_cause_and_no_secret(world: ChaosWorld, link: str, tmp_path: Path) -> None:
    make_work(world, link)
    secrets, used = secrets_of(world), LINKS[link]
    with in_the_middle(world, used, tmp_path) as (found, where, given):
        options = {**world.connection(where, used.step), **getattr(world, f"_{used.step}")(), **given}
        done = run_task(STEPS[used.step], options, tmp_path, "-vvvv", "--diff")
    assert done.returncode == 2, done.stdout
    assert re.search("certificate (is not|was not|of https)", done.stdout), done.stdout
    unheard(found, secrets, done.stdout + done.stderr)
