"""An explanation as it goes over the wire, laid out in tables for a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from planner.explain.parts import Group
from planner.explain.place import Option
from planner.move_order import Kind
from planner.report.blocks import Block, Cell, Table
from planner.report.places import group_cells, option_cells
from planner.report.text import count, milliseconds, number, percent, slowdown

STEPS = 200  # of a re-plan, on a page
_NAMES = 6
_KINDS = {
    "machines": "more machines of",
    "slo": "a longer SLO of",
    "slos": "every hard SLO longer",
    "replicas": "fewer replicas of",
    "rule": "without",
    "pinned": "without the replicas pinned by",
}
_UNITS = {"slo": " ms", "slos": " %"}
_DOES = {
    Kind.STOP: "stop, not wanted any more",
    Kind.MOVE: "move",
    Kind.PARK: "park, moves on later",
    Kind.PAUSE: "stop for now",
    Kind.PLACE: "start",
}
_Row = Mapping[str, Any]
_Rows = list[tuple[str, ...]]


def blocks(document: _Row) -> list[Block]:
    """Return what ``GET /v1/jobs/{job}/explanation`` answers, as parts of a page."""
    if "changes" in document:
        return [_changes(document["changes"])]
    return list(_whole(document["whole"]))


def _whole(found: _Row) -> Iterator[Block]:
    yield _costs(found)
    if found["models"]:
        rows: _Rows = [
            (m["model"], m["where"], f"{m['replicas']:,}", number(m["mean"]), number(m["most"]))
            for m in found["models"]
        ]
        intro = "What the objective would fall by without one replica."
        columns: tuple[str, ...] = ("model", "most on", "replicas", "on average", "at most")
        yield Block("models", "Models that cost most", intro, table=_table(columns, rows, left=2))
    yield _usage(found)
    if found["slos"]:
        rows = [
            (
                s["model"],
                s["where"],
                s["hurt_by"] or "-",
                milliseconds(s["latency_ms"]),
                milliseconds(s["slo_ms"]),
                f"{s['room_ms']:,.3g}",
            )
            for s in found["slos"]
        ]
        missed = (
            f"{count(found['misses'], 'replica')} over a soft SLO, which is {number(found['misses_cost'])} "
        )
        intro = f"{missed}of the objective." if found["misses"] else ""
        columns = ("model", "on", "hurt most by", "latency ms", "SLO ms", "room ms")
        yield Block("slos", "Nearest to their SLO", intro, table=_table(columns, rows, left=3))
    yield _improvements(found["improvements"])


def _costs(found: _Row) -> Block:
    groups = [(p, *group_cells(Group(**p["group"]))) for p in found["patterns"]]
    if not groups:
        return Block("costs", "Where it costs", "Nothing costs anything.")
    if found["worst"]:
        rows: _Rows = [(name, who, f"{n:,}", slowdown(p["each"])) for p, name, n, who in groups]
        columns: tuple[str, ...] = ("group", "models on each", "machines", "worst")
        return Block("costs", "Where it is worst", table=_table(columns, rows, left=2))
    rows = [
        (name, who, f"{n:,}", number(p["each"]), number(p["cost"]), percent(p["share"]))
        for p, name, n, who in groups
    ]
    columns = ("group", "models on each", "machines", "cost of each", "of all", "of the objective")
    return Block("costs", "Groups of machines that cost most", table=_table(columns, rows, left=2))


def _usage(found: _Row) -> Block:
    resources = list(dict.fromkeys(name for u in found["usage"] for name in u["resources"]))
    rows: _Rows = []
    for u in found["usage"]:
        if u["machines"]:
            name = u["machine_type"] if u["pinned"] is None else f"{u['machine_type']} ({u['pinned']})"
            full = (u["slots"], *(u["resources"].get(r) for r in resources))
            used = f"{u['used']:,} of {u['machines']:,}"
            rows.append((name, used, *("-" if n is None else f"{n:,}" for n in full)))
    columns = ("machines", "used", "full in slots", *(f"full in {name}" for name in resources))
    intro = "On how many machines too little is left for anybody."
    if found["spread"]:
        intro += f" Just met: min_machines of {', '.join(found['spread'][:_NAMES])}"
        more = len(found["spread"]) - _NAMES
        intro += f" and {count(more, 'more model')}." if more > 0 else "."
    return Block("usage", "What binds", intro, table=_table(columns, rows))


def _improvements(options: Sequence[_Row] | None) -> Block:
    heading = "Would a single move help?"
    if options is None:
        why = "Whether a single move or exchange improves the plan was not tried: there are too many."
        return Block("improvements", heading, why)
    if not options:
        return Block("improvements", heading, "No single move or exchange improves the plan.")
    asked = ("<replica", "<from", "<to")
    rows: _Rows = []
    for o in options:
        decimals = {name: Decimal(str(o[name])) for name in ("change", "objective")}
        option = Option(**{**o, **decimals, "blocked_by": ()})
        rows.append((*option_cells(option, asked), *option_cells(option, ("change",))[:1]))
    columns = ("replica", "from", "to", "beside", "exchanged for", "objective")
    intro = "Moves and exchanges that improve it most."
    return Block("improvements", heading, intro, table=_table(columns, rows, left=5))


def _changes(changes: Sequence[_Row]) -> Block:
    rows: _Rows = []
    for c in sorted(changes, key=lambda c: c["suffices"] is None):
        enough = "not alone" if c["decided"] else "unknown"
        rows.append(
            (
                f"{_KINDS.get(c['kind'], c['kind'])} {c['what'] or ''}".strip(),
                enough if c["suffices"] is None else _size(c, c["suffices"]),
                _size(c, c["not_enough"]),
                "yes" if c["decided"] else "no",
            )
        )
    intro = "Each that is enough gives the instance a plan alone; what is not enough is proven not to be."
    columns = ("change", "enough", "not enough", "decided")
    return Block("changes", "What would give it a plan", intro, table=_table(columns, rows))


def _size(change: _Row, size: float | None) -> str:
    if size is None:
        return "-"
    if change["kind"] in ("rule", "pinned"):
        return "yes"
    return f"{number(size)}{_UNITS.get(change['kind'], '')}"


def moves(answer: _Row) -> list[Block]:
    """Return what ``GET /v1/jobs/{job}/moves`` answers, as parts of a page."""
    steps = answer["steps"]
    rows: _Rows = [
        (f"{s['step']:,}", _DOES[Kind(s["do"])], s["model"], s["from"] or "-", s["to"] or "-")
        for s in steps[:STEPS]
    ]
    more = f"{count(len(steps) - STEPS, 'more step')} in the JSON document." if len(steps) > STEPS else ""
    said = f"{count(answer['moves'], 'move')}." if answer["moves"] is not None else "No plan."
    if answer["placements"]:
        said += f" {count(answer['placements'], 'replica')} placed."
    if rows:
        said += " Each machine is within its rules after every step; machines are numbered within their type."
    if answer["complete"] is False:
        said += " No order was found for the rest: its machines wait for each other."
    columns: tuple[str, ...] = ("step", "what", "model", "from", "to")
    table = _table(columns, rows, left=5, names=(2, 3, 4), note=more) if rows else None
    found = [Block("steps", "Moves", " ".join([said, *answer["reasons"], *answer["notes"]]), table=table)]
    if len(answer["curve"]) > 1:
        rows = [(f"{p['moves']:,}", number(p["objective"]), number(p["bound"])) for p in answer["curve"]]
        columns = ("moves", "objective", "bound")
        found.append(Block("tradeoff", "Objective against moves", table=_table(columns, rows, left=0)))
    return found


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: int = 1,
    names: Sequence[int] | None = None,
    note: str = "",
) -> Table:
    """Return a table whose first ``left`` columns are text; ``names``, those unless said, may be anything."""
    named = range(left) if names is None else names
    cells = [[Cell(text, name=i in named, strong=i == 0) for i, text in enumerate(row)] for row in rows]
    return Table(columns, cells, left, note)
