# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a server that does not answer is asked, by one thread and by many."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.patience import SILENCES, Patience


class Silent(UnreachableError):
    """One of the kinds."""


def silent() -> str:
    raise Silent("reading", "x", "no answer in time", "Check the way.")


def forbidden() -> str:
    raise ForbiddenError("reading", "x", "permission denied", "Grant it.")


def tried(patience: Patience, ask: Callable[[], str]) -> str:
    try:
        return patience.asked(ask)
    except (UnreachableError, ForbiddenError) as error:
        return type(error).__name__


def test_after_a_few_silences_in_a_row_nobody_is_asked_any_more() -> None:
    patience, asked = Patience(), []

    def ask() -> str:
        asked.append(1)
        return silent()

    assert [tried(patience, ask) for _ in range(10)] == ["Silent"] * 10
    assert len(asked) == SILENCES


def test_any_answer_begins_the_count_anew_a_refusal_too() -> None:
    patience = Patience()
    for _ in range(5):
        tried(patience, silent)
        tried(patience, silent)
        assert tried(patience, forbidden) == "ForbiddenError"
    assert patience.asked(lambda: "yes") == "yes"


def test_the_error_that_is_told_to_the_rest_keeps_nothing_alive() -> None:
    patience = Patience(1)
    tried(patience, silent)
    for _ in range(3):
        with pytest.raises(Silent, match="no answer in time") as caught:
            patience.asked(silent)
        # Only this call's frames: not those of the call that met the silence.
        assert [entry.name for entry in caught.traceback][1:] == ["asked", "_admitted"]
        assert caught.value.__context__ is None


class Asking:
    """Threads that ask, each of which is held until the test lets it have its answer."""

    def __init__(self, patience: Patience, threads: int) -> None:
        self.patience = patience
        self.begun = threading.Semaphore(0)
        self.answers: list[Future[str]] = []
        self._pool = ThreadPoolExecutor(threads)
        self._guard = threading.Lock()

    def start(self, count: int) -> list[Future[str]]:
        return [self._pool.submit(tried, self.patience, self._ask) for _ in range(count)]

    def _ask(self) -> str:
        answer: Future[str] = Future()
        with self._guard:
            self.answers.append(answer)
        self.begun.release()
        return answer.result(10)

    def wait(self, count: int) -> None:
        """Until so many more have asked."""
        for _ in range(count):
            assert self.begun.acquire(timeout=5)

    def is_answered_once(self) -> None:
        """From then on all may ask."""
        first = self.start(1)
        self.wait(1)
        self.answers[0].set_result("yes")
        assert first[0].result(5) == "yes"

    def nobody_asks(self) -> None:
        assert not self.begun.acquire(timeout=0.05)


SILENCE = Silent("reading", "x", "no answer in time", "Check the way.")


def test_a_server_is_asked_by_one_thread_until_it_has_answered_and_by_all_from_then_on() -> None:
    asking = Asking(Patience(), 8)
    started = asking.start(8)
    asking.wait(1)
    asking.nobody_asks()
    asking.answers[0].set_result("yes")
    asking.wait(7)
    for answer in asking.answers[1:]:
        answer.set_result("yes")
    assert [one.result(5) for one in started] == ["yes"] * 8


def test_who_was_asking_when_the_server_fell_silent_counts_once_and_then_one_asks_at_a_time() -> None:
    asking = Asking(Patience(), 12)
    asking.is_answered_once()
    together = asking.start(5)
    asking.wait(5)
    for answer in asking.answers[1:6]:
        answer.set_exception(SILENCE)
    assert [one.result(5) for one in together] == ["Silent"] * 5
    later = asking.start(6)
    for at in (6, 7):  # the second and the third silence in a row
        asking.wait(1)
        asking.nobody_asks()
        asking.answers[at].set_exception(SILENCE)
    assert [one.result(5) for one in later] == ["Silent"] * 6
    assert len(asking.answers) == 8


def test_a_server_that_comes_back_is_asked_by_all_again() -> None:
    asking = Asking(Patience(), 8)
    first = asking.start(4)
    asking.wait(1)
    asking.answers[0].set_exception(SILENCE)
    asking.wait(1)
    asking.answers[1].set_result("yes")
    asking.wait(2)
    for answer in asking.answers[2:]:
        answer.set_result("yes")
    assert sorted(one.result(5) for one in first) == ["Silent", "yes", "yes", "yes"]


def test_an_answer_to_what_was_asked_before_the_silence_does_not_end_it() -> None:
    asking = Asking(Patience(), 12)
    asking.is_answered_once()
    together = asking.start(2)
    asking.wait(2)
    asking.answers[1].set_exception(SILENCE)
    wait(together, timeout=5, return_when=FIRST_COMPLETED)
    asking.answers[2].set_result("yes")
    assert sorted(one.result(5) for one in together) == ["Silent", "yes"]
    later = asking.start(3)
    asking.wait(1)
    asking.nobody_asks()
    asking.answers[3].set_result("yes")
    asking.wait(2)
    for answer in asking.answers[4:]:
        answer.set_result("yes")
    assert [one.result(5) for one in later] == ["yes"] * 3


def test_an_exception_that_nobody_foresaw_blocks_nobody() -> None:
    patience = Patience()
    with pytest.raises(ZeroDivisionError):
        patience.asked(lambda: str(1 // 0))
    assert patience.asked(lambda: "yes") == "yes"
