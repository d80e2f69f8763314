"""Random instances are seeded, of the size that was asked for, and feasible on request."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from planner.cli import app
from planner.files import load_instance
from planner.generate import generate
from planner.infeasible import obstacles


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_generate(tmp_path: Path) -> None:
    for name in ("i.yaml", "i.json"):
        arguments = (
            "--models",
            5,
            "--types",
            2,
            "--replicas",
            20,
            "--slots",
            2,
            3,
            "--feasible",
            "--seed",
            1,
        )
        assert run("generate", "-o", tmp_path / name, *arguments).exit_code == 0
    instance = load_instance(tmp_path / "i.yaml")
    assert (len(instance.models), len(instance.machine_types), instance.replicas) == (5, 2, 20)
    assert instance.sha256 == load_instance(tmp_path / "i.json").sha256


@pytest.mark.parametrize("seed", range(8))
def test_feasible_by_default_machines_even_if_tight(seed: int) -> None:
    """Types with few slots may be drawn for most machines; then there must be more of them."""
    instance = generate(replicas=60, models=6, tightness=1.0, slots=(2, 6), feasible=True, seed=seed)
    slots = sum(m.count * (m.slots or 0) for m in instance.machine_types)
    assert slots >= instance.replicas == 60
    assert obstacles(instance) == ()


def test_seeds() -> None:
    assert generate(seed=1).sha256 == generate(seed=1).sha256 != generate(seed=2).sha256
