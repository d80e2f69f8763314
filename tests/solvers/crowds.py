"""Instances whose machines hold many replicas, and levels of local search on them."""

from __future__ import annotations

from planner.generate import generate
from planner.instance import Background, Instance, Objective
from solvers.greedy import solve as greedy
from solvers.levels import Level, first
from solvers.run import Run


def dear(seed: int, slots: tuple[int, int] = (30, 40), tightness: float = 0.8) -> Instance:
    """Two types of machines with a price, one with other load on it: every term of a cost is there."""
    drawn = generate(
        models=12,
        types=2,
        replicas=72,
        machines=4,
        slots=slots,
        slo_fraction=0.0,
        tightness=tightness,
        feasible=True,
        seed=seed,
    )
    one, two = drawn.machine_types
    load = Background(degradation={m.name: 0.01 * t for t, m in enumerate(drawn.models)})
    types = (one.model_copy(update={"background": load}), two)
    return drawn.replace(machine_types=types, objective=Objective(degradation=1.0, price=0.3))


def level_of(instance: Instance) -> Level:
    """Return the level of an instance at its greedy plan."""
    start = greedy(instance, Run(time_limit=60.0)).plan
    assert start is not None
    level = first(instance.compiled, start, 0)
    assert level.bathes
    return level
