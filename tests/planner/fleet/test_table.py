"""A plan as CSV, read back."""

from __future__ import annotations

import csv
from pathlib import Path

from planner.fleet.export import Options, export
from planner.fleet.layout import layout
from planner.instance import Instance
from planner.plan import Plan
from tests import tiny
from tests.planner.fleet.cases import layouts, pools


def read_back(instance: Instance, text: str) -> Plan:
    """Return the plan in a CSV."""
    groups: dict[str, tuple[int, int, dict[int, int]]] = {}
    for row in csv.DictReader(text.splitlines(keepends=True)):
        pool = pools(instance)[row["machine_type"], row["pinned"] or None]
        _, _, pattern = groups.setdefault(row["group"], (pool, int(row["machines"]), {}))
        pattern[instance.model_index[row["model"]]] = int(row["replicas_on_each"])
    return Plan.from_patterns(groups.values())


def test_the_same_plan_comes_back(tmp_path: Path) -> None:
    seen = 0
    for plan, original in layouts(range(24)):
        assert export(plan, "csv", tmp_path / "plan.csv", Options()) == []
        assert read_back(plan.instance, (tmp_path / "plan.csv").read_text(encoding="utf-8")) == original
        seen += 1
    assert seen > 12


def test_a_row_for_each_model_of_each_group(tmp_path: Path) -> None:
    instance = tiny.pair()
    plan = layout(instance, tiny.plan(instance, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b"))
    export(plan, "csv", tmp_path / "p.csv", Options())
    label = plan.groups[0].label
    assert (tmp_path / "p.csv").read_text().splitlines() == [
        "machine_type,pinned,group,machines,model,replicas_on_each",
        f"gpu,,{label},2,a,1",
        f"gpu,,{label},2,b,1",
    ]
