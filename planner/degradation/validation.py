"""Plans against fresh measurements: what was predicted, what was measured, and by how much plans differ.

Each distinct pattern of a plan is measured in several runs. The cumulative degradation of a plan is the
sum over its machines of the replicas' measured degradations (values below 0 stay: leaving them out would
bias the sum). Two plans are compared by the *ratio of their sums*, with a 95 % interval from resampling the
runs of each pattern (percentile bootstrap; a pattern that both plans hold has the same draws in both). The
A/A control compares a plan with itself: the even runs of each pattern against the odd ones; its interval
must hold 1.

Replicas that have a machine to themselves suffer nothing by definition and are not measured.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.degradation.rows import Measurement
from planner.degradation.table import counts
from planner.evaluate import suffered
from planner.instance import Instance
from planner.integers import PPM
from planner.plan import Plan

Floats = NDArray[np.float64]

_RESAMPLES = 4000
_LEVEL = 0.95

Key = tuple[str, tuple[str, ...]]  #: machine type, and the models of its replicas, sorted


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Victim:
    """One model in one pattern: predicted, and as measured over the runs that count."""

    machine_type: str
    members: tuple[str, ...]
    model: str
    predicted: float
    measured: float
    latency_ms: float
    runs: int


@dataclass(frozen=True)
class ModelReport:
    """One model over the measured machines of a plan, means over its replicas there.

    ``missed`` counts replicas in patterns whose measured mean latency is over the SLO.
    """

    model: str
    replicas: int
    predicted: float
    measured: float
    latency_ms: float
    slo_ms: float | None
    missed: int


@dataclass(frozen=True)
class PlanReport:
    """One plan: sums of degradations over the replicas of the patterns that were measured.

    Attributes
    ----------
    replicas, alone, covered
        Of the plan; those with a machine to themselves; those in patterns that were measured.
    predicted, measured
        Cumulative degradation of the covered replicas.
    ratio
        The first plan's measured sum over this one's; None where they do not cover the same replicas of each
        model, or this sum is not above 0.
    """

    name: str
    replicas: int
    alone: int
    covered: int
    predicted: float
    measured: Interval
    ratio: Interval | None
    models: tuple[ModelReport, ...]


@dataclass(frozen=True)
class Validation:
    """What came out.

    Attributes
    ----------
    plans
        The first is what the others are compared with.
    control
        A/A: the first plan against itself; None with fewer than two runs of each pattern.
    victims
        Every model in every measured pattern.
    excluded
        Runs that do not count: unstable, disturbed, or died.
    """

    plans: tuple[PlanReport, ...]
    control: Interval | None
    victims: tuple[Victim, ...]
    excluded: int


def patterns_of(instance: Instance, plan: Plan) -> dict[Key, int]:
    """Return how many machines of ``plan`` carry each pattern of two or more replicas."""
    found: dict[Key, int] = defaultdict(int)
    names = [m.name for m in instance.models]
    for pool, machines, pattern in plan.patterns():
        if sum(pattern.values()) > 1:
            members = sorted(names[t] for t, n in pattern.items() for _ in range(n))
            found[instance.compiled.pool_names[pool][0], tuple(members)] += machines
    return dict(found)


def sampled(plans: Sequence[Mapping[Key, int]], most: int | None, seed: int) -> list[Key]:
    """Return the distinct patterns of all plans, or a seeded sample of ``most`` of them, in random order."""
    every = sorted({key for plan in plans for key in plan})
    order = np.random.default_rng(seed).permutation(len(every))
    return [every[i] for i in order[:most]]


def validate(instance: Instance, plans: Mapping[str, Plan], rows: Sequence[Measurement]) -> Validation:
    """Compare ``plans`` with the runs in ``rows``; patterns that were not measured are left out."""
    excluded = sum(not counts(row) for row in rows)
    measured = runs_of(rows)
    machines = {name: patterns_of(instance, plan) for name, plan in plans.items()}
    predicted = {key: value for plan in plans.values() for key, value in _predicted(instance, plan).items()}
    draws = {key: run.draws(i) for i, (key, run) in enumerate(measured.items())}
    first = next(iter(plans))
    reports = [
        _report(instance, name, plans[name], machines, first, measured, predicted, draws) for name in plans
    ]
    victims = [v for key, run in measured.items() if key in predicted for v in run.victims(predicted[key])]
    return Validation(tuple(reports), _control(machines[first], measured), tuple(victims), excluded)


def runs_of(rows: Sequence[Measurement]) -> dict[Key, Runs]:
    """Return the runs of each pattern in ``rows`` in which every victim counts."""
    by_run: dict[Key, dict[int, dict[str, Measurement]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        by_run[row.machine_type, row.colocated][row.run][row.victim] = row
    found = {key: Runs.of(key, list(runs.values())) for key, runs in by_run.items()}
    return {key: runs for key, runs in found.items() if runs is not None}


@dataclass(frozen=True)
class Runs:
    """The runs of one pattern in which every victim counts.

    ``degradation`` and the latencies in ms, ``latency`` co-located and ``alone`` solo, have shape (R, V) for
    V distinct models; ``number`` (V,) says how many replicas of each there are.
    """

    key: Key
    models: tuple[str, ...]
    number: Floats
    degradation: Floats
    latency: Floats
    alone: Floats

    @classmethod
    def of(cls, key: Key, runs: Sequence[Mapping[str, Measurement]]) -> Runs | None:
        """Return the runs that count; None if there is none."""
        members = Counter(key[1])
        whole = [run for run in runs if set(run) == set(members) and all(counts(r) for r in run.values())]
        if not whole:
            return None
        models = tuple(members)
        degradation = np.array([[run[m].degradation for m in models] for run in whole], dtype=np.float64)
        latency, alone = (
            np.array([[run[m].values[column] for m in models] for run in whole], dtype=np.float64)
            for column in ("mean_ms", "solo_mean_ms")
        )
        return cls(key, models, np.array([*members.values()], dtype=np.float64), degradation, latency, alone)

    @property
    def sums(self) -> Floats:
        """Degradation summed over the machine's replicas, for each run, shape (R,)."""
        sums: Floats = self.degradation @ self.number
        return sums

    @property
    def added_ms(self) -> Floats:
        """Latency added by co-location, summed over the machine's replicas, for each run, shape (R,)."""
        added: Floats = (self.latency - self.alone) @ self.number
        return added

    def draws(self, seed: int) -> Floats:
        """Return bootstrap means of :attr:`sums`, shape (resamples,)."""
        n = len(self.degradation)
        chosen = np.random.default_rng([seed, n]).integers(n, size=(_RESAMPLES, n))
        means: Floats = self.sums[chosen].mean(axis=1)
        return means

    def victims(self, predicted: Mapping[str, float]) -> list[Victim]:
        """Return each model beside its prediction."""
        means, latency = self.degradation.mean(axis=0).tolist(), self.latency.mean(axis=0).tolist()
        return [
            Victim(*self.key, m, predicted[m], d, ms, len(self.degradation))
            for m, d, ms in zip(self.models, means, latency, strict=True)
        ]


def _predicted(instance: Instance, plan: Plan) -> dict[Key, dict[str, float]]:
    """Return what the instance predicts for each model of each pattern of ``plan``."""
    names = [m.name for m in instance.models]
    felt = suffered(instance, plan) / PPM
    found: dict[Key, dict[str, float]] = {}
    for g, (pool, _, pattern) in enumerate(plan.patterns()):
        members = tuple(sorted(names[t] for t, n in pattern.items() for _ in range(n)))
        values = felt[plan.start[g] : plan.start[g + 1]].tolist()
        entries = zip(pattern, values, strict=True)
        found[instance.compiled.pool_names[pool][0], members] = {names[t]: v for t, v in entries}
    return found


def _report(
    instance: Instance,
    name: str,
    plan: Plan,
    machines: Mapping[str, Mapping[Key, int]],
    first: str,
    measured: Mapping[Key, Runs],
    predicted: Mapping[Key, Mapping[str, float]],
    draws: Mapping[Key, Floats],
) -> PlanReport:
    mine = {key: n for key, n in machines[name].items() if key in measured}
    theirs = {key: n for key, n in machines[first].items() if key in measured}
    total, sums = _total(mine, measured), _drawn(mine, draws)
    shared = sum(n * len(key[1]) for key, n in machines[name].items())
    expected = sum(n * predicted[key][m] for key, n in mine.items() for m in key[1])
    ratio = None
    if name != first and _replicas(mine) == _replicas(theirs) and total > 0:
        ratio = _interval(_total(theirs, measured) / total, _drawn(theirs, draws) / np.maximum(sums, 1e-12))
    return PlanReport(
        name,
        instance.replicas,
        int(plan.placed(len(instance.models)).sum()) - shared,
        sum(n * len(key[1]) for key, n in mine.items()),
        float(expected),
        _interval(total, sums),
        ratio,
        tuple(_models(instance, mine, measured, predicted)),
    )


def _models(
    instance: Instance,
    machines: Mapping[Key, int],
    measured: Mapping[Key, Runs],
    predicted: Mapping[Key, Mapping[str, float]],
) -> list[ModelReport]:
    reports = []
    for model in instance.models:
        here = [(key, n * key[1].count(model.name)) for key, n in machines.items() if model.name in key[1]]
        if not here:
            continue
        victims = [
            next(v for v in measured[k].victims(predicted[k]) if v.model == model.name) for k, _ in here
        ]
        number = np.array([n for _, n in here], dtype=np.float64)
        columns = np.array([[v.predicted, v.measured, v.latency_ms] for v in victims])
        predicted_mean, measured_mean, latency = (number @ columns / number.sum()).tolist()
        over = columns[:, 2] > (np.inf if model.slo_ms is None else model.slo_ms)
        reports.append(
            ModelReport(
                model=model.name,
                replicas=int(number.sum()),
                predicted=predicted_mean,
                measured=measured_mean,
                latency_ms=latency,
                slo_ms=model.slo_ms,
                missed=int(number[over].sum()),
            )
        )
    return reports


def _replicas(machines: Mapping[Key, int]) -> Counter[str]:
    """Return how many replicas of each model these machines hold."""
    found: Counter[str] = Counter()
    for (_, members), n in machines.items():
        for model in members:
            found[model] += n
    return found


def _total(machines: Mapping[Key, int], measured: Mapping[Key, Runs]) -> float:
    return float(sum(n * measured[key].sums.mean() for key, n in machines.items()))


def _drawn(machines: Mapping[Key, int], draws: Mapping[Key, Floats]) -> Floats:
    total = np.zeros(_RESAMPLES)
    for key, n in machines.items():
        total += n * draws[key]
    return total


def _interval(value: float, draws: Floats) -> Interval:
    low, high = np.quantile(draws, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(value), float(low), float(high))


def _control(machines: Mapping[Key, int], measured: Mapping[Key, Runs]) -> Interval | None:
    """Return the ratio of the even runs of each pattern to the odd ones."""
    mine = [(i, n, measured[key].sums) for i, (key, n) in enumerate(machines.items()) if key in measured]
    if not mine or any(sums.size < 2 for _, _, sums in mine):
        return None
    halves = []
    for half in (0, 1):
        total, drawn = 0.0, np.zeros(_RESAMPLES)
        for i, n, sums in mine:
            part = sums[half::2]
            chosen = np.random.default_rng([i, half]).integers(part.size, size=(_RESAMPLES, part.size))
            total, drawn = total + n * float(part.mean()), drawn + n * part[chosen].mean(axis=1)
        halves.append((total, drawn))
    (even, even_drawn), (odd, odd_drawn) = halves
    return _interval(even / odd, even_drawn / odd_drawn) if odd > 0 else None
