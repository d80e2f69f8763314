"""What a solver answers: why it stopped, apart from what it has."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from planner.plan import Plan

if TYPE_CHECKING:
    from pandas import DataFrame

    from planner.instance import Instance


class Status(enum.StrEnum):
    """What a result has."""

    OPTIMAL = "optimal"  #: a plan, and a bound equal to its objective
    FEASIBLE = "feasible"  #: a plan, without that proof
    INFEASIBLE = "infeasible"  #: a proof that no plan exists
    NO_PLAN = "no_plan"  #: neither a plan nor a proof that none exists


class Stop(enum.StrEnum):
    """Why a solver stopped."""

    FINISHED = "finished"  #: it had nothing left to do
    TIME_LIMIT = "time_limit"  #: the time limit was reached
    INTERRUPTED = "interrupted"  #: Ctrl-C, or a progress callback that asked for it
    FAILED = "failed"  #: the solver's library gave up: out of memory, an internal error


@dataclass(frozen=True)
class Progress:
    """One moment of a solve: seconds since its start, and the best objective and bound (ppm) so far."""

    seconds: float
    objective: int | None
    bound: int | None
    note: str = ""

    @property
    def gap(self) -> float | None:
        """(objective - bound) / objective; 0 if both are 0; None if either is missing."""
        return _gap(self.objective, self.bound)


#: Called now and then while a solver works; a true return value asks it to stop with what it has.
OnProgress = Callable[[Progress], bool | None]


class Solve(Protocol):
    """What :func:`solvers.solve` is, for those who are given it."""

    def __call__(
        self,
        instance: Instance,
        solver: str = ...,
        *,
        time_limit: float,
        seed: int = ...,
        start: Plan | None = ...,
        on_progress: OnProgress | None = ...,
    ) -> Result:
        """Plan ``instance``."""


@dataclass(frozen=True)
class Result:
    """The outcome of a solve.

    Attributes
    ----------
    status, stop
        What it has, and why it stopped.
    plan
        None if there is none.
    objective, bound
        In ppm, exact integers; the checker's objective of ``plan`` and a proven lower bound on the
        objective of any plan. None where there is none, never 0 instead.
    seconds
        Wall-clock time of the solve.
    history
        Progress at each improvement of objective or bound, in time order.
    reasons
        For ``infeasible``: why, in words. For ``no_plan``: what stood in the way.
    note
        What the solver wants to say in one line, e.g. which solver ``auto`` picked.
    """

    status: Status
    stop: Stop
    solver: str
    seed: int
    plan: Plan | None = None
    objective: int | None = None
    bound: int | None = None
    seconds: float = 0.0
    history: tuple[Progress, ...] = ()
    reasons: tuple[str, ...] = ()
    note: str = ""

    @property
    def gap(self) -> float | None:
        """(objective - bound) / objective; 0 if both are 0; None if either is missing."""
        return _gap(self.objective, self.bound)

    def history_frame(self) -> DataFrame:
        """Return the history as a data frame; see :func:`planner.frames.history_frame`."""
        from planner.frames import history_frame

        return history_frame(self)

    def _repr_html_(self) -> str:
        from planner.notebook import result_html

        return result_html(self)


def _gap(objective: int | None, bound: int | None) -> float | None:
    if objective is None or bound is None:
        return None
    return (objective - bound) / objective if objective else 0.0
