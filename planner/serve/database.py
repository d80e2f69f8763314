"""The database of a service: one SQLite file, and connections to it that lose nothing that was committed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from planner.errors import InputError
from planner.reading import reason

_WAIT_S = 30.0
_VERSION = 1


class Database:
    """A database file; each thread has a connection of its own.

    Parameters
    ----------
    folder
        Where ``planner.db`` is, or is made.

    Raises
    ------
    InputError
        If the folder cannot be written, or the file is not such a database.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "planner.db"
        self._local = threading.local()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.writing() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, _VERSION):
                    raise InputError(f"must be of version {_VERSION}", file=str(self.path), value=version)
                for statement in resources.files(__package__).joinpath("schema.sql").read_text().split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
        except OSError as error:
            raise InputError(f"cannot be written: {reason(error)}", file=str(folder)) from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"must be a database of this service: {error}", file=str(self.path)) from None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread."""
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is None:
            known = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)
            known.row_factory = sqlite3.Row
            known.execute("PRAGMA journal_mode = WAL")
            known.execute("PRAGMA synchronous = FULL")
            known.execute("PRAGMA foreign_keys = ON")
            self._local.connection = known
        return known

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that is on the disk when the block ends, or as if it had never been."""
        db = self.connection
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def close(self) -> None:
        """Close the connection of this thread."""
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is not None:
            known.close()
            self._local.connection = None


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for one service.

    Raises
    ------
    InputError
        If another one has it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError(f"cannot be written: {reason(error)}", file=str(folder)) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError("is in use by another `planner serve`", file=str(folder)) from None
        yield
    finally:
        os.close(lock)
