"""A pool of processes of this host, each pinned to a core of its own."""

from __future__ import annotations

import itertools
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from multiprocessing import connection
from typing import Any

from planner.cluster.pool import TRIES, Lost, outcome
from planner.errors import InputError
from planner.seat import ProcessLostError, Seat

_Job = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class LocalPool:
    """Processes of this host; a context that ends them.

    Parameters
    ----------
    jobs
        How many; each has a core of its own.

    Raises
    ------
    InputError
        If this process may not use so many cores.
    """

    def __init__(self, jobs: int) -> None:
        cores = sorted(os.sched_getaffinity(0))
        if not 1 <= jobs <= len(cores):
            rule = f"must be from 1 to {len(cores)}, the cores that this process may use"
            raise InputError(rule, field="jobs", value=jobs)
        self._idle = cores[:jobs]
        self._seats: dict[int, Seat] = {}
        self._busy: dict[int, int] = {}  # core -> ticket
        self._jobs: dict[int, _Job] = {}
        self._waiting: deque[int] = deque()
        self._deaths: Counter[int] = Counter()
        self._tickets = itertools.count()

    def __enter__(self) -> LocalPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def share(self, value: Any) -> Any:
        """Return ``value``."""
        return value

    def submit(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> int:
        """Take a job and return its ticket."""
        ticket = next(self._tickets)
        self._jobs[ticket] = (function, arguments, keywords)
        self._waiting.append(ticket)
        return ticket

    def finished(self) -> Iterator[tuple[int, Any]]:
        """Yield ticket and answer, or :class:`Lost`, of each job as it ends, until none is left."""
        while self._jobs:
            while self._waiting and self._idle:
                self._begin(self._idle.pop(0), self._waiting.popleft())
            pipes = {self._seats[core].pipe: core for core in self._busy}
            for pipe in connection.wait(list(pipes)):
                yield from self._end(pipes[pipe])  # type: ignore[index]

    def close(self) -> None:
        """End every process."""
        while self._seats:
            self._seats.popitem()[1].close()

    def _begin(self, core: int, ticket: int) -> None:
        if core not in self._seats:
            self._seats[core] = Seat([core])
        self._busy[core] = ticket
        self._seats[core].begin(*self._jobs[ticket])

    def _end(self, core: int) -> Iterator[tuple[int, Any]]:
        """Yield the answer of the job on a core, unless it is to be run again."""
        ticket = self._busy.pop(core)
        self._idle.append(core)
        try:
            answer = self._seats[core].answer()
        except ProcessLostError as error:
            self._seats.pop(core).close()
            self._deaths[ticket] += 1
            if self._deaths[ticket] < TRIES:
                self._waiting.append(ticket)
                return
            answer = Lost(f"{error}, {TRIES} times in a row")
        except Exception as error:  # the job's own
            answer = outcome(error)
        del self._jobs[ticket]
        yield ticket, answer
