# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of mounted files and of restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import ConfigMapState, Content
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.pods import started_before
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import (
    CHECKSUM_KEY,
    CONFIG_CHECKSUM,
    RESTART_FOR,
    mark,
    pods_needed,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls import Probe

from tests.unit.kube.looks import (
    MOUNT,
    MOUNTED,
    VOLUME,
    absent_source,
    acting,
    applied,
    container_of,
    deployment,
    item,
    observed,
    secret,
    unreadable,
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


# -- restarts -----------------------------------------------------------------
RESTART = wanted(restart_for=[{"secret": "t"}])
LATER = "2026-01-02T00:00:00Z"


def pod(started: str, name: str = "web-1", container: str = "web", **metadata: Any) -> dict[str, Any]:
    status = {"name": container, "state": {"running": {"startedAt": started}}}
    return {"metadata": {"name": name, **metadata}, "status": {"phase": "Running", "containerStatuses": [status]}}


def token(data: str = "one", *, key: str | None = "k", written: str = LATER) -> Any:
    annotations = {CHECKSUM_KEY: key} if key else {}
    return {("secret", "t"): secret("t", {"T": data}, annotations=annotations, data_written=written)}


def marked(value: str) -> dict[str, Any]:
    made = deployment()
    made["spec"]["template"]["metadata"]["annotations"] = {RESTART_FOR: value}
    return made


def state(sources: Any) -> SecretState:
    found: SecretState = sources["secret", "t"].secret
    return found


@pytest.mark.parametrize(("started", "status"), [("2026-01-01T23:59:59Z", "stale"), (LATER, "in_sync")])
def test_without_a_mark_the_age_of_the_container_decides(started: str, status: str) -> None:
    look = observed(sources=token(), pods=(pod(started),))
    assert item(plan(look, RESTART).items, "restart").status == status


def test_a_mark_that_matches_needs_no_pods_and_one_that_differs_restarts() -> None:
    sources = token()
    same = observed(deployment=marked(mark([state(sources)])), sources=sources)
    assert item(plan(same, RESTART).items, "restart").status == "in_sync"
    assert not pods_needed(same, RESTART)
    other = observed(deployment=marked(mark([state(token("two"))])), sources=sources)
    made = plan(other, RESTART)
    assert acting(made) == {"restart"}
    after = applied(other, made)
    assert after["spec"]["template"]["metadata"]["annotations"] == {RESTART_FOR: mark([state(sources)])}
    assert not plan(observed(deployment=after, sources=sources), RESTART).patch


def test_the_mark_is_keyed_and_without_a_key_holds_nothing_of_the_data() -> None:
    assert mark([state(token("one"))]) != mark([state(token("two"))])
    assert mark([state(token("one"))]) != mark([state(token("one", key="other"))])
    assert mark([state(token("one", key=None))]) == mark([state(token("two", key=None))])
    assert mark([state(token(key=None))]) != mark([state(token(key=None, written="2026-01-03T00:00:00Z"))])


def test_data_older_than_the_deployment_need_no_look_at_pods() -> None:
    assert not pods_needed(observed(sources=token(written="2025-12-31T00:00:00Z")), RESTART)
    assert pods_needed(observed(sources=token()), RESTART)


def test_a_change_for_another_reason_carries_the_mark() -> None:
    sources = token(written="2025-12-31T00:00:00Z")
    look = observed(sources=sources)
    made = plan(look, replace(RESTART, env=wanted(env=[{"name": "A", "value": "1"}]).env))
    assert acting(made) == {"env/A"}
    assert applied(look, made)["spec"]["template"]["metadata"]["annotations"] == {RESTART_FOR: mark([state(sources)])}


def test_a_secret_that_will_be_written_predicts_a_restart_even_if_it_is_not_there_yet() -> None:
    want = wanted(restart_for=[{"secret": "t", "will_change": True}])
    for sources in (token(written="2025-12-31T00:00:00Z"), {("secret", "t"): absent_source("t")}):
        assert item(plan(observed(sources=sources), want).items, "restart").action == "restart"


def test_a_secret_that_is_missing_or_unreadable_is_not_green() -> None:
    missing = plan(observed(sources={("secret", "t"): absent_source("t")}), RESTART)
    assert item(missing.items, "restart").status == "blocked"
    unread = plan(observed(sources={("secret", "t"): unreadable("t")}), RESTART)
    assert item(unread.items, "restart").status == "unknown"


def test_a_changed_ca_restarts_although_the_mark_already_stands_for_it() -> None:
    first = mounted(config=ConfigMapState(True, {"ca.crt": "bad"}))
    made = plan(first, WANT)
    assert acting(made) == {"config/ca", "restart"}
    after = applied(first, made)
    value = after["spec"]["template"]["metadata"]["annotations"][CONFIG_CHECKSUM]
    second = with_config(deployment=after, config=ConfigMapState(True, {"ca.crt": "bad"}))
    again = applied(second, plan(second, WANT))["spec"]["template"]["metadata"]["annotations"][CONFIG_CHECKSUM]
    assert again == f"{value}.again"
    third = with_config(deployment=applied(second, plan(second, WANT)))
    assert not plan(third, WANT).patch


def test_only_running_containers_of_that_name_that_started_earlier_are_old() -> None:
    found = (
        pod("2026-01-01T00:00:00Z", "old"),
        pod("2026-01-03T00:00:00Z", "new"),
        pod("2026-01-01T00:00:00Z", "sidecar", container="proxy"),
        pod("2026-01-01T00:00:00Z", "leaving", deletionTimestamp=LATER),
        {"metadata": {"name": "waiting"}, "status": {"containerStatuses": [{"name": "web", "state": {"waiting": {}}}]}},
    )
    assert started_before(found, "web", LATER) == ("old",)


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


def test_a_ca_written_before_a_lost_race_still_restarts_the_pods() -> None:
    first = with_config(
        deployment=deployment(MOUNTED, volumes=[VOLUME]), config=ConfigMapState(True, {"ca.crt": "old"})
    )
    marked = applied(first, plan(first, WANT))
    look = with_config(deployment=marked)  # the mark stands for the wanted content, which is there by now
    assert not plan(look, WANT).patch
    again = plan(look, WANT, written={"ca"})
    assert acting(again) == {"restart"}
    assert applied(look, again)["spec"]["template"]["metadata"]["annotations"][CONFIG_CHECKSUM].endswith(".again")
