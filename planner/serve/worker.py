"""A worker: a process that claims jobs and has each solved in a child process, one after the other."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from pathlib import Path

from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_files import plan_of
from planner.plan_form import PlanFile
from planner.processes import die_with_parent
from planner.result import Progress, Result, Stop
from planner.serve.chores import outcome_of, replan, restored
from planner.serve.clerk import ChoreError, Clerk
from planner.serve.database import Database
from planner.serve.jobs import Job, Outcome, State
from planner.serve.store import Store
from solvers.child import solve_in_child

_IDLE_S, _BEAT_S, _GRACE_S = 0.1, 0.5, 30.0
_MEMORY = re.compile(r"out of memory|bad_alloc|allocat|MemoryError|start new thread|needs? more than")


class Crash(Exception):  # noqa: N818  the job's, not ours
    """The process that solved came to grief, which another try may not."""


def main(folder: str, name: str, parent: int) -> None:
    """Work until the service ends."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(15)  # answering requests comes first
    worker = Worker(Store(Database(Path(folder))), name)
    while True:
        if not worker.work():
            time.sleep(_IDLE_S)


class Worker:
    """Claims jobs from a store and works on them."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name
        self._instance: Instance | None = None  # the last one

    def work(self) -> bool:
        """Do the next job; return whether there was one."""
        job = self.store.claim(self.name)
        if job is None:
            return False
        with Beat(self.store, job) as beat:
            try:
                outcome = self._outcome(job, beat)
            except InputError as error:
                outcome = Outcome(State.FAILED, note=str(error))
            except Crash as crash:
                beat.close()
                self.store.give_back(job, str(crash))
                return True
        if not beat.lost:
            self.store.finish(job, outcome)
        return True

    def _outcome(self, job: Job, beat: Beat) -> Outcome:
        if job.task.replan is not None:
            return self._replanned(job, beat)
        instance = self._instance_of(job)
        start = None if job.task.start is None else self._plan(job.task.start, instance)
        result = solve_in_child(
            instance,
            job.task.solver,
            time_limit=job.task.time_limit,
            seed=job.task.seed,
            start=start,
            on_progress=beat.take,
            memory_limit_mb=job.task.memory_mb,
            stop=beat.wanted,
        )
        return _outcome(job, instance, result, cancelled=beat.cancelled)

    def _replanned(self, job: Job, beat: Beat) -> Outcome:
        task = job.task
        found, today = self.store.instance(job.instance), self.store.document(task.replan or "")
        if found is None or today is None:
            raise InputError("must be a job that has a plan", field="replan", value=task.replan)
        clerk = Clerk(task.memory_mb)
        try:
            seconds = task.time_limit + _GRACE_S
            arguments = (found, today, task.max_moves, task.move_cost, task.time_limit, task.seed)
            return clerk.ask(replan, *arguments, seconds=seconds, stop=beat.wanted)
        except ChoreError as error:
            if beat.cancelled:
                return Outcome(State.CANCELLED)
            raise _failure(job, f"re-planning {error}") from None
        finally:
            clerk.close()

    def _instance_of(self, job: Job) -> Instance:
        if self._instance is None or self._instance.sha256 != job.instance:
            found = self.store.instance(job.instance)
            if found is None:
                raise InputError("is not there any more", field="instance", value=job.instance)
            self._instance = restored(found)
        return self._instance

    def _plan(self, job: str, instance: Instance) -> Plan:
        document = self.store.document(job)
        if document is None:
            raise InputError("must be a job that has a plan", field="start", value=job)
        return plan_of(PlanFile.model_validate_json(document), instance)


def _outcome(job: Job, instance: Instance, result: Result, *, cancelled: bool) -> Outcome:
    """Return what a result means for a job."""
    if result.stop is Stop.FAILED and result.plan is None:
        if cancelled:
            return Outcome(State.CANCELLED, note=result.note)
        raise _failure(job, result.note)
    return outcome_of(instance, result, State.CANCELLED if cancelled else State.DONE)


def _failure(job: Job, note: str) -> Exception:
    """Return what to raise: more memory than the limit is needed at every try."""
    if _MEMORY.search(note):
        return InputError(f"reached the memory limit of {job.task.memory_mb} MB: {note}")
    return Crash(note)


class Beat:
    """Renews the lease of a job while it is worked on, and hands its progress on.

    Attributes
    ----------
    cancelled
        Somebody does not want the job any more.
    lost
        The job is somebody else's now.
    """

    def __init__(self, store: Store, job: Job) -> None:
        self._store, self._job = store, job
        self.cancelled = self.lost = False
        self._lock, self._ending = threading.Lock(), threading.Event()
        self._news: list[tuple[float, int | None, int | None]] = []
        self._last: tuple[int | None, int | None] = (None, None)
        self._thread = threading.Thread(target=self._beat, name="beat", daemon=True)

    def __enter__(self) -> Beat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hand on what is left, and stop."""
        if not self._ending.is_set():
            self._ending.set()
            self._thread.join()
            if not self.lost:
                self._tell(self._store)

    def wanted(self) -> bool:
        """Return whether the solve is to end."""
        return self.cancelled or self.lost

    def take(self, now: Progress) -> bool:
        """Take the progress of a solve; return whether it is to end."""
        if (now.objective, now.bound) != self._last:
            self._last = (now.objective, now.bound)
            with self._lock:
                self._news.append((now.seconds, now.objective, now.bound))
        return self.wanted()

    def _beat(self) -> None:
        store = Store(self._store.database)  # this thread has a connection of its own
        try:
            while not self._ending.wait(_BEAT_S):
                self._tell(store)
        finally:
            store.database.close()

    def _tell(self, store: Store) -> None:
        with self._lock:
            news, self._news = self._news, []
        with contextlib.suppress(OSError):
            cancel = store.beat(self._job, news)
            self.lost |= cancel is None
            self.cancelled |= bool(cancel)
