"""What runs today as a plan file: as any other, but it claims to be a plan only if it is one."""

from __future__ import annotations

from typing import Any

from planner.evaluate import verdict
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_files import plan_document
from planner.result import Result, Status, Stop


def running_document(instance: Instance, plan: Plan) -> dict[str, Any]:
    """Return the document of a plan file; without a status where it breaks a rule."""
    found = verdict(instance, plan)
    objective, broken = found.objective, found.violations
    result = Result(Status.FEASIBLE, Stop.FINISHED, "cluster", 0, plan, objective, note="what runs today")
    document = plan_document(instance, result)
    if broken:
        document |= {"status": None, "objective": None}
    return document
