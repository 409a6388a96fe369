# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of restarts: which pods run with outdated data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import ConfigMapState
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.pods import started_before
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import (
    CHECKSUM_KEY,
    CONFIG_CHECKSUM,
    RESTART_FOR,
    mark,
    pods_needed,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import DATA_WRITTEN, SecretState, _later

from tests.unit.kube.looks import (
    MOUNT,
    MOUNTED,
    VOLUME,
    absent_source,
    acting,
    applied,
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


# -- what a run that was killed leaves behind -----------------------------------
def killed_between(started: str, *, mark: bool = True, **metadata: Any) -> Any:
    """The ConfigMap is mended, the Deployment was not patched: its mark stands for the wanted content anyway."""
    made = deployment(MOUNTED, volumes=[VOLUME])
    annotations: dict[str, str] = {}
    if mark:
        first = with_config(deployment=made, config=ConfigMapState(True, {"ca.crt": "old"}))
        annotations = applied(first, plan(first, WANT))["spec"]["template"]["metadata"]["annotations"]
        made["spec"]["template"]["metadata"]["annotations"] = annotations
    config = ConfigMapState(True, {"ca.crt": "CA"}, data_written=LATER, uid="c")
    older = pod(started, annotations=metadata.pop("annotations", annotations), **metadata)
    return with_config(deployment=made, config=config, pods=(older,))


@pytest.mark.parametrize("mark", [True, False])
def test_pods_older_than_the_mended_config_map_are_stale_although_everything_matches(mark: bool) -> None:
    look = killed_between("2026-01-01T23:59:59Z", mark=mark)
    assert pods_needed(look, WANT)
    made = plan(look, WANT)
    assert acting(made) == {"restart"}
    assert "was written after web-1 started" in item(made.items, "restart").reason
    after = applied(look, made)
    value = after["spec"]["template"]["metadata"]["annotations"][CONFIG_CHECKSUM]
    assert value.endswith(".again") is mark
    # The same pods while the rollout replaces them: they are of an older template, and nothing is done twice.
    assert not plan(replace(look, deployment=after), WANT).patch
    new = replace(look, deployment=after, pods=(pod(LATER, annotations={CONFIG_CHECKSUM: value}),))
    assert not plan(new, WANT).patch


def test_pods_that_started_after_the_write_are_current() -> None:
    assert not plan(killed_between(LATER), WANT).patch


def test_a_pod_created_after_the_write_is_current_whatever_its_nodes_clock_says() -> None:
    assert not plan(killed_between("2026-01-01T23:59:59Z", creationTimestamp=LATER), WANT).patch


def test_pods_that_may_not_be_listed_are_unknown_and_not_green() -> None:
    look = replace(killed_between(LATER), pods=None, pods_problem="Pods of ns: the caller may not list it (HTTP 403)")
    found = item(plan(look, WANT).items, "restart")
    assert (found.status, found.hint) == ("unknown", "Allow list on pods.")


# -- data that were away and came back ------------------------------------------
def written_by(manager: str, time: str, data: str = "one") -> Any:
    """The Secret with the data it was marked with, last written by ``manager``."""
    fields = {"f:data": {".": {}, "f:T": {}}}
    metadata = {"managedFields": [{"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}]}
    made = secret("t", {"T": data}, annotations={CHECKSUM_KEY: "k"}, data_written=time, metadata=metadata)
    return {("secret", "t"): made}


def test_data_that_somebody_put_back_restart_the_pods_that_started_meanwhile() -> None:
    value = mark([state(written_by("kubectl-edit", LATER))])
    old = pod("2026-01-01T23:59:59Z", annotations={RESTART_FOR: value})
    look = observed(deployment=marked(value), sources=written_by("kubectl-edit", LATER), pods=(old,))
    assert pods_needed(look, RESTART)
    made = plan(look, RESTART)
    assert acting(made) == {"restart"}
    after = applied(look, made)
    again = after["spec"]["template"]["metadata"]["annotations"][RESTART_FOR]
    assert again == f"{value}.again"
    new = replace(look, deployment=after, pods=(pod(LATER, annotations={RESTART_FOR: again}),))
    assert not plan(new, RESTART).patch


def test_our_own_notes_on_the_secret_move_its_time_and_restart_nothing() -> None:
    value = mark([state(written_by("keybuzz-amazon", LATER))])
    old = pod("2026-01-01T23:59:59Z", annotations={RESTART_FOR: value})
    look = observed(deployment=marked(value), sources=written_by("keybuzz-amazon", LATER), pods=(old,))
    assert not pods_needed(look, RESTART)
    assert not plan(look, RESTART).patch


def test_our_own_write_of_the_same_data_changes_the_mark() -> None:
    first, second = (
        secret("t", {"T": "one"}, annotations={CHECKSUM_KEY: "k", DATA_WRITTEN: time}).secret
        for time in ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.000Z")
    )
    assert first is not None and second is not None
    assert mark([first]) != mark([second])


# -- what else is written there -------------------------------------------------
def test_a_note_on_the_secret_after_reloader_acted_restarts_nothing() -> None:
    """The time in managedFields moves with each of our notes; the one we noted does not."""
    made = deployment({"env": [{"name": "STAKATER_T_SECRET", "value": "hash"}]})
    made["metadata"]["annotations"] = {"secret.reloader.stakater.com/reload": "t"}
    env = {'k:{"name":"STAKATER_T_SECRET"}': {".": {}, "f:name": {}, "f:value": {}}}
    tree = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:env": env}}}}}}
    made["metadata"]["managedFields"] = [
        {"manager": "Reloader", "operation": "Update", "time": LATER, "fieldsV1": tree},
    ]
    annotations = {CHECKSUM_KEY: "k", DATA_WRITTEN: "2026-01-01T23:59:59.500Z"}
    noted = secret("t", {"T": "one"}, annotations=annotations, data_written="2026-01-02T00:00:09Z")
    look = observed(deployment=made, sources={("secret", "t"): noted}, pods=(pod(LATER),))
    assert item(plan(look, RESTART).items, "restart").status == "in_sync"
    assert item(plan(replace(look, deployment=deployment()), RESTART).items, "restart").status == "in_sync"


@pytest.mark.parametrize("noted", ["", "1999", "what a person wrote", "2999-01-01T00:00:00.000Z"])
def test_a_note_that_cannot_be_so_leaves_the_servers_own_time(noted: str) -> None:
    wrong = secret("t", {"T": "one"}, annotations={DATA_WRITTEN: noted}, data_written=LATER)
    for started, status in (("2026-01-01T23:59:59Z", "stale"), (LATER, "in_sync")):
        look = observed(sources={("secret", "t"): wrong}, pods=(pod(started),))
        assert item(plan(look, RESTART).items, "restart").status == status


def test_what_reloader_left_is_restarted_although_an_earlier_run_marked_the_same_data() -> None:
    sources = token(written=LATER)
    value = mark([state(sources)])
    made = marked(value)
    made["metadata"]["annotations"] = {"secret.reloader.stakater.com/reload": "t"}
    old = pod("2026-01-01T23:59:59Z", annotations={RESTART_FOR: value})
    look = observed(deployment=made, sources=sources, pods=(old,))
    assert plan(look, RESTART).awaits_reloader
    insisting = plan(look, RESTART, stage="insist")
    assert applied(look, insisting)["spec"]["template"]["metadata"]["annotations"] == {RESTART_FOR: f"{value}.again"}


def test_another_key_of_a_shared_config_map_restarts_nothing() -> None:
    entries = [
        {"manager": "keybuzz-amazon", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:data": {"f:ca.crt": {}}}},
        {"manager": "kubectl-edit", "time": LATER, "fieldsV1": {"f:data": {"f:other": {}}}},
    ]
    shared = ConfigMapState(True, {"ca.crt": "CA"}, data_written=LATER, uid="c", metadata={"managedFields": entries})
    look = replace(killed_between("2026-01-01T12:00:00Z"), config_maps={"ca": shared})
    assert not pods_needed(look, WANT)
    assert not plan(look, WANT).patch


@pytest.mark.parametrize(
    ("noted", "now"),
    [
        ("", "2026-01-01T00:00:05.000Z"),
        ("what a person wrote", "2026-01-01T00:00:05.000Z"),
        ("2026-01-01", "2026-01-01T00:00:05.000Z"),
        ("2026-01-01T00:00:04.900Z", "2026-01-01T00:00:05.000Z"),
        ("2026-01-01T00:00:05.000Z", "2026-01-01T00:00:05.001Z"),
    ],
)
def test_no_two_writes_are_noted_with_the_same_time(noted: str, now: str) -> None:
    assert _later(datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC), noted) == now
