"""What runs inside a Dask worker: it hands a job to a process beside it and waits for the answer.

Jobs of all workers of a host share its cores: one job a core, whatever the workers' numbers of threads are.
A job that asks for a whole host waits until every core is free, and none begins while it runs.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.cluster.cores import all_cores, one_core, out_of_the_way
from planner.cluster.pool import TRIES
from planner.seat import ProcessLostError, Seat

_TICK = 0.5
_idle: defaultdict[int, list[Seat]] = defaultdict(list)  # core -> seats
_lock = threading.Lock()


@dataclass(frozen=True)
class Place:
    """Where a job must run that has a host for itself.

    Attributes
    ----------
    resource
        That the worker has, by ``dask worker --resources "RESOURCE=1"``.
    cores
        That the job will keep busy; the worker's own threads leave them if there are others.
    """

    resource: str
    cores: tuple[int, ...]


class CancelledJobError(Exception):
    """Nobody waits for this job any more."""


def hold(value: Any) -> Any:
    """Return ``value``: as a task, so that it is kept where it is needed and can be made again."""
    return value


def installed() -> str:
    """Return the version of this distribution on this host."""
    from planner.plan_files import version

    return version()


def work(
    function: Callable[..., Any], place: Place | None, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> Any:
    """Have a job done in a process of its own and return its answer.

    Raises
    ------
    ProcessLostError
        If that process was killed again and again.
    """

    def attempt() -> Any:
        with _one_seat() if place is None else _whole_host(place) as seat:
            seat.begin(function, arguments, keywords)
            while not seat.pipe.poll(_TICK):
                if _cancelled():
                    raise CancelledJobError
            return seat.answer()

    return _insist(attempt)


def _insist(attempt: Callable[[], Any]) -> Any:
    """Return what ``attempt`` returns, trying again when its process is lost.

    Raises
    ------
    ProcessLostError
        If that happened as often as a job is tried.
    """
    for tries in range(1, TRIES + 1):
        try:
            return attempt()
        except ProcessLostError as error:
            if tries == TRIES:
                raise ProcessLostError(f"{error}, {TRIES} times in a row") from None
    return None


@contextlib.contextmanager
def _one_seat() -> Iterator[Seat]:
    """Yield a process that is pinned to a free core; it stays up for later jobs."""
    with one_core(os.sched_getaffinity(0)) as core:
        with _lock:
            seat = _idle[core].pop() if _idle[core] else None
        seat = seat or Seat([core])
        try:
            yield seat
        except (CancelledJobError, ProcessLostError):
            seat.close()
            raise
        except BaseException:
            _put_back(core, seat)
            raise
        _put_back(core, seat)


def _put_back(core: int, seat: Seat) -> None:
    with _lock:
        _idle[core].append(seat)


@contextlib.contextmanager
def _whole_host(place: Place) -> Iterator[Seat]:
    """Yield a process that may use what this one may, while this one and other jobs stay out of its way."""
    allowed = os.sched_getaffinity(0)
    with all_cores(), out_of_the_way(place.cores), contextlib.closing(Seat(allowed)) as seat:
        yield seat


def _cancelled() -> bool:
    """Return whether the task of this thread is no longer wanted: Dask does not interrupt a thread."""
    from distributed.worker import get_worker, thread_state

    task = get_worker().state.tasks.get(thread_state.key)
    return task is None or task.state == "cancelled"
