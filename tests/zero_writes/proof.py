# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One state of the lab and one holder of credentials: every variant is called, and nothing was written."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab import pieces
from lab.world import World
from tests.e2e.evidence import Marks
from tests.parity import modules
from tests.parity.difference import changed
from tests.zero_writes import temptations
from tests.zero_writes.place import Place, place_of
from tests.zero_writes.variant import Variant
from tests.zero_writes.variants import all_variants
from tests.zero_writes.watch import Watch

Choose = Callable[[Sequence[Variant]], Sequence[Variant]]

HOLDERS = ("repair", "audit")
# Everything the report was about, and what can be broken beside it at the same time.
EVERYTHING = ("all", "token-policy", "token-role", "tls-bypass", "env-from")
STATES: Mapping[str, tuple[str, ...]] = {
    "healthy": (),
    **{name: (name,) for name in (*pieces.NAMES, *pieces.FURTHER_NAMES)},
    "all": ("all",),
    "everything": EVERYTHING,
}
FILES = frozenset({"progress", "audit.pgpass", "items.jsonl", "plan.json"})
REPORTS = frozenset(f"report.{kind}" for kind in ("json", "history", "html", "junit", "sarif", "prom", "md"))


@dataclass
class Finding:
    """What one state showed to one holder. ``wrong`` is empty where nothing was written.

    :param bites: variants that say that a repair would write.
    :param asked: requests by server.
    """

    state: str
    holder: str
    calls: int = 0
    seconds: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)
    bites: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.state} as {self.holder}"


class Prover:
    """Carries variants out on one lab of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.watch = Watch(world)
        self.places = {holder: place_of(world, holder, folder / holder) for holder in HOLDERS}
        temptations.settle(world, self.places["repair"])

    def place(self, holder: str) -> Place:
        """With a new consent of the seller nobody has connected."""
        code, state = temptations.new_code(self.world, self.places[holder])
        return replace(self.places[holder], code=code, state=state)

    @contextmanager
    def broken(self, state: str) -> Iterator[None]:
        """The lab in one of :data:`STATES`, and whole again behind it."""
        if STATES[state]:
            pieces.break_pieces(self.world, pieces.chosen(STATES[state]), wait=False)
        try:
            yield
        finally:
            pieces.heal_pieces(self.world, pieces.EVERY)

    def prove(self, state: str, holder: str, choose: Choose = tuple) -> Finding:
        """Call what is chosen of the holder's variants; the lab has to be in that state."""
        found, place = Finding(state, holder), self.place(holder)
        self.world.amazon.clear_requests()
        before, start = self.watch.content(), self.watch.settled()
        began = time.monotonic()
        place = replace(place, drift=self._looked(place))
        variants = choose([one for one in all_variants(place) if holder in one.holders])
        marks = [(one, self._mark_and_call(one, found)) for one in variants]
        found.seconds, found.calls = time.monotonic() - began, len(marks) + 1
        self.watch.settled()
        written = self.watch.written(start, auditor=holder == "audit")
        found.asked.update(self.watch.asked(start))
        found.wrong += [f"left behind: {one}" for one in self.watch.left_behind()]
        different = sorted(changed(before, self.watch.content()))
        if written:
            found.wrong += self._who(marks, written, auditor=holder == "audit")
        if different:
            found.wrong.append(f"changed: {different}; by {self._who_changed(variants)}")
        found.wrong += self._files(place)
        return found

    def _looked(self, place: Place) -> tuple[Mapping[str, Any], ...]:
        look = next(one for one in all_variants(place) if one.module == "amazon_integration_info")
        return tuple(modules.run(look.module, look.options, check_mode=True)["drift"])

    def _mark_and_call(self, variant: Variant, found: Finding) -> Marks:
        mark = self.watch.mark()
        result = modules.run(variant.module, variant.options, check_mode=variant.check_mode)
        said = str(result.get("msg") or "")
        if said.startswith("Unexpected") or (said and not variant.idle and str(found) == "healthy as repair"):
            found.wrong.append(f"{variant}: {said}")
        if would_write(variant, result):
            found.bites.add(str(variant))
            if variant.idle and found.state == "healthy":
                found.wrong.append(f"{variant} would write, though {variant.idle}")
        return mark

    def _who(self, marks: Sequence[tuple[Variant, Marks]], written: Sequence[str], *, auditor: bool) -> Iterator[str]:
        """Each call with what the logs have from its mark on and not from the next."""
        left = [len(self.watch.written(mark, auditor=auditor)) for _, mark in marks]
        yield f"written: {sorted(set(written))}"
        for (variant, _), here, later in zip(marks, left, [*left[1:], 0], strict=True):
            if here > later:
                yield f"{here - later} by {variant}"

    def _who_changed(self, variants: Sequence[Variant]) -> list[str]:
        """Asked only when something has changed: one by one, once more."""
        culprits = []
        for variant in variants:
            before = self.watch.content()
            modules.run(variant.module, variant.options, check_mode=variant.check_mode)
            if changed(before, self.watch.content()):
                culprits.append(str(variant))
        return culprits or ["nobody who is called once more"]

    @staticmethod
    def _files(place: Place) -> Iterator[str]:
        """A call writes the files that it was told to, and check mode no progress."""
        folder = Path(place.folder)
        for name in sorted(one.name for one in folder.iterdir() if one.name not in FILES | REPORTS):
            yield f"a file of no option: {name}"
        if (folder / "progress").read_text():
            yield "progress of an import that check mode does not make"


def would_write(variant: Variant, result: Mapping[str, Any]) -> bool:
    """Whether it says that a repair would write. A Lease is no drift: whether it would be written shows in the rights
    that were asked for."""
    if variant.module == "environment_lease":
        return result.get("repair_allowed") is not None
    return bool(result.get("would_change", result.get("changed")))


@contextmanager
def prover_on_a_lab() -> Iterator[Prover]:
    """A lab of its own, prepared, and ended with the block."""
    with tempfile.TemporaryDirectory(prefix="keybuzz-zero-") as folder:
        world = World.up(Path(folder) / "lab", say=lambda _: None)
        try:
            yield Prover(world, Path(folder))
        finally:
            world.down(say=lambda _: None)


def prove_on_a_lab(states: Sequence[str]) -> list[Finding]:
    """A share of the states, as both holders."""
    with prover_on_a_lab() as prover:
        found = []
        for state in states:
            with prover.broken(state):
                found += [prover.prove(state, holder) for holder in HOLDERS]
            for one in found[-len(HOLDERS) :]:
                lines = [f"\n{one}", *(f"  {line}" for line in one.wrong), ""]
                print("\n".join(lines) if one.wrong else ".", end="", flush=True)
        return found
