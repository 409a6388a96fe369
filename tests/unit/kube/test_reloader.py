# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Reloader watches, by its annotations, and what it leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.reloader import (
    acted_since,
    wait_until_it_acts,
    watched,
)

from tests.unit.kube.looks import deployment, item, observed, secret, wanted

Object = dict[str, Any]
DOMAIN = "reloader.stakater.com"
CONTAINER: Object = {
    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "k"}}}],
    "envFrom": [{"secretRef": {"name": "two"}}, {"configMapRef": {"name": "settings"}}],
}
VOLUMES: list[Object] = [
    {"name": "v", "secret": {"secretName": "three"}},
    {"name": "w", "projected": {"sources": [{"configMap": {"name": "ca"}}, {"secret": {"name": "four"}}]}},
]
SECRETS = {("secret", name) for name in ("one", "two", "three", "four")}
MAPS = {("config_map", name) for name in ("settings", "ca")}


def look(annotations: Object, *, template: Object | None = None, **more: Any) -> Any:
    made = deployment(CONTAINER, volumes=VOLUMES)
    made["metadata"]["annotations"] = annotations
    made["spec"]["template"]["metadata"]["annotations"] = template or {}
    return observed(deployment=made, **more)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, set()),
        ({f"{DOMAIN}/auto": "true"}, SECRETS | MAPS),
        ({f"{DOMAIN}/auto": "false"}, set()),
        ({f"secret.{DOMAIN}/auto": "true"}, SECRETS),
        ({f"configmap.{DOMAIN}/auto": "true"}, MAPS),
        ({f"secret.{DOMAIN}/reload": "two, elsewhere"}, {("secret", "two"), ("secret", "elsewhere")}),
        ({f"configmap.{DOMAIN}/reload": "ca"}, {("config_map", "ca")}),
        (
            {f"{DOMAIN}/auto": "true", f"secrets.exclude.{DOMAIN}/reload": "one,two"},
            {("secret", "three"), ("secret", "four"), *MAPS},
        ),
        ({f"{DOMAIN}/auto": "true", f"{DOMAIN}/ignore": "true"}, set()),
    ],
)
def test_it_watches_what_the_annotations_say(annotations: Object, expected: set[Any]) -> None:
    assert watched(look(annotations)) == expected
    assert watched(look({}, template=annotations)) == expected


def test_a_secret_can_ask_to_be_found_or_to_be_left_alone() -> None:
    marked = {
        ("secret", "one"): secret("one", {}, annotations={f"{DOMAIN}/match": "true"}),
        ("secret", "two"): secret("two", {}, annotations={f"{DOMAIN}/ignore": "true"}),
    }
    assert watched(look({f"{DOMAIN}/search": "true"}, sources=marked)) == {("secret", "one")}
    assert ("secret", "two") not in watched(look({f"{DOMAIN}/auto": "true"}, sources=marked))


def test_its_trace_tells_whether_it_has_acted_since_the_secret_was_written() -> None:
    made = deployment({"env": [{"name": "STAKATER_VAULT_TOKEN_SECRET", "value": "hash"}]})
    env: Object = {'k:{"name":"STAKATER_VAULT_TOKEN_SECRET"}': {".": {}, "f:name": {}, "f:value": {}}}
    tree = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:env": env}}}}}}
    entry = {"manager": "Reloader", "operation": "Update", "time": "2026-01-02T00:00:10Z", "fieldsV1": tree}
    made["metadata"]["managedFields"] = [entry]
    found = observed(deployment=made)
    assert acted_since(found, ("secret", "vault-token"), "2026-01-02T00:00:10Z")
    assert not acted_since(found, ("secret", "vault-token"), "2026-01-02T00:00:11Z")
    assert not acted_since(found, ("secret", "other"), "2026-01-02T00:00:00Z")


def test_a_restart_that_is_its_business_is_left_to_it_until_it_fails_to_act() -> None:
    started = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [{"name": "web", "state": started}]}}
    sources = {("secret", "two"): secret("two", {"K": "v"}, data_written="2026-02-02T00:00:00Z")}
    found = look({f"{DOMAIN}/auto": "true"}, sources=sources, pods=(pod,))
    desired = wanted(restart_for=[{"secret": "two"}])
    waiting = plan(found, desired)
    assert (waiting.awaits_reloader, waiting.patch) == (True, ())
    assert item(waiting.items, "restart").action == "restart"
    assert "waited for first" in item(waiting.items, "restart").reason
    assert item(plan(found, desired, stage="done").items, "restart").status == "in_sync"
    insisting = plan(found, desired, stage="insist")
    assert insisting.patch and not insisting.awaits_reloader
    assert "did not, so they are restarted here" in item(insisting.items, "restart").reason
    alone = plan(look({}, sources=sources, pods=(pod,)), desired)
    assert alone.patch and not alone.awaits_reloader


def test_the_wait_ends_with_a_new_template_or_with_the_patience() -> None:
    templates = iter([{"a": 1}, {"a": 1}, {"a": 2}])
    seconds = iter(range(100))

    def read() -> Object:
        return {"spec": {"template": next(templates)}}

    assert wait_until_it_acts(read, {"a": 1}, clock=lambda: 0.0, pause=lambda _: None)
    assert not wait_until_it_acts(
        lambda: {"spec": {"template": {}}}, {}, clock=lambda: float(next(seconds)), pause=lambda _: None
    )
