"""What commands know of a pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from planner.seat import ProcessLostError

TRIES = 3  # of a job whose process is killed


@dataclass(frozen=True)
class Lost:
    """In place of an answer: the job was tried several times and never came to its end."""

    reason: str


class Pool(Protocol):
    """Runs jobs, as many at once as it has cores, each in a process that is pinned to one."""

    def share(self, value: Any) -> Any:
        """Return what stands for ``value`` in the arguments of jobs, so that it travels to a worker once."""

    def submit(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> int:
        """Take a job and return its ticket.

        Parameters
        ----------
        function
            Of some module, and pure: a job whose process is killed is run again.
        """

    def finished(self) -> Iterator[tuple[int, Any]]:
        """Yield ticket and answer, or :class:`Lost`, of each job as it ends, until none is left.

        Jobs may be submitted in between.

        Raises
        ------
        InputError
            That a job raised.
        """

    def close(self) -> None:
        """End everything, what still runs too."""


def outcome(error: BaseException) -> Lost:
    """Return what stands for the answer of a job that raised; bad input is the caller's to see, raised."""
    from planner.errors import InputError

    if isinstance(error, InputError):
        raise error
    if isinstance(error, ProcessLostError):
        return Lost(str(error))
    return Lost(f"{type(error).__name__}: {error}")
