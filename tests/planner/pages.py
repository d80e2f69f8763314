"""Pages made by the command from tiny instances, and what a program reads on them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from planner.cli import app
from planner.files import save_instance
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_files import plan_document, save_plan
from planner.report.compare import Comparison, save
from planner.result import Progress, Status, Stop
from planner.result import Result as Solved
from tests import tiny

Attributes = Mapping[str, str | None]


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


class Reader(HTMLParser):
    """Collects the tags of a page, its text, and the values of ``data-`` attributes with the text there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, Attributes]] = []
        self.data: dict[str, list[tuple[str, str]]] = {}
        self.words: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        marked = {
            k.removeprefix("data-"): v or "" for k, v in attrs if k.startswith("data-") and k != "data-label"
        }
        self._open = [*marked.items()] or self._open

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        for key, value in self._open:
            self.data.setdefault(key, []).append((value, data.strip()))
        self._open = []

    def one(self, key: str) -> Decimal:
        """Return the first value under ``data-key``."""
        return Decimal(self.data[key][0][0])


def solved(plan: Plan, objective: int, bound: int | None, solver: str = "fake", **more: Any) -> Solved:
    """Return a result that has this plan."""
    status = Status.OPTIMAL if bound == objective else Status.FEASIBLE
    history = (Progress(0.01, objective + 100_000, None), Progress(0.5, objective, bound))
    given = {"status": status, "stop": Stop.FINISHED, "history": history, "seconds": 1.0, "seed": 0, **more}
    return Solved(solver=solver, plan=plan, objective=objective, bound=bound, **given)


def save_pair(folder: Path, instance: Instance | None = None, **more: Any) -> tuple[Path, Path]:
    """Write :func:`tests.tiny.pair`, or an instance like it, and its best plan; return both paths."""
    asked = instance or tiny.pair()
    names = [m.name for m in asked.models]
    kind = asked.machine_types[0].name
    best = tiny.plan(tiny.pair(), "gpu: 2 a", "gpu: 2 b")
    assert (len(names), asked.compiled.pool_names) == (2, ((kind, None),))
    save_instance(asked, folder / "pair.json")
    save_plan(folder / "plan.json", asked, solved(best, 1_000_000, 1_000_000, **more))
    return folder / "pair.json", folder / "plan.json"


def save_comparison(folder: Path) -> None:
    """Write ``pair.yaml``, where a replica of a over 11.5 ms costs 0.25, and a comparison into ``out``.

    patterns: each model on its own machine, 1.0 and no miss. least_loaded: mixed, 1.1 and two misses, 1.6.
    """
    instance = tiny.with_model(tiny.pair(), "a", slo_ms=11.5, miss_price=0.25)
    save_instance(instance, folder / "pair.yaml")
    (folder / "out").mkdir()
    separate = tiny.plan(instance, "gpu: 2 a", "gpu: 2 b")
    mixed = tiny.plan(instance, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b")
    comparison = Comparison("pair")
    for result in (
        solved(separate, 1_000_000, 1_000_000, "patterns"),
        solved(mixed, 1_600_000, None, "least_loaded", history=()),
    ):
        comparison.documents.append(document := plan_document(instance, result))
        save(folder / "out", [comparison], "pair", document)
