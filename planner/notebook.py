"""How instances, plans and results look in a notebook: small tables that take on its colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.integers import PPM
from planner.report.text import cell, count, milliseconds, number, percent, plain

if TYPE_CHECKING:
    from planner.instance import InferenceModel, Instance, MachineType
    from planner.plan import Plan
    from planner.result import Result

_ROWS = 12
_NAMES = 6


def instance_html(instance: Instance) -> str:
    """Return an instance as HTML: its machine types, its models, how many rules there are."""
    machines = sum(m.count for m in instance.machine_types)
    models = f"{count(instance.replicas, 'replica')} of {count(len(instance.models), 'model')}"
    types = f"{count(machines, 'machine')} of {count(len(instance.machine_types), 'type')}"
    objective = instance.objective if isinstance(instance.objective, str) else "weighted sum"
    rules = {name: len(kept) for name, kept in instance.rules if kept} | {"pinned": len(instance.pinned)}
    lines = [f"{instance.name}: {models}, {types}; objective: {objective}"]
    lines += [", ".join(f"{name}: {n}" for name, n in rules.items() if n)]
    of_type = ("machine type", "machines", "slots", "resources", "price")
    of_model = ("model", "replicas", "weight", "latency alone, ms", "SLO, ms")
    return _page(
        lines,
        _table(of_type, map(_machine_type, instance.machine_types), len(instance.machine_types)),
        _table(of_model, map(_model, instance.models), len(instance.models)),
    )


def _machine_type(m: MachineType) -> tuple[Any, ...]:
    resources = ", ".join(f"{name} {number(amount)}" for name, amount in m.resources.items())
    return (m.name, m.count, m.slots, resources, number(m.price))


def _model(m: InferenceModel) -> tuple[Any, ...]:
    low, high = (milliseconds(f(m.latency_ms.values(), default=None)) for f in (min, max))
    soft = "" if m.miss_price is None else " (soft)"
    latency = low if low == high else f"{low} to {high}"
    return (m.name, m.replicas, number(m.weight), latency, milliseconds(m.slo_ms) + soft)


def plan_html(plan: Plan) -> str:
    """Return a plan as HTML: its largest groups, in the numbers of pools and models that it holds."""
    largest = np.argsort(-plan.machines, kind="stable")[:_ROWS].tolist()
    machines = count(int(plan.machines.sum()), "machine")
    lines = [f"{machines} in {count(len(plan), 'group')}; plan.to_frame(instance) gives the names"]
    rows = ((int(plan.pool[g]), int(plan.machines[g]), _pattern(plan, g)) for g in largest)
    return _page(lines, _table(("pool", "machines", "on each"), rows, len(plan)))


def _pattern(plan: Plan, g: int) -> str:
    first, size = int(plan.start[g]), int(plan.start[g + 1] - plan.start[g])
    entries = range(first, first + min(size, _NAMES))
    shown = [f"{plan.count[e]} x model {plan.model[e]}" for e in entries]
    return " + ".join(shown + [f"{size - _NAMES} more"] * (size > _NAMES))


def result_html(result: Result) -> str:
    """Return a result as HTML: what it has, why it stopped, what was proven."""
    stop = str(result.stop).replace("_", " ")
    has = str(result.status).replace("_", " ")
    rows: list[tuple[Any, ...]] = [
        ("status", f"{has}, stopped: {stop}"),
        ("solver", f"{result.solver}, {result.seconds:.2f} s"),
        ("objective", _own_unit(result.objective)),
        ("bound", _own_unit(result.bound)),
        ("gap", percent(result.gap)),
    ]
    if result.plan is not None:
        machines = count(int(result.plan.machines.sum()), "machine")
        rows.append(("plan", f"{machines} in {count(len(result.plan), 'group')}"))
    rows += [("note", result.note)] if result.note else []
    rows += [("reason", reason) for reason in result.reasons]
    return _page([], _table(("", "result"), rows, len(rows)))


def _own_unit(ppm: int | None) -> str:
    return number(None if ppm is None else ppm / PPM)


def _page(lines: Iterable[str], *tables: str) -> str:
    said = "".join(f"<div>{escape(plain(line))}</div>" for line in lines if line)
    return f"<div>{said}{''.join(tables)}</div>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]], of: int) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(_row(row) for row in islice(rows, _ROWS))
    if of > _ROWS:
        body += f'<tr><td colspan="{len(columns)}">... and {of - _ROWS:,} more</td></tr>'
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(row: Sequence[Any]) -> str:
    return f"<tr>{''.join(_cells(row))}</tr>"


def _cells(row: Sequence[Any]) -> Iterator[str]:
    for value in row:
        yield f"<td>{escape(cell(value))}</td>"
