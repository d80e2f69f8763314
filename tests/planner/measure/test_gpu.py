"""What of the accelerator path can be tested without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.measure.engines import make_engine
from planner.measure.gpu import mps
from planner.measure.inputs import requests
from planner.measure.messages import Load
from planner.measure.subject import Subject
from planner.measure.zoo import inputs_of

DAEMON = """#!/bin/sh
echo "$* $CUDA_MPS_PIPE_DIRECTORY $(test "$1" = -d || cat)" >> "$LOG"
"""


def test_the_mps_daemon_runs_while_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control = tmp_path / "nvidia-cuda-mps-control"
    control.write_text(DAEMON)
    control.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    with mps() as environment:
        pipes = environment["CUDA_MPS_PIPE_DIRECTORY"]
        assert Path(pipes).is_dir()
        assert (tmp_path / "log").read_text().split() == ["-d", pipes]
    assert (tmp_path / "log").read_text().split()[2:] == [pipes, "quit"]
    assert not Path(pipes).exists()


def test_a_host_without_the_daemon_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="nvidia-cuda-mps-control"), mps():
        pass


@pytest.mark.parametrize("name", ["mlp_small", "lstm"])
def test_torch_serves_a_zoo_model_on_the_device_it_is_told(name: str) -> None:
    subject = Subject(name, zoo=name, inputs=inputs_of(name))
    serve = make_engine(Load(subject, onnx=None, threads=1, device="cpu", seed=0))
    serve(next(requests(subject.inputs, 0)))
