"""How a solve is going: as much as there is room for, and few lines elsewhere."""

from __future__ import annotations

import json
import time

import pytest

from planner.report import live
from planner.report.live import View, counting, watch
from planner.report.sparkline import sparkline
from planner.result import Progress


def test_bars_are_logarithms_at_the_end_of_spans() -> None:
    """Values that double each second: 2 at the end of the first span, 256 at the end of the last."""
    times, values = [float(n) for n in range(9)], [2.0**n for n in range(9)]
    assert sparkline(times, values, 8.0, 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(times, values[::-1], 8.0, 8) == "█▇▆▅▄▃▂▁"


@pytest.mark.parametrize(
    ("times", "values", "until", "bars"),
    [
        ([], [], 9.0, ""),
        ([1.0], [3.0], 9.0, "▁▁▁▁"),
        ([1.0], [3.0], 1.0, "▁▁▁▁"),
        ([5.0, 8.0], [0.5, 0.0], 9.0, "▁▁▁▁"),
        ([5.0, 6.0, 8.0], [1.0, 0.5, 0.0], 9.0, "▁▁▁▁"),
        ([0.0, 2.5], [9.0, 1.0], 4.0, "██▁▁"),
    ],
)
def test_odd_curves(times: list[float], values: list[float], until: float, bars: str) -> None:
    assert sparkline(times, values, until, 4) == bars


def test_plain_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    with watch("plain", "x", "any", 60) as shown:
        for seconds, objective in (
            (0.1, None),
            (0.2, 3_000_000),
            (0.3, 2_000_000),
            (9.0, 2_000_000),
            (9.1, 1),
        ):
            shown(Progress(seconds, objective, None))
    assert [line.split("  ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "x (any): incumbent 3",
        "x (any): incumbent 2",
    ]


def test_json_lines_are_few_and_exact_and_the_last_state_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    large = 2**60 + 1  # no float
    with watch("json", 'a "name"', "any", 60) as shown:
        shown(Progress(0.125, None, None))
        shown(Progress(0.25, 2 * large, None, "3 columns"))
        for i in range(1000):
            shown(Progress(0.5, 2 * large - i, large))
        shown(Progress(4.0, 2 * large, large))
        shown(Progress(4.1, large, large))
    lines = capsys.readouterr().err.splitlines()
    assert f'"objective": {large // 10**6}.{large % 10**6:06}' in lines[-1]
    found = [json.loads(line) for line in lines]
    assert [p["seconds"] for p in found] == [0.25, 4.0, 4.1]
    assert [p["gap"] for p in found] == [None, 0.5, 0.0]
    assert found[0] == {
        **{"instance": 'a "name"', "solver": "any", "seconds": 0.25, "note": "3 columns"},
        **{"objective": 2 * large / 1e6, "bound": None, "gap": None},
    }
    assert found[-1]["note"] == "3 columns", "the last that a solver said"


@pytest.mark.parametrize("how", ["auto", "none"])
def test_without_a_terminal_nothing_is_shown(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    with watch(how, "x", "any", 60) as shown:
        shown(Progress(0.2, 3_000_000, None))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("how", "seconds"), [("plain", "x (any): loading;"), ("json", '"seconds": null')])
def test_long_loading_is_explained(
    how: str, seconds: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_LONG_LOADING", 0.01)
    with watch(how, "x", "any", 60):
        time.sleep(0.5)
    said = capsys.readouterr().err
    assert "compiles for about a minute" in said
    assert seconds in said


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> View:
    """A view 10 s after the start, with three states of which two have a gap."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    view = View("fleet", "any", 60, "3 of 16")
    view(Progress(0.0, 4_000_000, None, "1 column"))
    monkeypatch.setattr(time, "monotonic", lambda: 110.0)
    view(Progress(2.0, 4_000_000, 2_000_000))
    view(Progress(6.5, 2_500_000, 2_000_000))
    return view


def test_a_view_has_a_curve_of_the_gap_where_there_is_room(view: View) -> None:
    """The gap is 50 % from 2.0 to 6.5 s and 20 % until 10 s: 20 spans of 0.4 s, or 8 of 1 s."""
    numbers = "  incumbent 2.5  bound 2  gap 20 %  1 column"
    start = "3 of 16  fleet (any)  50 s left"
    assert view.lines(100, curves=True) == [f"{start}  gap {'█' * 11}{'▁' * 9}", numbers]
    assert view.lines(45, curves=True) == [f"{start}  gap {'█' * 4}{'▁' * 4}", numbers]
    assert view.lines(44, curves=True) == [start, numbers]
    assert view.lines(100, curves=False) == [start, numbers]


def test_without_a_bound_the_curve_is_the_incumbents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    view = View("fleet", "any", 60)
    view(Progress(4.0, None, None))
    assert view.lines(80, curves=True) == ["fleet (any)  56 s left", "  incumbent none yet"]
    view(Progress(4.0, 3_000_000, None))
    assert view.lines(80, curves=True)[0] == f"fleet (any)  56 s left  incumbent {'▁' * 20}"


def test_a_curve_takes_little_memory() -> None:
    view = View("fleet", "any", 60)
    for i in range(100_000):
        view(Progress(60 * i / 100_000, 200_000 - i, None))
    assert len(view._points) <= 1_001
    assert view._points[-1][1].objective == 100_001


def test_solves_at_once_are_counted_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for how in ("plain", "json", "none", "auto"):
        with counting(how, 2) as count:
            count("fleet", "greedy")
    plain, document = capsys.readouterr().err.splitlines()
    assert plain == "1 of 2 done: fleet (greedy)"
    assert json.loads(document) == {"instance": "fleet", "solver": "greedy", "done": 1, "of": 2}
