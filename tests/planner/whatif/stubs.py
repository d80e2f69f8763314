"""Solvers that know the optimum by brute force, and tell all of it or only a part that is true."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from planner.instance import InferenceModel, Instance, MachineType
from planner.plan import Plan
from planner.result import OnProgress, Result, Status, Stop
from planner.whatif.work import Work
from tests import oracle
from tests.random_instances import random_instance

_PLENTY = 1e6  # seconds; brute force looks at no clock


@dataclass
class Exact:
    """Solves by brute force, and remembers what it was asked."""

    asked: list[Instance] = field(default_factory=list)

    def __call__(
        self,
        instance: Instance,
        solver: str = "exact",
        *,
        time_limit: float,
        seed: int = 0,
        start: Plan | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        self.asked.append(instance)
        return self.told(instance, oracle.solve(instance), start)

    def told(self, instance: Instance, answer: oracle.Answer, start: Plan | None) -> Result:
        """Return what it tells of the true answer: all of it."""
        if answer.plan is None:
            return Result(Status.INFEASIBLE, Stop.FINISHED, "exact", 0, reasons=("brute force",))
        value = answer.objective
        return Result(Status.OPTIMAL, Stop.FINISHED, "exact", 0, answer.plan, value, value)

    def work(self) -> Work:
        """Return work with this solver and all the time there is."""
        return Work(self, _PLENTY)


@dataclass
class Early(Exact):
    """Stops early: may miss the plan or find a start no better, may prove half of the bound or nothing."""

    rng: random.Random = field(default_factory=random.Random)

    def told(self, instance: Instance, answer: oracle.Answer, start: Plan | None) -> Result:
        """Return a part of the true answer."""
        if answer.objective is None:
            proven = self.rng.random() < 0.5
            status = Status.INFEASIBLE if proven else Status.NO_PLAN
            return Result(status, Stop.FINISHED, "early", 0, reasons=("brute force",))
        plan = answer.plan if self.rng.random() < 0.6 else start
        loose = int(answer.objective * self.rng.choice((0.3, 0.8, 0.95)))
        bound = self.rng.choice((None, answer.objective, loose, loose))
        objective = None if plan is None else oracle.judge(instance, plan).objective
        status = Status.FEASIBLE if plan is not None else Status.NO_PLAN
        return Result(status, Stop.FINISHED, "early", 0, plan, objective, bound)


def small_instances(number: int, *, most: int = 6, first: int = 0) -> Iterator[Instance]:
    """Yield random instances of few replicas, so that brute force over many variants is quick."""
    seed = first
    while number:
        instance = random_instance(seed)
        seed += 1
        if instance.replicas <= most:
            number -= 1
            yield instance


def roomy_instance(seed: int) -> Instance:
    """Return four or five replicas of three models on up to five machines of two prices, some with an SLO."""
    rng = random.Random(seed)
    types = tuple(
        MachineType(name=f"type-{k}", count=rng.choice((1, 2, 3)), slots=rng.choice((3, 4)), price=price)
        for k, price in enumerate(rng.sample((1.0, 1.3, 2.0, 3.5), 2))
    )
    models = tuple(
        InferenceModel(
            name=f"model-{t}",
            replicas=rng.choice((1, 2)),
            latency_ms={kind.name: 10.0 for kind in types},
            slo_ms=rng.choice((None, 11.0, 14.0)),
        )
        for t in range(3)
    )
    values = np.array([round(rng.uniform(0, 0.4), 3) for _ in range(18)]).reshape(2, 3, 3)
    return Instance(name=f"roomy-{seed}", machine_types=types, models=models, degradation=values)
