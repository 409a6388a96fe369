# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether Flux's helm-controller corrects what drifts between two releases: its HelmRelease says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.tools import DRIFT_DETECTION, FLUX_HELM


def with_drift_detection(client: KubeClient, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object with the mode of its release's drift detection as an annotation, where it comes from a HelmRelease.

    The annotation is Flux's own for one object, so an object that carries it is not asked about. Where the HelmRelease
    may not be read, or is of another version of the API, nothing is known, and the object stays as it is.
    """
    metadata = found.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    name, namespace = labels.get(f"{FLUX_HELM}/name"), labels.get(f"{FLUX_HELM}/namespace")
    if not (name and namespace) or DRIFT_DETECTION in labels or DRIFT_DETECTION in annotations:
        return found
    path = f"/apis/{FLUX_HELM}/v2/namespaces/{quote(namespace, safe='')}/helmreleases/{quote(name, safe='')}"
    try:
        release = client.get(path)
    except KeybuzzError:
        release = None
    if release is None:
        return found
    # Absent means disabled (HelmRelease v2, spec.driftDetection.mode).
    mode = str(((release.get("spec") or {}).get("driftDetection") or {}).get("mode") or "disabled")
    return {**found, "metadata": {**metadata, "annotations": {**annotations, DRIFT_DETECTION: mode}}}
