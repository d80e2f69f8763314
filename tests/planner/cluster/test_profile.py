"""``planner profile`` and ``validate --cluster``: a worker measures the machine types that it says it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner, Result

from planner.cli import app
from planner.degradation.table import read_table
from planner.files import save_instance
from planner.instance import InferenceModel, Instance, MachineType
from planner.measure import fleet
from planner.plan_files import save_plan
from solvers import solve
from tests.planner.cluster import jobs
from tests.planner.cluster.conftest import CORES, Cluster
from tests.planner.measure.conftest import QUICK

pytest.importorskip("onnxruntime", reason="needs the extra `measure`")


def _small(path: Path) -> None:
    """Write a model that multiplies by a matrix."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in ("x", "y"))
    weights = numpy_helper.from_array(np.eye(64, dtype=np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "small", [x], [y], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


def profile(spec: Path, table: Path, cluster: Cluster) -> Result:
    words = ("profile", str(spec), "-o", str(table), "--cluster", cluster.address)
    return CliRunner().invoke(app, words)


@pytest.mark.soak
def test_each_measurement_is_under_the_machine_type_and_host_that_it_is_of(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "measure_piece", jobs.quick_piece)
    types = dict(zip(("first", "second"), CORES, strict=False))
    for name, core in types.items():
        cluster.add([core], f"machine:{name}")
    cluster.ready()
    _small(tmp_path / "small.onnx")
    spec = {
        "version": 1,
        "models": [{"name": "small", "onnx": "small.onnx", "inputs": [{"name": "x", "shape": [1, 64]}]}],
        "machine_types": [{"name": name, "cores": [core]} for name, core in types.items()],
        "protocol": QUICK,
        "features": False,
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    table = tmp_path / "fleet.csv"
    done = profile(tmp_path / "spec.json", table, cluster)
    assert done.exit_code == 0, done.stderr
    assert "as first, has no core beside those that are measured" in done.stderr
    hosts = json.loads((tmp_path / "fleet.hosts.json").read_text())
    where = {(row.machine_type, *hosts[row.values["host"]]["cores"]) for row in read_table(table).rows}
    assert where == {("first", CORES[0]), ("second", CORES[1])}


@pytest.mark.soak
def test_a_plan_is_measured_on_the_workers(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "execute_piece", jobs.quick_execute_piece)
    types = dict(zip(("first", "second"), CORES, strict=False))
    for name, core in types.items():
        cluster.add([core], f"machine:{name}")
    cluster.ready()
    spec = {
        "version": 1,
        "models": [{"zoo": "mlp_small"}],
        "machine_types": [{"name": name, "cores": [core]} for name, core in types.items()],
        "protocol": QUICK,
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    latency = dict.fromkeys(types, 1.0)
    instance = Instance(
        name="two hosts",
        machine_types=tuple(MachineType(name=name, count=1, slots=2) for name in types),
        models=(InferenceModel(name="mlp_small", replicas=4, latency_ms=latency),),
        degradation=np.full((2, 1, 1), 0.9),
    )
    save_instance(instance, tmp_path / "i.json")
    save_plan(tmp_path / "p.json", instance, solve(instance, "greedy"))
    words = ("i.json", "p.json", "--on", "spec.json", "-o", "out", "--cluster", cluster.address)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ("validate", *words, "--rounds", "2"))
    assert done.exit_code == 0, done.stderr
    hosts = json.loads((tmp_path / "out/runs.hosts.json").read_text())
    rows = read_table(tmp_path / "out/runs.csv").rows
    where = {(row.machine_type, *hosts[row.values["host"]]["cores"]) for row in rows}
    assert where == {("first", CORES[0]), ("second", CORES[1])}
    assert len(rows) == 4


def test_a_machine_type_that_no_worker_is(cluster: Cluster, tmp_path: Path) -> None:
    spec = {"version": 1, "models": [{"zoo": "dlrm"}], "machine_types": [{"name": "huge", "cores": [0]}]}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    done = profile(tmp_path / "spec.json", tmp_path / "t.csv", cluster)
    assert done.exit_code == 2
    assert '--cluster: must have a worker for huge, started with --resources "machine:huge=1"' in done.stderr
