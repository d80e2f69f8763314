"""What may happen to a job, and what may not."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.serve import store as module
from planner.serve.committer import Committer
from planner.serve.database import Database, alone
from planner.serve.jobs import Outcome, State, Task
from planner.serve.store import MOST_ATTEMPTS, Store
from tests.planner.serve.conftest import queued, the

DONE = Outcome(State.DONE, "optimal", "finished", "1.5", "1.5", 0.0, document=b"{}")


def test_jobs_are_claimed_by_priority_then_in_order(store: Store) -> None:
    low, high, next_ = queued(store, Task(), Task(priority=3), Task())
    assert [the(store.claim("w")).id for _ in range(3)] == [high, low, next_]
    assert store.claim("w") is None


def test_what_is_finished_has_its_outcome(store: Store) -> None:
    (job,) = queued(store)
    claimed = the(store.claim("w"))
    assert store.beat(claimed, [(0.5, 2_000_000, None), (0.7, 1_500_000, 1_000_000)]) is False
    assert store.finish(claimed, DONE)
    found = the(store.job(job))
    assert (found.state, found.outcome) == (State.DONE, replace(DONE, document=None))
    assert store.document(job) == b"{}"
    assert [row[1:] for row in store.history(job)] == [(0.5, 2_000_000, None), (0.7, 1_500_000, 1_000_000)]


def test_a_worker_that_was_taken_for_dead_changes_nothing(store: Store) -> None:
    (job,) = queued(store)
    sleeper = the(store.claim("sleeper"))
    assert store.give_back(sleeper, "silent")
    second = the(store.claim("second"))
    assert (second.id, second.attempts, second.fence) == (job, 2, 2)
    assert store.beat(sleeper, [(1.0, 1, 1)]) is None
    assert not store.finish(sleeper, DONE)
    assert not store.give_back(sleeper, "again")
    assert store.history(job) == []
    assert store.finish(second, DONE)
    assert not store.finish(second, DONE)


def test_the_same_worker_cannot_end_an_earlier_claim(store: Store) -> None:
    queued(store)
    first = the(store.claim("w"))
    store.give_back(first, "crash")
    the(store.claim("w"))
    assert not store.finish(first, DONE)


def test_a_poison_job_fails_after_three_attempts(store: Store) -> None:
    (job,) = queued(store)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        claimed = the(store.claim("w"))
        assert claimed.attempts == attempt
        assert store.give_back(claimed, "the solver died")
    found = the(store.job(job))
    assert found.state is State.FAILED
    assert found.outcome is not None
    assert found.outcome.note == "the solver died (attempt 3 of 3)"
    assert store.claim("w") is None
    assert store.retry(job)
    assert the(store.claim("w")).attempts == 1


def test_a_restart_of_the_service_is_not_an_attempt(store: Store) -> None:
    (job,) = queued(store)
    for _ in range(5):
        claimed = the(store.claim("w"))
        assert claimed.attempts == 1
        assert store.recover() == 1
    assert the(store.job(job)).state is State.QUEUED
    assert not store.finish(claimed, DONE)


def test_a_lease_that_runs_out_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE_S", -1.0)
    (job,) = queued(store)
    the(store.claim("w"))
    assert [lost.id for lost in store.lost()] == [job]
    assert store.lost("other") == []
    monkeypatch.undo()
    store.beat(store.lost()[0])
    assert store.lost() == []


def test_cancelling(store: Store) -> None:
    waiting, running = queued(store, Task(), Task(priority=1))
    claimed = the(store.claim("w"))
    store.cancel(waiting)
    store.cancel(running)
    assert the(store.job(waiting)).state is State.CANCELLED
    assert (the(store.job(running)).state, store.beat(claimed)) == (State.RUNNING, True)
    assert store.finish(claimed, Outcome(State.CANCELLED))
    store.cancel(running)
    assert the(store.job(running)).state is State.CANCELLED


def test_a_job_that_is_to_end_is_not_tried_again(store: Store) -> None:
    (job,) = queued(store)
    claimed = the(store.claim("w"))
    store.cancel(job)
    store.give_back(claimed, "the worker died")
    assert the(store.job(job)).state is State.CANCELLED


def test_a_cancelled_job_stays_so_when_the_service_restarts(store: Store) -> None:
    (job,) = queued(store)
    the(store.claim("w"))
    store.cancel(job)
    assert store.recover() == 0
    assert the(store.job(job)).state is State.CANCELLED


def test_only_what_failed_or_was_cancelled_is_retried(store: Store) -> None:
    (job,) = queued(store)
    assert not store.retry(job)
    store.finish(the(store.claim("w")), DONE)
    assert not store.retry(job)
    assert store.document(job) == b"{}"


def test_a_key_is_queued_once(store: Store) -> None:
    first = queued(store, Task(seed=1), Task(seed=2), key="mine%")
    assert queued(store, Task(seed=1), Task(seed=2), key="mine%") == first
    assert queued(store, Task(), key="mine") != first[:1]
    assert [the(store.job(job)).task.seed for job in first] == [1, 2]


def test_pages_of_jobs(store: Store) -> None:
    ids = queued(store, *[Task(seed=i) for i in range(5)])
    latest = store.jobs(most=2)
    older = store.jobs(most=10, before=latest[-1].number)
    assert [job.id for job in [*latest, *older]] == ids[::-1]
    assert store.jobs(state=State.DONE) == []
    assert store.counts() == {"queued": 5, "running": 0, "done": 0, "failed": 0, "cancelled": 0}


def test_two_claims_at_once_never_give_the_same_job(store: Store) -> None:
    ids, taken = queued(store, *[Task()] * 40), []

    def take(name: str) -> None:
        own = Store(store.database)
        while (job := own.claim(name)) is not None:
            taken.append(job.id)
        own.database.close()

    threads = [threading.Thread(target=take, args=(f"w{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)


def test_group_commit_does_all_or_says_why(store: Store) -> None:
    committer = Committer(store.database)

    def refuse(_: sqlite3.Connection) -> None:
        raise InputError("must not be")

    (job,) = queued(store)
    sha = the(store.job(job)).instance
    with pytest.raises(InputError, match="must not be"):
        committer.do(refuse)
    with pytest.raises(sqlite3.IntegrityError):
        committer.do(lambda db: store.submit(db, "no such instance", [Task()], "local"))
    ids = committer.do(lambda db: store.submit(db, sha, [Task()], "local"))
    committer.close()
    assert the(store.job(ids[0])).state is State.QUEUED
    assert sum(store.counts().values()) == 2


def test_everything_is_there_after_opening_again(tmp_path: Path) -> None:
    database = Database(tmp_path)
    ids = queued(Store(database), Task(), Task())
    database.close()
    again = Store(Database(tmp_path))
    assert [job.id for job in again.jobs()] == ids[::-1]
    assert again.database.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert again.database.connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    again.database.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "planner.db").write_bytes(b"not a database" * 100)
    with pytest.raises(InputError, match="must be a database"):
        Database(tmp_path)


def test_a_folder_serves_one_service(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(InputError, match="in use"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass
