"""A Dask scheduler and workers, each a process, the workers pinned to different cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CORES = sorted(os.sched_getaffinity(0))
_BOOT = "import os, sys; os.sched_setaffinity(0, {cores}); from dask.cli import run_cli; sys.exit(run_cli())"


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Return whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Cluster:
    """A scheduler on this host; workers come and go.

    Parameters
    ----------
    folder
        For files and logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self._file = folder / "scheduler.json"
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.scheduler = self._start("scheduler", CORES, *options, "--scheduler-file", str(self._file))
        until(self._written, "the scheduler")
        self.address = str(json.loads(self._file.read_text())["address"])

    def _written(self) -> bool:
        return self._file.exists() and self._file.read_text().rstrip().endswith("}")

    def _start(self, what: str, cores: list[int], *arguments: str) -> subprocess.Popen[bytes]:
        settings = {"SCHEDULER__ALLOWED_FAILURES": "1", "DEPLOY__LOST_WORKER_TIMEOUT": "1s"}
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        environment = {f"DASK_DISTRIBUTED__{name}": value for name, value in settings.items()}
        with (self._folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", _BOOT.format(cores=cores), what, *arguments],
                env={**os.environ, **environment, "PYTHONPATH": path},
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )

    def add(self, cores: list[int], *resources: str) -> subprocess.Popen[bytes]:
        """Start a worker with one thread that may use some cores."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        if resources:
            options += ["--resources", " ".join(f"{name}=1" for name in resources)]
        self.workers.append(self._start("worker", cores, self.address, *options))
        return self.workers[-1]

    def fill(self) -> None:
        """See to it that there are two workers, each on a core of its own."""
        kept: dict[int, subprocess.Popen[bytes]] = {}
        for worker in self.workers:
            cores = os.sched_getaffinity(worker.pid) if worker.poll() is None else set()
            if len(cores) != 1 or kept.setdefault(min(cores), worker) is not worker:
                worker.kill()
                worker.wait()
        self.workers = list(kept.values())
        for core in CORES[:2]:
            if core not in kept:
                self.add([core])
        self.ready()

    def ready(self) -> None:
        """Wait until the scheduler knows exactly the workers that are there."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            number = sum(w.poll() is None for w in self.workers)
            until(lambda: len(client.nthreads()) == number, f"{number} workers")

    def close(self) -> None:
        """End everything."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler for all tests, with whatever workers are left."""
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    if len(CORES) < 2:
        pytest.skip("needs two cores")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(started: Cluster) -> Cluster:
    """A scheduler with two workers."""
    started.fill()
    return started
