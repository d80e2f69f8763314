"""The cheapest mix of machines, and the front of degradation and price: tables, sentences, documents."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.evaluate import evaluate, verdict
from planner.integers import PPM
from planner.plan_files import exact, plan_document, render
from planner.report.tables import table
from planner.report.text import count, number, percent, plain, slowdown
from planner.report.whatif import Asked
from planner.result import Result, Status, Stop
from planner.writing import csv_text, write_together

if TYPE_CHECKING:
    from rich.table import Table

    from planner.plan import Plan
    from planner.whatif.cheapest import Cheapest
    from planner.whatif.front import Choice, Front
    from planner.whatif.prices import Units

_SOFT = "soft SLOs do not count in the price; they do in the degradation, each miss at its price"


def mix(found: Cheapest) -> list[dict[str, Any]]:
    """Return a row for each machine type: how many there are and how many the plan uses."""
    if found.plan is None:
        return []
    types = found.units.instance.machine_types
    return [
        {
            "machine_type": m.name,
            "there": m.count,
            "used": used,
            "price_each": m.price,
            "price": used * m.price,
        }
        for m, used in zip(types, found.units.used(found.plan), strict=True)
    ]


def show_cheapest(found: Cheapest, asked: Asked) -> Iterator[Table | str]:
    """Yield the cheapest mix and what is proven of it."""
    point = found.price
    status = point.status.replace("_", " ")
    yield plain(f"{asked.instance}: cheapest mix of machines: {status}")
    yield from (plain(f"  {reason}") for reason in point.reasons if found.plan is None)
    if point.bound is not None and found.plan is None:
        yield f"  no plan is cheaper than {number(exact(point.bound))}"
    if found.plan is not None:
        columns = ("<machine type", "there", "used", "price each", "price")
        cells = [(m["machine_type"], m["there"], m["used"], *_prices(m)) for m in mix(found)]
        yield table("Machines", columns, cells)
        yield from (plain(f"  {line}") for line in _said_of_cheapest(found))
    yield f"  {count(asked.solves, 'solve')} in {asked.seconds:.1f} s{'; interrupted' * asked.interrupted}"


def _prices(row: dict[str, Any]) -> tuple[str, str]:
    return number(row["price_each"]), number(row["price"])


def _said_of_cheapest(found: Cheapest) -> Iterator[str]:
    assert found.plan is not None
    point, e = found.price, evaluate(found.units.instance, found.plan)
    proof = "no bound is known" if point.bound is None else f"bound {number(exact(point.bound))}"
    yield f"price {number(exact(e.price))}, {proof}, gap {percent(point.gap)}"
    low, high = found.degradation_bound, found.degradation
    bound = "no bound is known" if low is None else f"bound {number(exact(low))}"
    yield f"least degradation at this price: {number(exact(high))}, {bound}"
    mean, worst = slowdown(e.mean_degradation / PPM), slowdown(e.worst_degradation / PPM)
    yield f"degradation: mean {mean}, worst {worst}"
    missed = "no SLO is missed" if not e.misses else f"{count(e.misses, 'replica')} over the SLO"
    yield f"{count(e.machines_used, 'machine')} used, {missed}"
    if any(m.miss_price is not None for m in found.units.instance.models):
        yield _SOFT
    yield from found.notes


def cheapest_document(found: Cheapest, asked: Asked) -> dict[str, Any]:
    """Return everything as plain data."""
    point, gap = found.price, found.price.gap
    e = None if found.plan is None else evaluate(found.units.instance, found.plan)
    return {
        **asked.document(),
        "status": point.status.value,
        "price": None if e is None else exact(e.price),
        "price_bound": exact(point.bound),
        "gap": None if gap is None else round(gap, 9),
        "degradation": exact(found.degradation),
        "degradation_bound": exact(found.degradation_bound),
        "machines_used": None if e is None else e.machines_used,
        "misses": None if e is None else e.misses,
        "reasons": list(point.reasons),
        "notes": list(found.notes),
        "rows": mix(found),
    }


def save_cheapest(found: Cheapest, folder: Path, asked: Asked) -> None:
    """Write ``whatif.json``, and ``whatif.csv`` and ``plan.json`` if there is a plan.

    Raises
    ------
    InputError
        If one of them cannot be written.
    """
    files: dict[str, str | bytes] = {"whatif.json": render(cheapest_document(found, asked))}
    if found.plan is not None:
        files["whatif.csv"] = csv_text(mix(found))
        files["plan.json"] = _plan_file(found.units, found.plan, asked, "the cheapest mix of machines")
    write_together({folder / name: data for name, data in files.items()})


def front_rows(front: Front) -> list[dict[str, Any]]:
    """Return a row for each plan, cheapest first."""
    return [_front_row(front, choice) for choice in front.choices]


def _front_row(front: Front, choice: Choice) -> dict[str, Any]:
    instance = front.units.instance
    e, least = evaluate(instance, choice.plan), front.least(choice.price)
    used = zip(instance.machine_types, front.units.used(choice.plan), strict=True)
    return {
        "price": exact(choice.price * front.units.unit),
        "degradation": exact(choice.degradation),
        "degradation_bound": None if least == inf else exact(int(least)),
        "on_the_front": "proven" if front.proven(choice) else "not proven",
        "mean_degradation": round(e.mean_degradation / PPM, 9),
        "machines_used": e.machines_used,
        "misses": e.misses,
        "mix": " + ".join(f"{n} {m.name}" for m, n in used if n),
    }


def show_front(first: Cheapest, front: Front, asked: Asked) -> Iterator[Table | str]:
    """Yield the plans of the front and what is proven of it."""
    if first.plan is None:
        yield from show_cheapest(first, asked)
        return
    columns = (
        "price",
        "degradation",
        "bound",
        "<on the front",
        "mean",
        "machines",
        "misses",
        "~machines used",
    )
    cells = [
        (
            number(row["price"]),
            number(row["degradation"]),
            number(row["degradation_bound"]),
            row["on_the_front"],
            slowdown(row["mean_degradation"]),
            row["machines_used"],
            row["misses"],
            row["mix"],
        )
        for row in front_rows(front)
    ]
    yield table(plain(f"{asked.instance}: degradation and price"), columns, cells, spare=("bound", "mean"))
    yield f"  {extent(front)}"
    yield f"  {asked.effort(len(front.choices))}"


def extent(front: Front) -> str:
    """Say what is shown of the front, and what not."""
    if front.complete:
        return "this is the whole front, which is proven: any other plan is as bad as one of these in both"
    if front.mixes:
        return "every mix of machines was looked at; what is not proven had no time"
    return (
        "only plans that weighted sums find are shown; there may be others between them, "
        "with less degradation than the cheaper of two neighbours"
    )


def front_document(first: Cheapest, front: Front, asked: Asked) -> dict[str, Any]:
    """Return everything as plain data."""
    return {
        **asked.document(),
        "status": first.price.status.value,
        "reasons": list(first.price.reasons),
        "complete": front.complete,
        "sentences": [extent(front)] if front.choices else [],
        "rows": front_rows(front),
    }


def save_front(first: Cheapest, front: Front, folder: Path, asked: Asked) -> None:
    """Write ``whatif.json``, and with plans ``whatif.csv``, both pictures and a plan for each point.

    Raises
    ------
    InputError
        If one of them cannot be written.
    """
    files: dict[str, str | bytes] = {"whatif.json": render(front_document(first, front, asked))}
    if front.choices:
        from planner.report.whatif_plot import front_figure, pictures

        files |= pictures(front_figure(front, asked.instance))
        files["whatif.csv"] = csv_text(front_rows(front))
    for choice in front.choices:
        price = number(exact(choice.price * front.units.unit)).replace(",", "")
        files[f"plan-{price}.json"] = _plan_file(front.units, choice.plan, asked, f"at the price {price}")
    write_together({folder / name: data for name, data in files.items()})


def _plan_file(units: Units, plan: Plan, asked: Asked, note: str) -> str:
    """Return the file of a plan for the instance itself, with the instance's own objective."""
    objective = verdict(units.instance, plan).objective
    result = Result(
        Status.FEASIBLE,
        Stop.FINISHED,
        asked.solver,
        asked.seed,
        plan,
        objective,
        note=note,
        seconds=asked.seconds,
    )
    return render(plan_document(units.instance, result))
