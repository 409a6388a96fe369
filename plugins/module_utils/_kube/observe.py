# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One look at everything the plan needs, with as few requests as that takes, also for several Deployments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import core
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import Denied, KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import (
    ConfigMapState,
    Content,
    Observed,
    Source,
    container_index,
    read_deployment,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import looks_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.helm_release import with_drift_detection
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import written
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.needed import needed_sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import pods_needed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import read_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import (
    ConfigMount,
    Desired,
    SourceKind,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls import Probe, examine_pem, probe_url
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_pin import trust

Protect = Callable[[Iterable[str | None]], None]


class Look:
    """Reads each object once, whoever asks. Values of Secrets are masked before anything else is done with them."""

    def __init__(self, client: KubeClient, protect: Protect) -> None:
        self._client = client
        self._protect = protect
        self._sources: dict[tuple[str, SourceKind, str], Source] = {}
        self._config_maps: dict[tuple[str, str], ConfigMapState] = {}
        self._probes: dict[tuple[str, str], Probe] = {}

    def observe(self, desired: Desired, deployment: Mapping[str, Any] | None = None) -> Observed:
        """Look at the Deployment (unless it is given) and at what it refers to, as far as the plan depends on it."""
        found = deployment or read_deployment(self._client, desired.namespace, desired.deployment)
        found = with_drift_detection(self._client, found)
        observed = Observed(found, container_index(found, desired.container))
        plain = [(str(entry.get("name")), str(entry.get("value") or "")) for entry in observed.env]
        plain += [(variable.name, variable.value or "") for variable in desired.env]
        self._protect([value for name, value in plain if looks_secret(name, value)])
        namespace = desired.namespace
        sources = {name: self._source(namespace, *name) for name in needed_sources(observed, desired)}
        config_maps = {
            wanted.config_map: self._config_map(namespace, wanted.config_map) for wanted in desired.config_mounts
        }
        contents = {
            wanted.volume: self._content(wanted, config_maps[wanted.config_map]) for wanted in desired.config_mounts
        }
        observed = replace(observed, sources=sources, config_maps=config_maps, contents=contents)
        return self.with_pods(observed) if pods_needed(observed, desired) else observed

    def with_pods(self, observed: Observed) -> Observed:
        """The same with the Deployment's pods, by its selector, or with the reason why they could not be listed."""
        selector = observed.deployment["spec"].get("selector") or {}
        namespace = str(observed.metadata.get("namespace"))
        try:
            found = self._client.list(core(namespace, "pods"), label_selector=label_selector(selector))
        except Denied as error:
            return replace(observed, pods=None, pods_problem=f"{error.address}: {error.answered}")
        return replace(observed, pods=tuple(found))

    def _source(self, namespace: str, kind: SourceKind, name: str) -> Source:
        key = (namespace, kind, name)
        if key not in self._sources:
            self._sources[key] = self._read_source(namespace, kind, name)
        return self._sources[key]

    def _read_source(self, namespace: str, kind: SourceKind, name: str) -> Source:
        try:
            if kind == "secret":
                state = read_secret(self._client, namespace, name, self._protect)
                return Source(state.exists, state.data, secret=state)
            config_map = self._config_map(namespace, name)
            return Source(config_map.exists, config_map.data)
        except Denied as error:
            return Source(None, problem=f"{error.address}: {error.answered}")

    def _config_map(self, namespace: str, name: str) -> ConfigMapState:
        key = (namespace, name)
        if key not in self._config_maps:
            found = self._client.get(core(namespace, "configmaps", name))
            self._config_maps[key] = config_map_state(found)
        return self._config_maps[key]

    def _content(self, wanted: ConfigMount, existing: ConfigMapState) -> Content:
        text = wanted.content
        if wanted.content_from is not None:
            namespace, kind, name, key = wanted.content_from
            source = self._source(namespace, kind, name)
            label = f"{'Secret' if kind == 'secret' else 'ConfigMap'} {namespace}/{name}"
            if source.exists is None:
                return Content(None, f"The content cannot be read: {source.problem}.", f"Allow get on {label}.")
            if key not in source.values:
                what = "has no such key" if source.exists else "does not exist"
                reason = f"The content should come from {label} key {key}, which {what}."
                return Content(None, reason, "Create it first.")
            text = source.values[key]
        if text is None:
            there = existing.data.get(wanted.key) if existing.exists else None
            found = trust(there, wanted.verify_url, wanted.pin, timeout=self._client.timeout)
            return Content(found.text, found.problem, found.remedy, found.probe, found.origin)
        if examine_pem(text) == "pem_private_key":
            self._protect([text])
            probe = Probe(wanted.verify_url or "(no server)", "pem_private_key")
            return Content(None, f"The content is refused: {probe.sentence}.", probe.remedy)
        return Content(text, probe=self._handshake(wanted.verify_url, text) if wanted.verify_url else None)

    def _handshake(self, url: str, text: str) -> Probe:
        key = (url, text)
        if key not in self._probes:
            self._probes[key] = probe_url(url, text, timeout=self._client.timeout)
        return self._probes[key]


def config_map_state(found: Mapping[str, Any] | None) -> ConfigMapState:
    """The state of a ConfigMap given as the API's object; None if there is none."""
    if found is None:
        return ConfigMapState(exists=False)
    metadata = found.get("metadata") or {}
    return ConfigMapState(
        exists=True,
        data=dict(found.get("data") or {}),
        immutable=bool(found.get("immutable")),
        resource_version=metadata.get("resourceVersion"),
        uid=metadata.get("uid"),
        metadata=metadata,
        data_written=written(metadata, ("data", "binaryData")),
    )


def label_selector(selector: Mapping[str, Any]) -> str:
    """A LabelSelector of the API as the query parameter."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        operator, key, values = one.get("operator"), one.get("key"), ",".join(one.get("values") or ())
        forms = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": str(key),
            "DoesNotExist": f"!{key}",
        }
        parts.append(forms[str(operator)])
    return ",".join(parts)
