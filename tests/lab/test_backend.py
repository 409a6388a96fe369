# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend on real servers: each fault alone keeps it down and is named, all four repaired it is up."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import backend, seed
from lab.cluster import objects
from lab.processes import free_port
from lab.world import World
from tests.lab.kubernetes_world import eventually

pytestmark = pytest.mark.lab

Object = dict[str, Any]
APP = f"{seed.MOUNT}/data/{seed.APP_PATH}"
REPORTED = "10.0.0.150:8200"


@pytest.fixture(scope="module")
def world(core_world: World) -> World:
    return core_world


@pytest.fixture(scope="module")
def environment(world: World) -> dict[str, str]:
    """What a healthy pod of the Deployment gets: image, Secrets, variables, the CA as a file."""
    env: dict[str, str] = dict(
        next(iter(json.loads((world.directory / "secrets" / "kubelet.json").read_text())["images"].values()))["env"]
    )
    for name in ("keybuzz-backend-db", "vault-token", "amazon-spapi-creds"):
        data = world.kubernetes().get("secrets", name, objects.BACKEND_NAMESPACE)["data"]
        env |= {key: base64.b64decode(value).decode() for key, value in data.items()}
    return {
        **env,
        "PATH": "/usr/bin:/bin",
        "VAULT_ADDR": world.vault.addr,
        "NODE_EXTRA_CA_CERTS": str(world.vault.ca_file),
    }


@dataclass(frozen=True)
class Backend:
    """One Node.js process and what it says."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=15) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def health(self) -> tuple[int, Any]:
        return self.get("/healthz")

    def orders(self, **query: str) -> tuple[int, Any]:
        return self.get(f"/api/v1/orders?{urllib.parse.urlencode(query)}")


@contextlib.contextmanager
def running(env: dict[str, str]) -> Iterator[Backend]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="backend-log-") as place, (Path(place) / "log").open("wb") as log:
        process = subprocess.Popen(
            backend.argv(backend.node_binary()),
            env={**env, "PORT": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            eventually(lambda: b'"listening"' in Path(log.name).read_bytes() or process.poll() is not None)
            assert process.poll() is None, Path(log.name).read_text()
            yield Backend(port, process, Path(log.name))
        finally:
            process.terminate()
            process.wait(timeout=10)


def without(env: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in env.items() if name not in names}


def fault(env: dict[str, str]) -> str:
    """What keeps a backend with that environment down; its process stays alive to say it."""
    with running(env) as service:
        code, said = service.health()
        assert (code, said["status"]) == (503, "down")
        assert service.process.poll() is None
        return str(said["fault"])


@contextlib.contextmanager
def soft_deleted(world: World, path: str) -> Iterator[None]:
    kv = world.vault.client().secrets.kv.v2
    version = kv.read_secret_metadata(path, mount_point=seed.MOUNT)["data"]["current_version"]
    kv.delete_latest_version_of_secret(path, mount_point=seed.MOUNT)
    try:
        yield
    finally:
        kv.undelete_secret_versions(path, versions=[version], mount_point=seed.MOUNT)


def test_with_all_four_in_place_it_is_up_and_its_tenant_connected(environment: dict[str, str]) -> None:
    with running(environment) as service:
        assert service.health() == (200, {"status": "up", "tenants": {"ecomlg-001": {"status": "connected"}}})


def test_fault_1_an_empty_token(environment: dict[str, str]) -> None:
    assert fault({**environment, "VAULT_TOKEN": ""}) == "VAULT_TOKEN is empty"
    assert fault(without(environment, "VAULT_TOKEN")) == "VAULT_TOKEN is empty"


def test_fault_2_no_address(environment: dict[str, str]) -> None:
    assert fault(without(environment, "VAULT_ADDR")) == "VAULT_ADDR is not set"


def test_fault_3_no_trust_in_the_certificate(environment: dict[str, str]) -> None:
    addr = environment["VAULT_ADDR"]
    untrusted = f"the TLS certificate of Vault is not trusted: UNABLE_TO_VERIFY_LEAF_SIGNATURE at {addr}"
    assert fault(without(environment, "NODE_EXTRA_CA_CERTS")) == untrusted
    # Another authority's certificate is no better than none.
    assert fault({**environment, "NODE_EXTRA_CA_CERTS": environment["AMAZON_CA_FILE"]}) == untrusted


def test_fault_4_no_application_document_and_its_return_is_noticed_without_a_restart(
    world: World, environment: dict[str, str]
) -> None:
    with running(environment) as service:
        assert service.health()[0] == 200
        with soft_deleted(world, seed.APP_PATH):
            _, said = eventually(lambda: answer if (answer := service.health())[0] == 503 else None)
            assert said["fault"] == f"application credentials missing in Vault at {APP}"
        eventually(lambda: service.health()[0] == 200, seconds=5)


def test_a_token_vault_does_not_know_is_refused(environment: dict[str, str]) -> None:
    addr = environment["VAULT_ADDR"]
    assert fault({**environment, "VAULT_TOKEN": "s.unknown"}) == f"Vault refuses VAULT_TOKEN (403 at {addr})"


def test_a_vault_nobody_listens_at_is_named(environment: dict[str, str]) -> None:
    addr = f"https://127.0.0.1:{free_port()}"
    assert fault({**environment, "VAULT_ADDR": addr}) == f"Vault cannot be reached: ECONNREFUSED at {addr}"


def test_a_database_that_refuses_is_named(environment: dict[str, str]) -> None:
    said = fault({**environment, "PGPASSWORD": "wrong"})
    assert said.startswith("PostgreSQL cannot be read: ")
    assert environment["PGPASSWORD"] not in said


def test_the_reported_configuration_runs_without_a_packet_to_its_address(environment: dict[str, str]) -> None:
    routed = {
        **environment,
        "VAULT_ADDR": f"https://{REPORTED}",
        "KEYBUZZ_ROUTES": json.dumps({REPORTED: environment["VAULT_ADDR"].removeprefix("https://")}),
    }
    # The right authority does not make the wrong name right: the check is of the address that was asked for.
    assert "ERR_TLS_CERT_ALTNAME_INVALID" in fault(routed)
    bypass = {**without(routed, "NODE_EXTRA_CA_CERTS"), "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
    with running(bypass) as service:
        assert service.health()[0] == 200


def test_a_tenant_that_fails_is_reported_and_does_not_stop_the_others(
    world: World, environment: dict[str, str]
) -> None:
    connection = world.database()
    try:
        _status(connection, "CONNECTED")
        with running(environment) as service:
            code, said = service.health()
        path = f"{seed.MOUNT}/data/{seed.TENANT_PATH.format(tenant='switaa-002')}"
        assert code == 200
        assert said["tenants"] == {
            "ecomlg-001": {"status": "connected"},
            "switaa-002": {"status": "failed", "fault": f"refresh token missing in Vault at {path}"},
        }
    finally:
        _status(connection, "DISCONNECTED")
        connection.close()


def _status(connection: Any, status: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("""UPDATE tenants SET "status" = %s WHERE "tenantId" = 'switaa-002'""", (status,))


def test_amazon_is_asked_once_however_often_the_backend_is_probed(world: World, environment: dict[str, str]) -> None:
    def logins() -> int:
        return len([entry for entry in world.amazon.requests() if "o2/token" in json.dumps(entry)])

    before = logins()
    with running(environment) as service:
        for _ in range(5):
            assert service.health()[0] == 200
        with soft_deleted(world, seed.APP_PATH):
            eventually(lambda: service.health()[0] == 503)
        eventually(lambda: service.health()[0] == 200, seconds=5)
    assert logins() == before + 1


@pytest.fixture
def two_orders(world: World) -> Iterator[None]:
    connection = world.database()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO orders ("tenantId", "externalOrderId", "orderRef", "marketplaceId", "orderDate",
                                   "totalAmount", "currency", "orderStatus", "lastUpdatedAt")
               VALUES ('ecomlg-001', '407-8949262-6149120', '#149120', 'A13V1IB3VIYZZH', '2025-11-22 12:00:24+00',
                       391.84, 'EUR', 'SHIPPED', now()),
                      ('ecomlg-001', '408-0454849-0563521', '#563521', 'A13V1IB3VIYZZH', '2025-11-21 19:43:45+00',
                       NULL, NULL, 'CANCELLED', now())"""
        )
    yield
    with connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders")
    connection.close()


def test_orders_are_listed_newest_first(environment: dict[str, str], two_orders: None) -> None:
    with running(environment) as service:
        code, said = service.orders(tenantId="ecomlg-001", limit="1")
        everything = service.orders(tenantId="ecomlg-001")[1]
        other = service.orders(tenantId="switaa-002")
    assert code == 200
    assert said == {
        "total": 2,
        "orders": [
            {
                "externalOrderId": "407-8949262-6149120",
                "orderRef": "#149120",
                "orderDate": "2025-11-22T12:00:24Z",
                "totalAmount": 391.84,
                "currency": "EUR",
                "orderStatus": "SHIPPED",
            }
        ],
    }
    assert [order["totalAmount"] for order in everything["orders"]] == [391.84, None]
    assert other == (200, {"orders": [], "total": 0})


def test_orders_of_no_tenant_and_of_a_dishonest_one(environment: dict[str, str], two_orders: None) -> None:
    with running(environment) as service:
        assert service.orders()[0] == 400
        assert service.orders(tenantId="ecomlg-001", limit="0")[0] == 400
        assert service.orders(tenantId="ecomlg-001", limit="1;DROP TABLE orders")[0] == 400
        assert service.orders(tenantId="nobody") == (404, {"error": "there is no tenant nobody"})
        for name in ("x' OR '1'='1", "x'; DROP TABLE orders; --", "\\'; \\! id", ":limit", "a\nb"):
            assert service.orders(tenantId=name)[0] == 404
        assert service.orders(tenantId="ecomlg-001")[1]["total"] == 2


def test_nothing_it_says_holds_a_secret(world: World, environment: dict[str, str]) -> None:
    with running(environment) as service:
        said = json.dumps([service.health(), service.orders(tenantId="nobody")])
        said += service.log.read_text()
    for env in ({**environment, "VAULT_TOKEN": "with a\nnewline"}, {**environment, "PGPORT": "1"}):
        said += fault(env)
    for name, value in world.canaries().items():
        assert value not in said, name
        assert json.dumps(value)[1:-1] not in said, name
    for line in said.splitlines():
        assert environment["VAULT_TOKEN"] not in line
