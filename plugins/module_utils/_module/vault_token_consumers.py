# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether the backend runs with what the Secret holds now. Vault cannot tell: it keeps no time of a token's last use.

A container reads its environment once, when it starts. So the new token is in use when the Deployment has rolled out,
is ready, and every container of it that reads the Secret started after the Secret was written. Pods that are being
deleted count as well: until they are gone they still use what they started with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import apps, core
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.observe import label_selector
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import AGAIN, RESTART_FOR, mark
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.rollout import verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Consumer,
    ConsumerState,
    Login,
    Place,
)

Pod = Mapping[str, Any]


def look(kube: KubeClient, consumer: Consumer, secret: SecretState, place: Place) -> ConsumerState:
    """Whether the Deployment was seen to run with what the Secret holds now, or why that is not known."""
    try:
        doubt = _doubt(kube, consumer, secret, place)
    except ForbiddenError as refusal:
        doubt = f"{refusal.address} cannot be looked at: {refusal.answered}"
    return ConsumerState(consumer, proven=not doubt, why=doubt)


def _doubt(kube: KubeClient, consumer: Consumer, secret: SecretState, place: Place) -> str:
    """Why it is not known; empty when it is."""
    deployment = kube.get(apps(consumer.namespace, "deployments", consumer.deployment))
    if deployment is None:
        return f"there is no {consumer}"
    readers = reading(deployment, place) if consumer.namespace == place.namespace else ()
    if not readers:
        return f"no container of {consumer} reads {place}"
    rollout = verdict(deployment)
    if rollout.state != "complete":
        return f"{consumer} has not rolled out: {rollout.message}"
    selector = label_selector(deployment["spec"].get("selector") or {})
    pods = kube.list(core(consumer.namespace, "pods"), label_selector=selector)
    older = tuple(sorted(_older(pods, readers, secret)))
    if older:
        return f"{', '.join(older)} of {consumer} may still run with what the Secret held before"
    return "" if any(_ready(pod) for pod in pods) else f"no pod of {consumer} is ready"


def reading(deployment: Mapping[str, Any], place: Place) -> tuple[str, ...]:
    """Names of the containers that get the key from the Secret, by environment or by a mounted file."""
    pod = deployment["spec"]["template"]["spec"]
    volumes = {str(volume.get("name")) for volume in pod.get("volumes") or () if _from_secret(volume, place.secret)}
    return tuple(
        str(container["name"])
        for container in pod.get("containers") or ()
        if any((source.get("secretRef") or {}).get("name") == place.secret for source in container.get("envFrom") or ())
        or any(_refers(entry, place) for entry in container.get("env") or ())
        or any(str(one.get("name")) in volumes for one in container.get("volumeMounts") or ())
    )


def unfit_to_log_in(kube: KubeClient, consumers: tuple[Consumer, ...], login: Login) -> tuple[str, ...]:
    """Why pods of the Deployments cannot log in, one sentence each: another account, or no token for the audience."""
    found = []
    for consumer in consumers:
        deployment = kube.get(apps(consumer.namespace, "deployments", consumer.deployment))
        if deployment is None:
            found.append(f"there is no {consumer}")
            continue
        pod = deployment["spec"]["template"]["spec"]
        account = pod.get("serviceAccountName") or "default"
        if account != login.service_account:
            found.append(f"{consumer} runs as service account {account}")
        audiences = _projected(pod)
        # What is mounted without being asked for is made for the API server, and for nobody else.
        if login.audience is not None and login.audience not in audiences:
            found.append(f"{consumer} projects no service account token for the audience {login.audience}")
        elif not audiences and pod.get("automountServiceAccountToken") is False:
            found.append(f"{consumer} mounts no service account token")
    return tuple(found)


def _projected(pod: Mapping[str, Any]) -> set[str]:
    """Audiences of the projected service account tokens; empty text for the API server's own."""
    sources = [part for one in pod.get("volumes") or () for part in (one.get("projected") or {}).get("sources") or ()]
    tokens = [part["serviceAccountToken"] for part in sources if part.get("serviceAccountToken")]
    return {str(token.get("audience") or "") for token in tokens}


def _refers(entry: Mapping[str, Any], place: Place) -> bool:
    reference = (entry.get("valueFrom") or {}).get("secretKeyRef") or {}
    return (reference.get("name"), reference.get("key")) == (place.secret, place.key)


def _from_secret(volume: Mapping[str, Any], secret: str) -> bool:
    parts = (volume.get("projected") or {}).get("sources") or ()
    names = [
        (volume.get("secret") or {}).get("secretName"),
        *((part.get("secret") or {}).get("name") for part in parts),
    ]
    return secret in names


def _older(pods: list[dict[str, Any]], readers: tuple[str, ...], secret: SecretState) -> Iterator[str]:
    """Pods that are not known to have started after the Secret was written.

    Both times have whole seconds and come from two clocks, so the same second proves nothing. The mark of the pod
    template does: it is made from the very data.
    """
    part = mark([secret])
    written = datetime.fromisoformat(secret.data_written) if secret.data_written else None
    for pod in pods:
        if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
            continue
        marked = ((pod["metadata"].get("annotations") or {}).get(RESTART_FOR) or "").removesuffix(AGAIN).split(",")
        if part in marked:
            continue
        started = [_started(pod, name) for name in readers]
        if written is None or any(time is not None and time <= written for time in started):
            yield f"pod {pod['metadata'].get('name')}"


def _started(pod: Pod, container: str) -> datetime | None:
    """When the container started; ``None`` if it does not run, and so will read what is there when it does."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        running = (status.get("state") or {}).get("running") or {}
        if status.get("name") == container and running.get("startedAt"):
            return datetime.fromisoformat(running["startedAt"])
    return None


def _ready(pod: Pod) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions) and not pod[
        "metadata"
    ].get("deletionTimestamp")
