"""Why a plan is as it is, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from planner.report.places import LAST, group_cells, machine, model, option_cells
from planner.report.tables import header, table
from planner.report.text import count, milliseconds, number, percent, plain, slowdown

if TYPE_CHECKING:
    from rich.table import Table

    from planner.explain.answer import Answer
    from planner.explain.whole import Summary, Usage
    from planner.plan_form import PlanFile

Parts = Iterator["Table | str"]
_NAMES = 6


def show(answer: Answer, plan: PlanFile, call: str, *, made: bool) -> Parts:
    """Yield an answer in words.

    Parameters
    ----------
    plan
        The plan that it is about.
    call
        The command that asks about it.
    made
        Whether the plan was made for this answer and is in no file.
    """
    if made or answer.whole is not None:
        yield from header(plan)
    if made:
        yield "  made for this answer; write a plan with `planner plan -o PLAN` to ask more about it"
    if answer.whole is not None:
        yield from whole(answer.whole, call)
    if answer.model is not None:
        yield from model(answer.model)
    if answer.machine is not None:
        yield from machine(answer.machine)


def whole(found: Summary, call: str) -> Parts:
    """Yield a plan as a whole; ``call`` is the command that asks about it."""
    yield from _costs(found)
    yield table("What binds: on how many machines too little is left for anybody", *_usage(found.usage))
    if found.spread:
        more = f" and {len(found.spread) - _NAMES} more" if len(found.spread) > _NAMES else ""
        yield plain(f"  min_machines just met: {', '.join(found.spread[:_NAMES])}{more}")
    if found.slos:
        rows = [
            (
                s.model,
                s.where,
                milliseconds(s.latency_ms),
                milliseconds(s.slo_ms),
                f"{s.room_ms:,.3g}",
                s.hurt_by,
            )
            for s in found.slos
        ]
        columns = ("<model", "<on", "latency ms", "SLO ms", "room ms", "<hurt most by")
        yield table("Nearest to their SLO", columns, rows, spare=("hurt most by",))
    if found.misses:
        missed = f"{count(found.misses, 'replica')} over a soft SLO"
        yield f"  {missed}, which is {number(found.misses_cost)} of the objective"
    yield from _improvements(found)
    if found.patterns:
        yield "Ask next"
        yield from (plain(f"  {call} --model {shlex.quote(m.model)}") for m in found.models[:1])
        yield plain(f"  {call} --machine {shlex.quote(found.patterns[0].group.name)}")


def _costs(found: Summary) -> Parts:
    if found.worst:
        rows = [(*group_cells(p.group), slowdown(float(p.each))) for p in found.patterns]
        yield table("Where it is worst", ("<group", "machines", "~models on each", "worst"), rows)
        return
    if not found.patterns:
        yield "  nothing costs anything"
        return
    columns = ("<group", "machines", "~models on each", "cost of each", "of all", "of the objective")
    groups = [
        (*group_cells(p.group), number(p.each), number(p.cost), percent(p.share)) for p in found.patterns
    ]
    yield table("Groups of machines that cost most", columns, groups, spare=("cost of each",))
    models = [(m.model, m.replicas, number(m.mean), number(m.most), m.where) for m in found.models]
    title = "Models that cost most: what the objective would fall by without one replica"
    yield table(title, ("<model", "replicas", "on average", "at most", "<on"), models)


def _usage(usage: Sequence[Usage]) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    resources = list(dict.fromkeys(name for u in usage for name in u.resources))
    columns = ("<machines", "used", "full in slots", *(f"full in {name}" for name in resources))
    rows = [
        (
            u.machine_type if u.pinned is None else f"{u.machine_type} ({u.pinned})",
            f"{u.used:,} of {u.machines:,}",
            u.slots,
            *(u.resources.get(name) for name in resources),
        )
        for u in usage
        if u.machines
    ]
    return columns, rows


def _improvements(found: Summary) -> Parts:
    if found.improvements is None:
        yield "  whether a single move or exchange improves the plan was not tried: there are too many"
    elif found.improvements:
        columns = ("change", "<replica", "<from", "<to")
        rows = [option_cells(o, columns) for o in found.improvements]
        yield table("Moves and exchanges that improve it most", (*columns, *LAST), rows)
    else:
        yield "  no single move or exchange improves the plan"
