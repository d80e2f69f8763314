"""What the service does for a caller, whoever asks: the command line's routes, and its page."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.serve import chores
from planner.serve.clerk import Clerk
from planner.serve.committer import Committer
from planner.serve.database import Database
from planner.serve.forms import Problem, Submission
from planner.serve.jobs import ENDED, ID, Job, State, StoredInstance
from planner.serve.refusals import Refused
from planner.serve.store import Store
from planner.serve.supervisor import Supervisor
from planner.serve.tokens import Caller

JSON_MOST, YAML_MOST, TABLE_MOST = 16 * 2**20, 2 * 2**20, 32 * 2**20
_VALIDATING_S, _VALIDATING_MB = 1.7, 512
_MAKING_S, _MAKING_MB = 60.0, 3072
_MOST_COMPARED = 50


@dataclass(frozen=True)
class Limits:
    """What a service allows.

    Attributes
    ----------
    seconds
        Longest time limit of a job.
    memory_mb
        Most memory of a job, and what it has if it does not say.
    """

    seconds: float = 3600.0
    memory_mb: int = 4096

    @classmethod
    def of_this_machine(cls, workers: int, seconds: float) -> Limits:
        """Share four fifths of the memory among the workers."""
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(seconds, max(256, int(0.8 * total / 2**20 / workers)))


class Service:
    """A store, processes that do chores, and workers.

    Parameters
    ----------
    folder
        For everything that is kept.
    workers
        Jobs that are solved at a time.
    """

    def __init__(self, folder: Path, workers: int, limits: Limits) -> None:
        self.limits = limits
        self.database = Database(folder)
        self.store = Store(self.database)
        self._committer = Committer(self.database)
        self._validating, self._making = Clerk(_VALIDATING_MB), Clerk(_MAKING_MB)
        self.supervisor = Supervisor(folder, workers)

    def start(self) -> None:
        """Start the workers, and what validates."""
        self.supervisor.start()
        self._validating.ask(chores.ready, seconds=_MAKING_S)

    def close(self) -> None:
        """End every process; what runs is put back at the next start."""
        self.supervisor.close()
        self._committer.close()
        self._validating.close()
        self._making.close()

    def upload(
        self,
        data: bytes,
        suffix: str,
        table: bytes | None = None,
        table_suffix: str = "",
        objective: Any = None,
    ) -> StoredInstance | Problem:
        """Keep an instance; the same bytes are looked at only once.

        Raises
        ------
        Refused, ChoreError
            If it is too large, or takes too long.
        """
        most = JSON_MOST if suffix == ".json" else YAML_MOST
        for what, size, limit in (("instance", len(data), most), ("table", len(table or b""), TABLE_MOST)):
            if size > limit:
                rule = f"must be at most {limit // 2**20} MB"
                raise Refused(413, rule, field=what, value=f"{size / 2**20:,.1f} MB")
        digest = hashlib.sha256()
        for part in (
            data,
            suffix.encode(),
            table or b"",
            table_suffix.encode(),
            json.dumps(objective).encode(),
        ):
            digest.update(len(part).to_bytes(8, "big") + part)
        known = self.store.uploaded(digest.hexdigest())
        if known is not None:
            return self.instance(known)
        arguments = (data, suffix, table, table_suffix, objective)
        found = self._validating.ask(chores.accept, *arguments, seconds=_VALIDATING_S)
        if isinstance(found, Problem):
            return found
        self.store.add_instance(found, digest.hexdigest())
        return found

    def instance(self, sha256: str, *, files: bool = False) -> StoredInstance:
        """Return an instance.

        Raises
        ------
        Refused
            If it is not there.
        """
        found = self.store.instance(sha256, files=files)
        if found is None:
            raise Refused(404, "must be the SHA-256 of an instance", field="instance", value=sha256[:70])
        return found

    def submit(self, asked: Submission, caller: Caller) -> list[Job] | Problem:
        """Queue jobs; they are on the disk when this returns.

        Raises
        ------
        Refused
            If a limit or a reference does not hold.
        """
        self._check(asked, caller)
        instance = self._instance_of(asked)
        if isinstance(instance, Problem):
            return instance
        for name, job in (("start", asked.start), ("replan.job", asked.replan and asked.replan.job)):
            if job:
                self._with_plan(job, name, instance if name == "start" else None)
        tasks = asked.tasks(self.limits.memory_mb)

        def write(db: sqlite3.Connection) -> list[str]:
            waiting = self.store.waiting(caller.name)
            if waiting + len(tasks) > caller.queued:
                raise Refused(429, f"must be at most {caller.queued:,} jobs that wait or run", value=waiting)
            return self.store.submit(db, instance, tasks, caller.name, asked.key)

        return [self.job(job) for job in self._committer.do(write)]

    def _check(self, asked: Submission, caller: Caller) -> None:
        from solvers import SOLVERS

        for solver in asked.solvers:
            if solver not in SOLVERS:
                rule = f"must be one of {', '.join(SOLVERS)}"
                raise Refused(422, rule, field="solvers", value=solver)
        longest = min(caller.seconds, self.limits.seconds)
        if asked.time_limit > longest:
            rule = f"must be at most {longest:g} seconds here"
            raise Refused(422, rule, field="time_limit", value=asked.time_limit)
        if (asked.memory_mb or 0) > self.limits.memory_mb:
            rule = f"must be at most {self.limits.memory_mb:,} here"
            raise Refused(422, rule, field="memory_mb", value=asked.memory_mb)

    def _instance_of(self, asked: Submission) -> str | Problem:
        """Return the SHA-256 of the instance that is asked for."""
        if isinstance(asked.instance, str):
            found = self.instance(asked.instance, files=asked.objective is not None)
            if asked.objective is None:
                return found.sha256
            table = ".parquet" if found.table is not None else ""
            changed = self.upload(found.document, ".json", found.table, table, asked.objective)
        else:
            data = json.dumps(asked.instance, ensure_ascii=False).encode(errors="surrogatepass")
            changed = self.upload(data, ".json", objective=asked.objective)
        return changed if isinstance(changed, Problem) else changed.sha256

    def _with_plan(self, job: str, field: str, instance: str | None) -> None:
        found = self.job(job)
        if not found.has_plan:
            raise Refused(409, "must be a job that has a plan", field=field, value=job)
        if instance is not None and found.instance != instance:
            raise Refused(409, "must be a job of the same instance and objective", field=field, value=job)

    def job(self, job: str) -> Job:
        """Return a job.

        Raises
        ------
        Refused
            If it is not there.
        """
        found = self.store.job(job) if ID.fullmatch(job) else None
        if found is None:
            raise Refused(404, "must be the id of a job", field="job", value=job[:70])
        return found

    def cancel(self, job: str) -> Job:
        """Have a job ended."""
        self.job(job)
        self.store.cancel(job)
        return self.job(job)

    def retry(self, job: str) -> Job:
        """Queue a job again that failed or was cancelled."""
        if not self.store.retry(self.job(job).id):
            raise Refused(409, "must have failed or been cancelled", field="state", value=self.job(job).state)
        return self.job(job)

    def document(self, job: str) -> bytes:
        """Return the plan file of a job that has ended; it need not have a plan.

        Raises
        ------
        Refused
            If there is none.
        """
        found = self.job(job)
        document = self.store.document(job)
        if document is None or found.state not in ENDED:
            raise Refused(409, "must be a job that ended with a plan", field="state", value=found.state)
        return document

    def answer(self, job: str) -> bytes:
        """Return the moves of a re-plan."""
        found, answer = self.job(job), self.store.answer(job)
        if answer is None or found.state is not State.DONE:
            raise Refused(409, "must be a re-plan that is done", field="state", value=found.state)
        return answer

    def report(self, jobs: Sequence[str]) -> str:
        """Return a page on the plans of jobs of one instance."""
        found = self.compared(jobs)
        documents = {f"{i}-{job.task.solver}": self.document(job.id) for i, job in enumerate(found, 1)}
        instance = self.instance(found[0].instance, files=True)
        return self._making.ask(chores.report, instance, documents, seconds=_MAKING_S)

    def explain(self, job: str) -> dict[str, Any]:
        """Return why the plan of a job is as it is, or why there is none."""
        instance = self.instance(self.job(job).instance, files=True)
        return self._making.ask(chores.explain, instance, self.document(job), seconds=_MAKING_S)

    def compared(self, jobs: Sequence[str]) -> list[Job]:
        """Return jobs, which must be of one instance.

        Raises
        ------
        Refused
            If they are not, or are none or too many.
        """
        if not 0 < len(jobs) <= _MOST_COMPARED:
            raise Refused(422, f"must be 1 to {_MOST_COMPARED} jobs", field="job", value=len(jobs))
        found = [self.job(job) for job in dict.fromkeys(jobs)]
        if len({job.instance for job in found}) > 1:
            raise Refused(409, "must be jobs of one instance", field="job")
        return found
