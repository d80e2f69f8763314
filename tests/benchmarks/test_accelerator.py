"""The accelerator script: its specs are valid, and it goes on where it stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import accelerator
from planner.measure.spec import parse_spec


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_the_specs_are_valid_and_the_fresh_runs_are_of_types_that_were_profiled(device: str) -> None:
    made = accelerator.specs(accelerator.arguments().parse_args(["-o", "x", "--device", device]))
    known, fresh = (parse_spec(made[name], Path()) for name in ("known", "fresh"))
    types = [m.device for m in known.form.machine_types]
    assert types[0] == device
    assert set(types) == {device}
    assert list(fresh.machine_types) == list(known.machine_types)[:2]
    assert known.form.protocol.seed != fresh.form.protocol.seed


def test_a_call_ends_with_75_until_everything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile is finished before the fresh runs begin; then it learns, once."""
    answers, done = iter([False, True, False, True, True]), []

    def measure(spec: Path, table: Path, budget_s: float) -> bool:
        assert spec.exists()
        assert 0 < budget_s <= 9
        done.append(table.name)
        return next(answers)

    monkeypatch.setattr(accelerator, "measure", measure)
    monkeypatch.setattr(accelerator, "learn", lambda folder: done.append("learn"))
    monkeypatch.setattr(
        sys, "argv", ["accelerator", "-o", str(tmp_path), "--device", "cpu", "--seconds", "9"]
    )
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            accelerator.main()
        assert ended.value.code == accelerator.AGAIN
    accelerator.main()
    assert done == ["known.csv", "known.csv", "fresh.csv", "known.csv", "fresh.csv", "learn"]
