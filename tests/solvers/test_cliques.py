"""Cliques and stars hold for every plan, and no multipliers of theirs make a bound that is too high."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.distinct import crowded
from solvers import ascent, cliques, solve
from solvers.ascent import Ascent, chosen, rising, settled
from solvers.bound import proven
from solvers.cliques import Desk, Floats, Pairs
from solvers.run import Run
from solvers.terms import Ints
from tests.random_instances import solved
from tests.solvers.checks import check

REPLICAS = 7


def few(seed: int) -> tuple[Pairs, int]:
    """Return pairs of seven replicas, most of them, and a number of machines."""
    rng = np.random.default_rng(seed)
    a, b = np.triu_indices(REPLICAS, 1)
    kept = rng.random(a.size) < 0.8
    machines = 2 + seed % 2
    cost = rng.integers(1, 10**6, int(kept.sum()))
    p = cliques.listed(a[kept], b[kept], cost, REPLICAS, machines)
    assert p is not None
    return p, machines


def ends(p: Pairs) -> tuple[Ints, Ints]:
    """Return the smaller and the larger replica of each pair, (E,) twice; both know of each other."""
    one = np.repeat(np.arange(p.first.size - 1), np.diff(p.first))
    order = np.lexsort((one, p.number))
    (a, b), (c, d) = one[order].reshape(-1, 2).T, p.near[order].reshape(-1, 2).T
    assert (a == d).all()
    assert (b == c).all()
    return a, b


def plans(p: Pairs, machines: int) -> Iterator[Ints]:
    """Yield for every plan which pairs share a machine, as 0 or 1, shape (E,)."""
    a, b = ends(p)
    for where in itertools.product(range(machines), repeat=REPLICAS - 1):
        at = np.array((0, *where))
        yield (at[a] == at[b]).astype(np.int64)


def bound(p: Pairs) -> int:
    """Return the bound of the ascent."""
    return max(rising(p, Run(time_limit=60.0), 60.0), default=0)


@pytest.mark.parametrize("seed", range(6))
def test_rows_hold_for_every_plan_and_their_bound_for_any_multipliers(seed: int) -> None:
    """The search is given what no plan breaks so much: 0 for cliques, 1 for stars, and numbers between."""
    p, machines = few(seed)
    rng = np.random.default_rng(seed)
    found = Ascent(p, seed)
    for z in (np.zeros(p.cost.size), np.ones(p.cost.size), *rng.random((20, p.cost.size))):
        found.search(z, 0.1)
    rows = found.rows
    assert {1, -1} <= set(np.sign(rows.at_least).tolist())
    sign = np.ones(rows.pair.size, dtype=np.int64)
    for r in range(rows.middle.size):
        sign[rows.middle[r] : rows.start[r + 1]] = -1
    optimum, tight = 2**62, np.zeros(rows.middle.size, dtype=bool)
    for z in plans(p, machines):
        held = np.add.reduceat(sign * z[rows.pair], rows.start[:-1])
        assert (held >= rows.at_least).all()
        tight |= held == rows.at_least
        optimum = min(optimum, int(p.cost @ z))
    assert tight.mean() > 0.8
    for scale in (1e3, 1e5, 1e6, 1e7):
        y = (scale * rng.exponential(size=rows.middle.size)).astype(np.int64)
        assert settled(rows, y, p.cost.copy()) <= optimum


def test_the_ascent_comes_near_the_optimum_and_never_above() -> None:
    shares = []
    for seed in range(20):
        p, machines = few(seed)
        optimum = min(int(p.cost @ z) for z in plans(p, machines))
        found = bound(p)
        assert found <= optimum
        shares.append(found / max(optimum, 1))
    assert np.median(shares) > 0.9


def test_five_alike_on_two_machines_make_four_pairs() -> None:
    a, b = np.triu_indices(5, 1)
    p = cliques.listed(a, b, np.full(a.size, 1_000), 5, 2)
    assert p is not None
    assert bound(p) == 4_000


def test_stars_raise_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    p = cliques.pairs(crowded(80, 3, "geometric", slots=False).compiled)
    assert p is not None
    full, search = bound(p), cliques.search

    def without_stars(p: Pairs, d: Desk, z: Floats, noise: Floats, first: int) -> None:
        search(p, d, z, noise, first)
        kept = chosen(d.found, np.flatnonzero(d.found.at_least[: d.rows[0]] > 0))
        for whole, part in zip(d.found, kept, strict=True):
            whole[: part.size] = part
        d.rows[0] = kept.middle.size

    monkeypatch.setattr(cliques, "search", without_stars)
    assert 0 < bound(p) < 0.98 * full


def test_pairs_are_those_of_the_coefficients() -> None:
    """The least over machine types, of every two replicas, those of one model among them."""
    seen = 0
    for seed in range(40):
        c = solved(seed)[0].compiled
        p = cliques.pairs(c)
        model = np.repeat(np.arange(c.replicas.size), c.replicas)
        expected = {}
        for a, b in itertools.combinations(range(model.size), 2):
            t, u = model[a], model[b]
            kinds = {int(k): c.least_factor(int(k), 2) for k in c.type_of}
            sums = [
                sum(int(v) * f // 10**6 for v in (c.cost[k, t, u], c.cost[k, u, t])) for k, f in kinds.items()
            ]
            if min(sums):
                expected[a, b] = min(sums)
        found = [] if p is None else [*zip(*(array.tolist() for array in (*ends(p), p.cost)), strict=True)]
        assert sorted(found) == [(*pair, cost) for pair, cost in expected.items()]
        seen += bool(expected)
    assert seen > 15


def test_too_many_pairs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    c = crowded(80, 3, "geometric", slots=False).compiled
    monkeypatch.setattr(cliques, "MOST_PAIRS", 50)
    assert cliques.pairs(c) is None


def test_a_bound_is_never_above_the_optimum_of_brute_force() -> None:
    raised = 0
    for instance, answer in map(solved, range(150)):
        p = cliques.pairs(instance.compiled)
        if p is not None and answer.objective is not None and not instance.compiled.worst:
            found = bound(p)
            assert found <= answer.objective, instance.name
            raised += found > 0
    assert raised > 20


@pytest.mark.parametrize("unit", [2**30, 2**40, 2**55])
def test_huge_costs_are_bounded_or_left_alone(unit: int) -> None:
    p, machines = few(3)
    huge = p._replace(cost=p.cost // 2**19 * unit + 1)
    optimum = min(sum(int(v) for v in huge.cost[z > 0]) for z in plans(huge, machines))
    assert 0 <= bound(huge) <= optimum


def test_an_ascent_ends_by_itself_in_time_or_when_asked_to() -> None:
    p = cliques.pairs(crowded(80, 3, "geometric", slots=False).compiled)
    assert p is not None
    run = Run(time_limit=60.0)
    assert len(list(rising(p, run, 60.0))) == ascent._ROUNDS
    assert not list(rising(p, run, run.elapsed))
    run.interrupt()
    assert not list(rising(p, run, 60.0))


@pytest.mark.parametrize(("kind", "by"), [("geometric", "cliques"), ("random", "pair flow")])
def test_auto_says_where_its_bound_is_from(kind: str, by: str) -> None:
    instance = crowded(240, 4, kind, slots=True)
    result = check(instance, solve(instance, "auto", time_limit=2.0))
    assert result.note.endswith(f"the bound is from {by}")
    assert (result.bound or 0) > 0 or by == "pair flow"
    assert proven(instance, Run(time_limit=4.0)).by == by
