"""The oracle for replanning: every plan of a tiny instance, machine by machine, with its moves."""

from __future__ import annotations

import random
from collections.abc import Iterator

from planner.current import Current, current
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_files import plan_document
from planner.plan_form import PlanFile
from planner.result import Result, Status, Stop
from tests.oracle import Oracle
from tests.random_instances import random_plan, solved, with_arrival_prices

Spread = tuple[int, ...]


def document(instance: Instance, plan: Plan) -> PlanFile:
    """Return the plan file of a plan."""
    result = Result(Status.FEASIBLE, Stop.FINISHED, "by hand", 0, plan, None, None)
    return PlanFile.model_validate(plan_document(instance, result))


def tiny(seeds: range) -> Iterator[tuple[int, Current]]:
    """Yield random instances that have a plan, and what runs today, which is valid for few of them."""
    for seed in seeds:
        instance, answer = solved(seed)
        if instance.objective == "worst" or answer.plan is None or instance.replicas > 8:
            continue
        free = with_arrival_prices(instance, 0)
        today = random_plan(free, random.Random(seed).randrange(1000))
        yield seed, current(document(free, today), free)


def best_by_moves(now: Current) -> dict[int, int]:
    """Return the lowest objective for each number of moves, in ppm."""
    instance = now.instance
    oracle = Oracle(instance)
    wanted = [instance.rules.min_machines.get(m.name, 0) for m in instance.models]
    nothing = (0,) * len(instance.models)
    start = (tuple(m.replicas for m in instance.models), nothing, 0)
    best: dict[tuple[Spread, Spread, int], int] = {start: 0}
    for held in now.holdings:
        place = oracle.places[held.pool]
        before = [held.counts.get(t, 0) for t in range(len(nothing))]
        patterns = [(c, oracle.cost(place, c)) for c in oracle._feasible(held.pool)] if held.machines else []
        for _ in range(held.machines):
            after: dict[tuple[Spread, Spread, int], int] = {}
            for (left, spread, stay), cost in best.items():
                for counts, more in patterns:
                    if any(n > there for n, there in zip(counts, left, strict=True)):
                        continue
                    rest = tuple(there - n for n, there in zip(counts, left, strict=True))
                    on = tuple(min(s + (n > 0), w) for s, n, w in zip(spread, counts, wanted, strict=True))
                    kept = stay + sum(map(min, counts, before))
                    key = (rest, on, kept)
                    after[key] = min(after.get(key, cost + more), cost + more)
            best = after
    kept_at_most = int(now.kept.sum())
    return {
        kept_at_most - stay: cost
        for (left, spread, stay), cost in sorted(best.items(), key=lambda item: -item[1])
        if left == nothing and list(spread) == wanted
    }
