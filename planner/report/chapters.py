"""The blocks about one instance: where replicas live, who hurts whom, latencies, and how it was found."""

from __future__ import annotations

from collections.abc import Iterator

from planner.report.blocks import Block, Cell, Drawn, Table, Tone
from planner.report.cases import Case, Entry
from planner.report.figures.heat import MOST, MOST_NARROW, heat
from planner.report.figures.history import history
from planner.report.figures.latency import latency
from planner.report.figures.placement import placement
from planner.report.figures.victims import victims
from planner.report.placement import TypeMap, checked_maps, claimed_maps
from planner.report.text import count, number, percent

_TYPES = 24  # machine types with a map
_HEAT = 8  # ... with a heat map
_ROWS = 120  # of a comparison


def blocks(case: Case, name: str) -> Iterator[Block]:
    """Yield what there is to show of a case; ``name`` begins the names of its figures' files."""
    entry = case.main
    yield from _placement(case, entry, name)
    yield from _heat(case, entry, name)
    alone = {}
    if case.instance is not None:
        alone = {(m.name, k): ms for m in case.instance.models for k, ms in m.latency_ms.items()}
    if figure := latency(entry.models, alone, name):
        yield Block("latency", figure.title, figures=[Drawn(figure)])
    if figure := victims(entry.models, name):
        yield Block("worst-hit", figure.title, figures=[Drawn(figure)])
    if figure := history(case, name):
        yield Block("history", figure.title, figures=[Drawn(figure)])


def _placement(case: Case, entry: Entry, name: str) -> Iterator[Block]:
    if entry.checked is not None and case.instance is not None:
        maps = checked_maps(case.instance, entry.checked.plan)
        what = "what a replica of the model suffers there; Σ is the sum over the machine's replicas"
    elif entry.form is not None and entry.form.machines:
        maps = claimed_maps(entry.form)
        what = "the mean that the file states for the model, over all of the plan"
    else:
        return
    used = sorted((m for m in maps if m.boxes), key=lambda m: -m.used)
    idle = [f"{m.machine_type} ({m.there:,})" for m in maps if not m.boxes and m.there]
    intro = "One box for all machines that carry the same models. "
    intro += f"The colour of a tile is its degradation: {what}."
    if len(used) > _TYPES:
        intro += f" The {_TYPES} most used of {len(used)} machine types."
    if idle:
        shown = ", ".join(idle[:6]) + (f" and {len(idle) - 6} more types" if len(idle) > 6 else "")
        intro += f" Not used: {shown}."
    drawn = [
        Drawn(placement(m, name, i), m.machine_type, _used(m)) for i, m in enumerate(used[:_TYPES], start=1)
    ]
    yield Block("placement", "Placement", intro, drawn, scale=True)


def _used(m: TypeMap) -> str:
    of = f"{m.used:,} of {m.there:,} machines" if m.there is not None else count(m.used, "machine")
    return f"{of}, {count(m.patterns, 'pattern')}"


def _heat(case: Case, entry: Entry, name: str) -> Iterator[Block]:
    instance = case.instance
    if instance is None:
        return
    found = [(m.name, heat(instance, k, name)) for k, m in enumerate(instance.machine_types[:_HEAT])]
    drawn = [Drawn(figure, kind, noted=False) for kind, figure in found if figure is not None]
    if drawn:
        intro = "What one replica of the model in the column adds to the latency of the model in the row."
        there = len(instance.models)
        if there > MOST:
            intro += f" The {MOST} worst of {there:,} models ({MOST_NARROW} on a narrow page), as victim and "
            intro += "aggressor together."
        elif there > MOST_NARROW:
            intro += f" On a narrow page the {MOST_NARROW} worst of {there} models."
        if len(instance.machine_types) > _HEAT:
            intro += f" The first {_HEAT} of {len(instance.machine_types)} machine types."
        yield Block("degradation", "Degradation by pair", intro, drawn, pairs=len(drawn) > 1, scale=True)


def comparison(cases: list[Case]) -> Table | None:
    """Return all results side by side; None if there is only one of each instance."""
    compared = [case for case in cases if len(case.entries) > 1]
    if not compared:
        return None
    many = len(compared) > 1
    columns = [
        "solver",
        "status",
        "objective",
        "to best",
        "bound",
        "gap to best bound",
        "SLO misses",
        "machines",
    ]
    columns = (["instance"] if many else []) + [*columns, "price", "time s", "checked"]
    rows = [_row(case, entry, many) for case in compared for entry in case.entries]
    note = f"{count(len(rows) - _ROWS, 'more row')} not shown." if len(rows) > _ROWS else ""
    return Table(columns, rows[:_ROWS], left=2 + many, note=note)


def _row(case: Case, entry: Entry, many: bool) -> list[Cell]:
    row, best = entry.row, case.best
    failed = row.stop == "failed"
    tone: Tone = "good" if row.status == "optimal" else "bad" if row.objective is None or failed else ""
    ratio = "-" if row.objective is None or not best else number(row.objective / best, 4)
    objective = {} if row.objective is None else {"row-objective": f"{row.objective:f}"}
    checked = entry.checked is not None
    cells = [
        Cell(entry.solver, name=True, strong=True),
        Cell(row.status.replace("_", " ") + (" (failed)" if failed else ""), tone),
        Cell(
            number(row.objective), strong=row.objective is not None and row.objective == best, data=objective
        ),
        Cell(ratio),
        Cell(number(row.bound)),
        Cell(percent(case.gap(row.objective))),
        Cell("-" if row.misses is None else f"{row.misses:,}", "bad" if row.misses else ""),
        Cell("-" if row.machines_used is None else f"{row.machines_used:,}"),
        Cell(number(row.price)),
        Cell(f"{row.runtime_s:,.2f}"),
        Cell("yes" if checked else "no", "good" if checked else "muted"),
    ]
    return [Cell(case.label, name=True), *cells] if many else cells
