"""Bounds from pair flow: on the objective, and the proof that there is no plan.

Where few pairs of replicas cost anything, pair flow gives each replica neighbours that cost nothing. There a
bound on the objective comes from cliques and stars (:mod:`solvers.cliques`, :mod:`solvers.ascent`).

The linear program is solved, the caps and triangles that its solution breaks are added, and so on
until none is broken, the bound hardly rises, or time is up. Every bound on the way is exact
(:mod:`solvers.lagrange`), whatever state HiGHS was stopped in. For the objective ``worst``, a limit on
the degradation is bisected: a proof that no plan keeps within it is a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED
from planner.instance import Instance
from planner.integers import PPM
from solvers import ascent
from solvers.cliques import pairs
from solvers.compact import unit, watched
from solvers.lagrange import FREE, Relaxation
from solvers.pairflow import Cell, Flow
from solvers.run import Run
from solvers.terms import Ints

Floats = NDArray[np.float64]

_ROUNDS = 40
_LEAST_RISE = 2e-5
_PER_MODEL = 4
_BROKEN = 1e-5
# Of the time, what cliques get at first; and after pair flow, if its bound is not so many times theirs.
_GLANCE, _CLIQUES, _WORTH = 0.1, 0.4, 2


class Proven(NamedTuple):
    """A lower bound on the objective, in ppm, and what it comes from."""

    bound: int
    by: str


def objective_bound(instance: Instance, run: Run, share: float = 0.3) -> int:
    """Return a proven lower bound on the objective, in ppm; see :func:`proven`."""
    return proven(instance, run, share).bound


def proven(instance: Instance, run: Run, share: float = 0.3) -> Proven:
    """Return the better bound of pair flow and of cliques; reported to ``run`` as it rises.

    Parameters
    ----------
    share
        Share of the time left that may be spent.
    """
    seconds = share * run.remaining
    until = run.elapsed + seconds
    if instance.compiled.worst:
        return Proven(_worst_bound(instance, run, until), "pair flow")
    costly = pairs(instance.compiled)

    def of_cliques(seconds: float) -> Iterator[int]:
        return iter(()) if costly is None else ascent.rising(costly, run, run.elapsed + seconds)

    cliques = _raised(instance, run, Proven(0, "cliques"), of_cliques(_GLANCE * seconds))
    if cliques.bound:
        until -= _CLIQUES * seconds
    flow = _raised(instance, run, Proven(0, "pair flow"), rising(Flow(instance), run, until))
    if flow.bound < _WORTH * cliques.bound:
        cliques = _raised(instance, run, cliques, of_cliques(_CLIQUES * seconds))
    return max(flow, cliques, key=lambda one: one.bound)


def _raised(instance: Instance, run: Run, best: Proven, bounds: Iterator[int]) -> Proven:
    """Return the best of a proven bound and others from the same; report what is proven."""
    for value in bounds:
        best = max(best, Proven(rounded(instance, value), best.by))
        run.report(bound=best.bound)
    return best


def rounded(instance: Instance, bound: int) -> int:
    """Return ``bound`` rounded up to a multiple of what every objective is a multiple of."""
    step = unit(instance.compiled)
    return -(-bound // step) * step


def left_over(instance: Instance, run: Run, share: float = 0.3, limit: int = UNLIMITED) -> int:
    """Return a proven lower bound on what cannot be placed: above 0 there is no plan.

    It counts replicas, machines with pins, and machines that ``min_machines`` asks for.

    Parameters
    ----------
    limit
        No replica may suffer more degradation than this.
    """
    until = run.elapsed + share * run.remaining
    flow = Flow(instance, limit=limit, proof=True)
    return max((best for best in rising(flow, run, until, enough=1)), default=0)


def _worst_bound(instance: Instance, run: Run, until: float) -> int:
    """Bisect the largest degradation that some plan may keep within, as far as proofs go."""
    step = unit(instance.compiled)
    low, high = 0, _most_suffered(instance) // step
    known = [p.objective for p in run.history if p.objective is not None]
    high = min(high, *(objective // step for objective in known)) if known else high
    while low < high and run.elapsed < until and not run.stopping:
        middle = (low + high) // 2
        flow = Flow(instance, limit=middle * step, proof=True)
        if any(rising(flow, run, until, enough=1)):
            low = middle + 1
            run.report(bound=low * step)
        else:
            high = middle
    return low * step


def _most_suffered(instance: Instance) -> int:
    c = instance.compiled
    crowd = np.minimum(c.most_per_machine().sum(axis=1), c.slots)
    most = c.degradation.max(axis=(1, 2))[c.type_of] * crowd
    return int(most.max(initial=0)) * max(int(c.factor.max()), PPM) // PPM + int(c.background.max(initial=0))


def rising(flow: Flow, run: Run, until: float, enough: int | None = None) -> Iterator[int]:
    """Yield exact bounds on the minimum of ``flow`` as rows are added, each at least the one before.

    Parameters
    ----------
    until
        Seconds on the clock of ``run`` at which to end.
    enough
        End once the bound has reached this.
    """
    relaxation = Relaxation(flow.program)
    best = -1
    for _ in range(_ROUNDS):
        seconds = until - run.elapsed
        if seconds <= 0 or run.stopping:
            return
        ended = watched(run, lambda: relaxation.solve(seconds), run.report, relaxation.stop)  # noqa: B023
        if not ended:
            return
        bound = relaxation.bound()
        rise, best = bound - best, max(best, bound)
        yield best
        if rise <= _LEAST_RISE * best or (enough is not None and best >= enough):
            return
        values = relaxation.primal()
        if not sum(add_violated(flow, cell, values) for cell in flow.cells):
            return


def add_violated(flow: Flow, cell: Cell, values: Floats) -> int:
    """Add caps and triangles that ``values`` break; return how many."""
    if not cell.w.size or values[cell.z] < _BROKEN:
        return 0
    x = values[cell.x]
    w = np.where(cell.w >= 0, values[cell.w], 0.0)
    found = 0
    for t, u in np.argwhere((w - cell.beside * x[:, None] > _BROKEN) & (cell.w >= 0)).tolist():
        flow.row(np.array([cell.w[t, u], cell.x[t]]), np.array([1, -cell.beside[t, u]]), -FREE, 0)
        found += 1
    for t, u, v in triangles(x, w):
        flow.row(*triangle(cell, t, u, v), 0, FREE)
        found += 1
    return found


def triangles(x: Floats, w: Floats) -> Iterator[tuple[int, int, int]]:
    """Yield for each model t the pairs (u, v) whose triangles are broken most, a few of each."""
    active = np.flatnonzero(x > _BROKEN)
    w = w[np.ix_(active, active)]
    itself = np.diag(w) / 2
    for i, t in enumerate(active.tolist()):
        near = w[i] - itself
        broken = np.triu(near[:, None] + near[None, :] - x[t] - itself[i] - w, 1)
        broken[i, :] = broken[:, i] = 0.0
        worst = np.argsort(broken, axis=None)[-_PER_MODEL:]
        for u, v in zip(*np.unravel_index(worst, broken.shape), strict=True):
            if broken[u, v] > _BROKEN:
                yield t, int(active[u]), int(active[v])


def triangle(cell: Cell, t: int, u: int, v: int) -> tuple[Ints, Ints]:
    """Return columns and values of ``2 W_uv - 2 W_tu - 2 W_tv + 2 X_t + W_uu + W_vv + W_tt >= 0``."""
    pairs = ((u, v), (t, u), (t, v), (u, u), (v, v), (t, t))
    column = np.array([cell.w[i, j] for i, j in pairs] + [cell.x[t]])
    return column, np.array([2, -2, -2, 1, 1, 1, 2])
