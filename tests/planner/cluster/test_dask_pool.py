"""A pool of Dask workers: what happens to a worker happens to no job."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner import extras
from planner.cluster.dask_pool import DaskPool
from planner.cluster.pool import Lost
from planner.errors import InputError
from tests.planner.cluster import jobs
from tests.planner.cluster.conftest import CORES, Cluster, alive, until


@pytest.fixture
def pool(cluster: Cluster) -> Iterator[DaskPool]:
    with DaskPool(cluster.address) as pool:
        yield pool


def test_each_job_gets_its_answer_on_one_core(pool: DaskPool) -> None:
    shared = pool.share(21)
    tickets = {pool.submit(jobs.double, shared): 42, pool.submit(jobs.double, number=1): 2}
    assert dict(pool.finished()) == tickets
    pool.submit(jobs.cores)
    assert [answer in [[core] for core in CORES] for _, answer in pool.finished()] == [True]


def test_what_a_killed_worker_did_is_done_by_another(
    pool: DaskPool, cluster: Cluster, tmp_path: Path
) -> None:
    tickets = {pool.submit(jobs.wait, tmp_path, name): name for name in ("a", "b", "c")}
    found = pool.finished()
    pool._fill()
    until(lambda: jobs.begun(tmp_path, "a") and jobs.begun(tmp_path, "b"), "two jobs")
    ((process, worker),) = jobs.begun(tmp_path, "a")
    assert worker in [w.pid for w in cluster.workers]
    os.kill(worker, signal.SIGKILL)
    until(lambda: not alive(process), "the end of the killed worker's job")
    (tmp_path / "go").touch()
    assert dict(found) == tickets
    assert len(jobs.begun(tmp_path, "a")) == 2
    assert len(jobs.begun(tmp_path, "b")) == 1


@pytest.mark.soak
def test_a_job_that_kills_worker_after_worker_is_lost_alone(
    pool: DaskPool, cluster: Cluster, tmp_path: Path
) -> None:
    good = pool.submit(jobs.wait, tmp_path, "good")
    pool._fill()
    until(lambda: jobs.begun(tmp_path, "good"), "a job")
    for _ in range(3):
        cluster.add(CORES)
    cluster.ready()  # two die while the other job is under way, two when the bad job is alone
    bad = pool.submit(jobs.kill_owner)
    pool._fill()
    until(lambda: sum(w.poll() is None for w in cluster.workers) <= 3, "the end of two workers")
    (tmp_path / "go").touch()
    found = dict(pool.finished())
    assert found.pop(good) == "good"
    assert isinstance(found[bad], Lost)
    assert "all those workers died" in found[bad].reason


def test_a_job_whose_own_process_dies_leaves_the_worker(pool: DaskPool, cluster: Cluster) -> None:
    pool.submit(jobs.die)
    assert [a for _, a in pool.finished()] == [Lost("its process was ended by SIGKILL, 3 times in a row")]
    assert all(worker.poll() is None for worker in cluster.workers)


def test_bad_input_is_raised(pool: DaskPool) -> None:
    pool.submit(jobs.refuse)
    with pytest.raises(InputError, match="it: must be better"):
        list(pool.finished())


def test_a_job_ends_when_nobody_waits_for_it_any_more(cluster: Cluster, tmp_path: Path) -> None:
    with DaskPool(cluster.address) as pool:
        pool.submit(jobs.wait, tmp_path, "a")
        pool._fill()
        until(lambda: jobs.begun(tmp_path, "a"), "a job")
    ((process, _),) = jobs.begun(tmp_path, "a")
    until(lambda: not alive(process), "the end of the job's process")
    assert all(worker.poll() is None for worker in cluster.workers)


def test_a_scheduler_without_workers_and_one_that_is_lost(
    started: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(Cluster(tmp_path)) as alone:
        with pytest.raises(InputError, match="cluster: must be a scheduler that has workers"):
            DaskPool(alone.address)
        alone.add(CORES)
        alone.ready()
        with DaskPool(alone.address) as pool:
            pool.submit(jobs.wait, tmp_path, "a")
            pool._fill()
            until(lambda: jobs.begun(tmp_path, "a"), "a job")
            alone.scheduler.kill()
            with pytest.raises(InputError, match="cluster: was lost"):
                list(pool.finished())
    assert capfd.readouterr() == ("", "")


def test_an_address_that_nobody_answers_at(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    monkeypatch.setattr("planner.cluster.dask_pool._CONNECT_S", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    for wrong in (address, "nowhere", "carrier-pigeon://host:1"):
        with pytest.raises(InputError, match="cluster: must be the address of a Dask scheduler") as caught:
            DaskPool(wrong)
        assert wrong in str(caught.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"interference-planner\[cluster\]"):
        DaskPool("tcp://127.0.0.1:1")
