"""Whatever a solver does to its process, the caller gets a result, and no process is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Plan
from planner.result import Progress, Result, Status, Stop
from solvers import child
from solvers.child import solve_in_child


def with_naughty(boot: str) -> str:
    """Return the first lines of a nursery, with the solvers of :mod:`tests.solvers.naughty`."""
    return boot.replace(
        "from solvers.nursery", "import tests.solvers.naughty as n; n.enter(); from solvers.nursery"
    )


@pytest.fixture(autouse=True, scope="module")
def naughty_children() -> Iterator[None]:
    """Let children know the solvers of :mod:`tests.solvers.naughty`."""
    boot = child._BOOT
    child._close_all()
    child._BOOT = with_naughty(boot)
    yield
    child._BOOT = boot
    child._close_all()


def failed(result: Result) -> str:
    """Return why a result failed, having checked that it says nothing else."""
    assert (result.status, result.stop, result.plan) == (Status.NO_PLAN, Stop.FAILED, None)
    assert result.objective is result.bound is None
    return result.note


def test_a_good_solver_answers_as_in_this_process(pair: Instance, separate: Plan) -> None:
    result = solve_in_child(pair, "chatty", time_limit=10, seed=3)
    assert (result.status, result.objective, result.seed) == (Status.OPTIMAL, 1_000_000, 3)
    assert result.plan == separate


def test_a_start_goes_along(pair: Instance, mixed: Plan) -> None:
    seen: list[Progress] = []
    solve_in_child(pair, "chatty", time_limit=10, start=mixed, on_progress=seen.append)
    assert seen[0].objective == 1_100_000


def test_an_output_of_the_solver_does_not_reach_ours(
    pair: Instance, capfd: pytest.CaptureFixture[str]
) -> None:
    solve_in_child(pair, "chatty", time_limit=10)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("solver", "words"),
    [
        ("crash", "signal 11 (SIGSEGV)"),
        ("abort", "signal 6 (SIGABRT): Check failed: the moon is not cheese"),
        ("leave", "exit code 3"),
        ("fail", "ZeroDivisionError: no"),
        ("wrong", "SolverError: wrong claims the bound"),
    ],
)
def test_mischief_becomes_a_result(pair: Instance, solver: str, words: str) -> None:
    assert words in failed(solve_in_child(pair, solver, time_limit=10))


def test_progress_before_a_crash_is_kept(pair: Instance) -> None:
    assert solve_in_child(pair, "crash", time_limit=10).history[-1].objective == 5


def test_memory_is_limited(pair: Instance) -> None:
    note = failed(solve_in_child(pair, "eat", time_limit=10, memory_limit_mb=1500))
    assert "out of memory" in note


def test_a_solver_that_overruns_is_killed(pair: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_GRACE", 0.2)
    assert "killed" in failed(solve_in_child(pair, "hang", time_limit=0.1))


def test_killed_from_outside(pair: Instance) -> None:
    nursery = child._Nursery()
    child._idle.append(nursery)

    def kill(_: Progress) -> None:
        os.kill(_child_of(nursery.process.pid), signal.SIGKILL)

    assert "signal 9 (SIGKILL)" in failed(solve_in_child(pair, "hang", time_limit=10, on_progress=kill))


def test_a_dead_nursery_is_noticed_and_replaced(pair: Instance) -> None:
    nursery = child._Nursery()
    child._idle.append(nursery)

    def kill(_: Progress) -> None:
        nursery.process.kill()

    assert "lost" in failed(solve_in_child(pair, "hang", time_limit=10, on_progress=kill))
    assert solve_in_child(pair, "chatty", time_limit=10).status is Status.OPTIMAL


def test_bad_input_is_raised(pair: Instance, separate: Plan) -> None:
    with pytest.raises(InputError, match="must be one of"):
        solve_in_child(pair, "nobody")
    with pytest.raises(InputError, match="positive number of seconds"):
        solve_in_child(pair, "chatty", time_limit=-1)


def test_a_callback_ends_the_solve_with_the_incumbent(pair: Instance) -> None:
    result = solve_in_child(pair, "patient", time_limit=60, on_progress=lambda now: now.bound == 7)
    assert (result.stop, result.objective, result.bound) == (Stop.INTERRUPTED, 1_000_000, 7)


@pytest.mark.parametrize("solver", ["patient", "silent"])
def test_it_stops_when_asked_although_it_reports_nothing(pair: Instance, solver: str) -> None:
    asked: list[float] = []

    def stop() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 3

    result = solve_in_child(pair, solver, time_limit=60, stop=stop)
    assert (result.stop, result.objective) == (Stop.INTERRUPTED, 1_000_000)


def test_a_solver_that_does_not_stop_when_asked_is_killed(
    pair: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_GRACE", 0.2)
    assert "killed" in failed(solve_in_child(pair, "hang", time_limit=60, stop=lambda: True))


@pytest.mark.parametrize("solver", ["patient", "silent"])
def test_ctrl_c_ends_the_solve_with_the_incumbent(pair: Instance, solver: str) -> None:
    def press(_: Progress) -> None:
        if threading.current_thread() is threading.main_thread() and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    pressed: list[bool] = []
    result = solve_in_child(pair, solver, time_limit=60, on_progress=press)
    assert (result.stop, result.objective) == (Stop.INTERRUPTED, 1_000_000)


def test_the_second_ctrl_c_is_raised_and_nothing_is_left(pair: Instance) -> None:
    def press(_: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    nursery = child._Nursery()
    child._idle.append(nursery)
    with pytest.raises(KeyboardInterrupt):
        solve_in_child(pair, "hang", time_limit=60, on_progress=press)
    assert nursery.process.returncode is not None


def test_an_error_of_the_callback_is_raised(pair: Instance) -> None:
    def broken(_: Progress) -> bool:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        solve_in_child(pair, "hang", time_limit=60, on_progress=broken)


def test_two_at_once(pair: Instance) -> None:
    results: list[Result] = []
    threads = [
        threading.Thread(target=lambda: results.append(solve_in_child(pair, "chatty", time_limit=10)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.status for r in results] == [Status.OPTIMAL] * 2


_PARENT = """
import tests.solvers.test_child as t, tests.tiny as tiny, os
from solvers import child
child._BOOT = t.with_naughty(child._BOOT)
def say(_):
    nursery = int(open(f"/proc/self/task/{os.getpid()}/children").read())
    print(nursery, t._child_of(nursery), flush=True)
child.solve_in_child(tiny.pair(), "hang", time_limit=100, on_progress=say)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_no_orphan_when_the_parent_is_killed(how: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.send_signal(how)
    parent.communicate()
    for _ in range(100):
        if not any(_alive(pid) for pid in pids):
            return
        time.sleep(0.05)
    pytest.fail(f"still there: {[pid for pid in pids if _alive(pid)]}")


def _child_of(pid: int) -> int:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return int(file.read().split()[0])


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
