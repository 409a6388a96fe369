# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of the module k8s_deployment_env, for itself and for the one that looks at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import argument_spec
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import KUBERNETES, PLANNED

KEY = {"type": "str", "required": True, "no_log": False}
REFERENCE = {
    "type": "dict",
    "no_log": False,
    "options": {
        "name": {"type": "str", "required": True},
        "key": KEY,
        "optional": {"type": "bool", "default": False},
    },
}
SECRET = {"type": "str", "no_log": False}
ENV = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str"},
    "secret_key_ref": REFERENCE,
    "config_map_key_ref": REFERENCE,
}
ENV_FROM = {
    "secret": SECRET,
    "config_map": {"type": "str"},
    "prefix": {"type": "str", "default": ""},
    "optional": {"type": "bool", "default": False},
}
DEPLOYMENT = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "container": {"type": "str"},
}
FLAGS = ["--use-openssl-ca", "--insecure-http-parser", "--tls-min-v1.0", "--tls-min-v1.1"]
FORBIDDEN = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str"},
    "flags": {"type": "list", "elements": "str"},
    "in_env_from": {"type": "bool", "default": True},
}
CONTENT_FROM = {
    "namespace": {"type": "str"},
    "secret": SECRET,
    "config_map": {"type": "str"},
    "key": KEY,
}
CONFIG_MOUNT = {
    "volume": {"type": "str", "required": True},
    "config_map": {"type": "str", "required": True},
    "key": KEY,
    "mount_path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "content_file": {"type": "path"},
    "content_from": {
        "type": "dict",
        "options": CONTENT_FROM,
        "mutually_exclusive": [("secret", "config_map")],
        "required_one_of": [("secret", "config_map")],
    },
    "verify_url": {"type": "str"},
    "pin_sha256": {"type": "str", "no_log": False},
}
RESTART_FOR = {
    "secret": {**SECRET, "required": True},
    "will_change": {"type": "bool", "default": False},
}
ONE_VALUE = ("value", "secret_key_ref", "config_map_key_ref")
ONE_CONTENT = ("content", "content_file", "content_from")


def list_of(
    options: Mapping[str, Any],
    *,
    one_of: tuple[str, ...] = (),
    or_else: tuple[str, ...] = (),
    default: tuple[Mapping[str, Any], ...] = (),
) -> dict[str, Any]:
    """A list of dicts with these options, exactly one of ``one_of`` among them; ``or_else`` may do without."""
    spec: dict[str, Any] = {"type": "list", "elements": "dict", "default": list(default), "options": options}
    if one_of:
        spec.update(mutually_exclusive=[one_of], required_one_of=[(*one_of, *or_else)])
    return spec


OPTIONS: Mapping[str, Mapping[str, Any]] = argument_spec(
    PLANNED,
    KUBERNETES,
    namespace={"type": "str", "required": True},
    deployment={"type": "str"},
    deployments={"type": "list", "elements": "dict", "options": DEPLOYMENT},
    container={"type": "str"},
    env=list_of(ENV, one_of=ONE_VALUE),
    env_from=list_of(ENV_FROM, one_of=("secret", "config_map")),
    absent={"type": "list", "elements": "str", "default": []},
    forbidden=list_of(
        FORBIDDEN,
        default=(
            {"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"},
            {"name": "VAULT_SKIP_VERIFY"},
            {"name": "NODE_OPTIONS", "flags": FLAGS},
        ),
    ),
    config_mounts=list_of(CONFIG_MOUNT, one_of=ONE_CONTENT, or_else=("verify_url",)),
    restart_for=list_of(RESTART_FOR),
    on_foreign_owner={"type": "str", "choices": ["auto", "warn", "block", "force"], "default": "auto"},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float"},
)
RULES: Mapping[str, Any] = {
    "mutually_exclusive": [("deployment", "deployments"), ("planned", "deployments")],
    "required_one_of": [("deployment", "deployments")],
}
