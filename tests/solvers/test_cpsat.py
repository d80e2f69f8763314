"""The constraint programs: every constraint bites, and what CP-SAT says in floating point is read safely."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from ortools.sat.python import cp_model

from planner.evaluate import evaluate
from planner.instance import Instance
from planner.plan import Plan
from solvers.cpsat import safe
from solvers.cpsat_by_machine import ByMachine
from solvers.cpsat_by_pattern import ByPattern
from solvers.enumeration import all_patterns, carried
from tests.random_instances import solved
from tests.solvers import bites
from tests.solvers.bites import Case
from tests.tiny import pair, plan


def optimum(model: cp_model.CpModel) -> int | None:
    """Return the optimum in ppm; None if there is no solution."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.INFEASIBLE)
    return round(solver.objective_value) if status == cp_model.OPTIMAL else None


def over_machines(instance: Instance, at: Plan) -> int | None:
    """Return what a plan costs in the program over machines; None if it is not admitted."""
    program = ByMachine(instance)
    counts = program.grid.counts(at, len(instance.models))
    for (m, t), count in program.x.items():
        program.model.add(count == int(counts[m, t]))
    return optimum(program.model)


def over_patterns(instance: Instance, at: Plan) -> int | None:
    """Return what a plan costs in the program over patterns; None if it is not admitted."""
    patterns = all_patterns(instance.compiled, 1_000)
    assert patterns is not None
    program = ByPattern(instance.compiled, patterns, None, 0)
    for carry, number in zip(program.carry, carried(patterns, at), strict=True):
        program.model.add(carry == number)
    return optimum(program.model)


@dataclass
class Bite:
    """Asserts that a method, and no other, keeps a rule."""

    monkeypatch: pytest.MonkeyPatch

    def over_machines(self, method: str, case: Case) -> None:
        """Assert it of the program over machines."""
        assert over_machines(case.instance, case.keeps) == evaluate(case.instance, case.keeps).objective
        assert over_machines(case.instance, case.breaks) is None
        self.monkeypatch.setattr(ByMachine, method, lambda *_: None)
        assert over_machines(case.instance, case.breaks) is not None

    def over_patterns(self, method: str, case: Case) -> None:
        """Assert it of the program over patterns."""
        assert over_patterns(case.instance, case.keeps) == evaluate(case.instance, case.keeps).objective
        assert over_patterns(case.instance, case.breaks) is None
        self.monkeypatch.setattr(ByPattern, method, lambda *_: None)
        assert over_patterns(case.instance, case.breaks) is not None

    def count(self, method: str, instance: Instance, at: Plan) -> None:
        """Assert that a plan costs what the checker says, and less without a method."""
        right = evaluate(instance, at).objective
        assert right is not None
        assert over_machines(instance, at) == right
        self.monkeypatch.setattr(ByMachine, method, lambda *_: None)
        assert (over_machines(instance, at) or 0) < right


@pytest.fixture
def bite(monkeypatch: pytest.MonkeyPatch) -> Bite:
    """Return the helper."""
    return Bite(monkeypatch)


def test_placement_bites(bite: Bite) -> None:
    bite.over_machines("add_placement", bites.placement())


def test_slots_bite(bite: Bite) -> None:
    bite.over_machines("add_capacities", bites.slots())


def test_resources_bite(bite: Bite) -> None:
    bite.over_machines("add_capacities", bites.resources())


def test_slos_bite(bite: Bite) -> None:
    bite.over_machines("add_slos", bites.slo())


def test_keep_apart_bites(bite: Bite) -> None:
    bite.over_machines("add_groups", bites.keep_apart())


def test_min_machines_bites(bite: Bite) -> None:
    bite.over_machines("add_min_machines", bites.min_machines())


@pytest.mark.parametrize("case", [bites.max_per_machine(), bites.permitted(), bites.pinned()])
def test_what_domains_keep_out(case: Case) -> None:
    assert over_machines(case.instance, case.keeps) == evaluate(case.instance, case.keeps).objective
    assert over_machines(case.instance, case.breaks) is None


def test_degradation_counts(bite: Bite) -> None:
    bite.count("add_costs", pair(), plan(pair(), *bites.MIXED))


def test_prices_count(bite: Bite) -> None:
    bite.count("add_prices", bites.price(), plan(bites.price(), "gpu: 2 a", "cpu: 2 b"))


def test_soft_slos_count(bite: Bite) -> None:
    bite.count("add_slos", bites.miss(), plan(bites.miss(), *bites.SEPARATE))


@pytest.mark.parametrize("words", [bites.SEPARATE, bites.MIXED])
def test_worst_counts(words: tuple[str, ...]) -> None:
    at = plan(bites.worst(), *words)
    assert over_machines(bites.worst(), at) == evaluate(bites.worst(), at).objective
    assert over_patterns(bites.worst(), at) == evaluate(bites.worst(), at).objective


def test_a_floor_cuts_off_what_is_below() -> None:
    """The optimum is 1.0: that as a floor leaves it; one above, which no proof could give, leaves 1.1."""
    patterns = all_patterns(pair().compiled, 1_000)
    assert patterns is not None
    assert optimum(ByPattern(pair().compiled, patterns, None, 1_000_000).model) == 1_000_000
    assert optimum(ByPattern(pair().compiled, patterns, None, 1_000_001).model) == 1_100_000


def test_placement_bites_over_patterns(bite: Bite) -> None:
    bite.over_patterns("add_placement", bites.placement())


def test_machines_bite_over_patterns(bite: Bite) -> None:
    bite.over_patterns("add_machines", bites.machines())


def test_min_machines_bites_over_patterns(bite: Bite) -> None:
    bite.over_patterns("add_min_machines", bites.min_machines())


def test_a_hint_is_complete_and_a_solution() -> None:
    """With all variables fixed at their hints there is a solution, and it costs what the start costs."""
    hinted = 0
    for instance, answer in map(solved, range(16)):
        if answer.plan is not None and not instance.compiled.factored:
            program = ByMachine(instance, answer.plan)
            hint = program.model.proto.solution_hint
            assert sorted(hint.vars) == [*range(len(program.model.proto.variables))]
            solver = cp_model.CpSolver()
            solver.parameters.num_workers = 1
            solver.parameters.fix_variables_to_their_hinted_value = True
            assert solver.solve(program.model) == cp_model.OPTIMAL
            assert round(solver.objective_value) == answer.objective
            hinted += 1
    assert hinted >= 8


@pytest.mark.parametrize(
    ("stated", "proven"),
    [(10.0, 10), (10.0000001, 10), (9.9999999, 10), (10.4, 11), (-math.inf, None), (math.nan, None)],
)
def test_bounds_in_floating_point_are_read_safely(stated: float, proven: int | None) -> None:
    assert safe(stated) == proven


def test_a_bound_beyond_exact_floats_is_claimed_with_a_margin() -> None:
    """Floats near 2^60 are 128 apart, so that one step more would be too much."""
    found = safe(2.0**60)
    assert found is not None
    assert 128 <= 2**60 - found <= 2**60 * 1e-14
