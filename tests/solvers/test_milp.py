"""The mixed-integer formulations: every family of rows bites, and what is written can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import highspy
import pyomo.environ as pyo
import pytest
from pyomo.repn.plugins.lp_writer import LPWriter

from planner.errors import InputError
from planner.evaluate import evaluate
from planner.instance import Instance
from planner.plan import Plan
from solvers import milp, milp_by_machine, milp_by_pattern
from solvers.compact import unit
from solvers.enumeration import all_patterns
from solvers.highs import Engine, Quiet
from solvers.milp_by_machine import by_machine
from solvers.pairflow import Flow
from solvers.run import Run
from tests import oracle
from tests.random_instances import solved
from tests.solvers import bites
from tests.solvers.bites import Case
from tests.tiny import pair, plan, two_types

Family = Callable[[Any], Iterator[Any]]


def optimum(path: Path, formulation: milp.Formulation, *, relaxed: bool = False) -> int | None:
    """Return the optimum of a formulation in ppm; None if it is infeasible."""
    with path.open("w") as stream:
        LPWriter().write(formulation.model, stream)
    return read(path, formulation.unit, relaxed=relaxed)


def read(path: Path, unit: int, *, relaxed: bool = False) -> int | None:
    """Return the optimum of a formulation in a file, in ppm; None if it is infeasible."""
    highs = Quiet()
    highs.setOptionValue("mip_abs_gap", 0.0)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.setOptionValue("solve_relaxation", relaxed)
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    highs.run()
    if highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        return None
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    value: float = highs.getObjectiveValue()
    return round(value * unit)


def fixed(formulation: milp.Formulation, at: Plan) -> milp.Formulation:
    """Add rows that leave only one plan."""
    formulation.model.fixed = pyo.ConstraintList()
    for variable, value in formulation.start(at):
        formulation.model.fixed.add(variable == value)
    return formulation


class Machines:
    """The formulation over machines with a plan fixed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def value(self, instance: Instance, at: Plan, without: Family | None = None) -> int | None:
        """Return what the plan costs in the formulation, less a family; None if it is not admitted.

        Less a family there is no pair flow either, which knows about all rules itself.
        """
        families = tuple(f for f in milp_by_machine.FAMILIES if f is not without)
        flow = None if instance.compiled.worst or without else Flow(instance, enumerate_up_to=0)
        return optimum(self.path, fixed(by_machine(instance, flow, families=families), at))

    def bite(self, family: Family, case: Case) -> None:
        """Assert that a family, and no other, refuses the plan that breaks its rule."""
        assert self.value(case.instance, case.keeps) == evaluate(case.instance, case.keeps).objective
        assert self.value(case.instance, case.breaks) is None
        assert self.value(case.instance, case.breaks, without=family) is not None

    def count(self, family: Family, instance: Instance, at: Plan) -> None:
        """Assert that the plan costs what the checker says, and less without a family."""
        right = evaluate(instance, at).objective
        assert right is not None
        assert self.value(instance, at) == right
        assert (self.value(instance, at, without=family) or 0) < right


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    """Return the helper for the formulation over machines."""
    return Machines(tmp_path / "f.lp")


def test_placement_bites(machines: Machines) -> None:
    machines.bite(milp_by_machine.placement, bites.placement())


def test_slots_bite(machines: Machines) -> None:
    machines.bite(milp_by_machine.slots, bites.slots())


def test_resources_bite(machines: Machines) -> None:
    machines.bite(milp_by_machine.resources, bites.resources())


def test_slos_bite(machines: Machines) -> None:
    machines.bite(milp_by_machine.slos, bites.slo())


def test_keep_apart_bites(machines: Machines) -> None:
    machines.bite(milp_by_machine.keep_apart, bites.keep_apart())


def test_min_machines_bites(machines: Machines) -> None:
    machines.bite(milp_by_machine.min_machines, bites.min_machines())


@pytest.mark.parametrize("case", [bites.max_per_machine(), bites.permitted(), bites.pinned()])
def test_what_limits_of_variables_keep_out(machines: Machines, case: Case) -> None:
    assert machines.value(case.instance, case.keeps) == evaluate(case.instance, case.keeps).objective
    assert machines.value(case.instance, case.breaks) is None


def test_levels_are_ordered(machines: Machines) -> None:
    """A second replica of a without a first."""
    for families, admitted in (
        (milp_by_machine.FAMILIES, False),
        (tuple(f for f in milp_by_machine.FAMILIES if f is not milp_by_machine.ordered), True),
    ):
        f = by_machine(pair(), families=families)
        f.model.second = pyo.Constraint(expr=f.model.b[0, 0, 2] == 1)
        f.model.first = pyo.Constraint(expr=f.model.b[0, 0, 1] == 0)
        assert (optimum(machines.path, f) is not None) == admitted


def test_colocation_counts(machines: Machines) -> None:
    """Mixed machines cost 2 x (0.25 + 0.3) by it, and nothing else does."""
    machines.count(milp_by_machine.colocation, pair(), plan(pair(), *bites.MIXED))


def test_misses_count(machines: Machines) -> None:
    machines.count(milp_by_machine.misses, bites.miss(), plan(bites.miss(), *bites.SEPARATE))


def test_soft_slos_count(machines: Machines) -> None:
    machines.count(milp_by_machine.slos, bites.miss(), plan(bites.miss(), *bites.SEPARATE))


def test_prices_count(machines: Machines) -> None:
    machines.count(milp_by_machine.prices, bites.price(), plan(bites.price(), "gpu: 2 a", "cpu: 2 b"))


@pytest.mark.parametrize("words", [bites.SEPARATE, bites.MIXED])
def test_worst_counts(machines: Machines, words: tuple[str, ...]) -> None:
    machines.count(milp_by_machine.worst, bites.worst(), plan(bites.worst(), *words))


@pytest.mark.parametrize("family", [milp_by_machine.pair_flow, milp_by_machine.bounded])
def test_pair_flow_raises_the_bound(machines: Machines, family: Family) -> None:
    """The relaxation is the optimum 1.0 with it, and 2 x 0.4 without: two b beside each other, a nowhere."""
    for families, bound in (
        (milp_by_machine.FAMILIES, 1_000_000),
        (tuple(f for f in milp_by_machine.FAMILIES if f is not family), 800_000),
    ):
        f = by_machine(pair(), Flow(pair(), enumerate_up_to=0), families=families)
        assert optimum(machines.path, f, relaxed=True) == bound


def test_pair_flow_follows_the_machines_by_link(machines: Machines) -> None:
    """With one b on the cpu the optimum is 1.65; unlinked, the bound stays at 1.2, the optimum otherwise."""
    bounds = []
    for left_out in (None, milp_by_machine.link):
        families = tuple(f for f in milp_by_machine.FAMILIES if f is not left_out)
        f = by_machine(two_types(), Flow(two_types(), enumerate_up_to=0), families=families)
        f.model.moved = pyo.Constraint(expr=f.model.b[1, 1, 1] + f.model.b[1, 1, 2] == 1)
        bounds.append(optimum(machines.path, f, relaxed=True))
    assert bounds == [1_500_000, 1_200_000]


class Patterns:
    """The formulation over patterns with a plan fixed."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.monkeypatch = path, monkeypatch

    def value(self, instance: Instance, at: Plan, without: Family | None = None) -> int | None:
        """Return what the plan costs in the formulation, less a family; None if it is not admitted."""
        every = (
            milp_by_pattern.placement,
            milp_by_pattern.machines,
            milp_by_pattern.min_machines,
            milp_by_pattern.reached,
        )
        assert set(every) == {*milp_by_pattern.FAMILIES} | ({without} if without else set())
        patterns = all_patterns(instance.compiled, 1_000)
        assert patterns is not None
        return optimum(self.path, fixed(milp_by_pattern.by_pattern(instance.compiled, patterns), at))

    def without(self, family: Family) -> None:
        """Leave a family out from now on."""
        rest = tuple(f for f in milp_by_pattern.FAMILIES if f is not family)
        self.monkeypatch.setattr(milp_by_pattern, "FAMILIES", rest)

    def bite(self, family: Family, case: Case) -> None:
        """Assert that a family, and no other, refuses the plan that breaks its rule."""
        assert self.value(case.instance, case.keeps) == evaluate(case.instance, case.keeps).objective
        assert self.value(case.instance, case.breaks) is None
        self.without(family)
        assert self.value(case.instance, case.breaks, without=family) is not None


@pytest.fixture
def patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patterns:
    """Return the helper for the formulation over patterns."""
    return Patterns(tmp_path / "f.lp", monkeypatch)


def test_placement_bites_over_patterns(patterns: Patterns) -> None:
    patterns.bite(milp_by_pattern.placement, bites.placement())


def test_machines_bite_over_patterns(patterns: Patterns) -> None:
    patterns.bite(milp_by_pattern.machines, bites.machines())


def test_min_machines_bites_over_patterns(patterns: Patterns) -> None:
    patterns.bite(milp_by_pattern.min_machines, bites.min_machines())


@pytest.mark.parametrize("words", [bites.SEPARATE, bites.MIXED])
def test_levels_of_worst_count_over_patterns(patterns: Patterns, words: tuple[str, ...]) -> None:
    instance = bites.worst()
    at = plan(instance, *words)
    assert patterns.value(instance, at) == evaluate(instance, at).objective
    patterns.without(milp_by_pattern.reached)
    assert patterns.value(instance, at, without=milp_by_pattern.reached) == 0


SMALL = (pair(), bites.miss(), bites.price(), bites.worst(), bites.min_machines().instance)


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
@pytest.mark.parametrize("most", [0, 20_000], ids=["machines", "patterns"])
def test_what_is_written_has_the_same_optimum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, most: int
) -> None:
    """Read back by HiGHS, which knows nothing of us."""
    monkeypatch.setattr(milp, "MOST_PATTERNS", most)
    chosen = [*SMALL, *(solved(seed)[0] for seed in range(8) if not solved(seed)[0].compiled.factored)]
    for i, instance in enumerate(chosen):
        path = tmp_path / f"{i}{suffix}"
        milp.write_model(instance, path)
        assert read(path, unit(instance.compiled)) == oracle.solve(instance).objective


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.lp or \.mps"):
        milp.write_model(pair(), tmp_path / "f.txt")
    assert not [*tmp_path.iterdir()]


def test_a_bound_of_highs_is_claimed_only_less_its_doubt() -> None:
    """10.0000001 may be 10 in floating point, and no more is claimed; 10.4 can only be below 11."""
    f = by_machine(pair())
    engine = Engine(0, 1.0)
    tracker = milp.Tracker(pair(), f, {}, engine, Run(time_limit=1.0), floor=7)
    assert tracker.bound() == 7
    for stated, claimed in ((10.0000001, 10), (10.4, 11), (11.0, 11)):
        engine.bound = stated
        assert tracker.bound() == claimed * f.unit
