"""Plan files of any size are read a group at a time, as Python's own parser would read them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import json_text, plan_files
from planner.errors import InputError
from planner.files import load_plan, save_plan
from planner.groups import Groups
from planner.instance import InferenceModel, Instance, MachineType
from planner.json_text import stream_json
from planner.plan import Plan
from planner.result import Result, Status, Stop

GROUPS = [
    {"machine_type": "gpu", "machines": 1, "models": {"b": 2}},
    {"machine_type": "gpu", "machines": 7, "pinned": "old", "models": {"a": 1, "b": 3}},
    {"machine_type": "cpu", "machines": 7, "models": {"a": 1}},
]


def test_groups_come_back_as_they_were() -> None:
    groups = Groups.of(GROUPS)
    assert (len(groups), list(groups)) == (3, GROUPS)
    assert list(groups.largest(2)) == GROUPS[1:]
    assert list(groups.largest(None)) == [GROUPS[1], GROUPS[2], GROUPS[0]]
    assert Groups.of(groups) is groups


def test_groups_are_numbered_by_machine_type_the_largest_first() -> None:
    groups = Groups.of(
        [{"machine_type": t, "machines": n, "models": {"a": 1}} for t, n in (("x", 1), ("y", 2), ("x", 3))]
    )
    assert [(name, g["machines"]) for name, g in groups.named(2)] == [("x#1", 3), ("y#1", 2)]
    assert [name for name, _ in groups.named(None)] == ["x#1", "y#1", "x#2"]


def test_too_many_groups() -> None:
    groups = Groups(most=1)
    groups.append(GROUPS[0])
    with pytest.raises(InputError, match="at most 1 groups"):
        groups.append(GROUPS[1])


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("piece", [1, 2, 7, 2**20])
def test_a_stream_is_read_as_python_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """Wherever its pieces end: within numbers, names, escapes and characters of several bytes."""
    monkeypatch.setattr(json_text, "_PIECE", piece)
    path = tmp_path / "a.json"

    @given(
        st.dictionaries(st.text(max_size=6), _PLAIN, max_size=4), st.lists(_PLAIN, max_size=4), st.booleans()
    )
    def as_python_does(data: dict[str, Any], items: list[Any], ascii_only: bool) -> None:
        path.write_text(
            json.dumps({**data, "taken": items}, indent=1, ensure_ascii=ascii_only),
            encoding="utf-8",
            errors="surrogatepass",
        )
        taken: list[Any] = []
        assert stream_json(path, "taken", taken.append, number=Decimal) == {**data, "taken": []}
        assert taken == items

    as_python_does()


def test_numbers_of_a_stream_are_exact(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 0.10, "b": 3}')
    found = stream_json(tmp_path / "a.json", "taken", print, number=Decimal)
    assert repr(found) == "{'a': Decimal('0.10'), 'b': 3}"


def wide(models: int, machines: int) -> tuple[Instance, Plan]:
    """Return an instance whose names are long, and a plan of it with a group for each machine."""
    names = [f"{i:0200d}" for i in range(models)]
    instance = Instance(
        name="wide",
        machine_types=(MachineType(name="g", count=machines),),
        models=tuple(InferenceModel(name=n, replicas=machines, latency_ms={"g": 1.0}) for n in names),
        degradation=np.zeros((1, models, models)),
    )
    patterns = ((0, 1, {t: 1 + (g >> t & 1) for t in range(models)}) for g in range(machines))
    return instance, Plan.from_patterns(patterns)


def result(plan: Plan) -> Result:
    return Result(Status.FEASIBLE, Stop.FINISHED, "greedy", 0, plan=plan)


@pytest.mark.soak
def test_a_plan_above_64_megabytes_survives(tmp_path: Path) -> None:
    """20 models of 200 characters on each of 17,000 machines."""
    instance, plan = wide(20, 17_000)
    save_plan(tmp_path / "p.json", instance, result(plan))
    assert (tmp_path / "p.json").stat().st_size > 64 * 2**20
    assert load_plan(tmp_path / "p.json", instance) == plan


def test_what_could_not_be_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, plan = wide(3, 8)
    size = len(plan_files.render(plan_files.plan_document(instance, result(plan))))
    monkeypatch.setattr(plan_files, "LIMIT", size)
    save_plan(tmp_path / "p.json", instance, result(plan))
    assert load_plan(tmp_path / "p.json", instance) == plan
    monkeypatch.setattr(plan_files, "LIMIT", size - 1)
    with pytest.raises(InputError, match="larger than a plan file may be"):
        save_plan(tmp_path / "q.json", instance, result(plan))
    with pytest.raises(InputError, match="must be at most"):
        load_plan(tmp_path / "p.json", instance)
    assert not (tmp_path / "q.json").exists()
