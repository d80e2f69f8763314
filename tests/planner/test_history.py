"""The history in a plan file: exact, thinned out where it is long, and refused where it cannot be so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_checks import check_plan
from planner.plan_files import plan_document, read_plan, render
from planner.result import Progress, Result, Status, Stop


def result(plan: Plan, *history: Progress) -> Result:
    """Return the optimum of :func:`tests.tiny.pair` with a history."""
    return Result(Status.OPTIMAL, Stop.FINISHED, "fake", 0, plan, 1_000_000, 1_000_000, 1.0, history)


def written(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(render(document))
    return path


def test_a_history_is_kept_to_the_digit(pair: Instance, separate: Plan, tmp_path: Path) -> None:
    history = (Progress(0.5, None, 3), Progress(0.75, 1_100_001, 3), Progress(1.0, 1_000_000, 1_000_000))
    path = written(tmp_path / "p.json", plan_document(pair, result(separate, *history)))
    assert '"history": [[0.5, null, 0.000003], [0.75, 1.100001, 0.000003], [1.0, ' in path.read_text()
    found = read_plan(path).history
    assert [(s, None if o is None else int(o * 10**6)) for s, o, _ in found] == [
        (now.seconds, now.objective) for now in history
    ]
    assert not check_plan(path, pair).violations


def test_a_long_history_is_thinned_out(pair: Instance, separate: Plan, tmp_path: Path) -> None:
    history = [Progress(i / 1000, 2_000_000 - i, None) for i in range(30_000)]
    path = written(tmp_path / "p.json", plan_document(pair, result(separate, *history)))
    found = read_plan(path).history
    assert (len(found), found[0][0], found[-1][0]) == (2_000, 0.0, 29.999)


def test_a_file_without_history_is_read(pair: Instance, separate: Plan, tmp_path: Path) -> None:
    document = plan_document(pair, result(separate))
    del document["history"]
    assert read_plan(written(tmp_path / "p.json", document)).history == ()


@pytest.mark.parametrize(
    ("history", "field", "rule"),
    [
        ([[2, 1, 1], [1, 1, 1]], "history", "must be in time order"),
        ([[0, 1]], "history[0][2]", "is required"),
        ([[0, -1, None]], "history[0][1]", "must be at least 0, found -1"),
        ([["now", 1, None]], "history[0][0]", "must be a number"),
        ([[0, 0.0000001, None]], "history[0][1]", "6 decimal places"),
        ([[0, 1, 1]] * 5001, "history", "at most 5000"),
        (3, "history", "must be a list"),
    ],
)
def test_histories_that_cannot_be(
    pair: Instance, separate: Plan, tmp_path: Path, history: Any, field: str, rule: str
) -> None:
    document = json.loads(render(plan_document(pair, result(separate)))) | {"history": history}
    path = tmp_path / "p.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert f"{path}: {field}: " in str(caught.value)
    assert rule in str(caught.value)


def test_a_bound_above_the_plan_is_a_false_claim(pair: Instance, separate: Plan, tmp_path: Path) -> None:
    document = plan_document(pair, result(separate, Progress(0.5, None, 1_000_001)))
    (found,) = check_plan(written(tmp_path / "p.json", document), pair).violations
    assert (found.rule, "1.000001 after 0.5 s" in found.message) == ("history", True)
