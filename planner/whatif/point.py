"""One point of a question: its instance, and what is known of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from planner.errors import SolverError
from planner.evaluate import Evaluation, evaluate
from planner.infeasible import obstacles
from planner.instance import Instance
from planner.plan import Plan
from planner.result import Result, Status, Stop


@dataclass
class Point:
    """An instance, the best plan that the checker accepts for it, and what is proven of it.

    Attributes
    ----------
    label, value
        Where the point is on its axis, as text and exactly.
    unit
        Every objective is a multiple of so many ppm, so bounds are rounded up to one.
    plan, evaluation, bound, infeasible
        The best plan and what the checker says of it; a lower bound on the objective in ppm; whether it
        is proven that there is no plan.
    plan_of, proof_of
        Labels of the points whose solves they come from; empty for none.
    reasons
        Why there is no plan, where that is known.
    solves, seconds, longest
        How often this point was solved, how long that took, and the longest limit of one of them.
    exhausted
        The solver ended by itself, so solving again finds the same.
    """

    label: str
    value: Fraction
    instance: Instance = field(repr=False)
    unit: int = 1
    plan: Plan | None = field(default=None, repr=False)
    evaluation: Evaluation | None = field(default=None, repr=False)
    bound: int | None = None
    infeasible: bool = False
    plan_of: str = ""
    proof_of: str = ""
    reasons: tuple[str, ...] = ()
    solves: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    exhausted: bool = False

    def __post_init__(self) -> None:
        if reasons := obstacles(self.instance):
            self.take_infeasible(self.label, reasons)

    @property
    def objective(self) -> int | None:
        """The checker's objective of the plan, in ppm."""
        return None if self.evaluation is None else self.evaluation.objective

    @property
    def status(self) -> Status:
        """What is known, in a word."""
        if self.infeasible:
            return Status.INFEASIBLE
        if self.objective is None:
            return Status.NO_PLAN
        return Status.OPTIMAL if self.bound == self.objective else Status.FEASIBLE

    @property
    def open(self) -> bool:
        """Whether solving could tell more."""
        return self.status in (Status.FEASIBLE, Status.NO_PLAN)

    @property
    def gap(self) -> float | None:
        """(objective - bound) / objective; None if either is missing."""
        if self.objective is None or self.bound is None:
            return None
        return (self.objective - self.bound) / self.objective if self.objective else 0.0

    def take(self, result: Result) -> None:
        """Keep what solving this point has found."""
        self.seconds += result.seconds
        if result.status is Status.INFEASIBLE:
            self.take_infeasible(self.label, result.reasons)
            return
        if result.bound is not None:
            self.take_bound(result.bound, self.label)
        if result.plan is not None:
            self.take_plan(result.plan, self.label)
        if self.plan is None:
            self.reasons = result.reasons or (result.note,)

    def take_plan(self, plan: Plan, source: str) -> bool:
        """Keep a plan, found at the point ``source``, if the checker accepts it and it is better."""
        found = evaluate(self.instance, plan)
        if found.violations or found.objective is None:
            return False
        if self.objective is not None and found.objective >= self.objective:
            return False
        self.plan, self.evaluation, self.plan_of = plan, found, source
        if found.objective == 0:  # none is ever negative
            self.take_bound(0, source)
        self._refuse_contradiction()
        return True

    def take_bound(self, bound: int, source: str) -> None:
        """Keep a proven bound in ppm, found at the point ``source``, if it is higher."""
        bound = -(-bound // self.unit) * self.unit
        if self.bound is None or bound > self.bound:
            self.bound, self.proof_of = bound, source
            self._refuse_contradiction()

    def take_infeasible(self, source: str, reasons: tuple[str, ...]) -> None:
        """Keep a proof, found at the point ``source``, that there is no plan."""
        if not self.infeasible:
            self.infeasible, self.proof_of, self.reasons, self.bound = True, source, reasons, None
            self._refuse_contradiction()

    def _refuse_contradiction(self) -> None:
        above = self.bound is not None and self.objective is not None and self.bound > self.objective
        if above or (self.infeasible and self.plan is not None):
            claim = "there is no plan" if self.infeasible else f"the bound is {self.bound}"
            said = f"solving {self.proof_of} claims that {claim} at {self.label}"
            raise SolverError(f"{said}: a plan has {self.objective}")

    def result(self, solver: str, seed: int) -> Result:
        """Return what is known as a result."""
        from_others = [f"{what} from {of}" for what, of in self.inferred()]
        return Result(
            status=self.status,
            stop=Stop.TIME_LIMIT if self.open and not self.exhausted else Stop.FINISHED,
            solver=solver,
            seed=seed,
            plan=self.plan,
            objective=self.objective,
            bound=self.bound,
            seconds=self.seconds,
            reasons=self.reasons,
            note=f"{self.instance.name}: {', '.join(from_others)}" if from_others else "",
        )

    def inferred(self) -> list[tuple[str, str]]:
        """Return what comes from solving another point, and which."""
        proof = "proof" if self.infeasible else "bound"
        parts = (("plan", self.plan_of), (proof, self.proof_of))
        return [(what, of) for what, of in parts if of and of != self.label]
