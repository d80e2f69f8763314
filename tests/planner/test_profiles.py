"""Performance profiles and shifted means, worked out by hand and against their definition."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from planner.report.profiles import profile, shifted_mean
from tests.planner.pages import Reader, run
from tests.planner.test_page_input import ROW


def test_a_profile_by_hand() -> None:
    """Best times are 1, 2, 4. a: ratios 1, 1, 2. b: ratios 3, 2, 1. c fails twice, and has ratio 1.5."""
    found = profile({"a": [1, 2, 8], "b": [3, 4, 4], "c": [math.inf, 3, math.inf]})
    assert found == {
        "a": [(1.0, 2 / 3), (2.0, 1.0)],
        "b": [(1.0, 1 / 3), (2.0, 2 / 3), (3.0, 1.0)],
        "c": [(1.5, 1 / 3)],
    }


@pytest.mark.parametrize("seed", range(20))
def test_profiles_follow_their_definition(seed: int) -> None:
    rng = random.Random(seed)
    times = {s: [rng.choice((1.0, 2.0, 2.5, 7.0, math.inf)) for _ in range(9)] for s in "abc"}
    times["a"] = [1.0 if math.isinf(min(t[p] for t in times.values())) else times["a"][p] for p in range(9)]
    best = [min(t[p] for t in times.values()) for p in range(9)]
    for solver, steps in profile(times).items():
        for tau in (1.0, 1.1, 2.0, 2.5, 2.8, 3.5, 7.0):
            share = sum(t <= tau * b for t, b in zip(times[solver], best, strict=True)) / 9
            assert max((s for ratio, s in steps if ratio <= tau), default=0.0) == pytest.approx(share)


def test_shifted_means() -> None:
    """(10 + 10)(30 + 10) = 800, its root is 28.28, less the shift 18.28; zeros stay zero exactly."""
    assert shifted_mean([10.0, 30.0], 10.0) == pytest.approx(math.sqrt(800) - 10)
    assert shifted_mean([0.0, 0.0, 0.0], 0.01) == 0.0


def rows(instances: int) -> list[dict[str, object]]:
    """Return rows of two solvers: exact proves 1 in 1, 2, ... s; greedy has 1.25 at once, nothing at last."""
    found: list[dict[str, object]] = []
    for i in range(instances):
        last = {"status": "no_plan", "objective": None} if i == instances - 1 else {"objective": 1.25}
        exact = {"solver": "exact", "status": "optimal", "objective": 1.0, "bound": 1.0, "runtime_s": i + 1.0}
        found += [ROW | {"instance": f"i{i}"} | exact, ROW | {"instance": f"i{i}", "runtime_s": 0.0} | last]
    return found


def test_a_page_over_several_instances(tmp_path: Path) -> None:
    """greedy's gaps are 0.2, 0.2 and, without a plan, 1."""
    path, out = tmp_path / "compare.json", tmp_path / "p.html"
    path.write_text(json.dumps({"version": 1, "rows": rows(3)}))
    assert run("report", path, "-o", out, "--figures", tmp_path / "f").exit_code == 0
    found = Reader(out.read_text())
    gap = (0.21 * 0.21 * 1.01) ** (1 / 3) - 0.01
    assert [float(v) for v, _ in found.data["mean-gap"]] == pytest.approx([0, gap], abs=1e-9)
    seconds = (11 * 12 * 13) ** (1 / 3) - 10
    assert [float(v) for v, _ in found.data["mean-seconds"]] == pytest.approx([seconds, 0], abs=1e-9)
    assert "greedy,1.25,0.6666666666666666" in (tmp_path / "f" / "profile-objective.csv").read_text()
    assert "greedy" not in (tmp_path / "f" / "profile-time.csv").read_text()

    path.write_text(json.dumps({"version": 1, "rows": rows(2)}))
    assert run("report", path, "-o", out).exit_code == 0
    assert "mean-gap" not in Reader(out.read_text()).data
