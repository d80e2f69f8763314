"""Plan files beside their instance: the rules that they keep or break, and what they claim that is not so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.evaluate import Evaluation, evaluate
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_files import (
    exact,
    most_groups,
    outcome_document,
    plan_of,
    promised,
    read_plan,
    summary_document,
)
from planner.plan_form import PlanFile
from planner.result import Status
from planner.rules import Violation


@dataclass(frozen=True)
class Checked:
    """A plan file beside what the checker says of it; it is valid without ``violations``."""

    plan: Plan
    evaluation: Evaluation
    violations: tuple[Violation, ...]

    def document(self, instance: Instance) -> dict[str, Any]:
        """Return what ``planner check --json`` prints."""
        return {
            "version": 1,
            "instance": {"name": instance.name, "sha256": instance.sha256},
            "valid": not self.violations,
            "objective": exact(self.evaluation.objective),
            "summary": summary_document(self.evaluation),
            "violations": [asdict(violation) for violation in self.violations],
            "models": [outcome_document(m) for m in self.evaluation.models],
        }


def check_plan(path: str | Path, instance: Instance) -> Checked:
    """Check the plan in a file: the rules of ``instance`` and what the file claims.

    Raises
    ------
    InputError
        As :func:`load_plan` does.
    """
    document = read_plan(path, most_groups(instance))
    try:
        return check_document(document, instance)
    except InputError as error:
        raise error.in_file(str(path)) from None


def check_document(document: PlanFile, instance: Instance) -> Checked:
    """Check the plan in a document as :func:`check_plan` does; its errors have no file yet."""
    instance = promised(document, instance)
    plan = plan_of(document, instance)
    evaluation = evaluate(instance, plan)
    return Checked(plan, evaluation, (*evaluation.violations, *_false_claims(document, evaluation)))


def _false_claims(document: PlanFile, evaluation: Evaluation) -> Iterator[Violation]:
    """Yield what a plan file claims that is not so."""
    objective = exact(evaluation.objective)
    if objective is None:
        return
    if document.objective is not None and document.objective != objective:
        yield Violation("objective", f"the file claims {document.objective:f}, it is {objective:f}")
    if document.bound is not None and document.bound > objective:
        yield Violation("bound", f"the file claims the bound {document.bound:f} above {objective:f}")
    if document.status is Status.OPTIMAL and document.bound != objective:
        yield Violation("status", "the file claims 'optimal' without a bound equal to the objective")
    for seconds, _, bound in document.history:
        if bound is not None and bound > objective:
            what = f"the file claims the bound {bound:f} after {seconds:g} s, above {objective:f}"
            yield Violation("history", what)
            break
