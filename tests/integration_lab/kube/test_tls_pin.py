# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config_mounts without any content: the existing ConfigMap, the pin, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import k8s_deployment_env as work

from tests.integration_lab.kube.conftest import NAMESPACE, World, item
from tests.unit.kube.tls_certificates import authority, server
from tests.unit.kube.tls_servers import tls_server

pytestmark = pytest.mark.lab
ROOT = authority()


def mounted(world: World, port: int, **given: Any) -> Any:
    mount = world.mount(content=None, verify_url=f"https://127.0.0.1:{port}", **given)
    return world.wanted(config_mounts=[mount])


def stored(world: World) -> str:
    return str(world.api.get("configmaps", "vault-ca", NAMESPACE)["data"]["ca.crt"])


def test_the_pinned_root_is_written_and_the_next_run_changes_nothing(world: World) -> None:
    with tls_server(server(ROOT).context(ROOT)) as port:
        wanted = mounted(world, port, pin_sha256=ROOT.fingerprint)
        predicted = item(world.check(wanted), "config/vault-ca")
        assert (predicted.status, predicted.action) == ("drifted", "update")
        assert "pinned" in predicted.reason
        assert world.repair(wanted).changed
        assert stored(world) == ROOT.pem
        assert not world.repair(wanted).changed


def test_another_root_than_the_pinned_one_is_blocked_and_nothing_is_written(world: World) -> None:
    before = stored(world)
    with tls_server(server(ROOT).context(ROOT)) as port:
        wanted = mounted(world, port, pin_sha256=authority("Other").fingerprint)
        found = item(world.check(wanted), "config/vault-ca")
        with pytest.raises(work.NotAppliedError):
            world.repair(wanted)
    assert (found.status, found.action) == ("blocked", "none")
    assert ROOT.fingerprint not in found.reason + found.hint
    assert stored(world) == before


def test_without_content_and_pin_the_config_map_that_proves_the_server_stays(world: World) -> None:
    wanted = world.wanted(config_mounts=[world.mount(content=None)])
    assert item(world.check(wanted), "config/vault-ca").status == "in_sync"
    world.api.delete("configmaps", "vault-ca", NAMESPACE)
    found = item(world.check(wanted), "config/vault-ca")
    assert found.status == "blocked"
    assert "pin_sha256" in found.hint


@pytest.mark.parametrize("given", [{"pin_sha256": "AB:CD"}, {"pin_sha256": ROOT.fingerprint, "verify_url": None}])
def test_a_pin_that_cannot_be_is_refused_at_once(world: World, given: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match="pin_sha256"):
        world.wanted(config_mounts=[world.mount(content=None, **given)])
