"""How often plans break SLOs when degradations turn out otherwise, and what a promise costs."""

from __future__ import annotations

from collections.abc import Sequence

from planner.report.blocks import Block, Cell, Table
from planner.report.cases import Case
from planner.report.text import number, percent
from planner.simulate import simulate

_DRAWS, _FEWER = 1000, 100
_ENTRIES = 5_000  # of a plan, above which fewer draws are made
_FACTOR = 1.5


def promises(cases: Sequence[Case]) -> Block | None:
    """Return the simulated misses of each checked plan; None where no instance says how sure it is."""
    rows = [row for case in cases if (row := _row(case, cases)) is not None]
    if not rows:
        return None
    intro = (
        f"{_DRAWS:,} draws of every degradation from its 95 % interval, errors independent of each other "
        f"({_FEWER} draws for plans of more than {_ENTRIES:,} entries); then all {_FACTOR:g} times as much. "
        "Dearer: the objective over that of the plan without a promise."
    )
    columns = ("plan", "promised", "objective", "dearer", "replicas over", "draws with any", "over at 1.5 x")
    return Block("promises", "If degradations turn out otherwise", intro, table=Table(columns, rows))


def _row(case: Case, cases: Sequence[Case]) -> list[Cell] | None:
    instance, entry = case.instance, case.main
    if instance is None or instance.upper is None or entry.checked is None:
        return None
    plan, objective = entry.checked.plan, entry.row.objective
    draws = _DRAWS if plan.model.size <= _ENTRIES else _FEWER
    drawn = simulate(instance, plan, draws=draws)
    harder = simulate(instance, plan, draws=draws, factor=_FACTOR)
    plain = next((c for c in cases if _unpromised(c, case)), None)
    least = None if plain is None else plain.main.row.objective
    dearer = None if objective is None or not least else float(objective / least - 1)
    promise = instance.slo_probability
    return [
        Cell(f"{case.label}, {entry.solver}", name=True, strong=True),
        Cell("-" if promise is None else percent(promise)),
        Cell(number(objective)),
        Cell("-" if promise is None else percent(dearer)),
        Cell(percent(drawn.missed), data={"missed": f"{drawn.missed}"}),
        Cell(percent(drawn.any_missed), data={"any-missed": f"{drawn.any_missed}"}),
        Cell(percent(harder.missed)),
    ]


def _unpromised(case: Case, other: Case) -> bool:
    """Whether a case is about the same instance as another, without a promise."""
    if case.instance is None or other.instance is None or case.instance.slo_probability is not None:
        return False
    return case.instance.sha256 == other.instance.replace(slo_probability=None).sha256
