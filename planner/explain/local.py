"""Whether any single move or exchange improves a plan, over all of them at once.

An exchange of M on g with U on h changes the objective by a(g, M -> U) + a(h, U -> M), where a(g, M -> U) is
what machine g's cost rises by when a replica of U replaces one of M; a relocation is an exchange with nobody.
So the best exchange of each pair of models is found from the best machine for each of its halves: the plan's
entries times models are judged, not the square of its entries. Two halves on the same single machine are no
exchange, so the two best of each are kept, and that for each answer to what ``min_machines`` asks of both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from planner.explain.moves import Move, Moves
from planner.explain.variants import NOBODY, UNUSED, Ints, Variants, View, judge

_MOST_ENTRIES = 15_000_000

Half = tuple[int, int, int, int, int]  # change, group, pool, the last of out leaves, in is new there


def improvements(moves: Moves, most: int) -> list[Move] | None:
    """Return the moves and exchanges that lower the objective most, each of another pair of models.

    Empty if none does; None if there are too many to judge.
    """
    view = moves.view
    if view.c.worst:
        return _of_worst(moves, most)
    sizes = np.diff(view.plan.start)
    if int((sizes * (sizes + 2)).sum()) * view.c.replicas.size > _MOST_ENTRIES:
        return None
    halves = _halves(view)
    found = []
    for (out, into), here in halves.items():
        if NOBODY < out < into or into == NOBODY:
            best = _best(view, here, halves.get((into, out), ()))
            if best is not None and best[0] < 0:
                change, (_, g, _, _, _), (_, h, pool, _, _) = best
                found.append(_move(out, into, g, h, pool, change))
    found.sort(key=lambda move: move.change)
    for move in found[:most]:
        moves.check(move)
    return found[:most]


def _move(out: int, into: int, g: int, h: int, pool: int, change: int) -> Move:
    return Move(model=out, source=g, target=h, pool=pool, back=into, change=change, broken=())


def _of_worst(moves: Moves, most: int) -> list[Move]:
    """Return what lowers the largest degradation: it must change every machine that has it."""
    view = moves.view
    worst = np.flatnonzero(view.costs == view.objective)
    if int(view.plan.machines[worst].sum()) > 2:
        return []
    found: list[Move] = []
    for g in worst.tolist():
        for candidates in (*(moves.leaving(g, t) for t in view.pattern(g)), moves.arriving(g)):
            found += moves.best(candidates, most, below=0)
    return sorted(dict.fromkeys(found), key=lambda move: move.change)[:most]


def _halves(view: View) -> dict[tuple[int, int], list[Half]]:
    """Return for each pair (out, in) the best machines to replace one by the other."""
    models, plan = view.c.replicas.size, view.plan
    unused = np.flatnonzero(view.unused > 0)
    group = np.concatenate([view.look.group, np.arange(len(plan)), np.full(unused.size, UNUSED)])
    pool = np.concatenate([plan.pool[view.look.group], plan.pool, unused])
    out = np.concatenate([plan.model, np.full(len(plan) + unused.size, NOBODY)])
    each, into = np.repeat(np.arange(group.size), models + 1), np.tile(np.arange(-1, models), group.size)
    permitted = np.concatenate([np.ones((view.c.machines.size, 1), bool), view.c.allowed], axis=1)
    kept = (out[each] != into) & permitted[pool[each], into + 1]
    each, into = each[kept], into[kept]
    found = judge(view, group[each], pool[each], out[each], into)
    before = np.where(found.group == UNUSED, 0, view.costs[found.group])
    result: dict[tuple[int, int], list[Half]] = defaultdict(list)
    for o, i, *half in _two_best(view, found, found.cost - before):
        result[o, i].append((half[0], half[1], half[2], half[3], half[4]))
    return result


def _two_best(view: View, found: Variants, change: Ints) -> Iterator[list[int]]:
    """Yield (out, in, change, group, pool, last, new), at most two of each pair and kind."""
    c = view.c
    tight = np.append(view.spread - 1 < c.min_machines, False)  # NOBODY is the last
    last = tight[found.out] & (view.count(found.group, np.maximum(found.out, 0)) == 1)
    new = tight[found.into] & (view.count(found.group, np.maximum(found.into, 0)) == 0)
    good = found.broken == 0
    columns = [found.out, found.into, change, found.group, found.pool, last, new]
    rows = np.stack([column[good].astype(np.int64) for column in columns], axis=1)
    rows = rows[np.lexsort((rows[:, 2], rows[:, 6], rows[:, 5], rows[:, 1], rows[:, 0]))]
    kind = rows[:, [0, 1, 5, 6]]
    same = np.zeros(len(rows), dtype=bool)  # as the row two before: a third of its kind
    same[2:] = (kind[2:] == kind[:-2]).all(axis=1)
    yield from rows[~same].tolist()


def _best(view: View, here: list[Half], there: list[Half] | tuple[()]) -> tuple[int, Half, Half] | None:
    """Return the best two halves that go together: change, the one here, the one there."""
    pairs = (
        (a[0] + b[0], a, b)
        for a in here
        for b in there
        if (a[1] != b[1] or view.plan.machines[a[1]] > 1)
        and not (a[3] and not b[4])
        and not (b[3] and not a[4])
    )
    return min(pairs, default=None)
