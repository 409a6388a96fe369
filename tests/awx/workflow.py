# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workflow as AWX walks it: a node starts when one that leads to it has ended in that way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.awx.lists import NODES, Item


@dataclass(frozen=True)
class Walked:
    """What was started, in order, and how each ended.

    :param failed: whether the workflow has: a node failed, and no edge says what to do then.
    """

    ended: tuple[tuple[str, bool], ...]
    failed: bool


def walk(workflow: Item, run: Callable[[str], bool], approve: Callable[[Item], bool]) -> Walked:
    """Walk a workflow from the nodes that nothing leads to.

    :param run: runs a template by name, and says whether it succeeded.
    :param approve: the answer to a node for approval; none in time is a no.
    """
    nodes = {node["identifier"]: node for node in workflow[NODES]}
    edges = {
        name: {edge: node.get(f"{edge}_nodes", []) for edge in ("success", "failure", "always")}
        for name, node in nodes.items()
    }
    led_to = {name for found in edges.values() for names in found.values() for name in names}
    pending = [name for name in nodes if name not in led_to]
    ended: list[tuple[str, bool]] = []
    failed = False
    while pending:
        name = pending.pop(0)
        node = nodes[name]
        good = approve(node["approval_node"]) if "approval_node" in node else run(node["unified_job_template"])
        ended.append((name, good))
        follow = edges[name]["always"] + edges[name]["success" if good else "failure"]
        failed = failed or (not good and not follow)
        pending += [one for one in follow if one not in {before for before, _ in ended} | set(pending)]
    return Walked(tuple(ended), failed)
