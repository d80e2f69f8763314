"""Why an instance is infeasible: which rules, relaxed alone, make it feasible, and by how much.

Each relaxation is a variant of the instance, so the same code that plans decides about it: a quick proof
(:mod:`planner.infeasible`, then pair flow), else CP-SAT without an objective, whose plan the checker
must accept. Where a relaxation has a size (percent, slots, machines), the smallest that helps is
bisected. A sentence says only what was decided; where a decision took too long it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ortools.sat.python import cp_model

from planner.errors import InputError
from planner.evaluate import verdict
from planner.infeasible import obstacles
from planner.instance import Instance, Rules
from solvers.bound import left_over
from solvers.compact import LARGEST, MOST_PATTERNS, first_plan, impossible, size, watched
from solvers.cpsat_by_machine import ByMachine
from solvers.cpsat_by_pattern import ByPattern
from solvers.enumeration import all_patterns
from solvers.run import Run

_SECONDS = 30.0
_PER_DECISION = 3.0
_PERCENT = 10_000
_PIECES = 10_000


@dataclass(frozen=True)
class Relaxation:
    """A family of variants of an instance.

    Attributes
    ----------
    what
        What is relaxed, with ``{}`` for the size where there is one.
    enough
        What to say of a size that was proven not to be enough, with ``{}`` for it.
    variant
        The instance relaxed by a size; None if there is nothing to relax.
    most
        The largest size to try; 1 if the rule is there or not.
    """

    what: str
    variant: Callable[[int], Instance | None]
    most: int = 1
    enough: str = ""


def explain(instance: Instance, run: Run) -> tuple[str, ...]:
    """Return reasons, in words, why ``instance`` has no plan; it must have been proven that it has none."""
    if found := obstacles(instance):
        return found
    inner = Run(time_limit=max(min(_SECONDS, run.remaining), 0.01), on_progress=lambda _: run.report())
    reasons = []
    if left := left_over(instance, inner, share=0.1):
        what = "replicas without a machine"
        if instance.rules.min_machines or instance.pinned:
            what += ", or machines that min_machines or pins ask for"
        reasons.append(f"the rules can be met one by one but not together: short by at least {left} ({what})")
    sentences = [sentence for relaxation in relaxations(instance) for sentence in _try(relaxation, inner)]
    return (*reasons, *sentences) if sentences else (*reasons, _unexplained(inner))


def _unexplained(run: Run) -> str:
    if run.stopping:
        return "proven infeasible; there was no time to find out which rules are to blame"
    return "proven infeasible; no kind of rule, relaxed alone, makes it feasible"


def _try(relaxation: Relaxation, run: Run) -> Iterator[str]:
    """Yield a sentence if the relaxation makes the instance feasible."""
    least, most = 0, relaxation.most
    if _decide(relaxation, most, run) is not True:
        return
    unknown = False
    while most - least > 1:
        middle = _between(least, most)
        answer = _decide(relaxation, middle, run)
        if answer is None:
            unknown = True
            break
        least, most = (least, middle) if answer else (middle, most)
    enough = " (less may do)" if unknown else relaxation.enough and f" ({relaxation.enough.format(most - 1)})"
    yield f"{relaxation.what.format(most)} there is a plan{enough if most > 1 else ''}"


def _between(least: int, most: int) -> int:
    """Return the size to try next: small ones first, since decisions get harder near the border."""
    return min(2 * least + 1, (least + most + 1) // 2, most - 1)


def _decide(relaxation: Relaxation, amount: int, run: Run) -> bool | None:
    """Return whether the variant has a plan; None if that took too long."""
    try:
        variant = relaxation.variant(amount)
    except InputError:  # e.g. a capacity so large that sums could overflow
        return None
    return None if variant is None or run.stopping else feasible(variant, run)


def feasible(instance: Instance, run: Run) -> bool | None:
    """Return whether ``instance`` has a plan; None if that takes too long or is too large to find out."""
    c = instance.compiled
    if obstacles(instance) or impossible(c):
        return False
    inner = Run(time_limit=max(min(_PER_DECISION, run.remaining), 0.01), on_progress=lambda _: run.report())
    if left_over(instance, inner):
        return False
    patterns = all_patterns(c, MOST_PATTERNS) if c.factored else None
    if size(c) > LARGEST or (c.factored and patterns is None):
        return True if first_plan(instance, inner, share=1.0) is not None else None
    program = ByMachine(instance, priced=False) if patterns is None else ByPattern(c, patterns, None, 0)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(inner.remaining, 0.01)
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False
    status = cp_model.UNKNOWN

    def work() -> None:
        nonlocal status
        status = solver.solve(program.model)

    if not watched(inner, work, inner.report, solver.stop_search):
        return None
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return not verdict(instance, program.plan(solver.value)).violations
    return False if status == cp_model.INFEASIBLE else None


def relaxations(instance: Instance) -> Iterator[Relaxation]:
    """Yield what can be relaxed, the likeliest culprits first."""
    percent = "{} % is not enough"
    yield Relaxation("with every hard SLO {} % longer", _longer_slos(instance), _PERCENT, percent)
    for resource in dict.fromkeys(r for m in instance.machine_types for r in m.resources):
        what = f"with {{}} % more {resource} on every machine"
        yield Relaxation(what, _more_resource(instance, resource), _PERCENT, percent)
    most = min(instance.replicas, _PIECES)
    slots = "with {} more slot(s) on every machine"
    yield Relaxation(slots, _more_slots(instance), most, "{} more is not enough")
    for k, machine_type in enumerate(instance.machine_types):
        what = f"with {{}} more machine(s) of type {machine_type.name}"
        yield Relaxation(what, _more_machines(instance, k), most, "{} more is not enough")
    for rule in Rules.model_fields:
        yield Relaxation(f"without the rule {rule}", _without_rule(instance, rule))
    yield Relaxation("without pinned replicas", _without_pins(instance))


Variant = Callable[[int], Instance | None]


def _longer_slos(instance: Instance) -> Variant:
    """Make each hard SLO some percent longer."""
    hard = any(m.slo_ms is not None and m.miss_price is None for m in instance.models)

    def variant(percent: int) -> Instance | None:
        def longer(model: Any) -> Any:
            if model.slo_ms is None or model.miss_price is not None:
                return model
            return model.model_copy(update={"slo_ms": model.slo_ms * (100 + percent) / 100})

        return instance.replace(models=tuple(longer(m) for m in instance.models)) if hard else None

    return variant


def _more_resource(instance: Instance, resource: str) -> Variant:
    """Give each machine some percent more of a resource."""

    def variant(percent: int) -> Instance:
        def more(machine_type: Any) -> Any:
            have = machine_type.resources.get(resource)
            if have is None:
                return machine_type
            return machine_type.model_copy(
                update={"resources": {**machine_type.resources, resource: have * (100 + percent) / 100}}
            )

        return instance.replace(machine_types=tuple(more(m) for m in instance.machine_types))

    return variant


def _more_slots(instance: Instance) -> Variant:
    """Give each machine that has a limit some more slots."""

    def variant(slots: int) -> Instance | None:
        def more(machine_type: Any) -> Any:
            if machine_type.slots is None:
                return machine_type
            return machine_type.model_copy(update={"slots": machine_type.slots + slots})

        limited = any(m.slots is not None for m in instance.machine_types)
        return instance.replace(machine_types=tuple(map(more, instance.machine_types))) if limited else None

    return variant


def _more_machines(instance: Instance, k: int) -> Variant:
    """Add machines of a type."""

    def variant(machines: int) -> Instance:
        types = list(instance.machine_types)
        types[k] = types[k].model_copy(update={"count": types[k].count + machines})
        return instance.replace(machine_types=tuple(types))

    return variant


def _without_rule(instance: Instance, rule: str) -> Variant:
    """Drop all rules of a kind."""

    def variant(_: int) -> Instance | None:
        dropped = instance.rules.model_copy(update={rule: Rules.model_fields[rule].default})
        return None if dropped == instance.rules else instance.replace(rules=dropped)

    return variant


def _without_pins(instance: Instance) -> Variant:
    """Let pinned replicas move; background load stays."""

    def variant(_: int) -> Instance | None:
        if not any(pin.models for pin in instance.pinned):
            return None
        return instance.replace(
            pinned=tuple(pin.model_copy(update={"models": {}}) for pin in instance.pinned)
        )

    return variant
