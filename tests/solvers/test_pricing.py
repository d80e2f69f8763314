"""Pricing against all patterns of brute force, at random prices."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from planner.compiled import Compiled
from planner.generate import generate
from solvers.enumeration import Pattern, few_patterns, pattern_of
from solvers.needs import machines_needed
from solvers.pricer import Pricer, Prices
from solvers.terms import Ints
from tests.random_instances import solved

MANY = 10**6
SEEDS = range(200)


def random_prices(c: Compiled, rng: np.random.Generator) -> Prices:
    """Return prices at which some patterns gain."""
    scale = float(max(c.cost.max(initial=0), c.price.max(initial=0), 1)) * rng.choice([0.5, 1.0, 3.0])
    prices = rng.uniform(0, scale, (2, c.replicas.size)) * (rng.random((2, c.replicas.size)) < 0.8)
    return Prices.rounded(c, np.append(prices, rng.normal(0, scale)))


def gain(c: Compiled, pattern: Pattern, prices: Prices) -> int:
    """Return what a pattern gains, straight from the definition."""
    paid = prices.machine + sum(n * int(prices.replica[t]) for t, n in pattern.counts.items())
    paid += sum(int(prices.holder[t]) for t in pattern.counts if c.min_machines[t] > 1)
    return paid - (pattern.cost << prices.shift)


def listed(c: Compiled, p: int) -> list[Pattern]:
    """Return all patterns of a pool."""
    found, complete = few_patterns(c, p, MANY)
    assert complete
    result = []
    for patterns in found:
        for row, cost in zip(patterns.members.tolist(), patterns.cost.tolist(), strict=True):
            result.append(Pattern(p, {t: row.count(t) for t in sorted(set(row))}, cost))
    return result


def patterns(c: Compiled, p: int, rows: Ints) -> list[Pattern]:
    """Return what pricing found, pattern by pattern."""
    return [pattern_of(c, p, Counter(t for t in row if t >= 0)) for row in rows.tolist()]


def key(pattern: Pattern) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(pattern.counts.items()))


def test_the_best_pattern_is_that_of_brute_force() -> None:
    """Whatever rules, factors, soft SLOs and pins there are; and every pattern above a floor is found."""
    seen = gained = 0
    for seed in SEEDS:
        c = solved(seed)[0].compiled
        if c.worst:
            continue
        rng = np.random.default_rng(seed)
        for p in np.flatnonzero(machines_needed(c)).tolist():
            prices, everything = random_prices(c, rng), listed(c, p)
            gains = {key(q): gain(c, q, prices) for q in everything}
            pricer = Pricer(c, p)
            rows, upper = pricer.best(pricer.market(prices), MANY)
            found = patterns(c, p, rows)
            if not everything:
                assert not found
                continue
            best = max(gains.values()) if c.pinned[p].any() else max(0, *gains.values())
            assert upper == best, seed
            if found:
                assert gain(c, found[-1], prices) == best
                gained += 1
            floor = best - int(rng.integers(1, 10**6)) * 2**prices.shift
            above = pricer.above(pricer.market(prices), floor, len(everything), MANY)
            assert above is not None
            assert {key(q): q.cost for q in patterns(c, p, above)} == {
                key(q): q.cost for q in everything if gains[key(q)] > floor
            }, seed
            for q in patterns(c, p, pricer.grown(pricer.market(prices), 5)):
                assert gains[key(q)] == gain(c, q, prices)
            seen += 1
    assert seen > 100
    assert gained > 50


@pytest.mark.parametrize("nodes", [0, 1, 3, 10, 40])
def test_where_the_search_is_cut_off_its_bound_holds(nodes: int) -> None:
    loose = 0
    for seed in SEEDS[:80]:
        c = solved(seed)[0].compiled
        if c.worst:
            continue
        for p in np.flatnonzero(machines_needed(c)).tolist():
            prices = random_prices(c, np.random.default_rng([seed, nodes]))
            gains = [gain(c, q, prices) for q in listed(c, p)]
            pricer = Pricer(c, p)
            upper = pricer.best(pricer.market(prices), nodes)[1]
            assert upper >= max(gains, default=upper), seed
            loose += upper > max(gains, default=upper)
            if nodes == 0 and gains and not c.pinned[p].any():
                assert pricer.above(pricer.market(prices), max(gains) - 1, len(gains), nodes) is None
    assert loose or nodes >= 10


def test_a_pattern_costs_what_enumeration_says() -> None:
    for seed in SEEDS:
        c = solved(seed)[0].compiled
        for p in np.flatnonzero(machines_needed(c)).tolist():
            for q in listed(c, p) if not c.worst else ():
                assert pattern_of(c, p, q.counts) == q


def test_many_slots_are_priced_exactly() -> None:
    """12 slots and 40 models have more patterns than anyone can list."""
    c = generate(models=40, types=1, replicas=400, slots=(12, 12), seed=3).compiled
    rng = np.random.default_rng(0)
    prices = Prices.rounded(c, np.append(rng.uniform(0.2, 1.0, 40) * 11 * c.cost.mean(), np.zeros(41)))
    pricer = Pricer(c, 0)
    rows, upper = pricer.best(pricer.market(prices), MANY)
    assert gain(c, patterns(c, 0, rows)[-1], prices) == upper
