"""Random instances that look like fleets: seeded, and feasible by construction on request.

The logarithm of a degradation is a sum of normal effects, with the shares of its variance that were
measured on three GPU types (data of Narayanan et al., "Heterogeneity-Aware Cluster Scheduling Policies
for Deep Learning Workloads", OSDI 2020): the machine type 3.5 %, pair x machine type ``heterogeneity``
(44 % there), the pair the rest. In the last two, a victim's sensitivity and an aggressor's pressure make
70 % (on those types they explain 81, 83 and 51 %) and what no sum of the two explains 30 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError
from planner.instance import InferenceModel, Instance, MachineType, ObjectiveChoice, Rules
from planner.names import check_name
from planner.sizes import check_sizes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MEAN_DEGRADATION = 0.08
_LOG_SPREAD = 0.9
_TYPE_SHARE = 0.035
_ADDITIVE = 0.7


def generate(
    *,
    name: str = "generated",
    models: int = 20,
    types: int = 3,
    replicas: int = 200,
    machines: int | None = None,
    slots: tuple[int, int] = (4, 6),
    tightness: float = 0.8,
    heterogeneity: float = 0.44,
    slo_fraction: float = 0.5,
    rules: int = 0,
    objective: str = "degradation",
    feasible: bool = False,
    seed: int = 0,
) -> Instance:
    """Return a random instance.

    Parameters
    ----------
    models, types, replicas
        How many models, machine types, and replicas over all models (at least one each).
    machines
        Machines over all types; by default as many as fill ``tightness`` of the slots.
    slots
        Smallest and largest number of slots of a machine type.
    tightness
        Total memory demand over total memory.
    heterogeneity
        Share of the variance of log degradation that is pair x machine type, 0 to 0.9.
    slo_fraction
        Share of the models that have an SLO.
    rules
        How many rules of each kind (keep_apart, max_per_machine, min_machines, forbid) to add.
    objective
        ``degradation``, ``price`` or ``worst``.
    feasible
        Plant a plan and choose memory, SLOs and rules so that it is valid.

    Raises
    ------
    InputError
        For a parameter outside its range.
    """
    check_sizes(types, models)
    _check_ranges(models, types, replicas, machines, slots, tightness, heterogeneity, slo_fraction, rules)
    if not 0 <= seed < 2**31:
        raise InputError("must be from 0 to 2^31 - 1", field="seed", value=seed)
    check_name(name, "name")
    if objective not in ("degradation", "price", "worst"):
        raise InputError("must be degradation, price or worst", field="objective", value=objective)
    rng = np.random.default_rng(seed)
    draft = _Draft.draw(rng, models, types, replicas, machines, slots, tightness, heterogeneity, feasible)
    planted = _plant(draft) if feasible else None
    if planted is not None:
        draft = _make_room(draft, planted)
    slo = _slos(rng, draft, slo_fraction, planted)
    return Instance(
        name=name,
        machine_types=tuple(
            MachineType(
                name=f"type-{k}",
                count=int(draft.count[k]),
                resources={"memory_gb": float(draft.memory[k])},
                slots=int(draft.slots[k]),
                price=float(draft.price[k]),
            )
            for k in range(types)
        ),
        models=tuple(
            InferenceModel(
                name=f"model-{t:0{len(str(models - 1))}d}",
                replicas=int(draft.replicas[t]),
                demand={"memory_gb": float(draft.demand[t])},
                latency_ms={f"type-{k}": float(draft.latency[k, t]) for k in range(types)},
                slo_ms=None if np.isnan(slo[t]) else float(slo[t]),
            )
            for t in range(models)
        ),
        degradation=draft.degradation,
        rules=_rules(rng, draft, rules, planted),
        objective=cast(ObjectiveChoice, objective),
    )


def _check_ranges(
    models: int,
    types: int,
    replicas: int,
    machines: int | None,
    slots: tuple[int, int],
    tightness: float,
    heterogeneity: float,
    slo_fraction: float,
    rules: int,
) -> None:
    for ok, field, rule, value in (
        (1 <= models <= 10_000, "models", "must be from 1 to 10,000", models),
        (1 <= types <= 100, "types", "must be from 1 to 100", types),
        (models <= replicas <= 10**8, "replicas", "must be from the number of models to 10^8", replicas),
        (machines is None or types <= machines <= 10**8, "machines", _MACHINES, machines),
        (1 <= slots[0] <= slots[1] <= 10**6, "slots", _SLOTS, f"{slots[0]} {slots[1]}"),
        (0.01 <= tightness <= 1, "tightness", "must be from 0.01 to 1", tightness),
        (0 <= heterogeneity <= 0.9, "heterogeneity", "must be from 0 to 0.9", heterogeneity),
        (0 <= slo_fraction <= 1, "slo_fraction", "must be from 0 to 1", slo_fraction),
        (0 <= rules <= models, "rules", "must be from 0 to the number of models", rules),
    ):
        if not ok:
            raise InputError(rule, field=field, value=value)


_MACHINES = "must be from the number of types to 10^8"
_SLOTS = "must be LOW HIGH, the fewest and the most, with 1 <= LOW <= HIGH <= 10^6"


@dataclass(frozen=True)
class _Draft:
    """Numbers of an instance before SLOs and rules. K types, T models."""

    count: Ints  # (K,) machines
    slots: Ints  # (K,)
    memory: Floats  # (K,) GB
    price: Floats  # (K,)
    replicas: Ints  # (T,)
    demand: Floats  # (T,) GB
    latency: Floats  # (K, T) ms
    degradation: Floats  # (K, T, T)

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        models: int,
        types: int,
        replicas: int,
        machines: int | None,
        slots: tuple[int, int],
        tightness: float,
        heterogeneity: float,
        roomy: bool,
    ) -> _Draft:
        """Draw the numbers; ``roomy`` adds machines, unless they are given, until the slots suffice."""
        given = machines is not None
        per_type = rng.integers(slots[0], slots[1] + 1, types)
        if machines is None:
            machines = max(types, int(np.ceil(replicas / (tightness * per_type.mean()))))
        count = 1 + rng.multinomial(machines - types, np.full(types, 1 / types))
        if roomy and not given:
            count += max(0, -(-(replicas - int(count @ per_type)) // int(per_type.sum())))
        number = 1 + rng.multinomial(replicas - models, rng.dirichlet(np.full(models, 1.5)))
        demand = np.round(rng.lognormal(0.7, 0.5, models).clip(0.4, 8.0), 1)
        size = rng.choice([0.8, 1.0, 1.25], types) * per_type
        memory = size * (demand * number).sum() / tightness / (size * count).sum()
        speed = rng.uniform(0.7, 1.6, types)
        return cls(
            count=count,
            slots=per_type,
            memory=np.round(np.maximum(memory, demand.max()), 1),
            price=np.round(2 / speed * per_type / per_type.mean(), 2),
            replicas=number,
            demand=demand,
            latency=np.round(rng.lognormal(3.0, 0.8, models) * speed[:, None], 2).clip(0.1),
            degradation=_degradation(rng, models, types, heterogeneity),
        )


def _degradation(rng: np.random.Generator, models: int, types: int, heterogeneity: float) -> Floats:
    log = np.sqrt(_TYPE_SHARE) * rng.standard_normal((types, 1, 1))
    for share, kinds in ((1 - _TYPE_SHARE - heterogeneity, 1), (heterogeneity, types)):
        sensitivity = rng.standard_normal((kinds, models, 1))
        pressure = rng.standard_normal((kinds, 1, models))
        own = rng.standard_normal((kinds, models, models))
        log = log + np.sqrt(share) * (
            np.sqrt(_ADDITIVE / 2) * (sensitivity + pressure) + np.sqrt(1 - _ADDITIVE) * own
        )
    values: Floats = np.round(_MEAN_DEGRADATION * np.exp(_LOG_SPREAD * log - _LOG_SPREAD**2 / 2), 4)
    return values


def _plant(draft: _Draft) -> tuple[Ints, Ints, Ints]:
    """Return (machine, type, model) of each replica of a plan balanced in memory and within the slots.

    Replicas by falling demand take seats in rounds, one seat a machine and round, every other round
    backwards. Machines of types with few slots drop out of the later rounds.
    """
    kind = np.repeat(np.arange(draft.count.size), draft.count)
    seats = []
    for turn in range(int(draft.slots.max())):
        open_now = np.flatnonzero(draft.slots[kind] > turn)
        seats.append(open_now[:: -1 if turn % 2 else 1])
    order = np.argsort(-draft.demand, kind="stable")
    model = np.repeat(order, draft.replicas[order])
    machine = np.concatenate(seats)[: model.size]
    if machine.size < model.size:
        short = f"{model.size} replicas on {machine.size} slots"
        raise InputError("leaves no room for a feasible plan; give more machines or slots", field=short)
    return machine, kind[machine], model


def _make_room(draft: _Draft, planted: tuple[Ints, Ints, Ints]) -> _Draft:
    """Return the draft with each type's memory at least what its fullest planted machine takes."""
    machine, _, model = planted
    used = np.bincount(machine, weights=draft.demand[model], minlength=int(draft.count.sum()))
    first = np.cumsum(draft.count) - draft.count
    fullest = np.maximum.reduceat(used, first)
    memory = np.ceil(np.maximum(draft.memory, fullest) * 10) / 10
    return _Draft(**{**vars(draft), "memory": memory})


def _slos(
    rng: np.random.Generator, draft: _Draft, fraction: float, planted: tuple[Ints, Ints, Ints] | None
) -> Floats:
    """Return (T,): SLOs in ms, NaN for none; tight enough to rule out the worst neighbours."""
    models = draft.replicas.size
    chosen = rng.permutation(models) < round(fraction * models)
    crowd = float((draft.slots * draft.count).sum() / draft.count.sum()) - 1
    typical = draft.degradation.mean(axis=(0, 2)) * crowd
    slack = typical * rng.uniform(0.8, 1.6, models)
    slo = np.median(draft.latency, axis=0) * (1 + slack)
    slo = np.maximum(slo, draft.latency.max(axis=0) * (1 + 0.5 * slack))
    if planted is not None:
        slo = np.maximum(slo, _planted_latency(draft, planted))
    return np.where(chosen, np.ceil(slo * 100) / 100, np.nan)


def _planted_latency(draft: _Draft, planted: tuple[Ints, Ints, Ints]) -> Floats:
    """Return (T,): the highest latency in ms that any planted replica of each model has."""
    machine, kind, model = planted
    order = np.argsort(machine, kind="stable")
    machine, kind, model = machine[order], kind[order], model[order]
    suffered = np.zeros(machine.size)
    for shift in range(1, int(draft.slots.max())):  # neighbours at each distance along the machine
        near = np.flatnonzero(machine[shift:] == machine[:-shift])
        for victim, aggressor in ((near, near + shift), (near + shift, near)):
            suffered[victim] += draft.degradation[kind[victim], model[victim], model[aggressor]]
    latest = np.zeros(draft.replicas.size)
    np.maximum.at(latest, model, draft.latency[kind, model] * (1 + suffered))
    return latest * (1 + 1e-9)


def _rules(
    rng: np.random.Generator, draft: _Draft, number: int, planted: tuple[Ints, Ints, Ints] | None
) -> Rules:
    """Return ``number`` rules of each kind, none of which the planted plan breaks."""
    models, types = draft.replicas.size, draft.count.size
    names = [f"model-{t:0{len(str(models - 1))}d}" for t in range(models)]
    beside = np.zeros((models, models), dtype=bool)
    most = np.ones(models, dtype=np.int64)
    spread = np.minimum(draft.replicas, 2)
    uses = np.zeros((types, models), dtype=bool)
    if planted is not None:
        machine, kind, model = planted
        pair, together = np.unique(machine * models + model, return_counts=True)
        there, who = np.divmod(pair, models)
        np.maximum.at(most, who, together)
        spread = np.minimum(spread, np.bincount(who, minlength=models))
        uses[kind, model] = True
        for shift in range(1, int(draft.slots.max())):
            near = np.flatnonzero(there[shift:] == there[:-shift])
            beside[who[near], who[near + shift]] = beside[who[near + shift], who[near]] = True
    np.fill_diagonal(beside, True)
    apart = [tuple(sorted(pair)) for pair in rng.permutation(np.argwhere(~beside))[:number].tolist()]
    limited, spreading = rng.permutation(models)[:number], rng.permutation(models)[:number]
    unused = rng.permutation(np.argwhere(~uses & (types > 1)))
    forbidden = {int(t): int(k) for k, t in unused[: 2 * number].tolist()}
    return Rules(
        keep_apart=tuple((names[t], names[u]) for t, u in dict.fromkeys(apart)),
        max_per_machine={names[t]: int(max(2, most[t])) for t in limited.tolist()},
        min_machines={names[t]: int(spread[t]) for t in spreading.tolist()},
        forbid={names[t]: (f"type-{k}",) for t, k in list(forbidden.items())[:number]},
    )
