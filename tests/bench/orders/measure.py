# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator with a standing clock and a book of orders, and one measurement of a loop against it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.amazon.procedural import ProceduralOrders
from tests.bench.orders.peers import PROJECT, Peer
from tests.bench.orders.place import Place
from tests.lab.amazon_caller import SINCE, UNTIL
from tests.lab.amazon_process import FRANCE, Simulator, running_simulator

TENANT = "ecomlg-001"
LARGEST_ORDINARY_BOOK = 10_000
"""Orders that the simulator keeps as documents; larger books are made while they are read."""

TOO_LONG = "ended by the bench"
"""How the reason begins that a run has none but its length."""


@dataclass(frozen=True)
class Measured:
    """One run. ``throttle`` and ``generation`` in virtual seconds, ``real_seconds`` on this machine."""

    size: int
    orders: int
    items: int
    ended: str
    complete: bool
    throttle: float
    real_seconds: float
    peak_rss: int
    calls: dict[str, int]
    refused: dict[str, int]
    generation: float = 0.0
    computed: bool = False
    details: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def standing_simulator(
    directory: Path, sellers: Sequence[dict[str, Any]] | None = None, **settings: Any
) -> Iterator[Simulator]:
    """A simulator whose time passes only when it is told so, ended with the block."""
    directory.mkdir(parents=True, exist_ok=True)
    with running_simulator(directory, sellers, patience=300.0, clock={"speed": 0}, **settings) as simulator:
        yield simulator


def fill(simulator: Simulator, size: int) -> None:
    """Gives the seller a book of ``size`` orders in the window."""
    start, end = datetime.fromisoformat(SINCE), datetime.fromisoformat(UNTIL)
    simulator.admin.generate_orders(
        TENANT, size, start=start, end=end, replace=True, procedural=size > LARGEST_ORDINARY_BOOK
    )


def expected_items(simulator: Simulator, size: int) -> int:
    """Items of the book."""
    if size <= LARGEST_ORDINARY_BOOK:
        return sum(len(order["orderItems"]) for order in simulator.admin.orders(TENANT))
    made = ProceduralOrders.between(size, 1, datetime.fromisoformat(SINCE), datetime.fromisoformat(UNTIL))
    # Every order is one of some hundred that were drawn once.
    drawn = Counter(made.variant(index) for index in range(size))
    first = {made.variant(index): index for index in range(min(size, 20_000), -1, -1)}
    return sum(count * len(made.order(first[variant])["orderItems"]) for variant, count in drawn.items())


def fresh(simulator: Simulator) -> None:
    """Full buckets, an empty request log, the simulator's time back at the real one."""
    simulator.admin.clock(offset=0.0)
    simulator.admin.refill()
    simulator.admin.clear_requests()


def place(simulator: Simulator) -> Place:
    """Where a peer finds the simulator."""
    return Place(
        endpoint=simulator.endpoint,
        lwa_url=simulator.lwa_url,
        ca_file=str(simulator.ca_file),
        admin_url=simulator.admin_url,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
        refresh_token=simulator.refresh_tokens[TENANT],
        marketplace_id=FRANCE,
        since=SINCE,
        until=UNTIL,
    )


def journal(simulator: Simulator) -> tuple[dict[str, int], dict[str, int]]:
    """Calls by operation, and of these the ones that Amazon answered with 429."""
    calls: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for entry in simulator.admin.requests():
        calls[entry["operation"]] += 1
        refused[entry["operation"]] += entry["status"] == 429
    return dict(calls), {name: count for name, count in refused.items() if count}


def environment(simulator: Simulator) -> dict[str, str]:
    """A peer's environment: the simulator's authority for every HTTP library, and no proxy."""
    bundle = str(simulator.ca_file)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(simulator.log.parent),
        "PYTHONPATH": str(PROJECT),
        "NO_PROXY": "127.0.0.1",
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
    }


def run(simulator: Simulator, peer: Peer, size: int, *, limit: float, items: int) -> Measured | str:
    """One loop of one peer over the book; a sentence instead of figures where it did not end by itself.

    :param limit: real seconds it may take.
    :param items: items of the book.
    """
    fresh(simulator)
    began = datetime.fromisoformat(simulator.admin.state()["clock"]["now"])
    log = simulator.log.with_name(f"{peer.name}-{size}.log")
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [str(peer.python), "-m", "tests.bench.orders.peer_process", peer.loop],
            cwd=PROJECT,
            env=environment(simulator),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        started = time.monotonic()
        try:
            answer, _ = process.communicate(json.dumps(asdict(place(simulator))), timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return f"{TOO_LONG} after {time.monotonic() - started:.0f} s"
    if process.returncode != 0 or not answer:
        return f"its process ended with {process.returncode}: {last_line(log)}"
    found = json.loads(answer.splitlines()[-1])
    ended = datetime.fromisoformat(simulator.admin.state()["clock"]["now"])
    passed = (ended - began).total_seconds()
    if abs(passed - found["virtual_seconds"]) > 0.01:
        raise AssertionError(f"{peer.name}: slept {found['virtual_seconds']} s, the simulator saw {passed} s")
    calls, refused = journal(simulator)
    lost, short = size - found["orders"], found["items"] < items
    if found["error"]:
        how = f"gave up: {found['error']}"
    elif lost or short:
        how = f"lost {lost} orders" if lost else f"lost {items - found['items']} items"
    else:
        how = "complete"
    return Measured(
        size=size,
        orders=found["orders"],
        items=found["items"],
        ended=how,
        complete=how == "complete",
        throttle=found["virtual_seconds"],
        real_seconds=found["real_seconds"],
        peak_rss=found["peak_rss"],
        calls=calls,
        refused=refused,
        details={"repeated_rows": found["rows"] - found["orders"]},
    )


def last_line(log: Path) -> str:
    """The last line that a process wrote, cut to 100 characters."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[:100] for line in reversed(lines) if line.strip()), "it wrote nothing")
