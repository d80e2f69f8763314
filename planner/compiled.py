"""An instance as int64 arrays: the one problem that every solver and the checker work on.

Degradations, weights and prices become parts per million (``PPM``), amounts of a resource millionths
of its unit; demands are rounded up, capacities and SLO slacks down, so that a plan that is feasible
in integers is feasible in the numbers that were written. Decimals are taken as written: an SLO of 12
ms over a latency of 10 ms is a slack of exactly 200,000 ppm.

Machines of one type differ only where replicas are pinned or other load runs on them. A *pool* is a
set of machines that are alike in that too: the free machines of a type, or those of one ``pinned``
entry. Replicas and machines never appear one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.integers import PPM, exact, millionths, ppm, refuse_if_large, scaled
from planner.overflow import refuse_overflow
from planner.uncertainty import quantile

if TYPE_CHECKING:
    from planner.instance import Background, Instance

#: Stands for "no limit" in slots, slacks and counts; compared with, never added to.
UNLIMITED = 2**62

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Compiled:
    """Arrays over K machine types, P pools, T models and R resources. All are read-only.

    Attributes
    ----------
    replicas (T,), machines (P,), type_of (P,), pinned (P, T)
        Replicas to place; machines of each pool; its machine type; replicas already on each of them.
    pool_names
        ``(machine type, pinned entry or None)`` of each pool.
    resources
        Names of the R resources.
    slots (P,), capacity (P, R)
        What background load leaves of one machine; slots ``UNLIMITED`` where there is no limit.
        Never negative: background load that is too much alone only keeps out who needs that resource.
    demand (K, T, R)
        What one replica takes, in millionths of the resource's unit.
    permitted (K, T), allowed (P, T)
        Model t has a latency on type k and no rule forbids it; and one replica of it alone fits a
        machine of pool p, its hard SLO included. No feasible pattern holds a model not allowed.
    degradation (K, T, T), background (P, T)
        ``degradation[k, t, u]`` in ppm: what a replica of u adds to one of t; and what background adds. With
        an ``slo_probability`` the former are quantiles, and ``cost`` is still of what is expected.
    factor (K, S)
        ``factor[k, n]`` in ppm: what the sums over a replica's neighbours are multiplied with on a
        machine of type k that holds n replicas; the last column also for more. See :func:`multiplied`.
    slack (K, T)
        Degradation in ppm at which the SLO is still met; ``UNLIMITED`` without an SLO; may be negative.
    soft (T,), miss_price (T,)
        Whether the SLO is soft, and the objective's price of each replica that misses it.
    cost (K, T, T), background_cost (P, T), price (P,)
        The same as ``degradation`` times weights, and a used machine's price: units of the objective.
        All zero when the objective is ``worst``.
    here (P, T), arrival_price (P, T)
        Replicas on each machine today, and what each replica more than those adds to the objective.
    max_per_machine (T,), min_machines (T,), apart (T, T)
        The rules; ``UNLIMITED`` and 0 where there is none.
    worst
        The objective is the largest degradation of any replica, in ppm.
    """

    replicas: Ints
    machines: Ints
    type_of: Ints
    pinned: Ints
    pool_names: tuple[tuple[str, str | None], ...]
    resources: tuple[str, ...]
    slots: Ints
    capacity: Ints
    demand: Ints
    permitted: Bools
    allowed: Bools
    degradation: Ints
    background: Ints
    factor: Ints
    slack: Ints
    soft: Bools
    miss_price: Ints
    cost: Ints
    background_cost: Ints
    price: Ints
    here: Ints
    arrival_price: Ints
    max_per_machine: Ints
    min_machines: Ints
    apart: Bools
    worst: bool

    def freeze(self) -> None:
        """Make every array read-only."""
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                array.setflags(write=False)

    @cached_property
    def both(self) -> Ints:
        """Return (K, T, T): what a replica of each of two models, side by side, cost each other together."""
        both: Ints = self.cost + self.cost.transpose(0, 2, 1)
        both.setflags(write=False)
        return both

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "both"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.freeze()  # pickling forgets it; to compiled functions such an array is of another type

    @property
    def factored(self) -> bool:
        """Whether sums of pairs are multiplied with anything but 1 anywhere."""
        return bool((self.factor != PPM).any())

    def least_factor(self, k: int, low: int, high: int = UNLIMITED) -> int:
        """Return the least factor on type k of machines that hold from ``low`` to ``high`` replicas."""
        last = self.factor.shape[1] - 1
        return int(self.factor[k, min(low, last) : min(high, last) + 1].min())

    def most_per_machine(self) -> Ints:
        """Return (P, T): an upper limit on the replicas of one model on one machine of each pool.

        From slots, resources, ``max_per_machine``, the number of replicas, and a hard SLO that
        replicas of the same model would break among themselves; 0 where the model is not allowed.
        """
        most = np.minimum(self.replicas, self.max_per_machine)[None, :] * self.allowed
        most = np.minimum(most, np.maximum(self.slots, 0)[:, None])
        demand = self.demand[self.type_of]
        fits = np.maximum(self.capacity, 0)[:, None, :] // np.maximum(demand, 1)
        most = np.minimum(most, np.where(demand > 0, fits, UNLIMITED).min(axis=2, initial=UNLIMITED))
        itself = np.diagonal(self.degradation, axis1=1, axis2=2)[self.type_of]
        if self.factored:
            least = np.array([self.least_factor(k, 2) for k in self.type_of.tolist()])
            itself = itself * least[:, None] // PPM
        room = np.where(self.soft, UNLIMITED, self.slack[self.type_of]) - self.background
        by_slo = np.where(itself > 0, 1 + np.maximum(room, 0) // np.maximum(itself, 1), UNLIMITED)
        result: Ints = np.minimum(most, by_slo)
        return result


def multiplied(sums: Ints, factor: Ints) -> Ints:
    """Return sums of pair coefficients times a factor in ppm, rounded to the nearest, halves up."""
    result: Ints = (sums * factor + PPM // 2) // PPM
    return result


def compile_instance(instance: Instance) -> Compiled:
    """Return the integers of ``instance``.

    Raises
    ------
    InputError
        If an objective value, a sum of demands or a sum of degradations could exceed 2^61.
    """
    pools = _pools(instance)
    types, models = instance.machine_types, instance.models
    resources = tuple(dict.fromkeys(r for m in types for r in m.resources))
    type_of = np.array([instance.type_index[p.type_name] for p in pools], dtype=np.int64)
    slots, capacity, background = _room(instance, pools, resources)
    weights = instance.weights
    worst = weights is None
    alpha, beta = (0.0, 0.0) if weights is None else (weights.degradation, weights.price)
    weighted = np.array([alpha * m.weight for m in models])
    permitted = instance.runs_on()
    expected = scaled(instance.degradation, np.ones(len(models)))
    plain = bool(np.all(weighted == 1.0))
    cost = expected if plain else scaled(instance.degradation, weighted)
    degradation = _feared(instance, expected)
    soft = np.array([m.miss_price is not None for m in models])
    refuse_if_large(float((background * weighted).max(initial=0.0)), "models.weight times background")
    refuse_if_large(beta * max(m.price for m in types) * PPM, "objective.price times machine_types.price")
    demand = _demand(instance, resources)
    pinned = _pinned(instance, pools)
    here, arrival_price = _arrivals(instance, pools, pinned)
    slack = _slack(instance)
    allowed = permitted[type_of] & (slots >= 1)[:, None]
    allowed &= (demand[type_of] <= capacity[:, None, :]).all(axis=2)
    allowed &= soft[None, :] | (background <= slack[type_of])
    compiled = Compiled(
        replicas=np.array([m.replicas for m in models], dtype=np.int64),
        machines=np.array([p.machines for p in pools], dtype=np.int64),
        type_of=type_of,
        pinned=pinned,
        pool_names=tuple((p.type_name, p.pinned_name) for p in pools),
        resources=resources,
        slots=slots,
        capacity=capacity,
        demand=demand,
        permitted=permitted,
        allowed=allowed,
        degradation=degradation,
        background=background,
        factor=_factor(instance),
        slack=slack,
        soft=soft,
        miss_price=np.array([ppm(m.miss_price or 0.0) for m in models], dtype=np.int64),
        cost=cost,
        background_cost=np.rint(background * weighted[None, :]).astype(np.int64),
        price=np.array([ppm(beta * types[k].price) for k in type_of], dtype=np.int64),
        here=here,
        arrival_price=arrival_price,
        max_per_machine=_per_model(instance, instance.rules.max_per_machine, UNLIMITED),
        min_machines=_per_model(instance, instance.rules.min_machines, 0),
        apart=_apart(instance),
        worst=worst,
    )
    refuse_overflow(compiled)
    compiled.freeze()
    return compiled


@dataclass(frozen=True)
class _Pool:
    type_name: str
    pinned_name: str | None
    machines: int
    models: dict[str, int]
    background: Background
    here: dict[str, int]
    arrival_price: dict[str, float]


def _pools(instance: Instance) -> list[_Pool]:
    """Return the free machines of each type, followed by those of its ``pinned`` entries."""
    pools = []
    for machine_type in instance.machine_types:
        pins = [p for p in instance.pinned if p.machine_type == machine_type.name]
        free = machine_type.count - sum(p.machines for p in pins)
        pools.append(_Pool(machine_type.name, None, free, {}, machine_type.background, {}, {}))
        pools += [
            _Pool(
                p.machine_type,
                p.name,
                p.machines,
                p.models,
                p.background or machine_type.background,
                p.here,
                p.arrival_price,
            )
            for p in pins
        ]
    return pools


def _room(instance: Instance, pools: list[_Pool], resources: tuple[str, ...]) -> tuple[Ints, Ints, Ints]:
    """Return slots (P,), capacity (P, R) and background degradation (P, T) that background leaves."""
    slots = np.full(len(pools), UNLIMITED, dtype=np.int64)
    capacity = np.zeros((len(pools), len(resources)), dtype=np.int64)
    background = np.zeros((len(pools), len(instance.models)), dtype=np.int64)
    for p, pool in enumerate(pools):
        machine_type = instance.machine_types[instance.type_index[pool.type_name]]
        if machine_type.slots is not None:
            slots[p] = max(machine_type.slots - pool.background.slots, 0)
        for r, name in enumerate(resources):
            taken = millionths(pool.background.demand.get(name, 0.0), up=True)
            capacity[p, r] = max(millionths(machine_type.resources.get(name, 0.0), up=False) - taken, 0)
        for name, added in pool.background.degradation.items():
            background[p, instance.model_index[name]] = ppm(added)
    return slots, capacity, background


def _demand(instance: Instance, resources: tuple[str, ...]) -> Ints:
    demand = np.zeros((len(instance.machine_types), len(instance.models), len(resources)), dtype=np.int64)
    for t, model in enumerate(instance.models):
        for r, name in enumerate(resources):
            demand[:, t, r] = millionths(model.demand.get(name, 0.0), up=True)
        for type_name, amounts in model.demand_on.items():
            for name, amount in amounts.items():
                k = instance.type_index[type_name]
                demand[k, t, resources.index(name)] = millionths(amount, up=True)
    return demand


def _factor(instance: Instance) -> Ints:
    types = instance.machine_types
    largest = max((n for m in types for n in m.colocation_factor), default=0)
    factor = np.full((len(types), largest + 1), PPM, dtype=np.int64)
    for k, machine_type in enumerate(types):
        for n, value in sorted(machine_type.colocation_factor.items()):
            factor[k, n:] = ppm(value)
    return factor


def _slack(instance: Instance) -> Ints:
    slack = np.full((len(instance.machine_types), len(instance.models)), UNLIMITED, dtype=np.int64)
    for t, model in enumerate(instance.models):
        if model.slo_ms is None:
            continue
        limit = exact(model.slo_ms)
        for type_name, latency in model.latency_ms.items():
            allowed = limit * PPM / exact(latency) - PPM
            slack[instance.type_index[type_name], t] = min(allowed.__floor__(), UNLIMITED)
    return slack


def _feared(instance: Instance, expected: Ints) -> Ints:
    """Return the degradations that SLOs are held against: quantiles if a probability is asked for."""
    if instance.slo_probability is None or instance.upper is None:
        return expected
    at_most = quantile(instance.degradation, instance.upper, instance.slo_probability)
    return scaled(at_most, np.ones(len(instance.models)))


def _pinned(instance: Instance, pools: list[_Pool]) -> Ints:
    pinned = np.zeros((len(pools), len(instance.models)), dtype=np.int64)
    for p, pool in enumerate(pools):
        for name, count in pool.models.items():
            pinned[p, instance.model_index[name]] = count
    return pinned


def _arrivals(instance: Instance, pools: list[_Pool], pinned: Ints) -> tuple[Ints, Ints]:
    """Return (P, T) twice: replicas that are here today, pinned ones included, and the price of each more."""
    here, price = pinned.copy(), np.zeros_like(pinned)
    for p, pool in enumerate(pools):
        for name, count in pool.here.items():
            t = instance.model_index[name]
            here[p, t] = max(here[p, t], count)
        for name, amount in pool.arrival_price.items():
            price[p, instance.model_index[name]] = ppm(amount)
    return here, price


def _per_model(instance: Instance, rule: dict[str, int], default: int) -> Ints:
    return np.array([rule.get(m.name, default) for m in instance.models], dtype=np.int64)


def _apart(instance: Instance) -> Bools:
    apart = np.zeros((len(instance.models), len(instance.models)), dtype=bool)
    for group in instance.rules.keep_apart:
        members = [instance.model_index[name] for name in group]
        apart[np.ix_(members, members)] = True
    np.fill_diagonal(apart, False)
    return apart
