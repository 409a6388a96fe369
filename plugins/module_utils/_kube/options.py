# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the options of k8s_deployment_env to what is wanted. What cannot work is refused here, before any request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.foreign import policy_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.node_options import NODE_OPTIONS
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import (
    ConfigMount,
    Desired,
    EnvFrom,
    Forbidden,
    RestartFor,
    SourceKind,
    Variable,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_pin import normalised


def wishes(params: Mapping[str, Any]) -> Desired | tuple[Desired, ...]:
    """What is wanted of the one Deployment, or of each of the list ``deployments``.

    Raises BadInputError as :func:`desired`, and when the same container of the same Deployment is listed twice.
    """
    listed = params.get("deployments")
    if not listed:
        if not params.get("deployment"):
            raise _bad("deployments", "the list is empty", "Name at least one Deployment.")
        return desired(params)
    each = [
        {
            **params,
            "deployment": one["name"],
            "container": one.get("container") or params.get("container"),
            "namespace": one.get("namespace") or params["namespace"],
        }
        for one in listed
    ]
    _refuse_twice(
        "deployments", (f"{one['namespace']}/{one['deployment']} {one['container'] or ''}".rstrip() for one in each)
    )
    return tuple(desired(one) for one in each)


def desired(params: Mapping[str, Any]) -> Desired:
    """Raises BadInputError: names given twice or both wanted and absent, impossible names, unreadable files."""
    wanted = Desired(
        namespace=params["namespace"],
        deployment=params["deployment"],
        container=params.get("container"),
        env=tuple(_variable(one) for one in params.get("env") or ()),
        env_from=tuple(_env_from(one) for one in params.get("env_from") or ()),
        absent=tuple(dict.fromkeys(params.get("absent") or ())),
        forbidden=tuple(_forbidden(one) for one in params.get("forbidden") or ()),
        config_mounts=tuple(_mount(one, params["namespace"]) for one in params.get("config_mounts") or ()),
        restart_for=tuple(
            RestartFor(one["secret"], bool(one.get("will_change"))) for one in params.get("restart_for") or ()
        ),
        on_foreign_owner=policy_of(params.get("on_foreign_owner")),
        wait=bool(params.get("wait", True)),
        wait_timeout=params.get("wait_timeout"),
        planned=params.get("planned"),
    )
    _refuse_twice("env", (variable.name for variable in wanted.env))
    _refuse_twice("env_from", (f"{one.prefix}{one.kind} {one.name}" for one in wanted.env_from))
    _refuse_twice("forbidden", (one.name for one in wanted.forbidden))
    _refuse_twice("config_mounts (volume)", (one.volume for one in wanted.config_mounts))
    _refuse_twice("config_mounts (mount_path)", (one.mount_path.rstrip("/") for one in wanted.config_mounts))
    _refuse_twice("restart_for", (one.secret for one in wanted.restart_for))
    both = sorted({variable.name for variable in wanted.env} & set(wanted.absent))
    if both:
        raise _bad("env and absent", f"{', '.join(both)} is both wanted and absent", "Give it in one of the two.")
    if wanted.wait_timeout is not None and wanted.wait_timeout < 0:
        raise _bad("wait_timeout", "it is negative", "Give a number of seconds.")
    return wanted


def _variable(one: Mapping[str, Any]) -> Variable:
    name = str(one["name"])
    if not name or "=" in name or not name.isprintable():
        raise _bad("env", f"{name!r} is no name of a variable", "Give a name without '='.")
    for kind, option in _kinds("secret_key_ref", "config_map_key_ref"):
        reference = one.get(option)
        if reference:
            optional = bool(reference.get("optional"))
            return Variable(name, source=(kind, reference["name"]), key=reference["key"], optional=optional)
    return Variable(name, value=one.get("value") or "")


def _env_from(one: Mapping[str, Any]) -> EnvFrom:
    kind: SourceKind = "secret" if one.get("secret") else "config_map"
    return EnvFrom(kind, one[kind], one.get("prefix") or "", bool(one.get("optional")))


def _forbidden(one: Mapping[str, Any]) -> Forbidden:
    looked_into = one.get("in_env_from")
    flags = tuple(one.get("flags") or ())
    if flags and one["name"] != NODE_OPTIONS:
        raise _bad("forbidden", f"flags are given for {one['name']}", f"Only {NODE_OPTIONS} is looked into for flags.")
    if flags and one.get("value") is not None:
        raise _bad("forbidden", "both value and flags are given", "Give one of the two.")
    return Forbidden(one["name"], one.get("value"), True if looked_into is None else bool(looked_into), flags)


def _mount(one: Mapping[str, Any], namespace: str) -> ConfigMount:
    path = str(one["mount_path"])
    if not path.startswith("/") or path.rstrip("/") == "":
        raise _bad("config_mounts", f"mount_path {path} is no directory below /", "Give an absolute path.")
    content = one.get("content")
    if one.get("content_file"):
        content = _file(str(one["content_file"]))
    source = one.get("content_from")
    taken_from = None
    if source:
        kind: SourceKind = "secret" if source.get("secret") else "config_map"
        taken_from = (source.get("namespace") or namespace, kind, source[kind], source["key"])
    url = one.get("verify_url") or None
    if url is not None and not url.startswith("https://"):
        raise _bad("config_mounts", f"verify_url {url} is not an https URL", "Give the address as the backend gets it.")
    pin = normalised(one["pin_sha256"]) if one.get("pin_sha256") else None
    if one.get("pin_sha256") and (pin is None or url is None):
        what = "it needs verify_url, the server that shows the certificate" if pin else "it is no SHA-256 fingerprint"
        raise _bad("pin_sha256", what, "Give what openssl x509 -noout -fingerprint -sha256 -in ca.pem prints.")
    return ConfigMount(one["volume"], one["config_map"], one["key"], path, content, taken_from, url, pin)


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        answered, remedy = "that file does not exist on the host this module runs on", "Correct content_file."
    except UnicodeDecodeError:
        answered = "that file is not text; a DER certificate has to be converted"
        remedy = "openssl x509 -inform der -in ca.der -out ca.pem."
    except OSError:
        answered, remedy = "that file cannot be read", "Correct its mode or owner."
    raise _bad(f"content_file {path}", answered, remedy)


def _kinds(secret: str, config_map: str) -> tuple[tuple[SourceKind, str], ...]:
    return (("secret", secret), ("config_map", config_map))


def _refuse_twice(option: str, names: Iterable[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise _bad(option, f"{', '.join(twice)} is given more than once", "Give each one once.")


def _bad(option: str, answered: str, remedy: str) -> BadInputError:
    return BadInputError("reading the option", option, answered, remedy)
