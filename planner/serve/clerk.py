"""A process that does chores for another one: what reads untrusted input, or is slow, or may crash.

A chore is a function of :mod:`planner.serve.chores`. The process has a limit on its memory and is killed if a
chore takes too long; the next chore then gets a new one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from planner.errors import InputError
from planner.seat import ProcessLostError, Seat
from planner.serve.chores import ready

_TICK = 0.1
_START_S = 60.0
#: Threads of libraries would reserve memory that counts against the limit.
_FRUGAL = {
    **{name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX")},
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}

T = TypeVar("T")


class ChoreError(Exception):
    """A chore was not done: it took too long, ran out of memory, or was not wanted any more."""


class Clerk:
    """A process that does one chore at a time; others wait.

    Parameters
    ----------
    memory_mb
        Most memory that it may allocate.
    """

    def __init__(self, memory_mb: int) -> None:
        self._memory = memory_mb
        self._turn = threading.Lock()
        self._seat: Seat | None = None

    def ask(
        self, chore: Callable[..., T], *arguments: Any, seconds: float, stop: Callable[[], bool] | None = None
    ) -> T:
        """Have a chore done and return its answer.

        Parameters
        ----------
        chore
            A function of some module, of plain data.
        seconds
            Most time for it, from when it is its turn.
        stop
            Asked ten times a second; once true, the chore is abandoned.

        Raises
        ------
        InputError
            As the chore does.
        ChoreError
            If there is no answer; it says why.
        """
        with self._turn:
            if self._seat is None or self._seat.process.poll() is not None:
                self._end()
                self._seat = Seat(memory_mb=self._memory, environment=_FRUGAL)
                self._done(self._seat, ready, (), _START_S, None)
            answer: T = self._done(self._seat, chore, arguments, seconds, stop)
            return answer

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def _done(
        self,
        seat: Seat,
        chore: Callable[..., Any],
        arguments: tuple[Any, ...],
        seconds: float,
        stop: Callable[[], bool] | None,
    ) -> Any:
        seat.begin(chore, arguments, {})
        deadline = time.monotonic() + seconds
        while not seat.pipe.poll(_TICK):
            late = time.monotonic() > deadline
            if late or (stop is not None and stop()):
                self._end()
                raise ChoreError(f"took longer than {seconds:g} s" if late else "was not wanted any more")
        try:
            return seat.answer()
        except InputError:
            raise
        except MemoryError:
            raise ChoreError(f"needs more than {self._memory} MB") from None
        except ProcessLostError:
            self._end()
            raise ChoreError(f"ended its process; it may need more than {self._memory} MB") from None
        except Exception as error:  # whatever it is, the one who asks is to go on
            raise ChoreError(f"failed: {type(error).__name__}: {error}") from None

    def _end(self) -> None:
        if self._seat is not None:
            self._seat.close()
        self._seat = None
