"""Instances and plans survive their files, to the last bit, and are written whole or not at all."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from planner import plan_checks, plan_files
from planner.errors import InputError
from planner.evaluate import evaluate
from planner.files import (
    instance_schema,
    load_instance,
    load_plan,
    plan_document,
    read_plan,
    save_instance,
    save_plan,
)
from planner.instance import (
    Background,
    InferenceModel,
    Instance,
    MachineType,
    Objective,
    Pinned,
    Rules,
)
from planner.plan import Plan
from planner.plan_form import PlanFile
from planner.result import Result, Status, Stop
from planner.writing import write_atomically

AWKWARD = ("no", "1e3", "0x10", "null", "true", "<<", "a: b", "#x", "'q'", "ü", "-", "1", "~", "[x]")


def everything() -> Instance:
    """Return an instance that uses every field, with names that YAML could take for something else."""
    names = AWKWARD
    rng = np.random.default_rng(0)
    degradation = rng.random((2, len(names), len(names))) * 10.0 ** rng.integers(-9, 3, (2, 1, len(names)))
    degradation[1, 0], degradation[1, :, 0] = np.nan, np.nan
    models = [
        InferenceModel(
            name=name,
            replicas=3,
            weight=1 / 3,
            demand={"on": 0.1},
            demand_on={"off": {"on": 1e-7}},
            latency_ms={"on": 10, "off": 12.5} if t else {"on": 10},
            slo_ms=1e5 if t % 2 else None,
            miss_price=0.25 if t == 3 else None,
        )
        for t, name in enumerate(names)
    ]
    return Instance(
        name="yes",
        machine_types=(
            MachineType(name="on", count=40, resources={"on": 16}, slots=4, price=1.1),
            MachineType(name="off", count=3, background=Background(slots=0, degradation={"no": 0.5})),
        ),
        models=tuple(models),
        degradation=degradation,
        rules=Rules(
            keep_apart=(("no", "1e3"),),
            max_per_machine={"1": 2},
            min_machines={"1": 2},
            allow={"~": ("on",)},
            forbid={"-": ("off",)},
        ),
        pinned=(Pinned(name="12", machine_type="on", models={"no": 1}, background=Background()),),
        objective=Objective(degradation=2, price=1e-3),
    )


@pytest.mark.parametrize("name", ["i.yaml", "i.yml", "i.json"])
def test_an_instance_survives(tmp_path: Path, name: str) -> None:
    instance = everything()
    save_instance(instance, tmp_path / name)
    loaded = load_instance(tmp_path / name)
    assert loaded.sha256 == instance.sha256
    assert (loaded.models, loaded.pinned, loaded.rules) == (instance.models, instance.pinned, instance.rules)
    np.testing.assert_array_equal(loaded.degradation, instance.degradation)
    assert os.listdir(tmp_path) == [name]


def test_a_large_instance_has_a_table_beside_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    instance = Instance(
        name="large",
        machine_types=(MachineType(name="gpu", count=500_000, slots=4),),
        models=tuple(
            InferenceModel(name=f"m{t}", replicas=10_000, latency_ms={"gpu": 1 + t}) for t in range(100)
        ),
        degradation=rng.random((1, 100, 100)),
    )
    save_instance(instance, tmp_path / "i.yaml")
    assert sorted(os.listdir(tmp_path)) == ["i.degradation.parquet", "i.yaml"]
    assert load_instance(tmp_path / "i.yaml").sha256 == instance.sha256


def write(folder: Path, document: Any, name: str = "i.json") -> Path:
    """Write a document as JSON."""
    (folder / name).write_text(json.dumps(document))
    return folder / name


def document(**changes: Any) -> dict[str, Any]:
    """Return the document of a small instance with some fields changed."""
    return {
        "version": 1,
        "name": "small",
        "machine_types": [{"name": "gpu", "count": 2}],
        "models": [
            {"name": "a", "replicas": 2, "latency_ms": {"gpu": 10}},
            {"name": "b", "replicas": 2, "latency_ms": {"gpu": 10}},
        ],
        "degradation": {"pairs": {"gpu": {"a": {"a": 0.1, "b": 0.2}, "b": {"a": 0.3, "b": 0.4}}}},
    } | changes


def test_default_degradation(tmp_path: Path) -> None:
    given = {"pairs": {"gpu": {"a": {"b": 0.2}}}, "default": 0.5}
    instance = load_instance(write(tmp_path, document(degradation=given)))
    assert instance.degradation.tolist() == [[[0.5, 0.2], [0.5, 0.5]]]
    with pytest.raises(InputError, match="is missing for a pair") as caught:
        load_instance(write(tmp_path, document(degradation={"pairs": {"gpu": {"a": {"b": 0.2}}}})))
    assert caught.value.field == "degradation.gpu.a.a"


def test_the_table_is_looked_for_beside_the_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text("machine_type,victim,aggressor,degradation\ngpu,a,b,0.2\n")
    path = write(tmp_path, document(degradation={"table": "t.csv", "default": 0}))
    monkeypatch.chdir("/")
    assert load_instance(path).degradation.tolist() == [[[0, 0.2], [0, 0]]]


def test_yaml_and_json_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text(yaml.safe_dump(document()))
    assert load_instance(tmp_path / "i.yaml").sha256 == load_instance(write(tmp_path, document())).sha256


def test_schema_names_every_field() -> None:
    schema = instance_schema()
    assert set(schema["properties"]) == {
        *("version", "name", "machine_types", "models", "degradation", "rules", "pinned", "objective"),
        "slo_probability",
    }
    assert all("description" in field for field in schema["properties"].values())
    assert set(schema["$defs"]["Degradation"]["properties"]) == {"table", "pairs", "upper", "default"}
    assert set(schema["$defs"]["InferenceModel"]["properties"]) == set(InferenceModel.model_fields)


def result(instance: Instance, plan: Plan | None, **changes: Any) -> Result:
    """Return a result with ``plan``."""
    objective = None if plan is None else evaluate(instance, plan).objective
    fields = {"plan": plan, "objective": objective, "bound": 7, "seconds": 1.2345678, "note": "hm"} | changes
    return Result(Status.FEASIBLE if plan else Status.NO_PLAN, Stop.TIME_LIMIT, "greedy", 3, **fields)


def test_a_plan_survives(tmp_path: Path, pair: Instance, mixed: Plan) -> None:
    path = tmp_path / "p.json"
    save_plan(path, pair, result(pair, mixed))
    assert load_plan(path, pair) == mixed
    form = read_plan(path)
    assert (form.objective, form.bound) == (Decimal("1.100000"), Decimal("0.000007"))
    assert form.solver is not None
    assert (form.solver.name, form.seed, form.status, form.stop) == ("greedy", 3, "feasible", "time_limit")
    assert form.summary is not None
    assert (form.summary.machines_used, form.summary.price, form.summary.replicas) == (2, Decimal(6), 4)
    assert [(m.name, m.latency_ms, m.hurt_by[0].model) for m in form.models] == [
        ("a", 12.5, "b"),
        ("b", 13.0, "a"),
    ]
    assert os.listdir(tmp_path) == ["p.json"]


def test_a_pinned_group_survives(tmp_path: Path, pair: Instance) -> None:
    instance = pair.replace(pinned=(Pinned(name="old", machine_type="gpu", models={"a": 1}),))
    plan = Plan.from_patterns([(1, 1, {0: 1, 1: 1}), (0, 1, {0: 1, 1: 1})])
    save_plan(tmp_path / "p.json", instance, result(instance, plan))
    assert load_plan(tmp_path / "p.json", instance) == plan
    assert '{"machine_type": "gpu", "pinned": "old", "machines": 1' in (tmp_path / "p.json").read_text()


def test_one_group_on_a_line(tmp_path: Path, pair: Instance, separate: Plan) -> None:
    save_plan(tmp_path / "p.json", pair, result(pair, separate))
    lines = (tmp_path / "p.json").read_text().splitlines()
    assert '  {"machine_type": "gpu", "machines": 1, "models": {"a": 2}},' in lines
    assert ' "objective": 1.000000,' in lines


@pytest.mark.parametrize("value", [0, 1, 999_999, 2**53 + 1, 2**61 - 1])
def test_objectives_are_exact(tmp_path: Path, pair: Instance, separate: Plan, value: int) -> None:
    save_plan(tmp_path / "p.json", pair, result(pair, separate, objective=value, bound=value))
    form = read_plan(tmp_path / "p.json")
    assert form.objective == form.bound == Decimal(value) / 10**6
    assert form.gap == 0.0


def test_a_document_without_a_plan(pair: Instance) -> None:
    found = plan_document(pair, result(pair, None, reasons=("too small",), bound=None))
    assert found["objective"] is found["bound"] is found["gap"] is found["summary"] is None
    assert (found["machines"], found["reasons"], found["status"]) == ([], ["too small"], "no_plan")
    assert PlanFile.model_validate(json.loads(plan_files.render(found)))
    with pytest.raises(InputError, match="no plan to save"):
        save_plan("p.json", pair, result(pair, None))


def test_a_plan_written_by_hand(tmp_path: Path, pair: Instance, separate: Plan) -> None:
    by_hand = {
        "version": 1,
        "instance": {"name": "pair"},
        "machines": [
            {"machine_type": "gpu", "machines": 1, "models": {"b": 2}},
            {"machine_type": "gpu", "machines": 1, "models": {"a": 2}},
        ],
    }
    assert load_plan(write(tmp_path, by_hand), pair) == separate
    with pytest.raises(InputError, match="another instance"):
        load_plan(tmp_path / "i.json", pair.replace(name="other"))


def test_a_plan_for_another_instance(tmp_path: Path, pair: Instance, separate: Plan) -> None:
    save_plan(tmp_path / "p.json", pair, result(pair, separate))
    with pytest.raises(InputError, match="another instance") as caught:
        load_plan(tmp_path / "p.json", pair.replace(objective="worst"))
    assert (caught.value.field, caught.value.value) == ("instance.sha256", pair.sha256)


@pytest.mark.parametrize(
    ("claim", "rule"),
    [
        ({"objective": 1.1}, "objective"),
        ({"objective": 0.999999}, "objective"),
        ({"bound": 1.000001}, "bound"),
        ({"status": "optimal"}, "status"),
        ({}, None),
        ({"objective": None, "bound": None}, None),
        ({"status": "optimal", "bound": 1}, None),
    ],
)
def test_false_claims(
    tmp_path: Path, pair: Instance, separate: Plan, claim: dict[str, Any], rule: str | None
) -> None:
    path = tmp_path / "p.json"
    save_plan(path, pair, result(pair, separate))
    write(tmp_path, json.loads(path.read_text()) | claim, "p.json")
    found = plan_checks.check_plan(path, pair).violations
    assert [v.rule for v in found] == ([] if rule is None else [rule])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.json"
    write_atomically(path, "old")
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def broken(_: int, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr("planner.writing.os.fsync", broken)
        with pytest.raises((InputError, KeyboardInterrupt)):
            write_atomically(path, "new")
        assert (os.listdir(tmp_path), path.read_text()) == (["p.json"], "old")


def test_the_table_is_not_written_without_its_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = everything()
    monkeypatch.setattr("planner.files._INLINE", 0)
    (tmp_path / "i.yaml").mkdir()
    with pytest.raises(InputError, match="must not be a directory"):
        save_instance(instance, tmp_path / "i.yaml")
    with pytest.raises(InputError, match=r"must be a \.yaml"):
        save_instance(instance, tmp_path / "i.txt")
    assert os.listdir(tmp_path) == ["i.yaml"]


def test_an_instance_that_could_not_be_read_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.problems._CROWD", 10)
    with pytest.raises(InputError, match="must hold at most 10 values") as caught:
        save_instance(everything(), tmp_path / "i.yaml")
    assert caught.value.file == str(tmp_path / "i.yaml")
    monkeypatch.setattr("planner.problems._CROWD", 1000)
    monkeypatch.setattr("planner.files.JSON_LIMIT", 1000)
    with pytest.raises(InputError, match="would be larger than"):
        save_instance(everything(), tmp_path / "i.json")
    assert os.listdir(tmp_path) == []


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "p.json").symlink_to("there/q.json")
    write_atomically(tmp_path / "p.json", "new")
    assert (tmp_path / "there" / "q.json").read_text() == "new"
    assert (tmp_path / "p.json").is_symlink()


def test_only_files_are_written() -> None:
    with pytest.raises(InputError, match="must not be a directory, a pipe or a device"):
        write_atomically("/dev/null", "x")
