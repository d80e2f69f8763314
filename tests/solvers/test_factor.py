"""Co-location factors in solvers; that exact ones honour them is in :mod:`tests.solvers.test_exact`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.errors import InputError
from planner.evaluate import evaluate, objective_of
from planner.generate import generate
from planner.instance import Instance
from planner.result import Status
from solvers import cpsat, greedy, milp, solve
from solvers.fleet import empty_fleet, plan_of
from solvers.levels import first
from solvers.rematch import rematch
from solvers.run import Run


def _factored(factor: dict[int, float]) -> Instance:
    instance = generate(models=6, replicas=40, types=1, slots=(4, 4), tightness=0.4, slo_fraction=0.3, seed=3)
    types = (m.model_copy(update={"colocation_factor": factor}) for m in instance.machine_types)
    return instance.replace(machine_types=tuple(types))


@pytest.mark.parametrize("module", [milp, cpsat])
def test_no_formulation_over_machines_states_it(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many patterns there is local search's plan and pair flow's bound, and a note that says so."""
    monkeypatch.setattr(module, "MOST_PATTERNS", 0)
    instance = _factored({3: 1.2, 4: 1.5})
    name = "milp" if module is milp else "cpsat"
    result = solve(instance, name, time_limit=3.0)
    assert result.status is Status.FEASIBLE
    assert "co-location factors need patterns one by one" in result.note
    assert result.bound is not None
    assert 0 < result.bound <= (result.objective or 0)


def test_it_is_not_written_as_a_formulation_over_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milp, "MOST_PATTERNS", 0)
    with pytest.raises(InputError, match="patterns one by one"):
        milp.write_model(_factored({2: 2.0}), tmp_path / "f.lp")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("factor", [{3: 1.3, 4: 1.7}, {3: 0.5, 4: 0.3}, {2: 2.0, 3: 0.0}])
def test_rematching_is_exact_and_never_worse(factor: dict[int, float]) -> None:
    """Also where the factor falls, and putting replicas back one by one breaks an SLO on the way."""
    instance = _factored(factor)
    start = greedy.solve(instance, Run(time_limit=60.0)).plan
    assert start is not None
    level = first(instance.compiled, start, 0)
    machines = np.arange(empty_fleet(instance.compiled, level.x).machine.shape[0])
    began = objective_of(instance, start)
    for size in (1, 2, 3) * 5:
        assert rematch(level.x, level.fleet, level.search, machines, size, level.penalty) <= 0
        found = evaluate(instance, plan_of(level.fleet))
        assert found.valid
        assert found.objective == began + level.search.cost[0]
