"""What the store holds: instances, jobs and what came of them."""

from __future__ import annotations

import enum
import re
import secrets
from dataclasses import dataclass
from typing import Any

ID = re.compile(r"[0-9a-f]{16}")


class State(enum.StrEnum):
    """Where a job is."""

    QUEUED = "queued"  #: waits for a worker
    RUNNING = "running"  #: a worker has it
    DONE = "done"  #: solved; the status says what it has
    FAILED = "failed"  #: it came to grief; the note says how
    CANCELLED = "cancelled"  #: somebody did not want it any more; there may be a plan


#: States that a job leaves only when somebody asks for another try.
ENDED = (State.DONE, State.FAILED, State.CANCELLED)


def new_id() -> str:
    """Return a name that nobody can guess, of 16 hexadecimal digits."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Task:
    """What is asked for.

    Attributes
    ----------
    solver, time_limit, seed
        As for :func:`solvers.solve`.
    memory_mb
        Most memory of the solve.
    priority
        Higher ones come first.
    start
        Job of the same instance whose plan is to begin from.
    replan
        Job whose plan runs today; then the best plan within ``max_moves``, or at ``move_cost`` each.
    label
        The submitter's own words.
    """

    solver: str = "auto"
    time_limit: float = 60.0
    seed: int = 0
    memory_mb: int = 4096
    priority: int = 0
    start: str | None = None
    replan: str | None = None
    max_moves: int | None = None
    move_cost: float | None = None
    label: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a job has when it ends: a state and a summary.

    Attributes
    ----------
    document
        A plan file; it need not have a plan.
    answer
        What a re-plan says besides, as JSON.
    """

    state: State
    status: str | None = None
    stop: str | None = None
    objective: str | None = None
    bound: str | None = None
    gap: float | None = None
    seconds: float | None = None
    note: str = ""
    document: bytes | None = None
    answer: bytes | None = None


@dataclass(frozen=True)
class Job:
    """A job as it stands in the store; ``fence`` counts how often it was claimed."""

    id: str
    number: int
    instance: str
    name: str
    owner: str
    task: Task
    state: State
    attempts: int
    fence: int
    worker: str | None
    cancel: bool
    created: float
    started: float | None
    ended: float | None
    outcome: Outcome | None = None

    @property
    def has_plan(self) -> bool:
        """Whether it ended with a plan."""
        return self.outcome is not None and self.outcome.objective is not None


@dataclass(frozen=True)
class StoredInstance:
    """An instance as it stands in the store: JSON and, if it is large, a Parquet table beside it."""

    sha256: str
    name: str
    summary: dict[str, Any]
    document: bytes = b""
    table: bytes | None = None
