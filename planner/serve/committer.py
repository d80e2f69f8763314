"""Group commit: what many requests write at a time goes to the disk together.

A commit waits for the disk. One thread takes all writes that wait, does them in one transaction, each within
a savepoint of its own, and answers all of them when it is on the disk.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from planner.serve.database import Database

T = TypeVar("T")
_Write = tuple[Callable[[sqlite3.Connection], object], "Future[object]"]

_TOGETHER = 64


class Committer:
    """Writes to a database on behalf of other threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="committer", daemon=True)
        self._thread.start()

    def do(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Do a write and return what it returns, once it is on the disk.

        Raises
        ------
        Exception
            What the write raises; then nothing of it is done. Or why the disk refused.
        """
        answer: Future[object] = Future()
        self._waiting.put((write, answer))
        return answer.result()  # type: ignore[return-value]  # what this write returned

    def close(self) -> None:
        """Do what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        ending = False
        while not ending:
            batch = [self._waiting.get()]
            while len(batch) < _TOGETHER and not self._waiting.empty():
                batch.append(self._waiting.get())
            writes = [item for item in batch if item is not None]
            ending = len(writes) < len(batch)
            self._commit(writes)
        self._database.close()

    def _commit(self, writes: list[_Write]) -> None:
        answers: list[tuple[Future[object], object, Exception | None]] = []
        try:
            with self._database.writing() as db:
                for write, future in writes:
                    answers.append((future, *_done(db, write)))
        except Exception as error:  # the disk: nothing of the batch is there
            for _, future in writes:
                future.set_exception(error)
            return
        for future, value, problem in answers:
            if problem is None:
                future.set_result(value)
            else:
                future.set_exception(problem)


def _done(
    db: sqlite3.Connection, write: Callable[[sqlite3.Connection], object]
) -> tuple[object, Exception | None]:
    """Do one write within a savepoint; return its answer, or what it raised."""
    db.execute("SAVEPOINT one")
    try:
        value = write(db)
    except Exception as error:
        db.execute("ROLLBACK TO one")
        db.execute("RELEASE one")
        return None, error
    db.execute("RELEASE one")
    return value, None
