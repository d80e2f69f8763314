"""Whatever a chore does to its process, the one who asks gets an answer."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from planner.errors import InputError
from planner.serve.clerk import ChoreError, Clerk
from tests.planner.serve import mischief


@pytest.fixture
def clerk() -> Iterator[Clerk]:
    made = Clerk(500)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("chore", "words"),
    [
        (mischief.eat, "needs more than 500 MB"),
        (mischief.die, "ended its process"),
        (mischief.fail, "ZeroDivision"),
    ],
)
def test_mischief_is_told_and_the_next_chore_is_done(
    clerk: Clerk, chore: Callable[[], Any], words: str
) -> None:
    with pytest.raises(ChoreError, match=words):
        clerk.ask(chore, seconds=20)
    assert clerk.ask(mischief.pid, seconds=20) != os.getpid()


def test_bad_input_is_raised_as_it_is(clerk: Clerk) -> None:
    with pytest.raises(InputError, match="must not be") as caught:
        clerk.ask(mischief.refuse, seconds=20)
    assert caught.value.field == "f"


def test_a_chore_ends_in_time_and_when_it_is_not_wanted(clerk: Clerk) -> None:
    first = clerk.ask(mischief.pid, seconds=20)
    with pytest.raises(ChoreError, match="took longer"):
        clerk.ask(mischief.sleep, seconds=0.2)
    with pytest.raises(ChoreError, match="not wanted"):
        clerk.ask(mischief.sleep, seconds=60, stop=lambda: True)
    assert not Path(f"/proc/{first}").exists()


def test_it_outlives_the_thread_that_asked_first(clerk: Clerk) -> None:
    """Linux can end a process with the thread that began it."""
    asked: list[int] = []
    thread = threading.Thread(target=lambda: asked.append(clerk.ask(mischief.pid, seconds=20)))
    thread.start()
    thread.join()
    assert clerk.ask(mischief.pid, seconds=20) == asked[0]


def test_one_that_was_killed_is_replaced(clerk: Clerk) -> None:
    first = clerk.ask(mischief.pid, seconds=20)
    os.kill(first, signal.SIGKILL)
    assert clerk._seat is not None
    clerk._seat.process.wait()
    assert clerk.ask(mischief.pid, seconds=20) != first
