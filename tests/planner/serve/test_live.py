"""A real service in processes of its own: what it survives, and the commands that speak to it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.live_service import Live
from planner.client import Client, ServiceError
from planner.errors import InputError
from planner.files import save_instance
from planner.generate import generate
from planner.instance import Instance
from planner.plan_checks import check_plan
from tests.tiny import pair

ROOT = Path(__file__).parents[3]
#: Nobody solves this within a minute: many replicas on few machines.
SLOW = generate(models=120, types=1, replicas=400, machines=8, slots=(60, 60), seed=3)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    made = Live(tmp_path_factory.mktemp("live"), "--workers", "1")
    with Client(made.url, patience_s=60) as client:
        (job,) = client.submit(pair(), time_limit=5)  # compiles what is not compiled yet
        assert client.wait(job["id"])["status"] == "optimal"
    yield made
    children = made.processes()
    made.close()
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    with Client(live.url, patience_s=60) as made:
        yield made


def until(what: Any, seconds: float = 60.0) -> Any:
    """Return what a call returns when it is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def running(client: Client, live: Live, instance: Instance = SLOW) -> str:
    """Return the id of a job that a solver works on."""
    (job,) = client.submit(instance, ["local_search"], time_limit=90)
    until(lambda: client.job(job["id"])["state"] == "running" and live.solvers())
    return str(job["id"])


def test_a_job_is_planned(client: Client, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    (job,) = client.submit(pair(), ["milp"], time_limit=5, label="mine")
    ended = client.wait(job["id"], seen.append)
    assert (ended["status"], ended["label"], ended["attempts"]) == ("optimal", "mine", 1)
    assert seen[-1]["objective"] == seen[-1]["bound"] == ended["objective"]
    (tmp_path / "plan.json").write_bytes(client.plan(job["id"]))
    assert not check_plan(tmp_path / "plan.json", pair()).violations
    assert b"<html" in client.report([job["id"]])


@pytest.mark.soak
def test_a_plan_is_changed_within_so_many_moves(client: Client) -> None:
    (first,) = client.submit(pair(), ["least_loaded"], time_limit=5)
    client.wait(first["id"])
    (second,) = client.submit(pair(), replan={"job": first["id"], "max_moves": 0}, time_limit=2)
    ended = client.wait(second["id"])
    assert (ended["state"], ended["solver"]) == ("done", "replan")
    assert ended["objective"] == client.job(first["id"])["objective"]
    assert json.loads(client.moves(second["id"]))["moves"] == 0


def test_cancelling_what_runs_keeps_its_plan_and_leaves_no_process(client: Client, live: Live) -> None:
    job = running(client, live)
    until(lambda: client.history(job))
    (solver,) = live.solvers()
    until(lambda: client.job(job)["cancelling"] or client.cancel(job)["cancelling"])
    assert client.wait(job)["state"] == "cancelled"
    assert client.job(job)["objective"] is not None
    psutil.wait_procs([solver], timeout=10)
    assert not solver.is_running()


def test_a_job_with_too_little_memory_fails_and_says_so(client: Client) -> None:
    (job,) = client.submit(SLOW, ["local_search"], time_limit=5, memory_mb=64)
    ended = client.wait(job["id"])
    assert (ended["state"], ended["attempts"]) == ("failed", 1)
    assert "memory limit of 64 MB" in ended["note"]


def test_a_solver_that_dies_is_tried_three_times(client: Client, live: Live) -> None:
    job, killed = running(client, live), set()

    def kill() -> bool:
        for solver in live.solvers():
            if solver.pid not in killed:
                killed.add(solver.pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    solver.kill()
        return bool(client.job(job)["state"] == "failed")

    until(kill, 90)
    ended = client.job(job)
    assert (ended["attempts"], len(killed)) == (3, 3)
    assert "SIGKILL" in ended["note"]
    assert "attempt 3 of 3" in ended["note"]


def test_killed_workers_and_services_lose_nothing(client: Client, live: Live) -> None:
    job = running(client, live)
    (worker,) = live.workers()
    children = worker.children(recursive=True)
    worker.kill()
    until(lambda: client.job(job)["attempts"] == 2 and live.solvers())
    assert psutil.wait_procs(children, timeout=10)[1] == []
    waiting = client.submit(pair(), ["greedy"], time_limit=5)[0]["id"]
    children = live.processes()
    live.process.kill()
    live.process.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    with Client(live.url, patience_s=0) as hasty, pytest.raises(ServiceError, match="cannot be reached"):
        hasty.job(job)
    live.start()
    assert client.job(waiting)["state"] in ("queued", "running")
    until(lambda: client.job(job)["state"] == "running")
    assert client.job(job)["attempts"] == 2  # a restart is not an attempt
    client.cancel(job)
    assert client.wait(job)["state"] == "cancelled"
    assert client.wait(waiting)["status"] == "feasible"


def test_errors_of_the_client(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be the id of a job"):
        client.job("0" * 16)
    with pytest.raises(InputError, match="must be the id of a job"):
        client.plan("../../x")
    with pytest.raises(InputError, match="must be one of auto"):
        client.submit(pair(), ["nobody"])
    with pytest.raises(InputError, match="must be http"):
        Client("ftp://x")


def test_the_commands(live: Live, tmp_path: Path) -> None:
    save_instance(pair(), tmp_path / "fleet.yaml")

    def planner(*words: object, code: int = 0) -> str:
        command = [sys.executable, "-c", "from planner.cli import main; main()", *map(str, words)]
        environment = os.environ | {"PLANNER_SERVER": live.url}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    options = ("--solver", "milp", "--time-limit", 5, "--wait", "--json")
    (job,) = json.loads(planner("submit", tmp_path / "fleet.yaml", *options))["jobs"]
    assert job["status"] == "optimal"
    planner("fetch", job["id"], "-o", tmp_path / "p.json", "--report", tmp_path / "p.html")
    assert "the plan is valid" in planner("check", tmp_path / "fleet.yaml", tmp_path / "p.json")
    assert job["id"] in planner("status", "--state", "done")
    assert "optimal" in planner("status", job["id"], "--follow")
    assert "optimal" in planner("cancel", job["id"])
    assert "must have failed or been cancelled" in planner("retry", job["id"], code=2)
    assert "must be one of auto" in planner("submit", tmp_path / "fleet.yaml", "--solver", "x", code=2)
    assert "cannot be read" in planner("submit", tmp_path / "missing.yaml", code=2)
