# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server repeats in its errors, nothing secret is in what we put out: results, diff, log, reports."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab import seed
from tests.chaos import postgres_echoes as postgres
from tests.chaos.chaos_world import ChaosWorld
from tests.chaos.echoes import ECHOED, KINDS, STATUSES, Echo, Kind, Sweep, tokens_of
from tests.chaos.figures import record
from tests.chaos.gate import Reply, Request
from tests.chaos.healthy import DEPLOYMENT, NAMESPACE, TENANT, TENANT_PATH
from tests.e2e.playbooks import Playbooks, Run

FIGURES: dict[str, int] = {"answers": 0, "outputs": 0, "secrets": 0, "forms": 0, "leaks": 0, "playbooks": 0}
SERVERS = {
    "token": ("vault", "kubernetes"),
    "access": ("kubernetes",),
    "app": ("vault", "kubernetes", "amazon"),
    "tenant": ("vault", "amazon"),
    "orders": ("vault", "amazon"),
}
# An import that is told to wait would wait for an hour, and a token for Amazon's patience; here for nothing.
QUICK = {
    "orders": {"wait_budget": 1, "amazon_timeout": 5},
    "tenant": {"amazon_timeout": 5},
    "app": {"amazon_timeout": 5},
}


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    print(record("echo", FIGURES))


@pytest.fixture
def quick(world: ChaosWorld) -> Iterator[ChaosWorld]:
    """The lab without pods: nothing waits for a backend while its world is broken again and again."""
    scale(world, 0)
    yield world
    scale(world, 1)


@pytest.fixture
def sweep(world: ChaosWorld) -> Sweep:
    known = {**world.world.canaries(), "echoed": ECHOED, "row": postgres.ROW}
    return Sweep({**known, "backend's token": world.secret_value()})


def scale(world: ChaosWorld, replicas: int) -> None:
    world.api.patch("deployments", DEPLOYMENT, {"spec": {"replicas": replicas}}, NAMESPACE)


class Breaker:
    """Breaks one step's part of the world in milliseconds, over and over."""

    def __init__(self, world: ChaosWorld) -> None:
        self._world = world
        pod = copy.deepcopy(world.api.get("deployments", DEPLOYMENT, NAMESPACE)["spec"]["template"]["spec"])
        for field in ("env", "volumeMounts"):
            pod["containers"][0].pop(field, None)
        pod.pop("volumes", None)
        self._pod = pod

    def __call__(self, step: str) -> None:
        getattr(self, f"_{step}")()

    def _token(self) -> None:
        self._world.api.patch("secrets", "vault-token", {"data": {"VAULT_TOKEN": ""}}, NAMESPACE)
        self._world.root().sys.create_or_update_policy(NAMESPACE, "# emptied\n")

    def _access(self) -> None:
        replace = {"op": "replace", "path": "/spec/template/spec", "value": self._pod}
        self._world.api.patch("deployments", DEPLOYMENT, [replace], NAMESPACE, kind="json")
        if self._world.api.find("configmaps", "vault-ca", NAMESPACE):
            self._world.api.delete("configmaps", "vault-ca", NAMESPACE)

    def _app(self) -> None:
        self._forget(seed.APP_PATH)

    def _tenant(self) -> None:
        self._forget(TENANT_PATH)
        self._world.query(
            'UPDATE tenants SET "status" = \'NEW\', "displayName" = NULL WHERE "tenantId" = %s', (TENANT,)
        )

    def _orders(self) -> None:
        for table in ("order_items", "orders"):
            self._world.query(f'DELETE FROM {table} WHERE "tenantId" = %s', (TENANT,))
        for table in ("order_import_errors", "amazon_backfill_runs", "amazon_quota"):
            self._world.query(f"DROP TABLE IF EXISTS {table}")
        self._world.world.amazon.refill()

    def _forget(self, path: str) -> None:
        self._world.root().secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=seed.MOUNT)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("step", "server"), [(step, name) for step, names in SERVERS.items() for name in names])
def test_an_echo_in_any_answer_of_a_step_is_not_repeated(
    quick: ChaosWorld, sweep: Sweep, step: str, server: str
) -> None:
    gate, broken = quick.gates.http[server], Breaker(quick)
    canaries = [*quick.world.canaries().values()]
    for each in quick.gates.http.values():
        each.after = lambda request, reply: sweep.know(tokens_of(reply))
    found: list[str] = []
    for number, kind in places_and_kinds(quick, broken, step, server):
        broken(step)
        echo = Echo(gate, number, kind, canaries)
        check = kind.name == "403" and number % 2 == 0
        said = quick.run(step, gated=True, check_mode=check, **QUICK.get(step, {}))
        FIGURES["answers"] += echo.answered is not None
        found += sweep.leaks(f"{step}, {echo.answered}, {kind}", said.text)
    tally(sweep, found)


def places_and_kinds(world: ChaosWorld, broken: Breaker, step: str, server: str) -> Iterator[tuple[int, Kind]]:
    """Every write and every first question of its kind with every echo; a repeated question with two of them."""
    asked: list[Request] = []
    gate = world.gates.http[server]
    broken(step)
    with gate.watched(before=asked.append, after=gate.after):
        assert not world.run(step, gated=True).failed
    met: set[str] = set()
    for number, request in enumerate(asked):
        again = request.what in met and not request.is_write
        met.add(request.what)
        kinds = KINDS[server]
        for kind in kinds[number % len(kinds) :][:2] if again else kinds:
            yield number, kind


@pytest.mark.timeout(300)
@pytest.mark.parametrize("step", ["tenant", "orders"])
def test_an_error_of_the_database_that_quotes_rows_is_not_repeated(quick: ChaosWorld, sweep: Sweep, step: str) -> None:
    broken, found = Breaker(quick), []
    for table in postgres.TABLES[step]:
        for code in postgres.CODES:
            broken(step)
            if table in postgres.MADE_BY_IMPORT:
                quick.run(step)
                broken_rows_only(quick)
            with postgres.raising(quick, table, code):
                said = quick.run(step, **QUICK.get(step, {}))
            FIGURES["answers"] += 1
            found += sweep.leaks(f"{step}, trigger on {table}, {code}", said.text)
    tally(sweep, found)


def broken_rows_only(world: ChaosWorld) -> None:
    for table in ("order_items", "orders", "amazon_backfill_runs"):
        world.query(f'DELETE FROM {table} WHERE "tenantId" = %s', (TENANT,))


@pytest.mark.parametrize("words", postgres.REFUSALS)
@pytest.mark.parametrize("step", ["tenant", "orders"])
def test_a_database_that_repeats_the_password_when_it_refuses_it(
    quick: ChaosWorld, sweep: Sweep, step: str, words: str
) -> None:
    with closing(postgres.Refusing(quick.world.directory, words)) as server:
        passfile = quick.world.directory / "secrets" / "refusing-pgpass"
        known = quick.direct.pg_passfile.read_text().replace(f":{quick.direct.pg_port}:", f":{server.port}:")
        passfile.write_text(known)
        passfile.chmod(0o600)
        found = []
        for check in (True, False):
            said = quick.run(step, check_mode=check, pg_port=server.port, pg_passfile=str(passfile))
            FIGURES["answers"] += 1
            found += sweep.leaks(f"{step}, a refused connection", said.text)
        assert server.passwords, "nobody was asked for a password"
    tally(sweep, found)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("server", ["vault", "kubernetes", "amazon", "postgres"])
def test_a_whole_repair_against_a_server_that_echoes(
    world: ChaosWorld, sweep: Sweep, playbooks: Playbooks, tmp_path: Path, server: str
) -> None:
    """As loud as Ansible can be, with callbacks that keep everything."""
    world.break_all()
    for each in world.gates.http.values():
        each.after = lambda request, reply: sweep.know(tokens_of(reply))
    log, junit = tmp_path / "ansible.log", tmp_path / "junit"
    run = loud_repair(world, playbooks, server, log, junit)
    FIGURES["playbooks"] += 1
    sweep.know({"the backend's token now": world.secret_value()})
    assert run.code != 0, run.output
    places = {
        "output": run.output,
        "ansible.log": log.read_text(),
        **{file.name: file.read_text(errors="replace") for file in run.folder.rglob("*") if file.is_file()},
        **{file.name: file.read_text(errors="replace") for file in junit.rglob("*") if file.is_file()},
    }
    assert any(name.endswith(".xml") for name in places)
    tally(sweep, [leak for name, text in places.items() for leak in sweep.leaks(f"playbook, {server}, {name}", text)])


def loud_repair(world: ChaosWorld, playbooks: Playbooks, server: str, log: Path, junit: Path) -> Run:
    canaries = [*world.world.canaries().values()]
    arguments = ["-vvvv", "--diff", "-e", json.dumps(world.gates.addresses.variables())]
    arguments += ["-e", json.dumps({"amazon_orders_wait_budget": 1})]
    env = {
        "ANSIBLE_LOG_PATH": str(log),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parents[1] / "e2e" / "callbacks"),
        "ANSIBLE_STDOUT_CALLBACK": "everything",
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(junit),
        "ANSIBLE_KEEP_REMOTE_FILES": "0",
    }
    if server == "postgres":
        with postgres.raising(world, "orders", "23514"):
            return playbooks.repair(*arguments, env=env)
    gate, kinds = world.gates.http[server], KINDS[server]
    gate.before = EveryWrite(kinds, canaries)
    return playbooks.repair(*arguments, env=env)


class EveryWrite:
    """Answers every write (at Amazon every call) with an echo, each time of another kind."""

    def __init__(self, kinds: tuple[Kind, ...], canaries: list[str]) -> None:
        self._kinds = [kind for kind in kinds if kind.name in map(str, STATUSES)]
        self._canaries, self._count = canaries, 0

    def __call__(self, request: Request) -> Reply | None:
        from tests.chaos.echoes import echoing

        if not (request.is_write or request.server == "amazon"):
            return None
        kind = self._kinds[self._count % len(self._kinds)]
        self._count += 1
        return kind.make(request, echoing(request, self._canaries))


def tally(sweep: Sweep, found: list[str]) -> None:
    FIGURES["outputs"] += sweep.looked_at
    FIGURES["secrets"] = max(FIGURES["secrets"], sweep.secrets)
    FIGURES["forms"] = max(FIGURES["forms"], sweep.forms)
    FIGURES["leaks"] += len(found)
    assert sweep.looked_at and not found, "\n".join(sorted(set(found)))


def test_the_sweep_sees_each_form_of_an_echo() -> None:
    from tests.chaos.echoes import all_forms

    secret: Any = 'CANARY+/="x\\yz'
    for form, text in all_forms(secret).items():
        assert Sweep({"one": secret}).leaks("here", f"before {text} after"), form
