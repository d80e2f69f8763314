"""Plans to explain: of random instances, by solvers that stop far from and at the optimum."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from planner.explain.moves import Moves
from planner.explain.parts import Places
from planner.explain.variants import View
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_files import plan_document
from planner.plan_form import PlanFile
from planner.result import Result, Status, Stop
from solvers import solve
from tests.random_instances import random_instance


def planned(seeds: range) -> Iterator[tuple[int, Instance, Plan]]:
    """Yield seeds, instances and plans: two or three plans of each instance that has any."""
    for seed in seeds:
        instance, plans = _planned(seed)
        yield from ((seed, instance, plan) for plan in plans)


@cache
def _planned(seed: int) -> tuple[Instance, list[Plan]]:
    instance = random_instance(seed)
    solvers = ("greedy", "first_fit", *(("milp",) if seed % 5 == 0 else ()))
    plans = [solve(instance, solver, time_limit=5).plan for solver in solvers]
    return instance, [plan for plan in plans if plan is not None]


def document(instance: Instance, plan: Plan) -> PlanFile:
    """Return the file of a plan."""
    result = Result(Status.FEASIBLE, Stop.FINISHED, "hand", 0, plan=plan)
    return PlanFile.model_validate(plan_document(instance, result))


def looked_at(instance: Instance, plan: Plan) -> tuple[Moves, Places]:
    """Return what explanations of a plan are made from."""
    view = View(instance, plan)
    return Moves(view), Places(view, document(instance, plan))
