"""What replanning answers: plans by how many replicas move for them."""

from __future__ import annotations

from dataclasses import dataclass

from planner.current import Turn
from planner.plan import Plan
from planner.result import Stop


@dataclass(frozen=True)
class Point:
    """A plan, how many replicas move for it, its objective in ppm, and what each machine becomes.

    ``bound`` is on the objective of every plan with at most so many moves.
    """

    moves: int
    objective: int
    bound: int
    plan: Plan
    became: tuple[Turn, ...]

    def cost(self, price: int) -> int:
        """Return the objective with this price, in ppm, of each move."""
        return self.objective + price * self.moves


@dataclass(frozen=True)
class Replanned:
    """What came out.

    Attributes
    ----------
    best
        The plan that was asked for; None if there is none.
    bound
        In ppm: on the objective of every plan within the moves allowed; with a price, on the sum of objective
        and moves.
    free_bound
        In ppm: on the objective of every plan, however many moves it takes.
    curve
        Plans by rising moves and falling objective.
    fewest
        A proven lower bound on the moves of any plan.
    infeasible
        It is proven that there is no plan, or none within the moves.
    reasons
        Why there is no plan.
    """

    best: Point | None = None
    bound: int | None = None
    free_bound: int | None = None
    curve: tuple[Point, ...] = ()
    fewest: int = 0
    infeasible: bool = False
    reasons: tuple[str, ...] = ()
    stop: Stop = Stop.FINISHED
