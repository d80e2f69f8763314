"""In which order to move replicas, so that every machine keeps every rule at every step.

A replica starts on its new machine before it stops on the old one, so a step is possible where the new
machine has room beside all that it still holds. Steps that are possible are taken one after the other. Where
none is, machines wait for each other in a ring: one replica is then parked on a third machine (a detour, a
move more), and where nobody has room for it, it is paused: stopped now and started later, with fewer
replicas serving in between.

Which ring is broken where decides how many detours there are; this takes the first that works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from planner.current import Current, Turn
from planner.evaluate import breaks
from planner.plan import Plan

_IDLE = 200  # machines that do not change, on which replicas may be parked


class Kind(StrEnum):
    """What a step does."""

    STOP = "stop"  #: a replica that is not wanted any more
    MOVE = "move"  #: started on the new machine, then stopped on the old one
    PARK = "park"  #: the same, to a machine that it leaves again later
    PAUSE = "pause"  #: stopped now, placed later
    PLACE = "place"  #: started; it has no machine


@dataclass(frozen=True)
class Step:
    """One replica of a model stops on machine ``source`` and starts on ``target``; None where it does not.

    Machines are positions in :attr:`Order.machines`.
    """

    kind: Kind
    model: int
    source: int | None
    target: int | None


@dataclass(frozen=True)
class Machine:
    """A machine that changes, or on which replicas may be parked.

    ``number`` counts the machines of its pool from 1, in the order of the plan that runs today.
    """

    pool: int
    number: int
    before: Counter[int]
    after: Counter[int]


@dataclass(frozen=True)
class Order:
    """The steps, the machines that they are about, those that no step touches, and whether it leads there."""

    machines: tuple[Machine, ...]
    others: tuple[Turn, ...]
    steps: tuple[Step, ...]
    complete: bool

    def count(self, *kinds: Kind) -> int:
        """Return how many steps are of these kinds."""
        return sum(step.kind in kinds for step in self.steps)

    def states(self) -> Iterator[Plan]:
        """Yield the plan after each step; replicas that have no machine then are missing in it."""
        there = [(turn.pool, turn.machines, turn.before) for turn in self.others]
        holds = [Counter(m.before) for m in self.machines]
        for step in self.steps:
            if step.source is not None:
                holds[step.source][step.model] -= 1
            if step.target is not None:
                holds[step.target][step.model] += 1
            each = [(m.pool, 1, h) for m, h in zip(self.machines, holds, strict=True)]
            yield Plan.from_patterns([*there, *each])


def order(now: Current, became: Sequence[Turn]) -> Order:
    """Return steps from what runs today to a plan, each machine within the rules after every step.

    A machine that is not within the rules today is, once a replica has come to it.
    """
    machines, others = _individuals(now, became)
    ordering = _Ordering(now, machines, others)
    steps = tuple(ordering.steps())
    complete = all(+holds == m.after for holds, m in zip(ordering.holds, machines, strict=True))
    return Order(machines, others, steps, complete)


def _individuals(now: Current, became: Sequence[Turn]) -> tuple[tuple[Machine, ...], tuple[Turn, ...]]:
    """Return machines that change, and a few that do not, one by one; and the rest."""
    next_number: dict[tuple[int, frozenset[tuple[int, int]]], int] = {}
    seen: Counter[int] = Counter()
    for held in now.holdings:
        next_number[held.pool, frozenset(held.counts.items())] = seen[held.pool] + 1
        seen[held.pool] += held.machines
    machines, others, idle = [], [], 0
    for turn in sorted(became, key=lambda t: sum(t.before.values())):
        key = (turn.pool, frozenset(turn.before.items()))
        number = turn.machines
        if turn.before == turn.after:
            number = min(number, _IDLE - idle)
            idle += number
        for _ in range(number):
            machines.append(Machine(turn.pool, next_number[key], Counter(turn.before), Counter(turn.after)))
            next_number[key] += 1
        if rest := turn.machines - number:
            others.append(Turn(turn.pool, rest, turn.before, turn.after))
            next_number[key] += rest
    return tuple(machines), tuple(others)


class _Ordering:
    """Takes possible steps until every machine is what it is to be."""

    def __init__(self, now: Current, machines: Sequence[Machine], others: Sequence[Turn]) -> None:
        c = now.instance.compiled
        self.instance, self.machines = now.instance, machines
        self.holds = [Counter(m.before) for m in machines]
        self.least = c.min_machines.tolist()
        self.spread: Counter[int] = Counter()
        everything: Counter[int] = Counter()
        for counts, number in (*((m.before, 1) for m in machines), *((t.before, t.machines) for t in others)):
            for t, n in counts.items():
                everything[t] += n * number
                self.spread[t] += number
        wanted = dict(enumerate(c.replicas.tolist()))
        self.homeless = Counter({t: max(n - everything[t], 0) for t, n in wanted.items()})
        self.unwanted = Counter({t: max(everything[t] - n, 0) for t, n in wanted.items()})
        self.accepted: dict[tuple[int, frozenset[tuple[int, int]]], bool] = {}
        self.parked: Counter[tuple[int, int]] = Counter()

    def steps(self) -> Iterator[Step]:
        """Yield the steps."""
        for i, t in self._open(-1):
            while self.unwanted[t] and self._surplus(i, t) > 0:
                self.unwanted[t] -= 1
                yield self._take(Kind.STOP, t, i, None)
        while True:
            possible = list(self._possible())
            yield from possible
            if not possible:
                step = self._detour()
                if step is None:
                    return
                yield step

    def _surplus(self, i: int, t: int) -> int:
        """Return how many replicas of t machine i holds that it should not; negative if some are missing."""
        return self.holds[i][t] - self.machines[i].after[t]

    def _open(self, sign: int) -> Iterator[tuple[int, int]]:
        """Yield machines and models of which replicas are to leave (-1) or to come (1)."""
        for i, machine in enumerate(self.machines):
            for t in sorted(self.holds[i].keys() | machine.after.keys()):
                if sign * self._surplus(i, t) < 0:
                    yield i, t

    def _possible(self) -> Iterator[Step]:
        """Take and yield every step of the plan that is possible now, one after the other."""
        sources: dict[int, list[int]] = {}
        for i, t in self._open(-1):
            sources.setdefault(t, []).append(i)
        for i, t in list(self._open(1)):
            while self._surplus(i, t) < 0 and self._accepts(i, t):
                source = next((j for j in sources.get(t, ()) if self._may_leave(j, t, i)), None)
                if source is None and not self.homeless[t]:
                    break
                if source is None:
                    self.homeless[t] -= 1
                yield self._take(Kind.PLACE if source is None else Kind.MOVE, t, source, i)

    def _accepts(self, i: int, t: int) -> bool:
        """Whether machine i keeps every rule with one more replica of t."""
        return self._keeps(i, self.holds[i] + Counter({t: 1}))

    def _keeps(self, i: int, counts: Counter[int]) -> bool:
        key = (self.machines[i].pool, frozenset(counts.items()))
        if key not in self.accepted:
            self.accepted[key] = not breaks(self.instance, self.machines[i].pool, counts)
        return self.accepted[key]

    def _may_leave(self, i: int, t: int, target: int | None) -> bool:
        """Whether a replica of t may leave machine i: it is too many there, and t stays spread enough."""
        if self._surplus(i, t) <= 0:
            return False
        spread = self.spread[t] - (self.holds[i][t] == 1)
        spread += target is not None and self.holds[target][t] == 0
        rest = self.holds[i] - Counter({t: 1})
        crowded = self.instance.compiled.factored and bool(rest) and not self._keeps(i, rest)
        return spread >= min(self.least[t], self.spread[t]) and not crowded

    def _take(self, kind: Kind, t: int, source: int | None, target: int | None) -> Step:
        if source is not None:
            self.holds[source][t] -= 1
            self.spread[t] -= self.holds[source][t] == 0
        if target is not None:
            self.spread[t] += self.holds[target][t] == 0
            self.holds[target][t] += 1
        return Step(kind, t, source, target)

    def _detour(self) -> Step | None:
        """Take a replica out of the way of others: park it where there is room, else pause it."""
        waiting = {i for i, _ in self._open(1)}
        leaving = [(i, t) for i, t in self._open(-1) if i in waiting and self._may_leave(i, t, None)]
        for i, t in leaving:
            for j in sorted(
                range(len(self.machines)), key=lambda j: (j in waiting, sum(self.holds[j].values()))
            ):
                if j != i and not self.parked[j, t] and self._surplus(j, t) >= 0 and self._accepts(j, t):
                    self.parked[j, t] += 1
                    return self._take(Kind.PARK, t, i, j)
        for i, t in leaving:
            self.homeless[t] += 1
            return self._take(Kind.PAUSE, t, i, None)
        return None
