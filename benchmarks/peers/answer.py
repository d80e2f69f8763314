"""What the peers share that is not mathematics: reading, the checker's verdict, printing."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from planner.errors import InputError
from planner.evaluate import evaluate
from planner.files import load_instance
from planner.instance import Instance
from planner.plan import Plan


@dataclass(frozen=True)
class Found:
    """What a peer's library says: its status in words, a plan or None, and its bound in ppm or None."""

    status: str
    plan: Plan | None
    bound: float | None
    variables: int
    rows: int
    building: float


@dataclass(frozen=True)
class Answer:
    """One run, as ``benchmarks.exact`` prints it; objective (the checker's) and bound in ppm."""

    solver: str
    status: str
    objective: int | None
    bound: int | None
    seconds: float
    variables: int | None
    rows: int | None
    building: float | None
    note: str = ""

    @property
    def gap(self) -> float | None:
        """(objective - bound) / objective; None without either."""
        if self.objective is None or self.bound is None:
            return None
        return (self.objective - self.bound) / self.objective if self.objective else 0.0


#: A peer: takes an instance and the seconds that it may take, building included.
Peer = Callable[[Instance, float], Found]


def main(peer: Peer, name: str) -> None:
    """Solve the instance named on the command line and print the answer as JSON."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("instance", type=Path)
    parser.add_argument("--time-limit", type=float, default=60.0)
    options = parser.parse_args()
    instance = load_instance(options.instance)
    check_supported(instance)
    print(json.dumps(asdict(answer(peer, name, instance, options.time_limit))))


def answer(peer: Peer, name: str, instance: Instance, time_limit: float) -> Answer:
    """Run a peer and have its plan checked; a plan that breaks a rule is none, and the note says which.

    The bound is rounded up to a whole ppm, less one part in a million for floating point.
    """
    began = time.monotonic()
    found = peer(instance, time_limit)
    seconds = time.monotonic() - began
    objective, note = None, ""
    if found.plan is not None:
        evaluation = evaluate(instance, found.plan)
        objective = evaluation.objective if evaluation.valid else None
        note = "; ".join(v.message for v in evaluation.violations[:1])
    bound = None if found.bound is None else int(np.ceil(found.bound - 1e-6 * max(1.0, abs(found.bound))))
    if bound is not None and objective is not None and found.status == "optimal":
        bound = objective
    return Answer(
        solver=name,
        status=found.status,
        objective=objective,
        bound=bound,
        seconds=seconds,
        variables=found.variables,
        rows=found.rows,
        building=found.building,
        note=note,
    )


def check_supported(instance: Instance) -> None:
    """Refuse what the peers do not state.

    Raises
    ------
    InputError
        For pinned replicas, background, co-location factors, soft SLOs and prices in the objective.
    """
    c = instance.compiled
    stated = {
        "objective": not (c.worst or c.price.any()),
        "pinned": not instance.pinned,
        "machine_types.background": all(len(m.background.degradation) == 0 for m in instance.machine_types),
        "machine_types.colocation_factor": not c.factored,
        "models.miss_price": not c.soft.any(),
    }
    for field, ok in stated.items():
        if not ok:
            raise InputError("is not stated by the textbook formulations", field=field, value=instance.name)
