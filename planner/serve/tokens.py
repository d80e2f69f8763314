"""Tokens: who may use a service that is not only for its own machine.

A token is 256 random bits, shown once. The database has its SHA-256, which is enough for something that
nobody can guess, and compares all of them in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

from planner.errors import InputError
from planner.serve.database import Database

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Caller:
    """Somebody who may use the service.

    Attributes
    ----------
    queued
        Most jobs that may wait or run at a time.
    seconds
        Longest time limit of a job.
    """

    name: str
    queued: int = 10_000
    seconds: float = 86_400.0


#: Whoever is on the same machine, where no token is needed.
LOCAL = Caller("local")


def add(database: Database, name: str, queued: int = LOCAL.queued, seconds: float = LOCAL.seconds) -> str:
    """Return a new token.

    Raises
    ------
    InputError
        If the name is not one, or is taken.
    """
    if not _NAME.fullmatch(name) or name == LOCAL.name:
        rule = f"must be 1 to 64 letters, digits, '.', '_' or '-', and not {LOCAL.name!r}"
        raise InputError(rule, field="name", value=name)
    token = secrets.token_urlsafe(32)
    with database.writing() as db:
        if db.execute("SELECT 1 FROM tokens WHERE name = ?", (name,)).fetchone():
            raise InputError("has a token already; revoke it first", field="name", value=name)
        row = (name, _hashed(token), queued, seconds, time.time())
        db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", row)
    return token


def revoke(database: Database, name: str) -> bool:
    """Take a token back; return whether there was one."""
    with database.writing() as db:
        return db.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount == 1


def callers(database: Database) -> list[Caller]:
    """Return all who have a token."""
    rows = database.connection.execute("SELECT name, queued, seconds FROM tokens ORDER BY name")
    return [Caller(row["name"], row["queued"], row["seconds"]) for row in rows]


def caller(database: Database, token: str) -> Caller | None:
    """Return who has a token; looks at all of them, whichever it is."""
    hashed, found = _hashed(token), None
    for row in database.connection.execute("SELECT name, hash, queued, seconds FROM tokens"):
        if hmac.compare_digest(row["hash"], hashed):
            found = Caller(row["name"], row["queued"], row["seconds"])
    return found


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
