# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab on its real servers: what it holds, who can read it, what its credentials may do."""

from __future__ import annotations

import json
import socket
import ssl
import stat
import struct
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest

from lab import openbao, pieces, seed
from lab.__main__ import main
from lab.processes import marked
from lab.world import World

pytestmark = pytest.mark.lab


@pytest.fixture
def world(core_world: World) -> World:
    return core_world


# -- what the lab holds -------------------------------------------------------------------------------------------


def test_the_healthy_world_has_no_broken_piece_and_a_healthy_backend(world: World) -> None:
    assert pieces.broken(world) == []
    assert world.backend()[0] == 200


def test_a_second_up_returns_at_once_and_starts_nothing(world: World) -> None:
    before = (world.directory / "processes.json").read_bytes()
    start = time.monotonic()
    again = World.up(world.directory, say=lambda _: None)
    assert time.monotonic() - start < 0.5
    assert again == world
    assert (world.directory / "processes.json").read_bytes() == before


def test_a_sealed_vault_is_opened_by_up_and_keeps_what_it_held(world: World) -> None:
    kv = world.vault.client().secrets.kv.v2
    before = kv.read_secret_version(seed.APP_PATH, mount_point=seed.MOUNT, raise_on_deleted_version=True)
    world.vault.client().sys.seal()
    assert world.vault_is_sealed()
    World.up(world.directory, say=lambda _: None)
    assert not world.vault_is_sealed()
    after = kv.read_secret_version(seed.APP_PATH, mount_point=seed.MOUNT, raise_on_deleted_version=True)
    assert after["data"] == before["data"]
    assert not openbao.unseal(world.vault)


def test_commands_that_meet_a_sealed_vault_say_what_opens_it(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_DIR", str(world.directory))
    world.vault.client().sys.seal()
    try:
        assert [main([*words]) for words in (["status"], ["break", "app-creds"], ["heal"])] == [1, 1, 1]
        assert capsys.readouterr().err.count("python -m lab up opens a sealed Vault") == 3
    finally:
        assert main(["up"]) == 0
    assert pieces.broken(world) == []


def test_every_file_with_a_secret_is_private_and_no_other_file_holds_one(world: World) -> None:
    homes = [world.directory / part for part in ("secrets", "certificates/private", "kubernetes", "broken", "pods")]
    for home in homes:
        if home.exists():
            assert stat.S_IMODE(home.stat().st_mode) == 0o700, home
    for file in (world.directory / "secrets").rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) in (0o600, 0o700), file
    forms = _forms(world)
    for file in world.directory.rglob("*"):
        if file.is_file() and not any(home in file.parents for home in homes):
            content = file.read_bytes()
            for name, form in forms:
                assert form not in content, f"{name} is in {file}"


def test_no_secret_is_in_the_arguments_of_a_process(world: World) -> None:
    forms = _forms(world)
    processes = marked(world.directory)
    assert len(processes) >= 5
    for process in processes:
        arguments = "\0".join(process.cmdline()).encode()
        assert not [name for name, form in forms if form in arguments]


def _forms(world: World) -> list[tuple[str, bytes]]:
    return [
        (name, form.encode())
        for name, value in world.canaries().items()
        for form in {value, json.dumps(value)[1:-1], quote(value, safe="")}
    ]


def test_every_secret_of_the_lab_is_listed_for_the_searches(world: World) -> None:
    names = set(world.canaries())
    assert {"lwa-client-secret", "refresh-token-ecomlg-001", "postgres-repair", "postgres-backend"} <= names
    assert {"vault-root", "vault-bootstrap", "vault-repair", "vault-audit", "vault-backend"} <= names
    assert {"kubernetes-repair", "kubernetes-audit"} <= names
    assert "CANARY" in world.canaries()["lwa-client-secret"]


def test_env_names_files_and_addresses_but_no_secret(world: World) -> None:
    exported = world.environment("audit")
    assert exported["PGUSER"] == "keybuzz_audit"
    assert Path(exported["VAULT_TOKEN_FILE"]).is_file()
    assert not set(exported.values()) & set(world.canaries().values())


# -- Vault's credentials ------------------------------------------------------------------------------------------

_APP = f"secret/data/{seed.APP_PATH}"
_TENANT = f"secret/data/{seed.TENANT_PATH.format(tenant=seed.TENANT)}"
_POLICY = "sys/policies/acl/keybuzz-backend-dev"
_ROLE = "auth/token/roles/keybuzz-backend-dev"
_DENIED = ["deny"]


@pytest.mark.parametrize(
    ("holder", "promised"),
    [
        (
            "bootstrap",
            {
                _POLICY: ["create", "read", "update"],
                _ROLE: ["create", "read", "update"],
                _APP: _DENIED,
                "auth/token/create": _DENIED,
                "auth/token/create/keybuzz-backend-dev": _DENIED,
                "sys/policies/acl/keybuzz-repair": _DENIED,
            },
        ),
        (
            "repair",
            {
                _POLICY: ["read"],
                _ROLE: ["read"],
                _APP: ["create", "patch", "read", "update"],
                _TENANT: ["create", "patch", "read", "update"],
                _APP.replace("/data/", "/undelete/"): ["update"],
                _APP.replace("/data/", "/delete/"): _DENIED,
                _APP.replace("/data/", "/destroy/"): _DENIED,
                _APP.replace("/data/", "/subkeys/"): ["read"],
                "auth/token/create/keybuzz-backend-dev": ["update"],
                "auth/token/create": _DENIED,
                "auth/token/create-orphan": _DENIED,
                "auth/token/lookup-accessor": ["update"],
                "auth/token/revoke-accessor": ["update"],
                "auth/token/renew-accessor": ["update"],
                "auth/token/renew-self": ["update"],
                "auth/token/lookup": ["update"],
                "auth/token/accessors": _DENIED,
                "sys/mounts/auth/token/tune": ["read"],
                "sys/capabilities-self": ["update"],
                "secret/data/keybuzz/other": _DENIED,
            },
        ),
        (
            "audit",
            {
                _POLICY: ["read"],
                _ROLE: ["read"],
                _APP: ["read"],
                _TENANT: ["read"],
                _APP.replace("/data/", "/metadata/"): ["read"],
                _APP.replace("/data/", "/undelete/"): _DENIED,
                "auth/token/create/keybuzz-backend-dev": _DENIED,
                "auth/token/lookup-accessor": ["update"],
                "auth/token/revoke-accessor": _DENIED,
                "sys/capabilities-self": ["update"],
            },
        ),
    ],
)
def test_an_operators_token_may_do_what_was_promised_and_no_more(
    world: World, holder: str, promised: dict[str, list[str]]
) -> None:
    token = world.vault.token_files[holder].read_text()
    answer = world.vault.client().sys.get_capabilities(list(promised), token=token)
    assert {path: sorted(answer[path]) for path in promised} == promised
    found = world.vault.client(holder).lookup_token()["data"]
    assert found["policies"] == [f"keybuzz-{holder}"]
    assert found["orphan"]
    assert found["period"] == 24 * 3600


def test_the_backends_token_is_orphan_periodic_and_reads_only_the_amazon_documents(world: World) -> None:
    token = world.canaries()["vault-backend"]
    root = world.vault.client()
    found = root.auth.token.lookup(token)["data"]
    # A role's period is asked for at each renewal and is no field of the token.
    period = root.adapter.get(f"/v1/{_ROLE}")["data"]["token_period"]
    assert (found["policies"], found["role"]) == (["keybuzz-backend-dev"], "keybuzz-backend-dev")
    assert (found["orphan"], found["renewable"], found["explicit_max_ttl"]) == (True, True, 0)
    assert period == found["creation_ttl"] == 7 * 24 * 3600
    answer = root.sys.get_capabilities([_APP, _TENANT, "secret/data/keybuzz/other"], token=token)
    assert [answer[path] for path in (_APP, _TENANT, "secret/data/keybuzz/other")] == [["read"], ["read"], ["deny"]]


def test_vault_writes_every_request_to_its_audit_log(world: World) -> None:
    world.vault.client("audit").secrets.kv.v2.read_secret_metadata(seed.APP_PATH, mount_point=seed.MOUNT)
    last = json.loads(world.vault.audit_log.read_text().splitlines()[-1])
    assert last["request"]["path"] == f"secret/metadata/{seed.APP_PATH}"


# -- PostgreSQL ---------------------------------------------------------------------------------------------------


def test_postgresql_refuses_a_client_without_tls(world: World) -> None:
    with pytest.raises(psycopg2.OperationalError, match="TLS only"):
        _connect(world, sslmode="disable")


def test_postgresql_is_refused_by_a_client_that_trusts_another_authority(world: World) -> None:
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        _connect(world, sslrootcert=str(world.vault.ca_file))


def test_postgresql_takes_nothing_that_was_sent_before_tls(world: World) -> None:
    """CVE-2021-23214: plain text behind the request for TLS must not reach the session."""
    with socket.create_connection(("127.0.0.1", world.postgres.port), timeout=5) as plain:
        plain.sendall(struct.pack("!ii", 8, 80877103) + b"Q\0\0\0\x0dSELECT 1\0")
        assert plain.recv(1) == b"S"
        context = ssl.create_default_context(cafile=str(world.postgres.ca_file))
        with pytest.raises(OSError), context.wrap_socket(plain, server_hostname="localhost"):
            pass


def test_a_running_statement_can_be_cancelled(world: World) -> None:
    connection = world.database("audit")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '20s'")
    threading.Timer(0.2, connection.cancel).start()
    with pytest.raises(psycopg2.errors.QueryCanceled, match="user request"), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(10)")
    connection.close()


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("audit", "UPDATE tenants SET \"status\" = 'X'"),
        ("audit", "SET default_transaction_read_only = off; UPDATE tenants SET \"status\" = 'X'"),
        ("audit", "CREATE TABLE mine (a int)"),
        ("backend", "UPDATE tenants SET \"status\" = 'X'"),
        ("backend", "CREATE TABLE mine (a int)"),
        ("repair", "DELETE FROM tenants"),
        ("repair", "DELETE FROM orders"),
        ("repair", "DROP TABLE orders"),
    ],
)
def test_a_role_is_refused_what_it_was_not_promised(world: World, role: str, statement: str) -> None:
    connection = world.database(role)
    refusals = (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ReadOnlySqlTransaction)
    with pytest.raises(refusals), connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_the_auditor_reads_a_table_that_the_repair_role_has_made(world: World) -> None:
    repair, audit = world.database("repair"), world.database("audit")
    with repair, repair.cursor() as cursor:
        cursor.execute("CREATE TABLE made_later (a int)")
    with audit, audit.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM made_later")
    with repair, repair.cursor() as cursor:
        cursor.execute("DROP TABLE made_later")
    repair.close()
    audit.close()


def test_postgresql_logs_every_statement(world: World) -> None:
    connection = world.database("audit")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 'here I am'")
    connection.close()
    assert "user=keybuzz_audit db=keybuzz app=keybuzz-lab LOG:  statement: SELECT 'here I am'" in (
        world.postgres.log.read_text()
    )


def _connect(world: World, **settings: str) -> None:
    given = {
        "host": "localhost",
        "port": world.postgres.port,
        "dbname": "keybuzz",
        "user": "keybuzz_audit",
        "passfile": world.postgres.passfile,
        "sslmode": "verify-full",
        "sslrootcert": world.postgres.ca_file,
    }
    psycopg2.connect(" ".join(f"{name}={value}" for name, value in {**given, **settings}.items())).close()


def test_the_backends_psql_speaks_tls_and_quotes_what_it_is_given(world: World) -> None:
    done = _psql(world, "SELECT :'text', 1.50::numeric AS n, NULL, :bare, json_build_object('a', 1)")
    assert (done.returncode, done.stdout) == (0, 'it\'s \\ "x"; DROP|1.50||7|{"a" : 1}\n')
    refused = _psql(world, "SELECT nothing")
    assert refused.returncode == 3
    assert 'column "nothing" does not exist' in refused.stderr
    distrusted = _psql(world, "SELECT 1", PGSSLROOTCERT=str(world.vault.ca_file))
    assert distrusted.returncode == 2
    assert "certificate verify failed" in distrusted.stderr


def _psql(world: World, statement: str, **settings: str) -> subprocess.CompletedProcess[str]:
    switches = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", 'text=it\'s \\ "x"; DROP', "-v", "bare=7"]
    return subprocess.run(
        [str(world.directory / "bin" / "psql"), *switches, "-f", "-"],
        env={**world.environment("audit"), **settings},
        input=statement,
        text=True,
        capture_output=True,
        check=False,
    )
