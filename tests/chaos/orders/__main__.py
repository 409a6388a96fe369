# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.chaos.orders [PART...]``: an import of orders loses nothing and doubles nothing, whatever happens.

Figures go to ``build/evidence/orders.json`` and to a table; exit status 1 where anything is not as it has to be.
``CHAOS_SEED`` draws the random moments, ``CHAOS_KILLS`` says how many there are.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from tests.chaos import figures
from tests.chaos.orders import database, kills, network, rivals
from tests.chaos.orders.stage import Stage, on_stage

KILLS = 200
SHOWN = 20
"""Things that are not right, which are printed at most; all are in the file."""


class Proof:
    """What is found out, part by part."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.seed = seed
        self.rows: list[tuple[str, str, str, int, float]] = []
        self.figures: dict[str, Any] = {}
        self.wrong: list[str] = []
        self.kills: Counter[str] = Counter()
        self.refetched: Counter[int] = Counter()

    def note(self, what: str, done: str, refetched: str, wrong: Sequence[str], started: float) -> None:
        """One row of the table, printed at once."""
        row = (what, done, refetched, len(wrong), time.monotonic() - started)
        self.rows.append(row)
        self.wrong += wrong
        print(f"{what:<42} {done:<46} {refetched:<22} {len(wrong):>5} {row[4]:>7.1f}", flush=True)

    def kills_everywhere(self) -> None:
        """SIGKILL at every point."""
        places = 0
        for scenario, most in kills.scenarios():
            started, tally = time.monotonic(), kills.Tally()
            found = kills.killed_everywhere(self.stage, scenario, tally, most=most)
            places += found
            done = f"{sum(tally.kills.values())} kills at {len(tally.kills)} points"
            done += f", {tally.refused} held off" if tally.refused else ""
            self._add(tally)
            self.note(scenario.name, done, _times(tally.refetched), tally.wrong, started)
        started, tally = time.monotonic(), kills.Tally()
        kills.killed_in_flight(self.stage, tally)
        self._add(tally)
        done = f"{sum(tally.kills.values())} kills during {len(tally.kills)} calls"
        self.note("calls on their way", done, _times(tally.refetched), tally.wrong, started)
        self.figures |= {"points": len(self.kills), "kills": sum(self.kills.values())}

    def kills_at_random(self) -> None:
        """SIGKILL at random moments."""
        started, tally = time.monotonic(), kills.Tally()
        wanted = int(os.environ.get("CHAOS_KILLS", KILLS))
        done = kills.killed_at_random(self.stage, self.seed, wanted, tally)
        self.figures |= {"random_kills": done, "random_imports": tally.imports, "seed": self.seed}
        self._add(tally)
        self.note(
            "random moments", f"{done} kills of {tally.imports} imports", _times(tally.refetched), tally.wrong, started
        )

    def faults_of_the_network(self) -> None:
        """Every toxic on every link."""
        started, tally = time.monotonic(), network.NetworkTally()
        with network.four_links(self.stage) as links:
            network.Matrix(self.stage, links, tally).run()
        ended = Counter(how.partition(" ")[0] for how in tally.cells.values())
        done = f"{len(tally.cells)} cells, {ended['completed']} completed in spite of it"
        self.figures |= {"network_faults": len(tally.cells), "network": tally.cells, "network_hung": len(tally.hung)}
        self.note("links and toxics", done, f"slowest {tally.slowest:.0f} s", tally.wrong, started)

    def faults_of_the_database(self) -> None:
        """PostgreSQL goes away."""
        started, found = time.monotonic(), database.all_of_it(self.stage)
        answers = sum(found.lost_answers.values())
        self.figures |= {
            "server_stops": found.stops,
            "sessions_ended": found.ended_sessions,
            "commit_answers_lost": answers,
            "commit_answers_lost_of_pages": found.lost_answers["a page"],
        }
        self._add(found.tally)
        done = f"{found.stops} stops, {found.ended_sessions} ended sessions, {answers} lost COMMIT answers"
        self.note("PostgreSQL", done, _times(found.tally.refetched), found.tally.wrong, started)

    def two_at_once(self) -> None:
        """Rivals."""
        started, tally = time.monotonic(), rivals.Rivals(self.stage).all_of_it()
        self.figures |= {"second_imports_refused": tally.refused, "sleepers_woken": tally.woken}
        done = f"{tally.refused} refused, {tally.woken} woken too late"
        self.note("two imports of one tenant", done, "", tally.wrong, started)

    def _add(self, tally: kills.Tally) -> None:
        self.kills += tally.kills
        self.refetched += tally.refetched

    def evidence(self, seconds: float) -> dict[str, Any]:
        """All figures, as JSON types."""
        postgres = self.stage.query("SHOW server_version")[0][0]
        packages = ("psycopg2-binary", "httpx", "python-amazon-sp-api")
        return {
            **self.figures,
            "kills_by_point": kills.grouped(self.kills),
            "read_twice_by_imports": {str(times): count for times, count in sorted(self.refetched.items())},
            "versions": {
                "python": platform.python_version(),
                "postgresql": postgres.partition(" ")[0],
                **{name: version(name) for name in packages},
            },
            "parts": [list(row[:4]) for row in self.rows],
            "wrong": self.wrong,
            "all_equal": not self.wrong,
            "seconds": round(seconds),
        }


def _times(refetched: Counter[int]) -> str:
    return ", ".join(f"{count}×{times}" for times, count in sorted(refetched.items()))


PARTS: dict[str, Callable[[Proof], None]] = {
    "points": Proof.kills_everywhere,
    "random": Proof.kills_at_random,
    "network": Proof.faults_of_the_network,
    "database": Proof.faults_of_the_database,
    "rivals": Proof.two_at_once,
}


def main(parts: Sequence[str]) -> int:
    """The command."""
    unknown = set(parts) - set(PARTS)
    if unknown:
        print(f"unknown part {sorted(unknown)[0]!r}; known: {', '.join(PARTS)}")
        return 2
    seed = int(os.environ.get("CHAOS_SEED", "20260112"))
    started = time.monotonic()
    print(f"CHAOS_SEED={seed}")
    print(f"{'what':<42} {'done':<46} {'imports×read twice':<22} {'wrong':>5} {'s':>7}", flush=True)
    with on_stage() as stage:
        proof = Proof(stage, seed)
        for name in parts or PARTS:
            PARTS[name](proof)
        found = proof.evidence(time.monotonic() - started)
    if not parts:
        (figures.FOLDER / "orders.json").unlink(missing_ok=True)
        figures.record("orders", found)
    for line in proof.wrong[:SHOWN]:
        print(f"WRONG: {line}")
    verdict = "nothing lost, nothing doubled" if not proof.wrong else f"{len(proof.wrong)} things are not right"
    print(f"{verdict}, in {found['seconds']} s (CHAOS_SEED={seed})")
    return 1 if proof.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
