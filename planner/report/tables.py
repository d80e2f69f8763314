"""A plan on the terminal: its numbers, who lives where, who suffers and who hurts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from planner.integers import PPM
from planner.plan_files import exact, outcome_document
from planner.plan_form import Outcome, PlanFile
from planner.report.text import cell, console, count, milliseconds, number, percent, plain, promised, slowdown

if TYPE_CHECKING:
    from rich.table import Table

    from planner.evaluate import ModelOutcome
    from planner.plan_checks import Checked

_REASONS = 20
_GROUPS = 20
_MODELS = 10
_NAMES = 8
_STIFF = 32  # characters of the longest cell that is never broken
_FLEXIBLE = 24  # characters that a column of running text should have


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, spare: Sequence[str] = ()
) -> Table:
    """Return a table that fits the terminal.

    Parameters
    ----------
    columns
        Their names; after ``<`` text, after ``~`` text that may go on in the next line, else numbers.
    spare
        Columns that a narrow terminal does without, the first of them first.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = [[cell(value) for value in row] for row in rows]
    fitted = _fit(columns, cells, spare, console().width)
    without = [name for name in spare if name not in [columns[i].lstrip("<~") for i in fitted]]
    result = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=f"(narrow terminal: without {', '.join(without)})" if without else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for i, head in fitted.items():
        justify: Literal["left", "right"] = "left" if columns[i][0] in "<~" else "right"
        stiff = columns[i][0] != "~" and _width(i, head, cells) <= _STIFF
        result.add_column(Text(head), justify=justify, overflow="fold", no_wrap=stiff)
    for row in cells:
        result.add_row(*(Text(row[i]) for i in fitted))
    return result


def _fit(
    columns: Sequence[str], cells: Sequence[Sequence[str]], spare: Sequence[str], room: int
) -> dict[int, str]:
    """Return the columns that have room, with their heads; heads break before columns go."""
    heads = {i: name.lstrip("<~") for i, name in enumerate(columns)}
    numbers = {name: i for i, name in heads.items()}

    def wide() -> bool:
        needed = (
            min(_width(i, head, cells), _FLEXIBLE if columns[i][0] == "~" else _STIFF)
            for i, head in heads.items()
        )
        return sum(needed) + 2 * len(heads) + 2 > room

    if wide():
        heads = {i: head.replace(" ", "\n") for i, head in heads.items()}
    for name in spare:
        if wide():
            del heads[numbers[name]]
    return heads


def _width(i: int, head: str, cells: Sequence[Sequence[str]]) -> int:
    return max(len(text) for text in (*head.split("\n"), *(row[i] for row in cells)))


def plan(form: PlanFile, *, everything: bool = False) -> Iterator[Table | str]:
    """Yield all that there is to show of a plan, or why there is none."""
    yield from header(form)
    shown = form.reasons if everything else form.reasons[:_REASONS]
    yield from (plain(f"  {reason}") for reason in shown)
    if len(form.reasons) > len(shown):
        yield f"  ... and {count(len(form.reasons) - len(shown), 'more reason')}; --json shows them"
    if form.machines:
        yield from machines(form, everything=everything)
        yield from worst_hit(form, everything=everything)


def header(plan: PlanFile) -> Iterator[str]:
    """Yield the lines that say what a plan is and what was proven of it."""
    by = "" if plan.solver is None else f" by {plan.solver.name} {plan.solver.version}"
    after = "" if plan.runtime_s is None else f" in {plan.runtime_s:.2f} s"
    stopped = {"time_limit": ", the time limit", "interrupted": ", interrupted", "failed": ", failed"}
    status = (plan.status or "unknown").replace("_", " ")
    yield plain(f"{plan.instance.name}: {status}{by}{after}{stopped.get(plan.stop or '', '')}")
    if plan.note:
        yield plain(f"  {plan.note}")
    if plan.slo_probability is not None:
        yield f"  {promised(plan.slo_probability)}"
    if plan.objective is not None:
        gap = "no bound is known" if plan.bound is None else f"bound {number(plan.bound)}"
        proof = "" if plan.gap is None else f", gap {percent(plan.gap)}"
        yield f"  objective {number(plan.objective)}, {gap}{proof}"
    if plan.summary is not None:
        s = plan.summary
        yield f"  degradation: mean {slowdown(s.mean_degradation)}, worst {slowdown(s.worst_degradation)}"
        places = f"{count(s.replicas, 'replica')} on {count(s.machines_used, 'machine')}"
        missed = "no SLO is missed" if not s.misses else f"{count(s.misses, 'replica')} over the SLO"
        yield f"  {places}, price {number(s.price)}, {missed}"


def machines(plan: PlanFile, *, everything: bool = False) -> Iterator[Table | str]:
    """Yield who lives where, the largest groups first."""
    shown = list(plan.machines.named(None if everything else _GROUPS))
    rows = [
        (_place(name, g), g["machines"], sum(g["models"].values()), _who(g, everything)) for name, g in shown
    ]
    yield table("Machines", ("<group", "machines", "replicas on each", "~models on each"), rows)
    if len(plan.machines) > len(shown):
        rest = len(plan.machines) - len(shown)
        yield f"  ... and {count(rest, 'more group')}; --all shows them"


def _place(name: str, group: dict[str, Any]) -> str:
    pinned = group.get("pinned")
    return name if pinned is None else f"{name} ({pinned})"


def _who(group: dict[str, Any], everything: bool) -> str:
    models = sorted(group["models"].items(), key=lambda item: -item[1])
    shown = models if everything else models[:_NAMES]
    more = f" + {len(models) - len(shown)} more models" if len(models) > len(shown) else ""
    return " + ".join(name if n == 1 else f"{n} x {name}" for name, n in shown) + more


def worst_hit(plan: PlanFile, *, everything: bool = False) -> Iterator[Table | str]:
    """Yield the models that suffer most and who hurts them."""
    models = sorted((m for m in plan.models if m.replicas), key=lambda m: -m.worst_degradation)
    shown = models if everything else models[:_MODELS]
    if not shown:
        return
    columns = ("<model", "~hurt by", "replicas", "mean", "worst", "latency ms", "SLO ms", "misses")
    rows = [(m.name, _hurt_by(m), m.replicas, *_suffering(m)) for m in shown]
    yield table("Worst-hit models", columns, rows, spare=("replicas", "mean"))
    if len(models) > len(shown):
        yield f"  ... and {count(len(models) - len(shown), 'more model')}; --all shows them"


def latencies(models: Iterable[ModelOutcome]) -> Table:
    """Return every model's predicted latency against its SLO."""
    columns = ("<model", "<slowest on", "replicas", "mean", "worst", "latency ms", "SLO ms", "misses")
    forms = [Outcome.model_validate(outcome_document(m)) for m in models]
    rows = [(m.name, m.machine_type, m.replicas, *_suffering(m)) for m in forms]
    return table("Predicted latency", columns, rows, spare=("replicas", "mean"))


def _suffering(m: Outcome) -> tuple[str | int, ...]:
    degradation = (slowdown(m.mean_degradation), slowdown(m.worst_degradation))
    return (*degradation, milliseconds(m.latency_ms), milliseconds(m.slo_ms), m.misses)


def _hurt_by(model: Outcome) -> str:
    return ", ".join(f"{a.model} {100 * a.share:.0f} %" for a in model.hurt_by) or "nobody"


def verdict(name: str, checked: Checked) -> Iterator[Table | str]:
    """Yield what the checker found: valid or not, the numbers, each violation, every latency."""
    found = checked.violations
    refused = f"refused, {count(len(found), 'violation')}"
    yield plain(f"{name}: the plan is {refused if found else 'valid'}")
    e = checked.evaluation
    if e.objective is not None:
        mean, worst = slowdown(e.mean_degradation / PPM), slowdown(e.worst_degradation / PPM)
        yield f"  objective {number(exact(e.objective))}"
        yield f"  degradation: mean {mean}, worst {worst}"
        missed = "no SLO is missed" if not e.misses else f"{count(e.misses, 'replica')} over the SLO"
        yield f"  {count(e.machines_used, 'machine')}, price {number(exact(e.price))}, {missed}"
    for violation in found:
        yield plain(f"  {violation.rule}: {violation.message}")
    if e.models:
        yield latencies(e.models)
