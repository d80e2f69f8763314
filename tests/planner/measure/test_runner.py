"""Runs on this host: two real models in short windows. What they measure is not looked at, how is."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.measure import pool
from planner.measure.features import measure_features
from planner.measure.row import COLUMNS, Row
from planner.measure.runner import Runner
from planner.measure.spec import Spec, parse_spec
from planner.measure.subject import HOGS, hog
from tests.planner.measure.conftest import QUICK

PAIR = ("mlp_small", "mlp_small@2")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def runner(quick: Spec) -> Iterator[Runner]:
    hogs = {hog(r).name: hog(r) for r in HOGS}
    with Runner(quick.subjects | hogs, quick.form.protocol, "host") as made:
        yield made


def alive(process: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


def gone(processes: list[int], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, processes))


def phases(row: Row) -> list[str]:
    return [taken.window.phase for taken in row.taken]


def test_runs_of_a_pair_and_of_a_set(quick: Spec, runner: Runner) -> None:
    (own,) = quick.form.machine_types
    rows = runner.run(own, PAIR, 0)
    assert [row.victim for row in rows] == [*PAIR]
    assert [row.neighbours for row in rows] == [PAIR[1:], PAIR[:1]]
    for row in rows:
        assert phases(row) == ["solo", "colocated", "colocated", "solo"]
        assert row.marks == ()
        assert row.solo.samples > 0
        assert row.colocated.samples > 0
        assert row.degradation is not None
        cells = dict(zip(COLUMNS, row.cells(), strict=True))
        assert (cells["loop"], cells["offered_rps"], cells["host"]) == ("closed", "", "host")
        assert all(w["cpu_s"] > 0 for w in json.loads(cells["windows"]))
    starts = sorted((t.window.start_s, t.window.phase) for row in rows for t in row.taken)
    assert [phase for _, phase in starts] == ["solo"] * 2 + ["colocated"] * 4 + ["solo"] * 2
    up = runner.processes
    assert len(up) == 2
    (twins,) = runner.run(own, ("mlp_small", "mlp_small"), 1)
    assert (twins.neighbours, phases(twins)) == (("mlp_small",), ["solo", "colocated", "colocated", "solo"])
    assert runner.processes[:2] == up, "workers stay up"
    assert not any("libtorch" in Path(f"/proc/{p}/maps").read_text() for p in up)
    assert 0 < runner.counted_s < runner.driven_s
    runner.close()
    assert gone(up)


def test_each_process_runs_on_its_core(quick: Spec, runner: Runner) -> None:
    (own,) = quick.form.machine_types
    runner.run(own, PAIR, 0)
    cores = [os.sched_getaffinity(p) for p in runner.processes]
    assert all(len(c) == 1 for c in cores)
    if len(own.cores) == 2:
        assert set.union(*cores) == {*own.cores}
    shared = own.model_copy(update={"sharing": "shared"})
    runner.run(shared, PAIR, 1)
    assert [os.sched_getaffinity(p) for p in runner.processes] == [{*own.cores}] * 2


def test_an_open_loop_offers_the_same_arrivals_alone_and_together(quick: Spec, runner: Runner) -> None:
    (own,) = quick.form.machine_types
    for row in runner.run(own, PAIR, 3, loop="open"):
        offered = [t.window.samples + t.window.late for t in row.taken]
        assert offered[0] == offered[1]
        assert offered[2] == offered[3]
        assert dict(zip(COLUMNS, row.cells(), strict=True))["loop"] == "open"
        assert row.offered_rps == quick.subjects[row.victim].rate_rps


@pytest.mark.parametrize("signal_", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.soak)])
def test_a_process_that_dies_or_hangs_is_reported(
    quick: Spec, runner: Runner, signal_: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_GRACE", 0.5)
    (own,) = quick.form.machine_types
    runner.run(own, PAIR, 0)
    first, second = runner.processes  # of PAIR, in its order
    timer = threading.Timer(0.3, os.kill, (first, signal_))
    timer.start()
    rows = {row.victim: row for row in runner.run(own, PAIR, 1)}
    timer.join()
    assert {"died", "unstable"} <= {*rows["mlp_small"].flags}
    assert {"died_neighbour", "unstable"} <= {*rows["mlp_small@2"].flags}
    assert "died" not in rows["mlp_small@2"].flags
    assert all(row.degradation is None and not row.steady for row in rows.values())
    assert gone([first])
    again = runner.run(own, PAIR, 2)
    assert all(row.degradation is not None for row in again)
    assert second in runner.processes
    assert first not in runner.processes


@pytest.mark.soak
def test_features_of_a_model(quick: Spec, runner: Runner) -> None:
    (own,) = quick.form.machine_types
    values = measure_features(runner, own, quick.subjects["mlp_small"], 0, runs=1)
    for name in ("solo_mean_ms", "cpu_ms", "working_set_mb", "parameters_mb", "flops_per_request"):
        assert (values[name] or 0) > 0
    assert values["gpu_memory_mb"] is None
    for resource in HOGS:
        assert values[f"sensitivity_{resource}"] is not None
        assert values[f"pressure_{resource}"] is not None


@pytest.mark.parametrize(
    ("content", "change", "field", "rule"),
    [
        (b"not a model", {}, "models.mine", "cannot be loaded"),
        (None, {"shape": [1, 511]}, "models.mine.inputs.x.shape", "must be 1 x 512"),
        (None, {"dtype": "float64"}, "models.mine.inputs.x.dtype", "must be tensor(float)"),
        (None, {"name": "y"}, "models.mine.inputs", "must name the inputs"),
    ],
)
def test_a_users_file_that_cannot_be_run_is_refused(
    content: bytes | None,
    change: dict[str, object],
    field: str,
    rule: str,
    quick: Spec,
    tmp_path: Path,
) -> None:
    from planner.measure.zoo.export import exported

    (tmp_path / "mine.onnx").write_bytes(exported("mlp_small").read_bytes() if content is None else content)
    given = {"name": "x", "shape": [1, 512]} | change
    own = quick.form.machine_types[0]
    document = {
        "version": 1,
        "models": [{"name": "mine", "onnx": "mine.onnx", "inputs": [given]}],
        "machine_types": [own.model_dump(mode="json")],
        "protocol": QUICK,
    }
    mine = parse_spec(document, tmp_path)
    with Runner(mine.subjects, mine.form.protocol, "h") as runner, pytest.raises(InputError) as caught:
        runner.run(own, ("mine", "mine"), 0)
    assert caught.value.field == field
    assert rule in caught.value.rule


ORPHANS = """
import os, signal, sys
from pathlib import Path
from planner.measure.runner import Runner
from planner.measure.spec import load_spec
spec = load_spec(sys.argv[1])
runner = Runner(spec.subjects, spec.form.protocol, "h")
runner.weigh(spec.form.machine_types[0], "mlp_small")
print(*runner.processes, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


FEW_TRIES = """
from planner.measure import runner
runner.MOST_TRIES = 3  # a busy host never settles
from planner.cli_measure import app
app()
"""


def spec_file(quick: Spec, folder: Path) -> Path:
    data = quick.form.model_dump(mode="json", exclude_defaults=True) | {"version": 1, "features": False}
    (folder / "spec.json").write_text(json.dumps(data))
    return folder / "spec.json"


def test_workers_die_with_a_parent_that_is_killed(quick: Spec, runner: Runner, tmp_path: Path) -> None:
    runner.weigh(quick.form.machine_types[0], "mlp_small")  # exports it
    command = [sys.executable, "-c", ORPHANS, str(spec_file(quick, tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    processes = [int(word) for word in done.stdout.split()]
    assert len(processes) == 1
    assert gone(processes)


def test_ctrl_c_leaves_a_valid_table_that_is_continued(quick: Spec, runner: Runner, tmp_path: Path) -> None:
    runner.weigh(quick.form.machine_types[0], "mlp_small")  # exports it
    table = tmp_path / "t.csv"
    data = json.loads(spec_file(quick, tmp_path).read_text())
    alone = data | {"models": data["models"][:1], "protocol": QUICK | {"repeats": 2}}
    (tmp_path / "spec.json").write_text(json.dumps(alone))
    command = [sys.executable, "-c", FEW_TRIES, "profile", str(tmp_path / "spec.json"), "-o", str(table)]
    first = subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 240
    while (not table.exists() or table.read_bytes().count(b"\n") < 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = children(first.pid)
    os.killpg(first.pid, signal.SIGINT)
    out, errors = first.communicate(timeout=30)
    assert first.returncode == 130, errors
    assert "interrupted" in out
    assert "Traceback" not in errors
    assert workers
    assert gone(workers)
    begun = [row["run"] for row in read(table)]
    assert begun
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    runs = [row["run"] for row in read(table)]
    assert runs[: len(begun)] == begun
    assert runs == [str(n) for n in range(len(runs))]
    assert 2 <= len(runs) <= 4
    assert (tmp_path / "t.hosts.json").exists()


def children(process: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def read(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))
