"""Whatever a chore does to its process, the one who asks gets an answer."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.serve import clerk as module
from planner.serve.clerk import ChoreError, Clerk

MISCHIEF = """
import os, signal, time
import planner.serve.chores as chores
from planner.errors import InputError
def eat(): return len(b"x" * 2**32)
def sleep(): time.sleep(60)
def die(): os.kill(os.getpid(), signal.SIGKILL)
def fail(): return 1 / 0
def refuse(): raise InputError("must not be", field="f")
def pid(): return os.getpid()
for chore in (eat, sleep, die, fail, refuse, pid): setattr(chores, chore.__name__, chore)
"""


@pytest.fixture
def clerk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Clerk:
    (tmp_path / "mischief.py").write_text(MISCHIEF)
    before = f"sys.path.append({str(tmp_path)!r}); import mischief; "
    boot = module._BOOT.replace("from planner.serve.clerk", before + "from planner.serve.clerk")
    monkeypatch.setattr(module, "_BOOT", boot)
    return Clerk(500)


def test_mischief_is_told_and_the_next_chore_is_done(clerk: Clerk) -> None:
    for chore, words in (
        ("eat", "needs more than 500 MB"),
        ("die", "ended its process"),
        ("fail", "ZeroDivision"),
    ):
        with pytest.raises(ChoreError, match=words):
            clerk.ask(chore, seconds=20)
        assert clerk.ask("pid", seconds=20) != os.getpid()
    with pytest.raises(InputError, match="must not be"):
        clerk.ask("refuse", seconds=20)
    clerk.close()


def test_a_chore_ends_in_time_and_when_it_is_not_wanted(clerk: Clerk) -> None:
    first = clerk.ask("pid", seconds=20)
    with pytest.raises(ChoreError, match="took longer"):
        clerk.ask("sleep", seconds=0.2)
    with pytest.raises(ChoreError, match="not wanted"):
        clerk.ask("sleep", seconds=60, stop=lambda: True)
    assert not Path(f"/proc/{first}").exists()
    clerk.close()


def test_it_outlives_the_thread_that_asked_first(clerk: Clerk) -> None:
    asked: list[int] = []
    thread = threading.Thread(target=lambda: asked.append(clerk.ask("pid", seconds=20)))
    thread.start()
    thread.join()
    assert clerk.ask("pid", seconds=20) == asked[0]
    os.kill(asked[0], signal.SIGKILL)
    assert clerk._process is not None
    clerk._process.wait()
    assert clerk.ask("pid", seconds=20) != asked[0]
    clerk.close()
