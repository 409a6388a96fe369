# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every link of an import with every toxic on it: it ends in time, stores nothing wrong, and the next one finishes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.orders.kills import Undisturbed, at_its_end
from tests.chaos.orders.stage import Scenario, Stage, report, search
from tests.chaos.orders.toxics import Link, Links, Toxic

SHORT: Mapping[str, Any] = {"amazon_timeout": 2, "pg_connect_timeout": 3, "wait_budget": 2}
LIMIT = 30.0
"""Seconds after which an import counts as hanging: all its tries and waits together are shorter."""
LINKS = ("lwa", "api", "download", "postgres")
HARMLESS = (
    Toxic("latency", seconds=0.01),
    Toxic("bandwidth", size=200_000),
    Toxic("slicer", size=200, seconds=0.0005),
    Toxic("slow_close", seconds=0.3),
)
HARMFUL = ("timeout", "lost", "reset_peer", "limit_data", "down")
MOMENTS = (0.0, 0.35, 0.8)
"""Shares of the bytes that pass a link in an undisturbed import, after which a toxic begins."""
FEWER: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("search", "lwa"): (0.35,),
    ("report", "lwa"): (),
    ("report", "api"): (0.6,),
    ("report", "postgres"): (0.35, 0.7),
}
"""Where the same code was met before: each cell of a black hole takes the time of its tries."""
CLOSED_AFTER = 4.0
"""Seconds after which a black hole before PostgreSQL closes. One that acknowledges everything and never closes is
beyond what TCP can tell from a slow server."""


@dataclass
class FourLinks:
    """The four links of an import."""

    links: Links
    by_name: dict[str, Link]
    options: dict[str, Any]
    download_at: str

    def heal(self) -> None:
        """No toxic on any."""
        for link in self.by_name.values():
            link.heal()


@dataclass
class NetworkTally:
    """What came out. ``cells`` is link, toxic and moment to how the import ended and how long it took."""

    cells: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0
    hung: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@contextlib.contextmanager
def four_links(stage: Stage) -> Iterator[FourLinks]:
    """Proxies before LWA, the API, the documents and PostgreSQL."""
    amazon = urlsplit(stage.world.amazon.endpoint).port or 443
    links = Links()
    try:
        made = {name: links.link(stage.world.database.port if name == "postgres" else amazon) for name in LINKS}
        options = {
            "amazon_lwa_url": f"https://127.0.0.1:{made['lwa'].port}/auth/o2/token",
            "amazon_endpoint": f"https://127.0.0.1:{made['api'].port}",
            "pg_host": "127.0.0.1",
            "pg_port": made["postgres"].port,
        }
        yield FourLinks(links, made, options, f"127.0.0.1:{made['download'].port}")
    finally:
        links.close()


def scenarios() -> tuple[Scenario, Scenario]:
    """Both sources, in pages small enough that a link has a middle."""
    return search(20), report(10)


class Matrix:
    """All cells of links and toxics."""

    def __init__(self, stage: Stage, links: FourLinks, tally: NetworkTally) -> None:
        self.stage, self.links, self.tally = stage, links, tally
        self._known: dict[str, Undisturbed] = {}
        self._bytes: dict[tuple[str, str], int] = {}

    def run(self) -> None:
        """Every cell."""
        for scenario in scenarios():
            self.measure(scenario)
            for link in LINKS:
                moments = FEWER.get((scenario.name, link), MOMENTS)
                if not self._bytes[scenario.name, link] or not moments:
                    continue
                for toxic in HARMLESS if scenario.source == "search" or link == "download" else ():
                    self.cell(scenario, link, toxic, harmless=True)
                for name in HARMFUL:
                    for share in moments:
                        after = int(self._bytes[scenario.name, link] * share)
                        seconds = CLOSED_AFTER if link == "postgres" else 0.0
                        self.cell(scenario, link, Toxic(name, after=after, seconds=seconds), share=share)

    def _order(self, scenario: Scenario) -> dict[str, Any]:
        return {
            "settings": {**scenario.settings, "download_at": self.links.download_at, "short_probes": True},
            "limit": LIMIT,
        }

    def _params(self, scenario: Scenario) -> dict[str, Any]:
        return self.stage.params(scenario, **self.links.options, **SHORT)

    def measure(self, scenario: Scenario) -> None:
        """Import once without any toxic: what passes each link, and what has to come out."""
        self.links.heal()
        self.stage.begin(scenario)
        ended = self.stage.nursery.run(self._params(scenario), **self._order(scenario))
        assert ended.well, ended.error
        for name, link in self.links.by_name.items():
            self._bytes[scenario.name, name] = link.passed
        self._known[scenario.name] = Undisturbed(self.stage.standing(), self.stage.calls(), ended.passed, ended.seconds)
        assert not self.stage.whole(scenario.source)

    def passed(self, scenario: Scenario, link: str) -> int:
        """Bytes of answers on that link in an undisturbed import."""
        return self._bytes[scenario.name, link]

    def cell(self, scenario: Scenario, link: str, toxic: Toxic, *, share: float = 0.0, harmless: bool = False) -> None:
        """One toxic on one link, then without it once more."""
        stage, label = self.stage, f"{scenario.name}: {link} {toxic.name} after {share:.0%}"
        self.links.heal()
        stage.alone()
        stage.begin(scenario)
        self.links.by_name[link].poison(toxic)
        ended = stage.nursery.run(self._params(scenario), **self._order(scenario))
        met = self.links.by_name[link].met
        self.links.heal()
        stage.alone()
        wrong, standing = [], stage.standing()
        wrong += stage.partly(scenario.source, standing)
        if ended.hung:
            self.tally.hung.append(label)
            wrong.append(f"it hung for {LIMIT:.0f} s, in: {ended.error}")
        elif ended.kind == "CRASH" or (harmless and not ended.well):
            wrong.append(f"it failed: {ended.kind} {ended.error}")
        if not met and toxic.name != "slow_close":
            wrong.append("the toxic met nothing")
        self.tally.cells[label] = f"{'completed' if ended.well else ended.kind} in {ended.seconds:.1f} s"
        self.tally.slowest = max(self.tally.slowest, ended.seconds)
        wrong += self._healed(scenario, standing.complete, standing.pages)
        self.tally.wrong += [f"{label}: {one}" for one in wrong]

    def _healed(self, scenario: Scenario, complete: bool, pages: int) -> list[str]:
        stage = self.stage
        stage.world.amazon.admin.clear_requests()
        again = stage.nursery.run(self._params(scenario), **self._order(scenario))
        known, wrong = self._known[scenario.name], []
        wrong += at_its_end(stage, scenario, known, again)
        if scenario.source == "search":
            left = 0 if complete else known.standing.pages - pages
            asked = stage.calls()["searchOrders"]
            if asked != left:
                wrong.append(f"{left} pages were left to read, and {asked} were read")
        return wrong
