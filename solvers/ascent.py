"""A bound where machines are few and big: multipliers of cliques and stars, one row after another.

For any multipliers y >= 0 of the rows of :mod:`solvers.cliques`, every plan costs at least

    sum_r at_least_r y_r - sum_e max(0, load_e - cost_e)         load_e = sum_r y_r (+1 or -1 as e is in r)

since 0 <= z <= 1. Rows are thousands, each of dozens of pairs, and a simplex method drowns in them. So the
linear program is smoothed by the entropy of z, at a temperature T: z_e = exp(min(0, load_e - cost_e) / T).
The multiplier at which one row holds exactly, the others unchanged, is then a quadratic equation away: with P
and N the sums of z over the plus and the minus pairs of the row, ``y += T ln u``, ``P u - N / u = at_least``.
*Sweeps* do that for each row in turn; the temperature falls, rows that z breaks come in, and rows whose
multipliers stay 0 go.

For the bound, multipliers are rounded down to integers, those of cliques raised as far as their pairs allow,
and all is added up in integers: it holds however wrong they are.

Source: L. M. Bregman, "The relaxation method of finding the common point of convex sets and its application
to the solution of problems in convex programming", USSR Computational Mathematics and Mathematical Physics 7,
1967.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from solvers import cliques
from solvers.cliques import Floats, Pairs, Rows
from solvers.run import Run
from solvers.terms import Ints, fast_kernel, kernel

_HOT, _COLD = 0.06, 0.003  # temperatures, in mean costs of a pair
_ROUNDS = 400  # between two of which rows come and go
_SWEEPS = 6  # of a round
_NOISE = (0.0, 0.02, 0.1)  # what may make a pair look larger when cliques are grown, by round
_IDLE = 5  # rounds without a multiplier after which a row goes
_TRIES = 3  # searches after which no clique is larger than the machines are many, as far as we know
_WIDE, _LEAST = 300.0, 1e-150  # exponents are kept within; and exponentials above
_SAFE = 2.0**60


class Ascent:
    """Rows, their multipliers, and the best bound so far.

    Attributes
    ----------
    bound
        Proven, in ppm.
    """

    def __init__(self, p: Pairs, seed: int) -> None:
        self.pairs, self.desk, self.random = p, cliques.desk(p), np.random.default_rng(seed)
        self.unit = float(p.cost.mean())
        self.price: Floats = p.cost / self.unit
        self.rows = chosen(self.desk.found, np.zeros(0, dtype=np.int64))
        self.y: Floats = np.zeros(0)
        self.idle = np.zeros(0, dtype=np.int64)
        self.bound = 0

    def search(self, z: Floats, noise: float) -> int:
        """Add rows that z breaks and that are not there; return how many."""
        n = self.pairs.first.size - 1
        first = int(self.random.integers(n))
        cliques.search(self.pairs, self.desk, z, noise * self.random.random(n), first)
        found, rows = self.desk.found, int(self.desk.rows[0])
        _, new = np.unique(found.name[:rows], return_index=True)
        new = new[~np.isin(found.name[new], self.rows.name)]
        self.rows = joined(self.rows, chosen(found, new))
        self.y = np.append(self.y, np.zeros(new.size))
        self.idle = np.append(self.idle, np.zeros(new.size, dtype=np.int64))
        return new.size

    def sweep(self, temperature: float) -> Floats:
        """Make the sweeps of a round; return (E,) the solution that goes with the multipliers.

        Rows that have had no multiplier for long go.
        """
        z = np.empty_like(self.price)
        respond(self.rows, self.y, self.price, temperature, z)
        sweep(self.rows, self.y, z, temperature, _SWEEPS)
        self.idle = np.where(self.y > 0, 0, self.idle + 1)
        kept = np.flatnonzero(self.idle < _IDLE)
        if kept.size < self.y.size:
            self.rows, self.y, self.idle = chosen(self.rows, kept), self.y[kept], self.idle[kept]
        result: Floats = np.minimum(z, 1.0)
        return result

    def settle(self) -> int:
        """Return the best bound so far, that of the multipliers included."""
        y = self.y * self.unit
        if float((y * np.diff(self.rows.start)).sum()) < _SAFE:  # no sum of a row is larger
            self.bound = max(self.bound, settled(self.rows, y.astype(np.int64), self.pairs.cost.copy()))
        return self.bound


def rising(p: Pairs, run: Run, until: float) -> Iterator[int]:
    """Yield bounds on what the pairs cost in any plan, each at least the one before.

    It ends by itself, or at ``until`` on the clock of ``run``.
    """
    ascent, began = Ascent(p, run.seed), run.elapsed
    nothing = np.zeros(p.cost.size)
    if run.stopping or not any(ascent.search(nothing, _NOISE[-1]) for _ in range(_TRIES)):
        return
    now = run.elapsed
    for n in range(_ROUNDS):
        began_round, now = now, run.elapsed
        passed = max(n / _ROUNDS, (2 * now - began_round - began) / max(until - began, 1e-9))
        if passed >= 1.0 or run.stopping:
            break
        temperature = _HOT * (_COLD / _HOT) ** passed
        ascent.search(ascent.sweep(temperature), _NOISE[n % len(_NOISE)])
        yield ascent.settle()


def chosen(rows: Rows, which: Ints) -> Rows:
    """Return some of the rows."""
    size = np.diff(rows.start)[which]
    start = np.concatenate([[0], np.cumsum(size)])
    entry = np.repeat(rows.start[which] - start[:-1], size) + np.arange(start[-1])
    middle = rows.middle[which] - rows.start[which] + start[:-1]
    return Rows(start, middle, rows.at_least[which], rows.name[which], rows.pair[entry])


def joined(one: Rows, other: Rows) -> Rows:
    """Return the rows of both."""
    size = one.start[-1]
    return Rows(
        start=np.concatenate([one.start, other.start[1:] + size]),
        middle=np.concatenate([one.middle, other.middle + size]),
        at_least=np.concatenate([one.at_least, other.at_least]),
        name=np.concatenate([one.name, other.name]),
        pair=np.concatenate([one.pair, other.pair]),
    )


@fast_kernel
def respond(rows: Rows, y: Floats, price: Floats, temperature: float, z: Floats) -> None:
    """Write the solution that goes with the multipliers, without a limit of 1."""
    for e in range(z.size):
        z[e] = -price[e]
    for r in range(y.size):
        for i in range(rows.start[r], rows.start[r + 1]):
            z[rows.pair[i]] += y[r] if i < rows.middle[r] else -y[r]
    for e in range(z.size):
        z[e] = np.exp(max(min(z[e] / temperature, _WIDE), -_WIDE))


@fast_kernel
def sweep(rows: Rows, y: Floats, z: Floats, temperature: float, sweeps: int) -> None:
    """Change each multiplier in turn so that its row holds, or is 0 where it holds anyway.

    The solution z is multiplied along: that takes half the time of exponentials made anew.
    """
    for _ in range(sweeps):
        for r in range(y.size):
            start, middle, end = rows.start[r], rows.middle[r], rows.start[r + 1]
            plus, minus, at_least = 0.0, 0.0, float(rows.at_least[r])
            for i in range(start, middle):
                plus += min(z[rows.pair[i]], 1.0)
            for i in range(middle, end):
                minus += min(z[rows.pair[i]], 1.0)
            root = np.sqrt(at_least * at_least + 4.0 * plus * minus)
            times = (at_least + root) / (2.0 * plus) if at_least > 0.0 else 2.0 * minus / (root - at_least)
            change = max(temperature * np.log(times), -y[r])
            if change != 0.0:
                y[r] += change
                times = np.exp(change / temperature)
                for i in range(start, middle):
                    z[rows.pair[i]] = max(z[rows.pair[i]] * times, _LEAST)
                for i in range(middle, end):
                    z[rows.pair[i]] = max(z[rows.pair[i]] / times, _LEAST)


@kernel
def settled(rows: Rows, y: Ints, left: Ints) -> int:
    """Return the bound of integer multipliers, those of cliques raised where that is free.

    ``left`` is what each pair costs; it is lost.
    """
    bound = 0
    for r in range(y.size):
        for i in range(rows.start[r], rows.start[r + 1]):
            left[rows.pair[i]] -= y[r] if i < rows.middle[r] else -y[r]
    for r in range(y.size):
        if rows.middle[r] == rows.start[r + 1]:
            more = left[rows.pair[rows.start[r]]]
            for i in range(rows.start[r], rows.start[r + 1]):
                more = min(more, left[rows.pair[i]])
            y[r] += max(more, 0)
            for i in range(rows.start[r], rows.start[r + 1]):
                left[rows.pair[i]] -= max(more, 0)
        bound += rows.at_least[r] * y[r]
    for e in range(left.size):
        bound += min(left[e], 0)
    return bound
