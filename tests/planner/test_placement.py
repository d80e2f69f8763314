"""Maps of random plans hold every replica and all the degradation that the checker finds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from planner.evaluate import evaluate
from planner.files import save_instance
from planner.integers import PPM
from planner.plan_files import read_plan, save_plan
from planner.report.placement import checked_maps, claimed_maps
from tests.planner.pages import Reader, run, solved
from tests.random_instances import solved as brute_force

FEASIBLE = [seed for seed in range(30) if brute_force(seed)[1].feasible]


@pytest.mark.parametrize("seed", FEASIBLE)
def test_maps_hold_everything(seed: int, tmp_path: Path) -> None:
    """There are at most three machines, so all of them are shown."""
    instance, answer = brute_force(seed)
    assert answer.plan is not None
    maps = checked_maps(instance, answer.plan)
    boxes = [box for m in maps for box in m.boxes]
    placed = Counter[str]()
    for box in boxes:
        placed.update({tile.model: box.machines * tile.count for tile in box.tiles})
        assert box.total == pytest.approx(sum(t.count * (t.degradation or 0) for t in box.tiles))
    assert placed == {m.name: m.replicas for m in instance.models}
    e = evaluate(instance, answer.plan)
    assert sum(box.machines * (box.total or 0) for box in boxes) == pytest.approx(e.total_degradation / PPM)
    assert sum(m.used for m in maps) == e.machines_used
    assert all(m.unseen(m.boxes) == (0, 0) for m in maps)

    save_plan(tmp_path / "p.json", instance, solved(answer.plan, answer.objective or 0, None))
    claimed = claimed_maps(read_plan(tmp_path / "p.json"))
    assert {m.machine_type: m.used for m in claimed} == {m.machine_type: m.used for m in maps if m.used}


@pytest.mark.parametrize("seed", FEASIBLE[:8])
def test_the_page_has_the_optimum_of_brute_force(seed: int, tmp_path: Path) -> None:
    instance, answer = brute_force(seed)
    assert answer.plan is not None
    assert answer.objective is not None
    save_instance(instance, tmp_path / "i.json")
    save_plan(tmp_path / "p.json", instance, solved(answer.plan, answer.objective, answer.objective))
    out = tmp_path / "p.html"
    result = run("report", tmp_path / "p.json", "--instance", tmp_path / "i.json", "-o", out)
    assert result.exit_code == 0, result.output
    found = Reader(out.read_text())
    assert found.one("objective") * PPM == answer.objective
    assert found.one("gap") == 0
