"""One suite over every solver: what a caller may rely on, whichever it picks."""

from __future__ import annotations

import threading
from functools import cache

import numpy as np
import pytest

from planner.errors import InputError
from planner.generate import generate
from planner.instance import Background, InferenceModel, Instance, MachineType, Objective, Pinned, Rules
from planner.plan import Plan
from planner.result import Progress, Result, Status, Stop
from solvers import SOLVERS, solve
from tests import oracle
from tests.solvers.checks import check
from tests.tiny import pair as make_pair
from tests.tiny import plan, two_types, with_model, with_type

SEARCHING = (
    "milp",
    "cpsat",
    "local_search",
)  # which could go on for hours; the others place each replica once
LIMIT = 20.0

every_solver = pytest.mark.parametrize("solver", SOLVERS)


@cache
def larger() -> Instance:
    """Return 60 replicas of 12 models on machines of 3 types, which no solver exhausts in a moment."""
    return generate(models=12, types=3, replicas=60, tightness=0.7, rules=1, feasible=True, seed=5)


def _instances() -> dict[str, Instance]:
    pair, two = make_pair(), two_types()
    old = Pinned(name="old", machine_type="gpu", models={"a": 1})
    busy = Pinned(name="busy", machine_type="gpu", background=Background(slots=1, degradation={"b": 0.5}))
    return {
        "degradation": pair,
        "price": with_type(two, "gpu", slots=4).replace(objective="price"),
        "worst": two.replace(objective="worst"),
        "weighted sum": two.replace(objective=Objective(degradation=2.0, price=0.01)),
        "weights": with_model(pair, "b", weight=9.0),
        "hard SLO": with_model(pair, "b", slo_ms=13.5),
        "soft SLO": with_model(pair, "b", slo_ms=13.5, miss_price=0.01),
        "dear soft SLO": with_model(pair, "b", slo_ms=13.5, miss_price=5.0),
        "pinned": pair.replace(pinned=(old,)),
        "pinned everything": with_type(pair, "gpu", count=1, slots=4).replace(
            pinned=(old.model_copy(update={"models": {"a": 2, "b": 2}}),)
        ),
        "other background": with_type(pair, "gpu", count=3).replace(pinned=(busy,)),
        "background": with_type(pair, "gpu", count=3, slots=3, background=Background(slots=1)),
        "keep_apart": pair.replace(rules=Rules(keep_apart=(("a", "b"),))),
        "max_per_machine": pair.replace(rules=Rules(max_per_machine={"a": 1})),
        "min_machines": pair.replace(rules=Rules(min_machines={"b": 2})),
        "forbid": two.replace(rules=Rules(forbid={"b": ("cpu",)})),
        "allow": two.replace(rules=Rules(allow={"a": ("cpu",)})),
        "no slots": with_type(pair, "gpu", slots=None),
        "no resource": with_type(
            with_model(with_model(pair, "a", demand={}), "b", demand={}), "gpu", resources={}
        ),
        "one replica": with_model(with_model(pair, "a", replicas=1), "b", replicas=1),
        "more machines than replicas": with_type(pair, "gpu", count=10**6),
    }


INSTANCES = _instances()
_OPTIMA = {
    name: oracle.solve(i).objective for name, i in INSTANCES.items() if name != "more machines than replicas"
}


@every_solver
@pytest.mark.parametrize("name", INSTANCES)
def test_every_feature_is_handled(solver: str, name: str) -> None:
    """Solvers that prove find the optimum; the others a plan, or say why they found none."""
    instance, optimum = INSTANCES[name], _OPTIMA.get(name) or 0
    result = check(instance, solve(instance, solver, time_limit=LIMIT))
    assert result.status is not Status.INFEASIBLE
    if SOLVERS[solver].proves:
        assert (result.status, result.objective) == (Status.OPTIMAL, optimum)
    elif result.objective is not None:
        assert result.objective >= optimum


def test_the_optima_are_those_worked_out_by_hand() -> None:
    """Mixed: b takes 13 ms, price 2 x 3; separate: 14 ms; both of b missed: 2 x 0.01."""
    assert _OPTIMA["degradation"] == 1_000_000
    assert _OPTIMA["hard SLO"] == _OPTIMA["dear soft SLO"] == 1_100_000
    assert _OPTIMA["soft SLO"] == 1_020_000
    assert _OPTIMA["min_machines"] == _OPTIMA["max_per_machine"] == 1_100_000
    assert _OPTIMA["price"] == 3_000_000
    assert _OPTIMA["pinned everything"] == 3_200_000
    assert None not in _OPTIMA.values()


@pytest.fixture
def puzzle() -> Instance:
    """Return an instance without a plan and without an obvious reason.

    Three models of 6 GB on two machines of 10 GB: together they need 18 of 20 GB, but no two fit.
    """
    return Instance(
        name="puzzle",
        machine_types=(MachineType(name="gpu", count=2, resources={"memory": 10.0}),),
        models=tuple(
            InferenceModel(name=name, replicas=1, latency_ms={"gpu": 1.0}, demand={"memory": 6.0})
            for name in "abc"
        ),
        degradation=np.zeros((1, 3, 3)),
    )


@every_solver
def test_infeasible_is_proven_or_no_plan_is_explained(solver: str, puzzle: Instance) -> None:
    result = check(puzzle, solve(puzzle, solver, time_limit=LIMIT))
    assert result.status is (Status.INFEASIBLE if SOLVERS[solver].proves else Status.NO_PLAN)
    assert result.reasons
    assert (result.plan, result.objective) == (None, None)


@every_solver
def test_infeasible_for_an_obvious_reason(solver: str, pair: Instance) -> None:
    crowded = with_model(pair, "a", replicas=3)
    result = check(crowded, solve(crowded, solver, time_limit=LIMIT))
    assert result.status is Status.INFEASIBLE
    assert result.reasons == ("slots: all models on gpu need 5, 4 there, short by 1",)


@every_solver
def test_a_plan_of_a_larger_instance(solver: str) -> None:
    result = check(larger(), solve(larger(), solver, time_limit=1.0))
    assert result.plan is not None


@every_solver
def test_hardly_any_time(solver: str) -> None:
    """It may have no plan, but it says so and ends."""
    result = check(larger(), solve(larger(), solver, time_limit=0.02))
    assert result.status is not Status.INFEASIBLE
    assert result.seconds < 10
    if result.plan is None:
        assert result.stop is Stop.TIME_LIMIT
        assert result.reasons or result.note


@every_solver
def test_a_start_is_never_made_worse(solver: str, mixed: Plan, pair: Instance) -> None:
    result = check(pair, solve(pair, solver, start=mixed, time_limit=LIMIT))
    assert result.objective is not None
    assert result.objective <= 1_100_000


@every_solver
def test_an_optimal_start_is_kept(solver: str, separate: Plan, pair: Instance) -> None:
    for limit in (LIMIT, 1e-6):
        result = check(pair, solve(pair, solver, start=separate, time_limit=limit))
        assert result.objective == 1_000_000


@every_solver
def test_a_start_of_a_larger_instance_is_used(solver: str) -> None:
    """Even when there is no time to do anything with it."""
    start = _start()
    before = _copy(start)
    for limit in (1e-6, 0.5):
        result = check(larger(), solve(larger(), solver, start=start.plan, time_limit=limit))
        assert start.objective is not None
        assert result.objective is not None
        assert result.objective <= start.objective
    assert _copy(start) == before


@cache
def _start() -> Result:
    return solve(larger(), "first_fit")


def _copy(result: Result) -> dict[str, list[int]]:
    return {name: array.tolist() for name, array in vars(result.plan).items()}


@every_solver
def test_a_start_that_breaks_a_rule_is_refused(solver: str, pair: Instance) -> None:
    with pytest.raises(InputError, match="breaks the rule slots"):
        solve(pair, solver, start=plan(pair, "gpu: 2 a + 1 b", "gpu: 1 b"))


@every_solver
def test_a_start_for_another_instance_is_refused(solver: str, pair: Instance) -> None:
    with pytest.raises(InputError, match="pool number 4: the instance has 1"):
        solve(pair, solver, start=Plan.from_patterns([(4, 1, {0: 2, 1: 2})]))


@every_solver
def test_nothing_is_changed(solver: str) -> None:
    instance = larger()
    before = {name: np.copy(v) for name, v in vars(instance.compiled).items() if isinstance(v, np.ndarray)}
    solve(instance, solver, time_limit=0.5)
    assert all(np.array_equal(getattr(instance.compiled, name), v) for name, v in before.items())


@every_solver
@pytest.mark.parametrize("name", ["degradation", "price", "worst", "soft SLO", "pinned"])
def test_the_same_seed_gives_the_same_plan(solver: str, name: str) -> None:
    first, second = (solve(INSTANCES[name], solver, seed=11, time_limit=LIMIT) for _ in range(2))
    assert first.plan == second.plan
    assert (first.status, first.objective, first.bound) == (second.status, second.objective, second.bound)


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name not in (*SEARCHING, "auto")])
def test_the_same_seed_gives_the_same_plan_of_a_larger_instance(solver: str) -> None:
    first, second = (solve(larger(), solver, seed=11, time_limit=LIMIT) for _ in range(2))
    assert first.plan == second.plan


def test_another_seed_gives_another_plan() -> None:
    plans = [solve(larger(), "least_loaded", seed=seed).plan for seed in range(3)]
    assert plans[0] != plans[1] != plans[2]


@every_solver
def test_progress_can_end_it(solver: str) -> None:
    """Where there is more to do than place each replica once, it stops at the first plan."""
    seen: list[Progress] = []

    def at_the_first_plan(progress: Progress) -> bool:
        seen.append(progress)
        return progress.objective is not None

    result = check(larger(), solve(larger(), solver, time_limit=60.0, on_progress=at_the_first_plan))
    assert result.plan is not None
    assert result.seconds < 30
    assert seen
    assert result.stop is Stop.INTERRUPTED if solver in SEARCHING else result.stop in Stop


@every_solver
def test_progress_that_ends_it_at_once(solver: str) -> None:
    result = check(larger(), solve(larger(), solver, time_limit=60.0, on_progress=lambda progress: True))
    assert result.status is not Status.INFEASIBLE
    assert result.seconds < 30


@every_solver
def test_it_works_outside_the_main_thread(solver: str, pair: Instance) -> None:
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(solve(pair, solver, time_limit=LIMIT)))
    thread.start()
    thread.join()
    assert check(pair, results[0]).plan == solve(pair, solver, time_limit=LIMIT).plan
