# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab.kubelet --config FILE``: runs until SIGTERM; its processes end with it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from lab.cluster import kubeconfig
from lab.cluster.api import Api
from lab.errors import LabError
from lab.kubelet import config as settings
from lab.kubelet.node import Node
from lab.kubelet.proxy import Proxy
from lab.kubelet.registration import Registration

START_SECONDS = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.kubelet", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON, see lab/kubelet/config.py")
    parser.add_argument(
        "--only-scheduler", help="on a cluster with nodes of its own: take only unbound pods that name this scheduler"
    )
    given = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        return _serve(given.config, given.only_scheduler, stop)
    except (LabError, OSError) as error:
        print(f"kubelet: {error}", file=sys.stderr)
        return 1


def _serve(file: Path, only_scheduler: str | None, stop: threading.Event) -> int:
    first = settings.read(file)
    api = Api(kubeconfig.read(first.kubeconfig), user_agent="kubelet")
    node = Node(api, lambda: settings.read(file), only_scheduler=only_scheduler)
    Proxy(node, first.services).start()
    # A cluster that has a scheduler has controllers of nodes too.
    registration = Registration(api, first.node) if only_scheduler is not None else None
    if registration is not None:
        registration.start()
    node.start()
    if not node.wait_synced(START_SECONDS):
        raise LabError(f"{api.server} did not list pods, secrets and configmaps within {START_SECONDS:.0f} s")
    print("ready", flush=True)
    stop.wait()
    node.stop()
    if registration is not None:
        registration.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
