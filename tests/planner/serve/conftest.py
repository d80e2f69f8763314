"""A service in a folder of its own, without workers unless a test starts some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from planner.instance import Instance
from planner.plan_files import plan_document, render
from planner.serve.app import make_app
from planner.serve.chores import stored
from planner.serve.clerk import Clerk
from planner.serve.database import Database
from planner.serve.jobs import Job, Outcome, State, Task
from planner.serve.service import Limits, Service
from planner.serve.store import Store
from solvers import solve
from tests.tiny import pair as tiny_pair


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    database = Database(tmp_path / "data")
    yield Store(database)
    database.close()


@pytest.fixture(scope="session")
def clerk() -> Iterator[Clerk]:
    """One that all services of the tests share: it takes a second to start."""
    made = Clerk(2048)
    yield made
    made.close()


@pytest.fixture
def service(tmp_path: Path, clerk: Clerk) -> Iterator[Service]:
    """A service without workers, which is not started."""
    made = Service(tmp_path / "data", 0, Limits(seconds=100.0, memory_mb=1000))
    made._validating = made._making = clerk
    yield made
    made._committer.close()


@pytest.fixture
def client(service: Service) -> TestClient:
    """A client on the same machine."""
    return TestClient(make_app(service, local=True), base_url="http://127.0.0.1")


def queued(store: Store, *tasks: Task, instance: Instance | None = None, key: str | None = None) -> list[str]:
    """Queue jobs for an instance; return their ids."""
    found = stored(instance or tiny_pair())
    store.add_instance(found, found.sha256)
    with store.database.writing() as db:
        return store.submit(db, found.sha256, tasks or [Task()], "local", key)


def finished(store: Store, instance: Instance, solver: str = "greedy") -> str:
    """Queue a job and end it with what a solver finds; return its id."""
    (job,) = queued(store, Task(solver=solver), instance=instance)
    claimed = store.claim("w")
    assert claimed is not None
    result = solve(instance, solver, time_limit=5.0)
    document = render(plan_document(instance, result)).encode()
    objective = None if result.objective is None else str(result.objective / 1e6)
    done = Outcome(State.DONE, result.status, result.stop, objective, document=document)
    assert store.finish(claimed, done)
    return job


def the(job: Job | None) -> Job:
    """Return a job that is there."""
    assert job is not None
    return job
