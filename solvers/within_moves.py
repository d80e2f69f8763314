"""The mixed-integer program over patterns within so many moves, for the last step of :mod:`solvers.replan`.

    P[i]   how many machines of holding h_i carry pattern i; its arrivals: a_i = sum_t max(0, c_it - h_it)

    minimise    sum_i cost_i P[i]
    moves       sum_i a_i P[i] <= N + z       z: replicas that have no machine today
    and the rows of :mod:`solvers.milp_by_pattern`, holdings as pools

Where all patterns are few it is exact, and its bound holds. Otherwise it is over the patterns of the plans
on the curve, each on every holding of its pool, those with the fewest arrivals first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import pyomo.environ as pyo
from highspy import HighsModelStatus

from planner.current import Current, Turn, joined, pools, priced, split
from planner.plan import Plan
from solvers.compact import MOST_PATTERNS
from solvers.enumeration import Pattern, all_patterns, pattern_of
from solvers.milp import solved
from solvers.milp_by_machine import weighted
from solvers.milp_by_pattern import by_pattern
from solvers.run import Run

_MOST = 10_000


class Known(Protocol):
    """A plan as what each machine becomes."""

    @property
    def became(self) -> tuple[Turn, ...]:
        """What each machine becomes."""


class Found(NamedTuple):
    """The best plan found; a bound on all plans within the moves in ppm, 0 for none; that there is none."""

    plan: Plan | None
    bound: int
    infeasible: bool


def closest(now: Current, known: Sequence[Known], start: Known | None, most: int, run: Run) -> Found:
    """Return the best plan found within ``most`` moves.

    Parameters
    ----------
    known
        Plans whose patterns may be of use.
    start
        One of them, within the moves.
    """
    instance = priced(now, 0)
    patterns = all_patterns(instance.compiled, MOST_PATTERNS)
    exact = patterns is not None
    if patterns is None:
        patterns = _promising(now, known)
    f = by_pattern(instance.compiled, patterns)
    holdings = pools(now)
    arrivals = [
        (sum(max(0, n - holdings[i.pool].counts.get(t, 0)) for t, n in i.counts.items()), carry)
        for i, carry in f.terms()
    ]
    f.model.moves = pyo.Constraint(expr=weighted(arrivals) <= most + now.placements)
    begun = None if start is None else split(now, start.became)
    tracker = solved(instance, run, f, begun, 0)
    none = tracker.finish() == HighsModelStatus.kInfeasible and begun is None
    bound = (tracker.outcome(begun).bound or 0) if exact and not none else 0
    plan = begun if tracker.plan is None else tracker.plan
    return Found(None if plan is None else joined(now, plan), bound, exact and none)


def _promising(now: Current, known: Iterable[Known]) -> list[Pattern]:
    """Return the patterns of known plans on every holding of their pool, the fewest arrivals first."""
    c = priced(now, 0).compiled
    carried = {(turn.pool, frozenset(turn.after.items())) for point in known for turn in point.became}
    own = {
        (turn.pool, frozenset(turn.before.items()), frozenset(turn.after.items()))
        for point in known
        for turn in point.became
    }

    def ranked() -> Iterator[tuple[int, int, int, dict[int, int]]]:
        for p, held in pools(now).items():
            for pool, after in carried:
                if pool == held.pool and after:
                    counts = dict(sorted(after))
                    needed = (pool, frozenset(held.counts.items()), after) in own
                    arrivals = sum(max(0, n - held.counts.get(t, 0)) for t, n in counts.items())
                    yield (-1 if needed else arrivals), p, len(counts), counts

    chosen = sorted(ranked(), key=lambda r: (r[0], r[1], sorted(r[3].items())))[:_MOST]
    return [pattern_of(c, p, counts) for _, p, _, counts in chosen]
