# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else changes between our look and our write, and whether it is still there afterwards."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab import seed
from tests.chaos.chaos_world import ChaosWorld
from tests.chaos.healthy import DEPLOYMENT, NAMESPACE, ROLE, TENANT_PATH

KEY = "VAULT_TOKEN"
SECRET_PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets/vault-token"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENT_PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{DEPLOYMENT}"
SIDECAR = {"name": "sidecar", "image": "sidecar:1"}


@dataclass(frozen=True)
class Edit:
    """One kind of race.

    :param target: a pattern of the path of the write that the edit comes before.
    :param change: makes the edit; told how many there were before it.
    :param kept: whether the last edit is still there.
    :param ours: what stands there of what we wanted to write, to show that nothing was overwritten.
    :param conflicts: whether the edit forbids our write; where not, both may have their way, or ours is stale.
    """

    name: str
    step: str
    broken: tuple[str, ...]
    target: str
    change: Callable[[ChaosWorld, int], None]
    kept: Callable[[ChaosWorld, int], bool]
    ours: Callable[[ChaosWorld], object]
    conflicts: bool = True
    prepare: Callable[[ChaosWorld], None] = lambda world: None

    def __str__(self) -> str:
        return self.name


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# --- Secret ---


def other_key(world: ChaosWorld, number: int) -> None:
    world.api.patch("secrets", "vault-token", {"data": {"OTHER": encoded(f"theirs {number}")}}, NAMESPACE)


def useless_token(world: ChaosWorld, number: int) -> None:
    world.api.patch("secrets", "vault-token", {"data": {KEY: encoded(f"s.nobodysToken{number:08}")}}, NAMESPACE)


def secret_removed(world: ChaosWorld, number: int) -> None:
    """Deleted and made anew: the name is the same, the object is not."""
    found = world.api.get("secrets", "vault-token", NAMESPACE)
    world.api.delete("secrets", "vault-token", NAMESPACE)
    metadata = {"name": "vault-token", "namespace": NAMESPACE}
    data = {**found["data"], "OTHER": encoded(f"theirs {number}")}
    world.api.create("secrets", {"metadata": metadata, "type": "Opaque", "data": data})


def other_key_is(world: ChaosWorld, number: int) -> bool:
    return world.secret_value(key="OTHER") == f"theirs {number}"


# --- documents ---


def document(path: str) -> Callable[[ChaosWorld, int], None]:
    def change(world: ChaosWorld, number: int) -> None:
        found = world.document(path)
        kv = world.root().secrets.kv.v2
        kv.create_or_update_secret(path, {**found, "theirs": f"version {number}"}, mount_point=seed.MOUNT)

    return change


def document_has(path: str) -> Callable[[ChaosWorld, int], bool]:
    return lambda world, number: world.document(path).get("theirs") == f"version {number}"


def custom_metadata(world: ChaosWorld, number: int) -> None:
    note = {"custom_metadata": {"theirs": f"note {number}"}}
    world.root().adapter.request(
        "patch",
        f"/v1/{seed.MOUNT}/metadata/{seed.APP_PATH}",
        json=note,
        headers={"Content-Type": "application/merge-patch+json"},
    )


def custom_metadata_has(world: ChaosWorld, number: int) -> bool:
    found = world.root().secrets.kv.v2.read_secret_metadata(seed.APP_PATH, mount_point=seed.MOUNT)
    return bool((found["data"]["custom_metadata"] or {}).get("theirs") == f"note {number}")


# --- Deployment ---


def patched(world: ChaosWorld, *operations: dict[str, Any]) -> None:
    world.api.patch("deployments", DEPLOYMENT, list(operations), NAMESPACE, kind="json", fieldManager="somebody")


def own_container(world: ChaosWorld) -> tuple[int, dict[str, Any]]:
    containers = world.api.get("deployments", DEPLOYMENT, NAMESPACE)["spec"]["template"]["spec"]["containers"]
    return next((index, one) for index, one in enumerate(containers) if one["name"] == DEPLOYMENT)


def variable(world: ChaosWorld, number: int) -> None:
    index, container = own_container(world)
    entry = {"name": "THEIRS", "value": f"value {number}"}
    left = [one for one in container.get("env", []) if one["name"] != "THEIRS"]
    path = f"/spec/template/spec/containers/{index}/env"
    patched(world, {"op": "add", "path": path, "value": [*left, entry]})


def variable_is(world: ChaosWorld, number: int) -> bool:
    return {"name": "THEIRS", "value": f"value {number}"} in own_container(world)[1].get("env", [])


def add_sidecar(world: ChaosWorld) -> None:
    patched(world, {"op": "add", "path": "/spec/template/spec/containers/-", "value": SIDECAR})


def sidecar_image(world: ChaosWorld, number: int) -> None:
    path = "/spec/template/spec/containers/1/image"
    patched(world, {"op": "replace", "path": path, "value": f"sidecar:edit-{number}"})


def sidecar_image_is(world: ChaosWorld, number: int) -> bool:
    containers = world.api.get("deployments", DEPLOYMENT, NAMESPACE)["spec"]["template"]["spec"]["containers"]
    return [one["image"] for one in containers if one["name"] == "sidecar"] == [f"sidecar:edit-{number}"]


def container_in_front(world: ChaosWorld, number: int) -> None:
    """Every index moves by one: a patch by index would hit somebody else's container."""
    front = {"name": f"front-{number}", "image": "front:1", "env": [{"name": "VAULT_ADDR", "value": "https://theirs"}]}
    patched(world, {"op": "add", "path": "/spec/template/spec/containers/0", "value": front})


def container_in_front_is(world: ChaosWorld, number: int) -> bool:
    containers = world.api.get("deployments", DEPLOYMENT, NAMESPACE)["spec"]["template"]["spec"]["containers"]
    theirs = [one for one in containers if one["name"].startswith("front-")]
    untouched = all(one["env"] == [{"name": "VAULT_ADDR", "value": "https://theirs"}] for one in theirs)
    return untouched and [one["name"] for one in theirs] == [f"front-{at}" for at in range(number, 0, -1)]


def made_anew(world: ChaosWorld, number: int) -> None:
    found = world.api.get("deployments", DEPLOYMENT, NAMESPACE)
    world.api.delete("deployments", DEPLOYMENT, NAMESPACE)
    metadata = {**{key: found["metadata"][key] for key in ("name", "namespace", "labels")}}
    metadata["annotations"] = {"theirs": f"made {number}"}
    world.api.create("deployments", {"metadata": metadata, "spec": copy.deepcopy(found["spec"])})


def made_anew_is(world: ChaosWorld, number: int) -> bool:
    found = world.api.get("deployments", DEPLOYMENT, NAMESPACE)
    return bool(found["metadata"].get("annotations", {}).get("theirs") == f"made {number}")


# --- ConfigMap ---


def wrong_authority(world: ChaosWorld) -> None:
    world.api.patch("configmaps", "vault-ca", {"data": {"ca.crt": "not a certificate"}}, NAMESPACE)


def config_map_key(world: ChaosWorld, number: int) -> None:
    world.api.patch("configmaps", "vault-ca", {"data": {"theirs": f"value {number}"}}, NAMESPACE)


def config_map_appears(world: ChaosWorld, number: int) -> None:
    """Where none was: the server refuses ours, which would be the second of its name."""
    if world.api.find("configmaps", "vault-ca", NAMESPACE):
        world.api.delete("configmaps", "vault-ca", NAMESPACE)
    data = {"theirs": f"value {number}"}
    world.api.create("configmaps", {"metadata": {"name": "vault-ca", "namespace": NAMESPACE}, "data": data})


def config_map_has(world: ChaosWorld, number: int) -> bool:
    return bool(authority_map(world).get("theirs") == f"value {number}")


def authority_map(world: ChaosWorld) -> dict[str, str]:
    return dict((world.api.find("configmaps", "vault-ca", NAMESPACE) or {}).get("data") or {})


def address(world: ChaosWorld) -> object:
    return [one for one in own_container(world)[1].get("env", []) if one["name"] == "VAULT_ADDR"]


TOKEN = ("token", ("vault-token-secret",), SECRET_PATH)
ADDRESS = ("access", ("vault-addr",), DEPLOYMENT_PATH)
APP = ("app", ("app-creds",), f"/v1/{seed.MOUNT}/data/{seed.APP_PATH}")
TENANT_DOCUMENT = ("tenant", ("tenant-connection",), f"/v1/{seed.MOUNT}/data/{TENANT_PATH}")
EDITS = (
    Edit("Secret: another key", *TOKEN, other_key, other_key_is, lambda world: world.secret_value()),
    Edit("Secret: made anew", *TOKEN, secret_removed, other_key_is, lambda world: world.secret_value()),
    Edit(
        "application's document: another key",
        *APP,
        document(seed.APP_PATH),
        document_has(seed.APP_PATH),
        lambda world: world.document(seed.APP_PATH).get("client_secret"),
    ),
    Edit(
        "application's document: custom metadata",
        "app",
        ("app-creds",),
        f"/v1/{seed.MOUNT}/metadata/{seed.APP_PATH}",
        custom_metadata,
        custom_metadata_has,
        lambda world: None,
        conflicts=False,
    ),
    Edit(
        "tenant's document: another key",
        *TENANT_DOCUMENT,
        document(TENANT_PATH),
        document_has(TENANT_PATH),
        lambda world: world.document(TENANT_PATH).get("refresh_token"),
    ),
    Edit("Deployment: a variable", *ADDRESS, variable, variable_is, address),
    Edit(
        "Deployment: another container's image",
        *ADDRESS,
        sidecar_image,
        sidecar_image_is,
        address,
        conflicts=False,
        prepare=add_sidecar,
    ),
    Edit("Deployment: a container in front", *ADDRESS, container_in_front, container_in_front_is, address),
    Edit("Deployment: made anew", *ADDRESS, made_anew, made_anew_is, address),
    Edit(
        "ConfigMap: another key",
        "access",
        (),
        f"{CONFIG_MAPS}/vault-ca",
        config_map_key,
        config_map_has,
        lambda world: authority_map(world).get("ca.crt") != "not a certificate",
        prepare=wrong_authority,
    ),
    Edit(
        "ConfigMap: appears",
        "access",
        ("tls-trust",),
        f"{CONFIG_MAPS}(/vault-ca)?",
        config_map_appears,
        config_map_has,
        lambda world: authority_map(world).get("ca.crt"),
    ),
)


def role_of_others(world: ChaosWorld, **fields: object) -> None:
    """The token role as somebody else would want it."""
    world.root().adapter.post(f"/v1/auth/token/roles/{ROLE}", json=json.loads(json.dumps(fields)))
