"""One export of the smallest model for all tests that load it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from planner.measure import runner
from planner.measure.spec import Spec
from tests.planner.measure.fakes import spec

QUICK = {"window_s": 0.1, "warmup_s": 0.03, "repeats": 1, "retries": 0}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for exported models."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def quick(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Two variants of the smallest model on all cores, one process a core, in short windows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(runner, "MOST_TRIES", 3)  # a busy host never settles
    cores = sorted(os.sched_getaffinity(0))[:2]
    models = [{"zoo": "mlp_small", "rate_rps": 200.0}, {"zoo": "mlp_small@2", "rate_rps": 100.0}]
    types = [{"name": "own", "cores": cores}]
    return spec(models=models, machine_types=types, protocol=QUICK)
