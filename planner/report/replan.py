"""What replanning found: the plan in a few numbers, the curve, and the moves in an order that is safe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner.current import Current
from planner.integers import PPM
from planner.move_order import Kind, Machine, Order
from planner.pictures import blank
from planner.plan_files import exact
from planner.replanned import Point, Replanned
from planner.report.tables import table
from planner.report.text import count, number, percent, plain
from planner.result import Result, Status
from planner.writing import csv_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

_STEPS = 25
_DOES = {
    Kind.STOP: "stop, not wanted any more",
    Kind.MOVE: "move",
    Kind.PARK: "park, moves on later",
    Kind.PAUSE: "stop for now",
    Kind.PLACE: "start",
}


@dataclass(frozen=True)
class Answer:
    """All that there is to show; ``way`` is None where there is no plan. Prices in ppm."""

    now: Current
    found: Replanned
    way: Order | None
    max_moves: int | None
    move_price: int | None

    @property
    def today(self) -> Point | None:
        """What runs today, if it is a valid plan."""
        first = self.found.curve[0] if self.found.curve else None
        return first if first is not None and first.moves == 0 and not self.now.placements else None

    def steps(self) -> Iterator[dict[str, Any]]:
        """Yield each step as plain data."""
        if self.way is None:
            return
        names = [m.name for m in self.now.instance.models]
        for i, step in enumerate(self.way.steps, 1):
            yield {
                "step": i,
                "do": step.kind.value,
                "model": names[step.model],
                "from": self._place(step.source),
                "to": self._place(step.target),
            }

    def _place(self, machine: int | None) -> str | None:
        if machine is None or self.way is None:
            return None
        found: Machine = self.way.machines[machine]
        kind, pinned = self.now.instance.compiled.pool_names[found.pool]
        return f"{kind if pinned is None else f'{kind} ({pinned})'} #{found.number}"

    def document(self) -> dict[str, Any]:
        """Return it as one document."""
        best, way = self.found.best, self.way
        return {
            "version": 1,
            "instance": {"name": self.now.instance.name, "sha256": self.now.instance.sha256},
            "max_moves": self.max_moves,
            "move_price": exact(self.move_price),
            "moves": None if best is None else best.moves,
            "placements": self.now.placements,
            "detours": None if way is None else way.count(Kind.PARK),
            "pauses": None if way is None else way.count(Kind.PAUSE),
            "complete": None if way is None else way.complete,
            "objective": None if best is None else exact(best.objective),
            "bound": exact(self.found.bound),
            "fewest_moves": self.found.fewest,
            "reasons": list(self.found.reasons),
            "notes": list(self.now.notes),
            "curve": [
                {"moves": p.moves, "objective": exact(p.objective), "bound": exact(p.bound)}
                for p in self.found.curve
            ],
            "steps": list(self.steps()),
        }

    def result(self, seed: int) -> Result | None:
        """Return the best plan as a result, with the bound of any plan; None if there is none."""
        best, bound = self.found.best, self.found.free_bound
        if best is None:
            return None
        status = Status.OPTIMAL if bound == best.objective else Status.FEASIBLE
        note = f"{best.moves} moves; the bound is that of any plan, however many moves it takes"
        return Result(status, self.found.stop, "replan", seed, best.plan, best.objective, bound, note=note)

    def csv(self) -> str:
        """Return the steps as CSV."""
        return csv_text(self.steps(), ("step", "do", "model", "from", "to"))


def show(answer: Answer, *, everything: bool = False) -> Iterator[Table | str]:
    """Yield the answer as people read it."""
    found, best = answer.found, answer.found.best
    for note in answer.now.notes:
        yield plain(f"  {note}")
    if best is None:
        yield "no plan" if not found.curve else "no plan within so many moves"
        yield from (plain(f"  {reason}") for reason in found.reasons)
    else:
        yield _headline(answer, best)
    if len(found.curve) > 1 or best is None:
        columns = ("moves", "objective", "bound", "gap", "saved by a move more")
        yield table("Objective against moves", columns, _curve(found.curve))
    if answer.way is not None and answer.way.steps:
        yield from _moves(answer, answer.way, everything)


def _headline(answer: Answer, best: Point) -> str:
    today, parts = answer.today, []
    if today is not None and today.objective:
        parts.append(f"{percent((today.objective - best.objective) / today.objective)} less than today")
    price = answer.move_price or 0
    if answer.found.bound is not None:
        cost = best.cost(price)
        gap = (cost - answer.found.bound) / cost if cost else 0.0
        where = "at this price of a move" if answer.move_price is not None else "within so many moves"
        above = f"at most {percent(gap)} above the best" if gap > 0 else "proven to be the best"
        parts.append(f"{above} {where}")
    placed = f", {count(answer.now.placements, 'replica')} placed" if answer.now.placements else ""
    return f"objective {number(exact(best.objective))} with {count(best.moves, 'move')}{placed}" + (
        f": {'; '.join(parts)}" if parts else ""
    )


def _curve(curve: Sequence[Point]) -> Iterator[tuple[str, ...]]:
    for point, after in zip(curve, [*curve[1:], None], strict=True):
        gap = (point.objective - point.bound) / point.objective if point.objective else 0.0
        saved = None if after is None else (point.objective - after.objective) / (after.moves - point.moves)
        yield (
            f"{point.moves:,}",
            number(exact(point.objective)),
            number(exact(point.bound)),
            percent(gap),
            "-" if saved is None else number(saved / PPM),
        )


def _moves(answer: Answer, way: Order, everything: bool) -> Iterator[Table | str]:
    rows = [
        (s["step"], _DOES[Kind(s["do"])], s["model"], s["from"] or "-", s["to"] or "-")
        for s in answer.steps()
    ]
    shown = rows if everything else rows[:_STEPS]
    title = "Steps, each machine within its rules after every one"
    yield table(title, ("step", "<do", "<model", "<from", "<to"), shown)
    if len(shown) < len(rows):
        yield f"  ... and {count(len(rows) - len(shown), 'step')} more; --all shows them"
    if detours := way.count(Kind.PARK):
        yield f"  {count(detours, 'detour')}: machines wait for each other, a replica is parked on a third"
    if pauses := way.count(Kind.PAUSE):
        yield f"  {count(pauses, 'replica')} must stop before starting elsewhere: nobody has room meanwhile"
    if not way.complete:
        yield "  no order was found for the rest: its machines wait for each other"
    yield "  machines are numbered within their type, in the order of the plan that runs today"


def figure(found: Replanned) -> Figure:
    """Return the curve: objective against moves, with what is proven below it."""
    drawing = blank(6.0, 3.6)
    axes = drawing.add_subplot()
    moves = [p.moves for p in found.curve]
    objective = [p.objective / PPM for p in found.curve]
    bound = [p.bound / PPM for p in found.curve]
    axes.fill_between(moves, bound, objective, step="post", alpha=0.15, linewidth=0, label="not excluded")
    axes.step(moves, objective, where="post", marker="o", markersize=4, label="plans found")
    axes.set(xlabel="replicas moved", ylabel="objective", ylim=(0, None), xlim=(0, None))
    axes.legend(frameon=False)
    return drawing
