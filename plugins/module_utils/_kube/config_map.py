# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""ConfigMaps: writing some keys of exactly what was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import core
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import JSON_PATCH, KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import ConfigMapState
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import set_keys


def write_config_map(
    client: KubeClient,
    namespace: str,
    name: str,
    state: ConfigMapState,
    values: Mapping[str, str],
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Set keys of the ConfigMap that was read, or create it. Conflict if it changed or appeared since."""
    if not state.exists:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": dict(values),
        }
        return client.create(core(namespace, "configmaps"), body, dry_run=dry_run)
    exactly = [
        {"op": "test", "path": "/metadata/uid", "value": state.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": state.resource_version},
    ]
    operations = set_keys("/data", state.data, values)
    path = core(namespace, "configmaps", name)
    return client.patch(path, exactly + operations, content_type=JSON_PATCH, dry_run=dry_run)
