"""Each smallest change gives a plan, and a step less does not, says brute force."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from functools import partial
from typing import Any

import pytest

from planner.errors import InputError, PlannerError
from planner.explain.changes import Change, smallest_changes
from planner.explain.decide import Decider, with_refuge
from planner.explain.relaxing import families
from planner.instance import Instance, MachineType, Pinned, Rules
from planner.plan import Plan
from planner.report.changes import document, infeasible
from planner.result import Progress, Result, Status, Stop
from solvers import solve
from tests import oracle, tiny
from tests.random_instances import solved
from tests.tiny import with_model, with_type

SEEDS = (10, 16, 21, 31, 48, 49, 60)


def changes(instance: Instance) -> list[Change]:
    return smallest_changes(instance, Decider(solve, 60.0, 5.0))


def by_name(instance: Instance) -> dict[tuple[str, str], Change]:
    return {(c.kind, c.what): c for c in changes(instance)}


def test_smallest_changes_of_random_instances() -> None:
    helped: Counter[str] = Counter()
    for seed in SEEDS:
        instance, answer = solved(seed)
        assert not answer.feasible
        for family, change in zip(families(instance), changes(instance), strict=True):
            assert (family.kind, family.what) == (change.kind, change.what)
            assert change.decided, (seed, change)
            if change.suffices is not None:
                assert oracle.solve(family.variant(change.suffices)).feasible, (seed, change)
                assert change.fails == change.suffices - 1
                helped[change.kind] += 1
            if change.fails and (family.kind != "machines" or change.fails <= 2):
                assert not oracle.solve(family.variant(change.fails)).feasible, (seed, change)
    assert {"machines", "slo", "slos", "replicas", "rule"} <= {*helped}


def test_whether_there_is_a_plan_is_decided_as_brute_force_does() -> None:
    decide = Decider(solve, 60.0, 5.0)
    for seed in range(24):
        instance, answer = solved(seed)
        found = decide(partial(deepcopy, instance), 5.0)
        assert isinstance(found, Plan) if answer.feasible else found is False, seed


def test_machines_and_replicas_by_hand() -> None:
    """Ten replicas on two machines with two slots: three more are needed, or six replicas fewer."""
    instance = with_model(with_model(tiny.pair(), "a", replicas=9), "b", replicas=1)
    found = by_name(instance)
    assert (found["machines", "gpu"].suffices, found["machines", "gpu"].fails) == (3, 2)
    assert (found["replicas", "a"].suffices, found["replicas", "a"].fails) == (6, 5)
    assert ("replicas", "b") not in found
    assert [*infeasible(instance, ["why"], [*found.values()])] == [
        "pair: proven infeasible",
        "  why",
        "Each of these changes alone gives it a plan",
        "  3 more gpu: 5 instead of 2 (2 are not enough)",
        "  6 replicas of a less: 3 instead of 9 (5 are not enough)",
    ]


def test_slos_by_hand() -> None:
    """Both b and the third a share machines, where b takes 12 ms beside a or b and may take 11.25.

    ======  ========  ========
    victim  beside a  beside b
    ======  ========  ========
    a       0.1       0.1
    b       0.2       0.2
    ======  ========  ========
    """
    base = with_model(with_model(tiny.pair(), "b", slo_ms=11.25), "a", slo_ms=11.0)
    values = base.degradation.copy()
    values[0] = [[0.1, 0.1], [0.2, 0.2]]
    instance = base.replace(degradation=values)
    found = by_name(instance)
    assert (found["slo", "b"].suffices, found["slo", "b"].fails) == (750, 749)
    assert (found["slos", ""].suffices, found["slos", ""].fails) == (7, 6)  # 11.25 x 1.0667 is 12
    assert (found["slo", "a"].suffices, found["slo", "a"].decided) == (None, True)
    said = [*infeasible(instance, [], [*found.values()])]
    assert "  the SLO of b 0.75 ms longer: 12 ms instead of 11.25 ms (0.749 ms is not enough)" in said
    assert "  every hard SLO 7 % longer (6 % is not enough)" in said
    data = {(c["kind"], c["what"]): c for c in document(instance, [], [*found.values()])["changes"]}
    assert (data["slo", "b"]["suffices"], data["slo", "b"]["not_enough"]) == (0.75, 0.749)


def test_rules_by_hand() -> None:
    """Two machines; kept apart from c, a and b have one left for four replicas on two slots."""
    rules = Rules(keep_apart=(("a", "b"),), max_per_machine={"b": 1, "a": 2}, min_machines={"a": 1})
    found = by_name(tiny.pair().replace(rules=rules))
    helping = [c.what for c in found.values() if c.kind == "rule" and c.suffices]
    assert helping == ["keep_apart of a, b", "max_per_machine", "max_per_machine of b"]
    said = [*infeasible(tiny.pair(), [], [*found.values()])]
    assert "  without max_per_machine of b" in said
    assert "  without max_per_machine" not in said  # one of them is enough


def test_pins_by_hand() -> None:
    """The pinned a and b must not meet."""
    pins = (Pinned(name="old", machine_type="gpu", models={"a": 1, "b": 1}),)
    instance = tiny.pair().replace(rules=Rules(keep_apart=(("a", "b"),)), pinned=pins)
    found = by_name(instance)
    assert [c.what for c in found.values() if c.suffices] == ["keep_apart of a, b", "old"]


def test_a_falling_factor_makes_replicas_be_tried_one_by_one() -> None:
    """The a takes one of two machines, so one b of four must go; two b would suffer 0.4, and may 0.3.

    Three suffer 2 x 0.4 x 0.25 = 0.2. So one b less will do, two less will not.
    """
    base = with_type(tiny.pair(), "gpu", count=1, slots=3, colocation_factor={3: 0.25})
    instance = with_model(with_model(base, "b", replicas=4, slo_ms=13.0), "a", replicas=1)
    instance = instance.replace(rules=Rules(keep_apart=(("a", "b"),)))
    two = with_type(instance, "gpu", count=2)
    families_of_b = [f for f in families(two) if (f.kind, f.what) == ("replicas", "b")]
    assert [f.monotone for f in families_of_b] == [False]
    assert by_name(two)["replicas", "b"].suffices == 1
    assert [oracle.solve(families_of_b[0].variant(n)).feasible for n in (1, 2, 3)] == [True, False, True]


def test_what_takes_too_long_is_not_decided() -> None:
    def tired(instance: Instance, solver: str = "", **_: Any) -> Result:
        return Result(Status.NO_PLAN, Stop.TIME_LIMIT, solver, 0)

    instance = with_model(tiny.pair(), "b", slo_ms=11.0).replace(rules=Rules(min_machines={"a": 2}))
    found = smallest_changes(instance, Decider(tired, 60.0, 5.0))
    assert not any(c.decided or c.suffices for c in found)
    said = [*infeasible(instance, [], found)]
    assert said[1] == "No change that was tried gives it a plan alone"
    assert said[2].startswith("Not decided in this time: more gpu; longer SLOs; a longer SLO of b; without")


def test_what_lies_between_is_said_not_to_be_decided() -> None:
    change = Change("machines", "gpu", 10, suffices=5, fails=2, decided=False)
    assert [*infeasible(tiny.pair(), [], [change])][2:] == [
        "  5 more gpu: 7 instead of 2 (2 are not enough, in between was not decided)"
    ]


def test_nothing_is_tried_once_the_time_is_up() -> None:
    def never(instance: Instance, solver: str = "", **_: Any) -> Result:
        raise AssertionError("solved")

    assert Decider(never, 0.0, 5.0)(tiny.pair, 5.0) is None


def test_what_cannot_exist_is_not_decided() -> None:
    def absurd() -> Instance:
        raise InputError("sums could exceed 64 bits")

    assert Decider(solve, 5.0, 5.0)(absurd, 5.0) is None


def test_a_plan_that_breaks_a_rule_is_noticed() -> None:
    """Nobody is left over, but three replicas are on two slots."""

    def wrong(instance: Instance, solver: str = "", **_: Any) -> Result:
        plan = tiny.plan(tiny.pair(), "gpu: 2 a + 1 b", "gpu: 1 b")
        return Result(Status.OPTIMAL, Stop.FINISHED, solver, 0, plan=plan, objective=0, bound=0)

    with pytest.raises(PlannerError, match="3 replicas on 2 slots"):
        Decider(wrong, 5.0, 5.0)(tiny.pair, 5.0)


def test_ctrl_c_ends_all_decisions() -> None:
    def interrupted(instance: Instance, solver: str = "", **_: Any) -> Result:
        return Result(Status.NO_PLAN, Stop.INTERRUPTED, solver, 0)

    decide = Decider(interrupted, 60.0, 5.0)
    assert decide(tiny.pair, 5.0) is None
    assert decide.left == 0


def test_a_decision_ends_as_soon_as_it_is_made() -> None:
    stopped: list[bool | None] = []

    def chatty(instance: Instance, solver: str = "", **options: Any) -> Result:
        told = options["on_progress"]
        stopped.extend(told(Progress(0.0, *values)) for values in ((None, None), (1, 0), (0, 0), (None, 1)))
        return Result(Status.NO_PLAN, Stop.INTERRUPTED, solver, 0, bound=1)

    assert Decider(chatty, 5.0, 5.0)(tiny.pair, 5.0) is False
    assert stopped == [False, False, True, True]


def test_the_refuge_takes_anybody() -> None:
    """Even a model that runs nowhere and needs more memory than there is."""
    instance = with_model(tiny.pair(), "a", slo_ms=1.0, demand={"memory": 99.0})
    instance = with_type(instance, "gpu", name="gpu").replace(rules=Rules(allow={"a": ("gpu",)}))
    asked = with_refuge(instance)
    assert oracle.solve(asked).objective == 2_000_000  # both a are left over
    assert asked.machine_types[-1].count == 4


def test_the_refuge_has_a_name_of_its_own() -> None:
    types = (*tiny.pair().machine_types, MachineType(name="left over", count=0))
    values = tiny.pair().degradation.repeat(2, axis=0)
    asked = with_refuge(tiny.pair().replace(machine_types=types, degradation=values))
    assert [kind.name for kind in asked.machine_types] == ["gpu", "left over", "left over'"]
