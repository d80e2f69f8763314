"""How the optimum must move when the instance does: relations that need no second opinion."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from planner.instance import InferenceModel, Instance, MachineType, Objective, Pinned, Rules
from planner.plan import Plan
from planner.result import Result, Status
from solvers import solve
from tests.random_instances import random_instance, solved, with_arrival_prices
from tests.solvers.checks import check

SEEDS = range(1_000, 1_008)

every_exact_solver = pytest.mark.parametrize(
    "solver", ["milp", pytest.param("cpsat", marks=pytest.mark.soak)]
)


def proven(instance: Instance, solver: str, *, seed: int = 0, start: Plan | None = None) -> Result:
    """Solve to the end."""
    result = check(instance, solve(instance, solver, time_limit=60.0, seed=seed, start=start))
    assert result.status in (Status.OPTIMAL, Status.INFEASIBLE)
    return result


def feasible() -> Iterator[tuple[int, Instance, int]]:
    """Yield (seed, instance, optimum) of random instances that have a plan."""
    for seed in SEEDS:
        instance, answer = solved(seed)
        if answer.objective is not None:
            yield seed, instance, answer.objective


def relabelled(instance: Instance, seed: int) -> Instance:
    """Return the same problem with models and machine types renamed and in another order."""
    rng = random.Random(seed)
    models, types = list(range(len(instance.models))), list(range(len(instance.machine_types)))
    rng.shuffle(models)
    rng.shuffle(types)
    word = {m.name: f"x{i}" for i, m in enumerate(rng.sample(instance.models, len(models)))}
    kind = {m.name: f"y{i}" for i, m in enumerate(rng.sample(instance.machine_types, len(types)))}
    text = instance.rules.model_dump()
    rules = {
        "keep_apart": [[word[name] for name in reversed(group)] for group in text["keep_apart"]],
        "max_per_machine": {word[name]: n for name, n in text["max_per_machine"].items()},
        "min_machines": {word[name]: n for name, n in text["min_machines"].items()},
        "allow": {word[name]: [kind[k] for k in listed] for name, listed in text["allow"].items()},
        "forbid": {word[name]: [kind[k] for k in listed] for name, listed in text["forbid"].items()},
    }
    return Instance(
        name="relabelled",
        machine_types=tuple(_relabelled_type(instance.machine_types[k], kind, word) for k in types),
        models=tuple(_relabelled_model(instance.models[t], kind, word) for t in models),
        degradation=instance.degradation[np.ix_(types, models, models)],
        rules=Rules.model_validate(rules),
        pinned=tuple(_relabelled_pin(p, kind, word) for p in reversed(instance.pinned)),
        objective=instance.objective,
    )


def _load(dumped: dict[str, dict[str, float]], word: dict[str, str]) -> dict[str, dict[str, float]]:
    return {**dumped, "degradation": {word[name]: value for name, value in dumped["degradation"].items()}}


def _relabelled_type(machine_type: MachineType, kind: dict[str, str], word: dict[str, str]) -> MachineType:
    dumped = machine_type.model_dump()
    new = {"name": kind[machine_type.name], "background": _load(dumped["background"], word)}
    return MachineType.model_validate({**dumped, **new})


def _relabelled_model(model: InferenceModel, kind: dict[str, str], word: dict[str, str]) -> InferenceModel:
    dumped = model.model_dump()
    maps = {key: {kind[k]: v for k, v in dumped[key].items()} for key in ("latency_ms", "demand_on")}
    return InferenceModel.model_validate({**dumped, "name": word[model.name], **maps})


def _relabelled_pin(pin: Pinned, kind: dict[str, str], word: dict[str, str]) -> Pinned:
    dumped = pin.model_dump()
    new = {
        "name": f"z{pin.name}",
        "machine_type": kind[pin.machine_type],
        "models": {word[name]: n for name, n in pin.models.items()},
        "background": dumped["background"] and _load(dumped["background"], word),
        "here": {word[name]: n for name, n in pin.here.items()},
        "arrival_price": {word[name]: price for name, price in pin.arrival_price.items()},
    }
    return Pinned.model_validate({**dumped, **new})


@every_exact_solver
def test_relabelling_changes_nothing(solver: str) -> None:
    for seed in SEEDS:
        other = relabelled(random_instance(seed), seed)
        assert other.sha256 != random_instance(seed).sha256
        assert proven(other, solver).objective == solved(seed)[1].objective, seed


def _scaled(instance: Instance, factor: int) -> Instance:
    """Return the instance with degradations of three digits, and what they weigh 2 times ``factor``.

    Without co-location factors, whose products are rounded.
    """
    types = (m.model_copy(update={"colocation_factor": {}}) for m in instance.machine_types)
    models = (m.model_copy(update={"weight": 2.0 * factor, "miss_price": None}) for m in instance.models)
    return with_arrival_prices(instance, factor).replace(
        machine_types=tuple(types),
        models=tuple(models),
        degradation=np.round(instance.degradation, 3),
        objective="degradation",
    )


@every_exact_solver
def test_three_times_the_weights_cost_three_times_as_much(solver: str) -> None:
    costs = []
    for seed in SEEDS:
        once, thrice = (proven(_scaled(random_instance(seed), f), solver).objective for f in (1, 3))
        assert (None if once is None else 3 * once) == thrice, seed
        costs.append(once or 0)
    assert sum(cost > 0 for cost in costs) >= 3


@every_exact_solver
def test_one_more_free_machine_never_costs(solver: str) -> None:
    """A copy of a machine type at no price."""
    better = 0
    for seed, instance, optimum in feasible():
        first = instance.machine_types[0]
        free = first.model_copy(update={"name": "free", "count": 1, "price": 0.0})
        result = proven(_with_copy(instance, first.name, free), solver)
        assert result.objective is not None
        assert result.objective <= optimum, seed
        better += result.objective < optimum
    assert better > 0


def _with_copy(instance: Instance, name: str, copy: MachineType) -> Instance:
    """Return the instance with one more machine type, on which everything is as on ``name``."""

    def model(m: InferenceModel) -> InferenceModel:
        maps = {
            key: {**value, copy.name: value[name]} if name in value else value
            for key, value in (("latency_ms", m.latency_ms), ("demand_on", m.demand_on))
        }
        return m.model_copy(update=maps)

    def listed(rule: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {who: (*kinds, copy.name) if name in kinds else kinds for who, kinds in rule.items()}

    k = instance.type_index[name]
    rules = instance.rules
    return instance.replace(
        machine_types=(*instance.machine_types, copy),
        models=tuple(model(m) for m in instance.models),
        degradation=np.concatenate([instance.degradation, instance.degradation[k : k + 1]]),
        rules=rules.model_copy(update={"allow": listed(rules.allow), "forbid": listed(rules.forbid)}),
    )


@every_exact_solver
def test_splitting_a_machine_type_changes_nothing(solver: str) -> None:
    """Some machines of the first type become a type of their own with the same numbers."""
    split = 0
    for seed in range(1_000, 1_030):
        instance, answer = solved(seed)
        first = instance.machine_types[0]
        pinned = sum(p.machines for p in instance.pinned if p.machine_type == first.name)
        if first.count - pinned < 2:
            continue
        split += 1
        other = first.model_copy(update={"name": "other", "count": 1})
        both = _with_copy(instance, first.name, other)
        rest = first.model_copy(update={"count": first.count - 1})
        both = both.replace(machine_types=(rest, *both.machine_types[1:]))
        assert proven(both, solver).objective == answer.objective, seed
    assert split >= 8


@every_exact_solver
def test_a_tighter_slo_never_lowers_the_optimum(solver: str) -> None:
    dearer = 0
    for seed, instance, optimum in feasible():
        models = (
            m.model_copy(update={"slo_ms": 0.85 * (m.slo_ms or 1.6 * max(m.latency_ms.values()))})
            for m in instance.models
        )
        result = proven(instance.replace(models=tuple(models)), solver)
        assert result.objective is None or result.objective >= optimum, seed
        dearer += result.objective != optimum
    assert dearer > 0


@every_exact_solver
def test_the_start_and_the_seed_do_not_change_what_is_proven(solver: str) -> None:
    """Started from the optimum, and from another solver's plan."""
    for seed, instance, optimum in feasible():
        for start in (solved(seed)[1].plan, solve(instance, "first_fit").plan):
            assert proven(instance, solver, seed=seed, start=start).objective == optimum, seed


@every_exact_solver
def test_price_and_degradation_trade_off(solver: str) -> None:
    """The weighted optimum is at least the sum of the parts' optima, each with its weight."""
    for seed, instance, _ in feasible():
        plain = with_arrival_prices(instance, 0).replace(
            models=tuple(m.model_copy(update={"weight": 1.0, "miss_price": None}) for m in instance.models),
            degradation=np.round(instance.degradation, 3),
        )
        parts = [proven(plain.replace(objective=o), solver).objective for o in ("degradation", "price")]
        both = proven(plain.replace(objective=Objective(degradation=2.0, price=3.0)), solver).objective
        if both is None:
            assert parts == [None, None], seed
        else:
            assert 2 * (parts[0] or 0) + 3 * (parts[1] or 0) <= both, seed
