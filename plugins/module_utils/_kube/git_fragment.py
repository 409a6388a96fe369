# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The manifest fragment that makes a repair permanent: what to put into Git, ready to paste.

A strategic merge patch for the Deployment (``patches`` of a kustomization, or ``kubectl patch --type strategic``) and
the ConfigMaps as they should be. It holds no secret: values that look like one are left out, with a word about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import looks_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import Operation
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.patched import patched
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.tools import tool_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired

Object = dict[str, Any]
DELETE = {"$patch": "delete"}
WIDTH = 1000
"""Columns: no line is broken, because people compare them."""


def git_fragment(observed: Observed, desired: Desired, operations: Sequence[Operation]) -> str:
    """YAML documents, with comments that say where they belong; empty if nothing is wanted of the Deployment.

    :param operations: the plan's patch of the Deployment, whether or not it may be carried out.
    """
    after = patched(observed.deployment, operations)
    pod = after["spec"]["template"]["spec"]
    wanted = [variable.name for variable in desired.env]
    left_out: list[str] = []
    container: Object = {"name": observed.container_name}
    found, now = observed.container, pod["containers"][observed.index]
    _put(container, "env", _env(found, now, [*wanted, *_touched(found, now)], left_out))
    if desired.env_from or now.get("envFrom") != found.get("envFrom"):
        _put(container, "envFrom", list(now.get("envFrom") or ()))
    volumes = [mount.volume for mount in desired.config_mounts]
    paths = [
        one["mountPath"]
        for one in now.get("volumeMounts") or ()
        if one.get("name") in volumes and one["mountPath"].rstrip("/") in _roots(desired)
    ]
    _put(container, "volumeMounts", _entries(found, now, "volumeMounts", "mountPath", paths))
    spec: Object = {"containers": [container]} if len(container) > 1 else {}
    _put(spec, "volumes", _entries(observed.template["spec"], pod, "volumes", "name", volumes))
    documents = _config_maps(observed, desired)
    if spec:
        documents.append(_named("apps/v1", "Deployment", desired.deployment, desired.namespace))
        documents[-1]["spec"] = {"template": {"spec": spec}}
    if not documents:
        return ""
    return "".join([_header(observed, left_out), *(f"---\n{_yaml(document)}" for document in documents)])


def _roots(desired: Desired) -> set[str]:
    return {mount.mount_path.rstrip("/") for mount in desired.config_mounts}


def _touched(found: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of variables that the patch changes, adds or removes."""
    before, after = found.get("env") or [], now.get("env") or []
    names = [str(one.get("name")) for one in (*before, *after)]
    return [name for name in names if _of(before, "name", name) != _of(after, "name", name)]


def _of(entries: Sequence[Mapping[str, Any]], key: str, value: str) -> list[Mapping[str, Any]]:
    return [one for one in entries if one.get(key) == value]


def _env(found: Mapping[str, Any], now: Mapping[str, Any], names: Sequence[str], left_out: list[str]) -> list[Object]:
    entries = []
    for entry in _entries(found, now, "env", "name", names):
        value = entry.get("value")
        if isinstance(value, str) and value and looks_secret(entry["name"], value):
            left_out.append(entry["name"])
        else:
            entries.append(entry)
    return entries


def _entries(
    found: Mapping[str, Any], now: Mapping[str, Any], field: str, key: str, names: Sequence[str]
) -> list[Object]:
    """Entries of a keyed list that bring it from ``found`` to ``now``, for these keys and all that were removed."""
    before, after = list(found.get(field) or ()), list(now.get(field) or ())
    keys = dict.fromkeys([*names, *(one[key] for one in before if not _of(after, key, one[key]))])
    entries: list[Object] = []
    for name in keys:
        old, new = _of(before, key, name), _of(after, key, name)
        if new:
            entries.append(_over(old[0] if old else {}, new[-1]))
        elif old:
            entries.append({key: name, **DELETE})
    return entries


def _over(old: Mapping[str, Any], new: Mapping[str, Any]) -> Object:
    """``new``, with null for what a merge would leave over from ``old``."""
    result: Object = {}
    for name, value in new.items():
        before = old.get(name)
        result[name] = _over(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    return {**result, **{name: None for name in old if name not in new}}


def _config_maps(observed: Observed, desired: Desired) -> list[Object]:
    found: dict[str, Object] = {}
    for mount in desired.config_mounts:
        content = observed.contents.get(mount.volume)
        if content is None or content.text is None:
            continue
        made = found.setdefault(
            mount.config_map, {**_named("v1", "ConfigMap", mount.config_map, desired.namespace), "data": {}}
        )
        made["data"][mount.key] = content.text
    return list(found.values())


def _named(version: str, kind: str, name: str, namespace: str) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def _put(place: Object, key: str, entries: list[Any]) -> None:
    if entries:
        place[key] = entries


def _header(observed: Observed, left_out: Sequence[str]) -> str:
    tool = tool_of(observed.metadata)
    lines = ["Makes the repair permanent: a kustomize patch for the Deployment, and its ConfigMaps."]
    if tool is not None and tool.source.startswith(("release", "HelmRelease")):
        lines += [
            f"{tool.words} renders it from a chart: set the same through the chart's values (often named extraEnv,",
            "extraEnvFrom, extraVolumes and extraVolumeMounts), or in its templates.",
        ]
    elif tool is not None:
        lines.append(f"{tool.words} applies it: put this where it takes the Deployment from.")
    lines += [
        f"{name} is left out because its value looks like a secret: refer to a Secret (valueFrom.secretKeyRef)."
        for name in left_out
    ]
    return "".join(f"# {line}\n" for line in lines)


def _yaml(document: Object) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):  # type: ignore[misc, unused-ignore]
        """Files stay readable: what has several lines is a block."""

        def represent_text(self, text: str) -> Any:
            return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, Dumper.represent_text)
    text: str = yaml.dump(document, Dumper=Dumper, sort_keys=False, default_flow_style=False, width=WIDTH)
    return text
