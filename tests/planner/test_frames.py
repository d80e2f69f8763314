"""Data frames say what the checker says, row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planner import extras
from planner.errors import InputError
from planner.evaluate import evaluate
from planner.frames import evaluation_frame, plan_frame
from planner.instance import Background, Instance, Pinned
from planner.plan import Plan
from planner.result import Progress, Result, Status, Stop
from tests import tiny
from tests.random_instances import random_instance, random_plan


def test_each_row_is_a_model_on_the_machines_of_a_group(pair: Instance) -> None:
    """b beside a: 10 ms x 1.3 = 13 ms, one ms or 10 % above the SLO of 12 ms; a beside b: 10 ms x 1.25."""
    instance = tiny.with_model(pair, "b", slo_ms=12.0, miss_price=1.0)
    frame = tiny.plan(instance, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b").to_frame(instance)
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    both = {"group": 0, "machine_type": "gpu", "pinned": None, "machines": 2, "replicas": 1}
    of_a = {"model": "a", "degradation": 0.25, "latency_ms": 12.5, "slo_ms": None, "slack": None}
    of_b = {"model": "b", "degradation": 0.3, "latency_ms": 13.0, "slo_ms": 12.0, "slack": -0.1}
    assert rows == [both | of_a, both | of_b]


def test_pinned_machines_are_named(pair: Instance) -> None:
    """The background of the pinned machine adds 0.5 to a."""
    pin = Pinned(name="p", machine_type="gpu", models={"a": 1}, background=Background(degradation={"a": 0.5}))
    instance = pair.replace(pinned=(pin,))
    frame = plan_frame(instance, tiny.plan(instance, "gpu: 2 b", "p: 2 a"))
    assert frame["pinned"].isna().tolist() == [True, False]
    assert frame["pinned"][1] == "p"
    assert frame["degradation"].tolist() == [0.4, 0.6]


@pytest.mark.parametrize("seed", range(40))
def test_frames_add_up_to_what_the_checker_says(seed: int) -> None:
    instance = random_instance(seed)
    plan = random_plan(instance, seed)
    found, frame = evaluate(instance, plan), plan_frame(instance, plan)
    number = frame["machines"] * frame["replicas"]
    total = (number * frame["degradation"]).sum() * 1e6
    assert total == pytest.approx(found.total_degradation, abs=1e-3)
    runs = frame["latency_ms"].notna()
    assert number[runs & (frame["slack"] < 0)].sum() <= found.misses
    for m in found.models:
        mine = frame["model"] == m.name
        assert number[mine].sum() == m.replicas
        assert mine.any() or m.latency_ms is None
        if m.latency_ms is not None:
            assert frame["latency_ms"][mine].max() == pytest.approx(m.latency_ms, rel=1e-12)
        if runs[mine].all():
            assert number[mine & (frame["slack"] < 0)].sum() == m.misses


def test_a_plan_of_another_instance_is_refused(pair: Instance) -> None:
    with pytest.raises(InputError, match=r"plan: is not a plan of 'pair': model number 7"):
        Plan.from_patterns([(0, 1, {7: 1})]).to_frame(pair)


def test_a_plan_without_machines_has_no_rows(pair: Instance) -> None:
    assert len(Plan.from_patterns([]).to_frame(pair)) == 0


def test_models(pair: Instance, mixed: Plan) -> None:
    frame = evaluation_frame(evaluate(pair, mixed))
    assert frame["model"].tolist() == ["a", "b"]
    assert frame["mean_degradation"].tolist() == [0.25, 0.3]
    assert frame["worst_aggressor"].tolist() == ["b", "a"]
    assert frame["share"].tolist() == [1.0, 1.0]
    assert frame["latency_ms"].tolist() == [12.5, 13.0]
    assert frame["slo_ms"].isna().all()
    nobody = evaluate(pair, Plan.from_patterns([])).to_frame()
    assert nobody["worst_aggressor"].isna().all()
    unknown = evaluate(pair, Plan.from_patterns([(0, 1, {7: 1})])).to_frame()
    assert (len(unknown), [*unknown.columns]) == (0, [*frame.columns])


def test_history() -> None:
    seen = (
        Progress(0.5, None, None),
        Progress(1.0, 2_000_000, None),
        Progress(2.0, 2_000_000, 1_500_000, "x"),
    )
    frame = Result(Status.FEASIBLE, Stop.FINISHED, "any", 0, history=seen).history_frame()
    assert frame["seconds"].tolist() == [0.5, 1.0, 2.0]
    np.testing.assert_array_equal(frame["objective"], [math.nan, 2, 2])
    np.testing.assert_array_equal(frame["bound"], [math.nan, math.nan, 1.5])
    np.testing.assert_array_equal(frame["gap"], [math.nan, math.nan, 0.25])
    assert frame["note"].tolist() == ["", "", "x"]


def test_a_missing_library_names_the_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'interference-planner\[notebook\]'"):
        extras.needed("no_such_library", "notebook")
