"""What `planner explain` answers about a plan: the whole of it, a model, or machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from planner.errors import InputError
from planner.explain.machine import MachineReport, machine_report
from planner.explain.moves import Moves
from planner.explain.parts import Places, model_number
from planner.explain.place import ModelReport, model_report
from planner.explain.variants import View
from planner.explain.whole import Summary, summary
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_form import PlanFile


@dataclass(frozen=True)
class Answer:
    """One of the three, whichever was asked for."""

    whole: Summary | None = None
    model: ModelReport | None = None
    machine: MachineReport | None = None

    def document(self, instance: Instance, plan: PlanFile) -> dict[str, Any]:
        """Return it as plain data, with what it is said of."""
        of = {
            "version": 1,
            "instance": {"name": instance.name, "sha256": instance.sha256},
            "solver": None if plan.solver is None else plan.solver.name,
            "status": None if plan.status is None else plan.status.value,
            "objective": plan.objective,
            "bound": plan.bound,
        }
        return of | {name: value for name, value in asdict(self).items() if value is not None}


def explain(
    instance: Instance, plan: Plan, document: PlanFile, *, model: str | None, machine: str | None
) -> Answer:
    """Return why a valid plan is as it is.

    Parameters
    ----------
    plan, document
        The plan, and the file of it by whose order its groups are named.
    model, machine
        Ask about a model; about a machine type or a group of machines such as ``gpu#2``; about a model on
        those machines; or, with neither, about the whole plan.

    Raises
    ------
    InputError
        If there is no such model, machine type or group, or the model does not live on those machines.
    """
    view = View(instance, plan)
    moves, places = Moves(view), Places(view, document)
    asked = None if model is None else model_number(instance, model)
    groups = None if machine is None else places.chosen(machine)
    if asked is not None:
        if groups is not None and not any(asked in view.pattern(g) for g in groups):
            raise InputError(f"must name a model that lives on {machine}", field="model", value=model)
        return Answer(model=model_report(moves, places, asked, groups))
    if machine is not None and groups is not None:
        return Answer(machine=machine_report(moves, places, machine, groups))
    return Answer(whole=summary(moves, places))
