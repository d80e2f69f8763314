"""The pools of an instance as markets: prices of replicas in, patterns and proven bounds out.

Prices are floats from a linear program. They are rounded to multiples of 2^-shift ppm first, and everything
after that is exact: so a bound from rounded prices is a bound, whatever the linear program was worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled
from planner.integers import PPM
from solvers.enumeration import may_be_together
from solvers.market import NOTHING, Desk, Market, desk
from solvers.needs import holders, machines_needed
from solvers.pricing import grow, search
from solvers.terms import Ints

Floats = NDArray[np.float64]

#: No machine with more replicas than this is priced: the search would not end.
DEEPEST = 64
_FOUND, _KEPT = 4_096, 3
_ROOM = 2.0**60
_TOLLS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4)


@dataclass(frozen=True)
class Prices:
    """What is paid, in 2^-shift ppm.

    Attributes
    ----------
    replica (T,), holder (T,)
        For a replica, and for a machine that holds the model; not negative.
    machine
        For any machine that carries a pattern; may be negative.
    """

    replica: Ints
    holder: Ints
    machine: int
    shift: int

    @classmethod
    def rounded(cls, c: Compiled, paid: Floats) -> Prices:
        """Return prices (2 T + 1,) in ppm, as above, rounded so finely that sums of them cannot overflow."""
        models = c.replicas.size
        paid = np.clip(np.nan_to_num(paid, posinf=0.0, neginf=0.0), -(2.0**50), 2.0**50)
        replica, holder, machine = (
            np.maximum(paid[:models], 0),
            np.maximum(paid[models:-1], 0),
            float(paid[-1]),
        )
        total = float(replica @ c.replicas + holder @ holders(c)) + float(
            c.cost.max(initial=0)
        ) * DEEPEST**2 * max(float(c.factor.max()) / PPM, 1.0)
        each = float(c.miss_price.max(initial=0)) + float(
            (c.background_cost + c.arrival_price).max(initial=0)
        )
        total += float(c.price.max(initial=0)) + DEEPEST * each
        total += abs(machine) * float(machines_needed(c).sum())
        shift = int(np.clip(np.floor(np.log2(_ROOM / max(total, 1.0))), 0, 12))
        fine = [np.rint(p * 2.0**shift).astype(np.int64) for p in (replica, holder)]
        return cls(fine[0], fine[1], round(machine * 2.0**shift), shift)


def deepest(c: Compiled, p: int) -> int:
    """Return the most replicas that one machine of pool p can hold, at least as many as are pinned there."""
    k, most = int(c.type_of[p]), c.most_per_machine()[p]
    crowd = min(int(c.slots[p]), int(most.sum()))
    for r in range(c.capacity.shape[1]):
        crowd = min(crowd, _fit(c.demand[k, :, r], most, int(c.capacity[p, r])))
    return max(crowd, int(c.pinned[p].sum()))


def largest_load(c: Compiled) -> int:
    """Return the most replicas that any machine can hold."""
    return max((deepest(c, p) for p in np.flatnonzero(machines_needed(c)).tolist()), default=1)


def _pins_may_be(c: Compiled, p: int, limit: int) -> bool:
    """Whether the pinned replicas of pool p may be together, whatever else is there."""
    pinned = np.repeat(np.arange(c.replicas.size), c.pinned[p])
    return bool(may_be_together(c, p, pinned[None, :], limit, growing=True).all())


def _fit(demand: Ints, most: Ints, room: int) -> int:
    """Return how many replicas fit into ``room``, the smallest first."""
    order = np.argsort(demand, kind="stable")
    fit = 0
    for need, number in zip(demand[order].tolist(), most[order].tolist(), strict=True):
        taken = number if need == 0 else min(number, room // need)
        fit, room = fit + taken, room - taken * need
    return fit


class Pricer:
    """Prices the patterns of one pool.

    Parameters
    ----------
    free
        Costs are 0: the gain is what patterns can place at all.
    limit
        No replica may suffer more degradation than this, in ppm.
    """

    def __init__(self, c: Compiled, p: int, *, free: bool = False, limit: int = UNLIMITED) -> None:
        self.pool, self._c, self._free, self._limit = p, c, free, limit
        k = int(c.type_of[p])
        most = c.most_per_machine()[p]
        self.models = np.flatnonzero((most > 0) | (c.pinned[p] > 0))
        here = np.ix_(self.models, self.models)
        self._pinned = c.pinned[p][self.models]
        self._pin = int(self._pinned.sum())
        self._slots = max(deepest(c, p) - self._pin, 0)
        self._most = np.maximum(most[self.models] - self._pinned, 0)
        self._most[(c.apart[here] & (self._pinned > 0)).any(axis=1)] = 0
        self._demand = np.ascontiguousarray(c.demand[k][self.models])
        self._room = c.capacity[p] - self._pinned @ self._demand
        self._degradation = c.degradation[k][here]
        self._cost = np.zeros_like(self._degradation) if free else c.cost[k][here].copy()
        deep = self._pin + self._slots
        self._least = np.array([c.least_factor(k, n, deep) for n in range(deep + 1)])
        self._factor = np.array([c.least_factor(k, n, n) for n in range(deep + 1)])
        self._factored = bool((self._factor != PPM).any())
        self._both = (self._cost + self._cost.T) * int(self._least[min(2, self._least.size - 1)]) // PPM
        self._row = self._rows()
        self._broken = self._pin > 0 and not _pins_may_be(c, p, limit)
        self._desk: Desk = desk(self.models.size, self._slots, self._room.size, _FOUND)

    def _rows(self) -> Ints:
        """Return (C, slots): the sum of the j smallest costs of a pair with each model."""
        size = max(self._slots, 1)
        result = np.zeros((self.models.size, size), dtype=np.int64)
        for t in range(self.models.size if size > 1 else 0):
            copies = np.minimum(self._most, size)
            copies[t] = max(copies[t] - 1, 0)
            order = np.argsort(self._both[t], kind="stable")
            sums = np.cumsum(np.repeat(self._both[t][order], copies[order])[: size - 1])
            result[t, 1 : 1 + sums.size] = sums
            result[t, 1 + sums.size :] = sums[-1] if sums.size else 0
        return result

    def market(self, prices: Prices, left: Ints | None = None) -> Market:
        """Return the market at these prices; at most ``left`` (T,) replicas of each model may be added."""
        c, p, shift, models = self._c, self.pool, prices.shift, self.models
        k = int(c.type_of[p])
        zero = np.zeros(models.size, dtype=np.int64)
        background_cost = zero if self._free else c.background_cost[p][models]
        value = prices.replica[models] - (background_cost << shift)
        bonus = prices.holder[models] * (holders(c)[models] > 0)
        dear = (zero if self._free else c.arrival_price[p][models]) << shift
        here = c.here[p][models]
        pulled = self._both @ self._pinned
        soft = np.where(c.soft[models], c.slack[k][models], UNLIMITED)
        limit = np.minimum(np.where(c.soft[models], UNLIMITED, c.slack[k][models]), self._limit)
        price = 0 if self._free else int(c.price[p]) << shift
        slip = (1 << shift) if self._factored else 0  # of rounding, for each replica
        paired = int(self._pinned @ (pulled - np.diagonal(self._both))) // 2
        own = int(self._pinned @ (value + slip)) - (paired << shift)
        softly = bool((soft < UNLIMITED).any()) and not self._free
        toll, free = self._toll(value + bonus)
        return Market(
            base=own + prices.machine - price + int(bonus[self._pinned > 0].sum()),
            price=price - prices.machine,
            slots=self._slots,
            gain=value + slip - (pulled << shift) - np.where(here <= self._pinned, dear, 0),
            bonus=bonus,
            both=self._both << shift,
            row=self._row << shift,
            most=self._most if left is None else np.minimum(self._most, left[models]),
            demand=self._demand,
            room=self._room,
            toll=toll,
            free=free,
            apart=np.ascontiguousarray(c.apart[np.ix_(models, models)]),
            hurt=np.ascontiguousarray(self._degradation.T),
            reach=self._degradation @ self._pinned,
            pinned=self._pinned,
            background=c.background[p][models],
            limit=limit,
            soft=soft,
            miss=(zero if self._free else c.miss_price[models]) << shift,
            here=here,
            dear=dear,
            value=value,
            cost=self._cost,
            factor=self._factor,
            least=self._least,
            shift=shift,
            watched=bool((limit < UNLIMITED).any()),
            exact=not (self._factored or softly),
            factored=self._factored,
            pin=self._pin,
        )

    def _toll(self, worth: Ints) -> tuple[Ints, int]:
        """Return tolls (C,) and that of all the room, for the resource prices that bound the root best."""
        best, tolls = (
            _packed(worth, np.zeros(worth.size), 0.0, self._most, self._slots),
            np.zeros(self._room.size),
        )
        for r in range(self._room.size):
            per = worth / np.maximum(self._demand[:, r], 1)
            unit = (
                float(np.quantile(per[self._demand[:, r] > 0], 0.8))
                if (self._demand[:, r] > 0).any()
                else 0.0
            )
            for step in _TOLLS if unit > 0 else ():
                tried = tolls.copy()
                tried[r] = step * unit
                bound = _packed(
                    worth, self._demand @ tried, float(tried @ self._room), self._most, self._slots
                )
                if bound < best:
                    best, tolls = bound, tried
        fine = np.rint(tolls * 2**20).astype(np.int64)  # the same integers for both sides
        if float(np.abs(fine).max(initial=0)) * float(self._room.max(initial=0)) > _ROOM:
            return np.zeros(worth.size, dtype=np.int64), 0
        return (self._demand @ fine) >> 20, int(self._room @ fine >> 20) + 1

    def best(self, market: Market, nodes: int, *, empty: bool = True) -> tuple[Ints, int]:
        """Return a few patterns of rising gain, the last one best, and a proven upper bound on every gain.

        The bound is in the market's units; at most ``nodes`` nodes are searched.

        Parameters
        ----------
        empty
            A machine may stay empty, so that the bound is not negative; not where replicas are pinned.
        """
        if self._broken:
            return self._rows_of(self._desk, slice(0, 0)), NOTHING
        floor = 0 if empty and not self._pin else NOTHING
        stored, upper = search(market, self._desk, floor, False, nodes)
        return self._rows_of(self._desk, slice(max(stored - _KEPT, 0), stored)), upper

    def grown(self, market: Market, most: int) -> Ints:
        """Return some patterns that gain, quickly: at most ``most`` of them, those that gain most."""
        stored = 0 if self._broken else grow(market, self._desk, NOTHING if self._pin else 0)
        order = np.argsort(-self._desk.worth[:stored], kind="stable")[:most]
        return self._rows_of(self._desk, order)

    def stop(self, now: bool) -> None:
        """End searches that run in other threads, or let the next ones run."""
        self._desk.stop[0] = now

    def above(self, market: Market, floor: int, most: int, nodes: int) -> Ints | None:
        """Return every pattern that gains more than ``floor``; None if there are more than ``most``."""
        if self._broken:
            return self._rows_of(self._desk, slice(0, 0))
        room = desk(self.models.size, self._slots, self._room.size, most + 1)
        room = room._replace(stop=self._desk.stop)
        stored, upper = search(market, room, floor, True, nodes)
        return None if upper > floor or stored > most else self._rows_of(room, slice(stored))

    def _rows_of(self, room: Desk, rows: slice | Ints) -> Ints:
        """Return (n, D): the models of each replica, pinned ones included, then -1."""
        found = room.found[rows]
        members = np.where(found >= 0, self.models[found], -1)
        pins = np.repeat(self.models, self._pinned)
        return np.hstack([np.tile(pins, (found.shape[0], 1)), members])


def _packed(worth: Ints, toll: Floats, free: float, most: Ints, slots: int) -> float:
    """Return the sum of the largest worths less tolls that the slots take, and the toll of the room."""
    net = np.maximum(worth - toll, 0.0)
    order = np.argsort(-net, kind="stable")
    before = np.concatenate([[0], np.cumsum(most[order])[:-1]])
    taken = np.clip(slots - before, 0, most[order])
    return float(net[order] @ taken) + free
