"""A pool of this host's processes: pinned, dead with their owner, and a killed one loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.cluster.local import LocalPool
from planner.cluster.pool import Lost
from planner.errors import InputError
from tests.planner.cluster import jobs
from tests.planner.cluster.conftest import CORES, ROOT, alive, until


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    with LocalPool(len(CORES[:2])) as pool:
        yield pool


def test_each_job_gets_its_answer_and_more_may_come_meanwhile(pool: LocalPool) -> None:
    tickets = {pool.submit(jobs.double, n): n for n in range(4)}
    found = {}
    for ticket, answer in pool.finished():
        found[tickets[ticket]] = answer
        if len(tickets) == 4:
            tickets[pool.submit(jobs.double, number=4)] = 4
    assert found == {n: 2 * n for n in range(5)}


def test_processes_are_pinned_to_a_core_each(pool: LocalPool, tmp_path: Path) -> None:
    for name in ("a", "b")[: len(CORES)]:
        pool.submit(jobs.wait, tmp_path, name)
    (tmp_path / "go").touch()
    assert {answer for _, answer in pool.finished()} == {*("a", "b")[: len(CORES)]}
    for _ in CORES[:2]:
        pool.submit(jobs.cores)
    assert sorted(answer for _, answer in pool.finished()) == [[core] for core in CORES[:2]]


def test_a_job_whose_process_is_killed_runs_again(pool: LocalPool, tmp_path: Path) -> None:
    pool.submit(jobs.die_once, tmp_path)
    assert [answer for _, answer in pool.finished()] == ["alive"]


def test_a_job_that_kills_its_process_again_and_again_is_lost_alone(pool: LocalPool) -> None:
    bad, good = pool.submit(jobs.die), pool.submit(jobs.double, 1)
    found = dict(pool.finished())
    assert found == {bad: Lost("its process was ended by SIGKILL, 3 times in a row"), good: 2}


def test_bad_input_is_raised_and_any_other_error_is_that_job_s_end(pool: LocalPool) -> None:
    pool.submit(jobs.fail)
    assert [answer for _, answer in pool.finished()] == [Lost("ZeroDivisionError: no")]
    pool.submit(jobs.refuse)
    with pytest.raises(InputError, match="it: must be better"):
        list(pool.finished())


def test_no_more_jobs_than_cores() -> None:
    for number in (0, len(CORES) + 1):
        with pytest.raises(InputError, match=f"jobs: must be from 1 to {len(CORES)}"):
            LocalPool(number)


def test_leaving_the_pool_ends_what_runs(tmp_path: Path) -> None:
    with LocalPool(1) as pool:
        pool.submit(jobs.wait, tmp_path, "a")
        pool.submit(jobs.double, 1)
        pool._begin(pool._idle.pop(), pool._waiting.popleft())
        until(lambda: jobs.begun(tmp_path, "a"), "a job")
    ((process, _),) = jobs.begun(tmp_path, "a")
    assert not alive(process)


def test_processes_die_with_their_owner(tmp_path: Path) -> None:
    code = "from pathlib import Path; from planner.cluster.local import LocalPool; "
    code += "from tests.planner.cluster import jobs; pool = LocalPool(1); "
    code += f"pool.submit(jobs.wait, Path({str(tmp_path)!r}), 'a'); list(pool.finished())"
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    owner = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path})
    until(lambda: jobs.begun(tmp_path, "a"), "a job")
    ((process, parent),) = jobs.begun(tmp_path, "a")
    assert parent == owner.pid
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    until(lambda: not alive(process), "the end of the job's process")
