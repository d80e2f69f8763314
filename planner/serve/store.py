"""Everything that happens to a job, each in one transaction.

A worker *claims* a job: the job's fence is raised, and the worker has it until its lease runs out, which it
renews while it works. It can end only what it still holds: state, worker and fence must be as at the claim.
So a worker that was taken for dead, and wakes up, changes nothing, and no result is there twice.

A claim that did not end well is an attempt. After :data:`MOST_ATTEMPTS` the job fails; when the whole service
goes down, it is not the job's fault and does not count.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from planner.serve.database import Database
from planner.serve.jobs import ENDED, Job, Outcome, State, StoredInstance, Task, new_id

MOST_ATTEMPTS = 3
LEASE_S = 15.0
_SUMMARY = (
    "number, id, instance, owner, task, state, attempts, fence, worker, cancel, created, started, ended, "
    "outcome, (SELECT name FROM instances WHERE sha256 = instance) AS name"
)


class Store:
    """Instances and jobs in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # instances

    def add_instance(self, found: StoredInstance, upload: str) -> None:
        """Keep an instance and the SHA-256 of the ``upload`` that it came from."""
        table = None if found.table is None else zlib.compress(found.table, 1)
        with self.database.writing() as db:
            packed = zlib.compress(found.document, 1)
            row = (found.sha256, found.name, json.dumps(found.summary), packed, table, time.time())
            db.execute("INSERT OR IGNORE INTO instances VALUES (?, ?, ?, ?, ?, ?)", row)
            db.execute("INSERT OR IGNORE INTO uploads VALUES (?, ?)", (upload, found.sha256))

    def uploaded(self, upload: str) -> str | None:
        """Return the instance that an upload of these bytes gave before."""
        row = self._row("SELECT instance FROM uploads WHERE sha256 = ?", upload)
        return None if row is None else str(row["instance"])

    def instance(self, sha256: str, *, files: bool = True) -> StoredInstance | None:
        """Return an instance, with or without its files."""
        columns = "*" if files else "sha256, name, summary"
        row = self._row(f"SELECT {columns} FROM instances WHERE sha256 = ?", sha256)
        if row is None:
            return None
        document = zlib.decompress(row["document"]) if files else b""
        table = zlib.decompress(row["beside"]) if files and row["beside"] is not None else None
        return StoredInstance(row["sha256"], row["name"], json.loads(row["summary"]), document, table)

    def instances(self, most: int) -> list[StoredInstance]:
        """Return the latest instances, without their files."""
        rows = self._rows(
            "SELECT sha256, name, summary FROM instances ORDER BY created DESC, sha256 LIMIT ?", most
        )
        return [StoredInstance(r["sha256"], r["name"], json.loads(r["summary"])) for r in rows]

    # submitting

    def submit(
        self,
        db: sqlite3.Connection,
        instance: str,
        tasks: Sequence[Task],
        owner: str,
        key: str | None = None,
    ) -> list[str]:
        """Queue jobs within a transaction; return their ids, the old ones if ``key`` came before."""
        if key is not None:
            known = db.execute(
                "SELECT id FROM jobs WHERE owner = ? AND key = ? ORDER BY part", (owner, key)
            ).fetchall()
            if known:
                return [row["id"] for row in known]
        ids = []
        for i, task in enumerate(tasks):
            ids.append(new_id())
            row = (ids[-1], instance, owner, key, i, json.dumps(asdict(task)), task.priority, time.time())
            db.execute(
                "INSERT INTO jobs (id, instance, owner, key, part, task, priority, created, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued')",
                row,
            )
        return ids

    def waiting(self, owner: str) -> int:
        """Return how many jobs of an owner wait or run."""
        row = self._row(
            "SELECT count(*) AS n FROM jobs WHERE owner = ? AND state IN ('queued', 'running')", owner
        )
        return 0 if row is None else int(row["n"])

    # looking

    def job(self, job: str) -> Job | None:
        """Return a job, without its document."""
        row = self._row(f"SELECT {_SUMMARY} FROM jobs WHERE id = ?", job)
        return None if row is None else _job(row)

    def jobs(
        self,
        *,
        state: State | None = None,
        instance: str | None = None,
        before: int | None = None,
        most: int = 100,
    ) -> list[Job]:
        """Return the latest jobs, newest first; ``before`` a number, for the next page."""
        rows = self._rows(
            f"SELECT {_SUMMARY} FROM jobs WHERE state = coalesce(?, state)"
            " AND instance = coalesce(?, instance) AND number < coalesce(?, 9e18)"
            " ORDER BY number DESC LIMIT ?",
            state,
            instance,
            before,
            most,
        )
        return [_job(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return state -> number of jobs."""
        found = {
            r["state"]: int(r["n"]) for r in self._rows("SELECT state, count(*) AS n FROM jobs GROUP BY 1")
        }
        return {state.value: found.get(state.value, 0) for state in State}

    def document(self, job: str) -> bytes | None:
        """Return the plan document of a job."""
        return self._unpacked("document", job)

    def answer(self, job: str) -> bytes | None:
        """Return what a re-plan says."""
        return self._unpacked("answer", job)

    def _unpacked(self, column: str, job: str) -> bytes | None:
        row = self._row(f"SELECT {column} FROM jobs WHERE id = ?", job)
        return None if row is None or row[column] is None else zlib.decompress(row[column])

    def history(self, job: str, after: int = 0) -> list[tuple[int, float, int | None, int | None]]:
        """Return (row, seconds, objective, bound in ppm) of each improvement after a row, in order."""
        rows = self._rows(
            "SELECT rowid, * FROM progress WHERE job = ? AND rowid > ? ORDER BY rowid", job, after
        )
        return [(r["rowid"], r["seconds"], r["objective"], r["bound"]) for r in rows]

    # working

    def claim(self, worker: str) -> Job | None:
        """Give the next job to a worker; None if none waits."""
        if self._row("SELECT 1 FROM jobs WHERE state = 'queued' LIMIT 1") is None:
            return None  # so that idle workers do not write
        with self.database.writing() as db:
            now = time.time()
            row = db.execute(
                "UPDATE jobs SET state = 'running', fence = fence + 1, attempts = attempts + 1, worker = ?,"
                " lease = ?, started = ? WHERE number = (SELECT number FROM jobs WHERE state = 'queued'"
                " ORDER BY priority DESC, number LIMIT 1) RETURNING id",
                (worker, now + LEASE_S, now),
            ).fetchone()
            if row is None:
                return None
            db.execute("DELETE FROM progress WHERE job = ?", (row["id"],))
        return self.job(row["id"])

    def beat(self, job: Job, news: Iterable[tuple[float, int | None, int | None]] = ()) -> bool | None:
        """Renew a lease and add progress; return whether to cancel, None if the job is no longer held."""
        with self.database.writing() as db:
            row = db.execute(
                f"UPDATE jobs SET lease = ? WHERE {_HELD} RETURNING cancel",
                (time.time() + LEASE_S, *_held(job)),
            ).fetchone()
            if row is None:
                return None
            db.executemany("INSERT INTO progress VALUES (?, ?, ?, ?)", ((job.id, *now) for now in news))
        return bool(row["cancel"])

    def finish(self, job: Job, outcome: Outcome) -> bool:
        """End a job; return False, with nothing changed, if it is no longer held."""
        packed = [None if d is None else zlib.compress(d, 1) for d in (outcome.document, outcome.answer)]
        text = json.dumps(asdict(replace(outcome, document=None, answer=None)))
        with self.database.writing() as db:
            done = db.execute(
                "UPDATE jobs SET state = ?, outcome = ?, document = ?, answer = ?, ended = ?, worker = NULL,"
                f" lease = NULL WHERE {_HELD}",
                (outcome.state, text, *packed, time.time(), *_held(job)),
            )
        return done.rowcount == 1

    def give_back(self, job: Job, why: str) -> bool:
        """Let a job be tried again, or fail if it was tried often enough; False if it is no longer held."""
        if job.attempts >= MOST_ATTEMPTS:
            note = f"{why} (attempt {job.attempts} of {MOST_ATTEMPTS})"
            return self.finish(job, Outcome(State.FAILED, note=note))
        with self.database.writing() as db:
            done = db.execute(
                "UPDATE jobs SET state = CASE cancel WHEN 1 THEN 'cancelled' ELSE 'queued' END,"
                f" worker = NULL, lease = NULL WHERE {_HELD}",
                _held(job),
            )
        return done.rowcount == 1

    def lost(self, worker: str | None = None) -> list[Job]:
        """Return the jobs that a dead worker has, or whose lease has run out."""
        which, value = ("worker = ?", worker) if worker else ("lease < ?", time.time())
        rows = self._rows(f"SELECT {_SUMMARY} FROM jobs WHERE state = 'running' AND {which}", value)
        return [_job(row) for row in rows]

    def recover(self) -> int:
        """Put back what ran when the service went down; return how many jobs that were."""
        with self.database.writing() as db:
            db.execute(
                "UPDATE jobs SET state = 'cancelled', worker = NULL, lease = NULL, ended = ?"
                " WHERE state = 'running' AND cancel",
                (time.time(),),
            )
            done = db.execute(
                "UPDATE jobs SET state = 'queued', attempts = attempts - 1, worker = NULL, lease = NULL"
                " WHERE state = 'running'"
            )
        return done.rowcount

    # changing one's mind

    def cancel(self, job: str) -> None:
        """End a job that waits, and have the one that runs ended."""
        with self.database.writing() as db:
            db.execute("UPDATE jobs SET cancel = 1 WHERE id = ? AND state = 'running'", (job,))
            db.execute(
                "UPDATE jobs SET cancel = 1, state = 'cancelled', ended = ?"
                " WHERE id = ? AND state = 'queued'",
                (time.time(), job),
            )

    def retry(self, job: str) -> bool:
        """Queue a job again that failed or was cancelled; return whether it is one."""
        with self.database.writing() as db:
            done = db.execute(
                "UPDATE jobs SET state = 'queued', attempts = 0, cancel = 0, started = NULL, ended = NULL,"
                " outcome = NULL, document = NULL, answer = NULL"
                " WHERE id = ? AND state IN ('failed', 'cancelled')",
                (job,),
            )
            db.execute(
                "DELETE FROM progress WHERE job = ? AND (SELECT state FROM jobs WHERE id = job) = 'queued'",
                (job,),
            )
        return done.rowcount == 1

    def _row(self, statement: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self.database.connection.execute(statement, values).fetchone()
        return found

    def _rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        return self.database.connection.execute(statement, values).fetchall()


_HELD = "id = ? AND state = 'running' AND worker = ? AND fence = ?"


def _held(job: Job) -> tuple[str, str | None, int]:
    return job.id, job.worker, job.fence


def _job(row: sqlite3.Row) -> Job:
    state = State(row["state"])
    outcome = None if row["outcome"] is None or state not in ENDED else Outcome(**json.loads(row["outcome"]))
    return Job(
        id=row["id"],
        number=row["number"],
        instance=row["instance"],
        name=row["name"],
        owner=row["owner"],
        task=Task(**json.loads(row["task"])),
        state=state,
        attempts=row["attempts"],
        fence=row["fence"],
        worker=row["worker"],
        cancel=bool(row["cancel"]),
        created=row["created"],
        started=row["started"],
        ended=row["ended"],
        outcome=outcome,
    )
