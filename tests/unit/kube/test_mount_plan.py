# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of mounted files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import ConfigMapState, Content
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import (
    CONFIG_CHECKSUM,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls import Probe

from tests.unit.kube.looks import (
    MOUNT,
    MOUNTED,
    VOLUME,
    acting,
    applied,
    container_of,
    deployment,
    item,
    wanted,
    with_config,
)

WANT = wanted(config_mounts=[MOUNT])


def mounted(**look: Any) -> Any:
    return with_config(deployment=deployment(MOUNTED, volumes=[VOLUME]), **look)


def test_a_mounted_file_with_the_wanted_content_is_in_sync() -> None:
    made = plan(mounted(), WANT)
    assert {one.status for one in made.items} == {"in_sync"}
    assert not made.patch
    assert not made.contents


def test_content_volume_and_mount_come_together_and_the_template_is_marked() -> None:
    look = with_config(config=ConfigMapState(False))
    made = plan(look, WANT)
    assert acting(made) == {"config/ca", "mount/ca"}
    assert made.contents == {"ca": {"ca.crt": "CA"}}
    after = applied(look, made)
    assert after["spec"]["template"]["spec"]["volumes"] == [VOLUME]
    assert container_of(after)["volumeMounts"] == MOUNTED["volumeMounts"]
    assert set(after["spec"]["template"]["metadata"]["annotations"]) == {CONFIG_CHECKSUM}


def test_a_mount_by_sub_path_is_replaced_by_the_directory() -> None:
    mounts = {"volumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "subPath": "ca.crt"}]}
    look = with_config(deployment=deployment(mounts, volumes=[VOLUME]))
    made = plan(look, WANT)
    assert item(made.items, "mount/ca").action == "update"
    assert container_of(applied(look, made))["volumeMounts"] == MOUNTED["volumeMounts"]


@pytest.mark.parametrize(
    ("volumes", "mounts", "words"),
    [
        ([{"name": "ca", "secret": {"secretName": "x"}}], [], "it is secret x"),
        ([{"name": "ca", "configMap": {"name": "other"}}], [], "it is configMap other"),
        ([{"name": "z", "emptyDir": {}}], [{"name": "z", "mountPath": "/etc/ca/"}], "taken by volume z"),
        ([{"name": "ca", "configMap": {"name": "ca", "items": [{"key": "a", "path": "a"}]}}], [], "only some keys"),
    ],
)
def test_a_name_or_path_that_belongs_to_something_else_is_refused(volumes: Any, mounts: Any, words: str) -> None:
    made = plan(with_config(deployment=deployment({"volumeMounts": mounts}, volumes=volumes)), WANT)
    assert item(made.items, "mount/ca").status == "blocked"
    assert words in item(made.items, "mount/ca").reason
    assert not made.patch


def test_other_content_of_an_immutable_config_map_is_refused() -> None:
    made = plan(mounted(config=ConfigMapState(True, {"ca.crt": "old"}, immutable=True)), WANT)
    assert item(made.items, "config/ca").status == "blocked"


def test_a_failed_handshake_holds_everything_back() -> None:
    contents = {"ca": Content("CA", probe=Probe("https://v", "expired", "CERT_HAS_EXPIRED"))}
    look = mounted(contents=contents)
    made = plan(look, replace(WANT, env=wanted(env=[{"name": "A", "value": "1"}]).env))
    config = item(made.items, "config/ca")
    assert config.status == "blocked"
    assert "has expired" in config.reason
    assert "CERT_HAS_EXPIRED" in config.reason
    assert acting(made) == set()
    assert not made.patch


def test_unknown_content_is_blocked_with_its_reason() -> None:
    made = plan(mounted(contents={"ca": Content(None, "The source does not exist.", "Create it.")}), WANT)
    assert (item(made.items, "config/ca").status, item(made.items, "config/ca").after) == ("blocked", "unknown")


def over_the_file(volume: str) -> Any:
    mount = {"name": volume, "mountPath": "/etc/ca/ca.crt", "subPath": "ca.crt"}
    container = {"volumeMounts": [*MOUNTED["volumeMounts"], mount]}
    other = {"name": "old", "secret": {"secretName": "old"}}
    return with_config(deployment=deployment(container, volumes=[VOLUME, other]))


def test_a_mount_over_the_file_alone_is_not_green() -> None:
    covered = item(plan(over_the_file("old"), WANT).items, "mount/ca")
    assert covered.status == "blocked"
    assert "covered by volume old" in covered.reason
    look = over_the_file("ca")
    made = plan(look, WANT)
    assert item(made.items, "mount/ca").status == "drifted"
    assert container_of(applied(look, made))["volumeMounts"] == MOUNTED["volumeMounts"]


# -- a volume or a mount that is there already ----------------------------------
def test_our_volume_with_another_config_map_is_switched_over() -> None:
    before = {"name": "ca", "configMap": {"name": "ca-of-before", "defaultMode": 420}}
    look = with_config(deployment=deployment(MOUNTED, volumes=[{"name": "z", "emptyDir": {}}, before]))
    made = plan(look, WANT)
    assert (item(made.items, "mount/ca").status, acting(made)) == ("drifted", {"mount/ca"})
    after = applied(look, made)
    mode = {"name": "ca", "configMap": {"name": "ca", "defaultMode": 420}}
    assert after["spec"]["template"]["spec"]["volumes"] == [{"name": "z", "emptyDir": {}}, mode]
    assert not plan(with_config(deployment=after), WANT).patch


def test_a_volume_that_a_sidecar_mounts_too_is_not_switched_over() -> None:
    made = deployment(MOUNTED, volumes=[{"name": "ca", "configMap": {"name": "other"}}])
    made["spec"]["template"]["spec"]["containers"].append({"name": "proxy", **MOUNTED})
    found = item(plan(with_config(deployment=made), WANT).items, "mount/ca")
    assert (found.status, found.reason) == ("blocked", "The volume name ca is taken: it is configMap other.")


def test_the_way_out_of_an_immutable_config_map_by_another_name_is_open() -> None:
    """What the hint of the refusal says: name another ConfigMap, and volume and mount follow."""
    look = with_config(deployment=deployment(MOUNTED, volumes=[VOLUME]))
    look = replace(look, config_maps={"ca-2": ConfigMapState(False)})
    want = wanted(config_mounts=[{**MOUNT, "config_map": "ca-2"}])
    made = plan(look, want)
    assert acting(made) == {"config/ca-2", "mount/ca"}
    assert made.contents == {"ca-2": {"ca.crt": "CA"}}
    assert applied(look, made)["spec"]["template"]["spec"]["volumes"] == [{"name": "ca", "configMap": {"name": "ca-2"}}]
