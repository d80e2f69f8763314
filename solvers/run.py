"""What a solver is given to work with, and what it hands back."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from planner.instance import Instance
from planner.plan import Plan
from planner.result import OnProgress, Progress, Stop


class Helpers(Protocol):
    """Threads elsewhere, for calls that do not need this process."""

    def share(self, value: Any) -> Any:
        """Return what stands for ``value`` in calls, so that it travels once."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call a function of some module somewhere."""

    def there(self) -> bool:
        """Return whether anybody is there to answer."""

    def give_up(self, why: str) -> None:
        """Say, once, that nobody is as far as the solve is concerned."""


class Run:
    """One solve: its clock, its seed, its start, and what has been reported so far.

    Parameters
    ----------
    time_limit
        Seconds that the solve may take.
    seed
        The only source of randomness.
    start
        A valid plan to begin from, or None.
    on_progress
        Called with each :class:`Progress`; a true return value asks the solve to stop.
    helpers
        Where patterns may be priced besides this process.
    """

    def __init__(
        self,
        *,
        time_limit: float,
        seed: int = 0,
        start: Plan | None = None,
        on_progress: OnProgress | None = None,
        helpers: Helpers | None = None,
    ) -> None:
        self.time_limit, self.seed, self.start, self.helpers = time_limit, seed, start, helpers
        self.history: list[Progress] = []
        self.interrupted = False
        self._on_progress = on_progress
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the solve began."""
        return time.monotonic() - self._began

    @property
    def remaining(self) -> float:
        """Seconds left until the time limit; never negative."""
        return max(0.0, self.time_limit - self.elapsed)

    @property
    def stopping(self) -> bool:
        """Whether to stop now: out of time, or asked to."""
        return self.interrupted or self.remaining <= 0.0

    @property
    def stop(self) -> Stop:
        """Why a solver that stops now does so."""
        if self.interrupted:
            return Stop.INTERRUPTED
        return Stop.FINISHED if self.remaining > 0.0 else Stop.TIME_LIMIT

    def interrupt(self) -> None:
        """Ask the solver to stop with what it has; may be called from any thread."""
        self.interrupted = True

    def report(self, objective: int | None = None, bound: int | None = None, note: str = "") -> bool:
        """Say how far the solve is; return whether to stop.

        The best values so far are kept: a worse objective or bound than one reported before is not
        shown. Call it often; only improvements enter the history.
        """
        last = self.history[-1] if self.history else Progress(0.0, None, None)
        objective = min((v for v in (objective, last.objective) if v is not None), default=None)
        bound = max((v for v in (bound, last.bound) if v is not None), default=None)
        now = Progress(self.elapsed, objective, bound, note)
        if (objective, bound) != (last.objective, last.bound):
            self.history.append(now)
        if self._on_progress is not None and self._on_progress(now):
            self.interrupt()
        return self.stopping


@dataclass(frozen=True)
class Outcome:
    """What a solver found. ``bound`` in ppm must be proven; ``infeasible`` too."""

    plan: Plan | None = None
    bound: int | None = None
    infeasible: bool = False
    stop: Stop = Stop.FINISHED
    note: str = ""
    reasons: tuple[str, ...] = ()


#: A solver: looks at an instance, works until ``run.stopping``, returns what it found.
Solver = Callable[[Instance, Run], Outcome]
