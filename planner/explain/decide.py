"""Whether an instance has a plan, decided by solving.

Asked for a plan, a solver spends its time on a good one; where there is none, on the reasons. So it is given
another instance, in which nothing costs anything but a machine that takes one replica of any model, at the
price of 1, and there are enough of those. It has a plan unless pins break a rule by themselves. The instance
without those machines has one if and only if the optimum is 0: a plan of that objective is one, which the
checker must accept, and a bound above 0 is the proof that there is none. Either ends the solve.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from planner.errors import InputError, PlannerError
from planner.evaluate import verdict
from planner.infeasible import obstacles
from planner.instance import InferenceModel, Instance, MachineType
from planner.plan import Plan
from planner.result import Progress, Result, Solve, Status, Stop

_FEW = 60  # replicas; `auto` searches for a while before it proves anything


class Decider:
    """Decides about instances until the time is up.

    Parameters
    ----------
    solve
        The function that solves.
    seconds
        For all decisions together.
    at_most
        For a single one.
    """

    def __init__(self, solve: Solve, seconds: float, at_most: float) -> None:
        self._solve, self._at_most = solve, at_most
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._until - time.monotonic())

    def __call__(self, make: Callable[[], Instance], seconds: float) -> Plan | bool | None:
        """Return a plan of an instance, False if it has none, None if that took too long to find out.

        Parameters
        ----------
        make
            Returns the instance; if it cannot exist, e.g. because sums could overflow, nothing is decided.
        seconds
            The most that this may take.
        """
        seconds = min(seconds, self._at_most, self.left)
        if seconds <= 0:
            return None
        try:
            instance = make()
            if obstacles(instance):
                return False
            asked = with_refuge(instance)
        except InputError:
            return None
        solver = "cpsat" if instance.replicas <= _FEW else "auto"
        result = self._solve(asked, solver, time_limit=seconds, on_progress=_decisive)
        found = self._decided(instance, result)
        if found is None and result.stop is Stop.INTERRUPTED:  # by a person, who wants what is known
            self._until = time.monotonic()
        return found

    @staticmethod
    def _decided(instance: Instance, result: Result) -> Plan | bool | None:
        if result.status is Status.INFEASIBLE or (result.bound or 0) > 0:
            return False
        if result.plan is None or result.objective != 0:
            return None
        if found := verdict(instance, result.plan).violations:
            raise PlannerError(f"a plan without anybody left over breaks a rule: {found[0].message}")
        return result.plan


def _decisive(now: Progress) -> bool:
    """Stop as soon as it is known whether anybody must be left over."""
    return now.objective == 0 or (now.bound or 0) > 0


def with_refuge(instance: Instance) -> Instance:
    """Return ``instance`` with machines that take one replica each, which alone cost anything."""
    name = "left over"
    while name in instance.type_index:
        name += "'"
    most: dict[str, float] = {}
    for model in instance.models:
        for resource, amount in model.demand.items():
            most[resource] = max(most.get(resource, 0.0), amount)
    refuge = MachineType(name=name, count=instance.replicas, slots=1, price=1.0, resources=most)
    types = tuple(kind.model_copy(update={"price": 0.0}) for kind in instance.machine_types)
    allow = {model: (*kinds, name) for model, kinds in instance.rules.allow.items()}
    nothing = np.zeros((1, *instance.degradation.shape[1:]))
    upper = None if instance.upper is None else np.concatenate([instance.upper, nothing])
    return instance.replace(
        machine_types=(*types, refuge),
        models=tuple(_admitted(model, name) for model in instance.models),
        degradation=np.concatenate([instance.degradation, nothing]),
        upper=upper,
        pinned=tuple(pin.model_copy(update={"arrival_price": {}}) for pin in instance.pinned),
        rules=instance.rules.model_copy(update={"allow": allow}),
        objective="price",
    )


def _admitted(model: InferenceModel, name: str) -> InferenceModel:
    """Return a model that meets its SLO on machines of this name; a soft SLO forbids nothing, so it goes."""
    hard = model.slo_ms is not None and model.miss_price is None
    latency = {**model.latency_ms, name: model.slo_ms if hard else 1.0}
    changes: dict[str, Any] = {"latency_ms": latency, "miss_price": None}
    return model.model_copy(update=changes if hard else changes | {"slo_ms": None})
