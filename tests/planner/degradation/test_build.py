"""Instances from measurements and predictions: which number comes from where."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from planner.degradation.build import MEASURED, PREDICTED, build, read_spec
from planner.degradation.features import features_of
from planner.degradation.network import Config
from planner.degradation.predictor import Predictor, fit
from planner.degradation.table import Table, read_table
from planner.errors import InputError
from planner.files import load_instance, save_instance
from tests.planner.degradation.test_factor import _HEAD, _row

MODELS = "abcd"
#: Pairs with a are measured five times on cpu, the others once.
SPEC = {
    "version": 1,
    "name": "built",
    "machine_types": [{"name": "host", "measured_as": "cpu", "count": 2, "slots": 2}],
    "models": [
        {"name": "first", "measured_as": "a", "replicas": 2, "slo_slowdown": 1.5},
        {"name": "b", "replicas": 1, "slo_ms": 30},
    ],
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    rng = np.random.default_rng(0)
    rows, run = [_HEAD], 0
    for v in MODELS:
        for u in MODELS:
            for _ in range(5 if "a" in (v, u) else 1):
                rows.append(_row(v, u, run, 0.05 + 0.1 * MODELS.index(u) + 0.001 * rng.random()))
                run += 1
    path = tmp_path_factory.mktemp("table") / "m.csv"
    path.write_text("\n".join(rows) + "\n")
    return read_table(path)


@pytest.fixture(scope="module")
def predictor(table: Table) -> Predictor:
    return fit(table.pairs, features_of(table), config=Config(members=2, steps=50))


def _spec(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({**SPEC, **changes}))
    return path


def test_measured_where_measured_often_and_predicted_elsewhere(
    tmp_path: Path, table: Table, predictor: Predictor
) -> None:
    built = build(read_spec(_spec(tmp_path)), predictor, table)
    sources = {key[1:]: n.source for key, n in built.numbers.items()}
    assert sources == {
        ("first", "first"): MEASURED,
        ("first", "b"): MEASURED,
        ("b", "first"): MEASURED,
        ("b", "b"): PREDICTED,
    }
    values = built.instance.degradation[0]
    assert values[0, 1] == pytest.approx(0.15, abs=0.002)
    assert values[1, 0] == pytest.approx(0.05, abs=0.002)
    for n in built.numbers.values():
        assert n.lower is not None
        assert n.upper is not None
        assert n.lower <= n.value <= n.upper


def test_latencies_and_slos_come_from_the_measurements(
    tmp_path: Path, table: Table, predictor: Predictor
) -> None:
    """Each was measured at 10 ms alone."""
    first, b = build(read_spec(_spec(tmp_path)), predictor, table).instance.models
    assert (first.latency_ms, first.slo_ms) == ({"host": 10.0}, 15.0)
    assert (b.latency_ms, b.slo_ms) == ({"host": 10.0}, 30.0)


def test_the_table_says_where_each_number_comes_from(
    tmp_path: Path, table: Table, predictor: Predictor
) -> None:
    built = build(read_spec(_spec(tmp_path)), predictor, table)
    path = tmp_path / "built.yaml"
    save_instance(built.instance, path, table=built.table(), comment=["why: this"])
    assert path.read_text().startswith("# why: this\n")
    assert load_instance(path).sha256 == built.instance.sha256
    rows = [*csv.DictReader((tmp_path / "built.degradation.csv").open())]
    assert {row["source"] for row in rows} == {MEASURED, PREDICTED}
    assert len(rows) == 4


def test_without_measurements_all_is_predicted(tmp_path: Path, predictor: Predictor) -> None:
    models = [{"name": n, "replicas": 1, "latency_ms": {"cpu": 5.0}} for n in "ab"]
    types = [{"name": "cpu", "count": 1}]
    built = build(read_spec(_spec(tmp_path, models=models, machine_types=types)), predictor)
    assert built.count(PREDICTED) == 4
    assert built.count(MEASURED) == 0


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ({"name": "unknown", "replicas": 1}, "latency_ms"),
        ({"name": "a", "replicas": 1, "slo_ms": 20, "slo_slowdown": 1.2}, "slo_slowdown"),
        ({"name": "a", "replicas": 1, "slo_slowdown": 0.5}, "slo_slowdown"),
        ({"name": "a", "replicas": 0}, "replicas"),
        ({"name": "a", "replica": 1}, "replica"),
        ({"name": "unknown", "replicas": 1, "latency_ms": {"host": 1.0}}, "model"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, table: Table, predictor: Predictor, model: dict[str, object], field: str
) -> None:
    with pytest.raises(InputError) as error:
        build(read_spec(_spec(tmp_path, models=[model])), predictor, table)
    assert field in error.value.field
