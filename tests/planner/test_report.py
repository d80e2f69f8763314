"""What people read: numbers that say no more than is known, and comparisons that notice a false proof."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from planner.plan_form import PlanFile
from planner.report import tables
from planner.report.compare import Comparison, Grid, labels
from planner.report.tables import table
from planner.report.text import console, number, percent, plain


def document(
    solver: str, objective: str | None, bound: str | None, status: str = "feasible"
) -> dict[str, Any]:
    """Return as much of a plan document as a comparison looks at."""
    return {
        "solver": {"name": solver},
        "status": status,
        "stop": "finished",
        "objective": None if objective is None else Decimal(objective),
        "bound": None if bound is None else Decimal(bound),
        "gap": None,
        "summary": None,
        "runtime_s": 1.0,
        "note": "",
        "reasons": [],
    }


def test_ratios_and_gaps() -> None:
    rows = Comparison(
        "x", [document("a", "2", "1"), document("b", "4", None), document("c", None, "1.5", "no_plan")]
    ).rows()
    assert [r["ratio_to_best"] for r in rows] == [1.0, 2.0, None]
    assert [r["gap_to_best_bound"] for r in rows] == [0.25, 0.625, None]


def test_an_objective_of_zero() -> None:
    rows = Comparison("x", [document("a", "0", "0"), document("b", "4", None)]).rows()
    assert [r["ratio_to_best"] for r in rows] == [1.0, None]
    assert [r["gap_to_best_bound"] for r in rows] == [0.0, 1.0]


def test_false_proofs_are_noticed() -> None:
    found = Comparison("x", [document("a", "2", "1"), document("b", "4", "3")]).contradictions()
    assert found == ["b claims the bound 3; there is a plan of 2"]
    found = Comparison(
        "x", [document("a", "2", "1"), document("b", None, None, "infeasible")]
    ).contradictions()
    assert found == ["b claims that x is infeasible; there is a plan"]
    assert Comparison("x", [document("a", "2", "2"), document("b", "3", "2")]).contradictions() == []


def test_a_grid_keeps_its_order_whatever_comes_first() -> None:
    grid = Grid(["x", "y"], ["a", "b"])
    grid.add("y", "b", document("b", "2", None))
    grid.add("x", "b", document("b", "3", None))
    assert [c.label for c in grid.comparisons()] == ["x", "y"]
    assert not grid.whole("x")
    grid.add("x", "a", document("a", "4", None))
    assert grid.whole("x")
    assert [d["solver"]["name"] for d in grid.comparison("x").documents] == ["a", "b"]


def test_labels_are_different() -> None:
    paths = [Path("a/x.yaml"), Path("b/x.json"), Path("b/y.yaml"), Path("c/x.yaml"), Path("x-2.yaml")]
    found = labels(paths)
    assert found[:4] == ["x", "x-2", "y", "x-3"]
    assert len(set(found)) == len(paths)


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0.0, "0 %"), (1e-7, "1e-05 %"), (0.00012345, "0.0123 %"), (0.5, "50 %"), (1.0, "100 %")],
)
def test_a_gap_is_zero_only_if_it_is(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_a_narrow_terminal_shows_fewer_columns_and_whole_names(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("local_search", "1,234,567.891", "12 %", "x " * 40)]
    columns = ("<solver", "objective", "gap to best bound", "~note")
    for width, without in (
        (100, ""),
        (60, "without gap to best bound"),
        (45, "gap to best bound, objective"),
    ):
        monkeypatch.setattr("planner.report.text._PIPE_WIDTH", width)
        out = console()
        with out.capture() as captured:
            out.print(table("t", columns, rows, spare=("gap to best bound", "objective")))
        shown = captured.get()
        assert max(map(len, shown.splitlines())) <= width
        assert "local_search" in shown
        assert shown.count("x") == 40 + without.count("x")
        assert without in " ".join(shown.split())
        assert ("1,234,567.891" in shown) == ("objective" not in without)


def test_many_reasons_are_counted() -> None:
    reasons = [f"reason {i}" for i in range(25)]
    form = PlanFile.model_validate(
        {"version": 1, "instance": {"name": "x"}, "reasons": reasons, "machines": []}
    )
    assert [*tables.plan(form)][-2:] == ["  reason 19", "  ... and 5 more reasons; --json shows them"]
    assert [*tables.plan(form, everything=True)][-1] == "  reason 24"


def test_numbers() -> None:
    assert [number(x) for x in (None, Decimal("1234.500000"), 0, 100)] == ["-", "1,234.5", "0", "100"]


def test_control_characters_are_shown_not_sent() -> None:
    assert plain("a\x1b[31m\r\n\u202eé") == r"a\x1b[31m\r\n\u202eé"
