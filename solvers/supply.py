"""What the master and its parts share: the pricers of all pools, and the columns that they found."""

from __future__ import annotations

import os
import threading
import uuid
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple, TypeVar

import numpy as np

from planner.compiled import UNLIMITED, Compiled
from planner.integers import PPM
from solvers.columns import Columns, Need
from solvers.pricer import Pricer, Prices, largest_load
from solvers.run import Helpers, Run
from solvers.terms import Ints

T = TypeVar("T")

_NODES, _NODES_PER_SECOND = 2_000_000, 50_000
_GROWN, _POLL = 64, 0.05
_LONG, _GRACE = 0.05, 0.5  # seconds: of a round that helpers are worth asking for; that an answer may be late
_GONE = "its workers are gone"
_SUPPLIES = 4  # of other processes that are kept


class Priced(NamedTuple):
    """What pricing a pool found: patterns of best gain, some that gain, and at least the largest gain."""

    best: Ints
    grown: Ints
    gain: int


class Ask(NamedTuple):
    """What pricing one pool takes: see :meth:`Supply.price` and :meth:`Pricer.best`."""

    prices: Prices
    left: Ints | None
    nodes: int
    empty: bool
    seconds: float

    def answer(self, pricer: Pricer) -> Priced:
        """Price a pool."""
        market = pricer.market(self.prices, self.left)
        best, gain = pricer.best(market, self.nodes, empty=self.empty)
        return Priced(best, pricer.grown(market, _GROWN), gain)


class Supply:
    """The pricers of all pools and the columns that they found: what a master and its parts share.

    Parameters
    ----------
    free, limit
        See :class:`solvers.pricer.Pricer`.
    """

    def __init__(self, c: Compiled, *, free: bool = False, limit: int = UNLIMITED) -> None:
        self.c, self.free, self.limit = c, free, limit
        self.need = Need.of(c)
        pools = np.flatnonzero(self.need.machines).tolist()
        self.pricers = {p: Pricer(c, p, free=free, limit=limit) for p in pools}
        self.deepest = deep = largest_load(c)
        self.columns = Columns(c, deep)
        self._threads = ThreadPoolExecutor(os.cpu_count())
        self._turns = {p: threading.Lock() for p in pools}
        self._key, self._long = uuid.uuid4().hex, False
        largest = max(int(c.cost.max(initial=0)), int(c.miss_price.max(initial=0)))
        each = 2.0 * deep * largest * max(float(c.factor.max()) / PPM, 1.0) + float(
            (c.background_cost + c.arrival_price).max(initial=0)
        )
        #: Of a replica that is short: what opening a machine costs, and more than anything else could.
        self.penalty = (1.0, 1.0)
        if not free:
            mean = float(np.mean(c.cost)) if c.cost.size else 0.0
            usual = (float(c.price.max(initial=0)) + 4.0 * deep * mean) / PPM + 1e-3
            most = 2.0 * (deep * each + float(c.price.max(initial=0))) / PPM + 1.0
            self.penalty = (min(usual, most), most)

    def price(
        self, prices: Prices, run: Run, until: float, least: Ints, left: Ints | None = None
    ) -> dict[int, Priced]:
        """Price every pool, as many at once as there are processors, to ``until`` on the clock of ``run``.

        If the run has helpers and one round took long, they price the others.

        Parameters
        ----------
        least (P,)
            Machines of each pool that cannot stay empty.
        left (T,)
            The most replicas of each model in a pattern beside pinned ones; by default as many as there are.
        """
        nodes, began = self.nodes(run), run.elapsed
        asks = {p: Ask(prices, left, nodes, not least[p], until - began) for p in self.pricers}
        helpers = run.helpers
        found: dict[int, Priced] = {}
        if self._long and helpers is not None:
            found = self._helped(helpers, asks, run, until)
        here = [p for p in asks if p not in found]
        jobs = [self._threads.submit(asks[p].answer, self.pricers[p]) for p in here]
        found |= zip(here, self._awaited(jobs, run, until), strict=True)
        self._long = self._long or run.elapsed - began > _LONG
        return {p: found[p] for p in self.pricers}

    def _helped(self, helpers: Helpers, asks: dict[int, Ask], run: Run, until: float) -> dict[int, Priced]:
        """Return what helpers found: all pools, unless the run is stopping, it is late or they are lost."""
        if not helpers.there():
            helpers.give_up(_GONE)
            return {}
        about = (self._key, self.free, self.limit)
        try:
            shared = helpers.share(self.c)
            jobs = {p: helpers.submit(price_there, shared, *about, p, ask) for p, ask in asks.items()}
        except Exception as error:  # whatever it is, the solve does not depend on it
            helpers.give_up(f"{type(error).__name__}: {error}")
            return {}
        while wait(jobs.values(), timeout=_POLL).not_done:
            if run.report() or run.stopping or run.elapsed >= until + _GRACE:
                break
            if not helpers.there():
                helpers.give_up(_GONE)
                break
        found = {}
        for p, job in jobs.items():
            if job.cancelled():  # as Dask does with what needs data that nobody has any more
                helpers.give_up(_GONE)
            elif not job.done():
                job.cancel()
            elif failed := job.exception():
                helpers.give_up(f"{type(failed).__name__}: {failed}")
            else:
                found[p] = job.result()
        return found

    def nodes(self, run: Run) -> int:
        """Return how many nodes to search in each pool."""
        return int(np.clip(_NODES_PER_SECOND * run.remaining / len(self.pricers), 1_000, _NODES))

    def _awaited(self, jobs: list[Future[T]], run: Run, until: float) -> list[T]:
        """Return the results; searches are cut off at ``until`` and when ``run`` is stopping."""
        while wait(jobs, timeout=_POLL).not_done:
            if run.report() or run.stopping or run.elapsed >= until:
                self._stop(True)
        self._stop(False)
        return [job.result() for job in jobs]

    def _stop(self, now: bool) -> None:
        for pricer in self.pricers.values():
            pricer.stop(now)

    def price_in_time(self, p: int, ask: Ask) -> Priced:
        """Price one pool within the seconds of an ask, however many others ask for the same pool."""
        pricer = self.pricers[p]
        with self._turns[p]:
            clock = threading.Timer(ask.seconds, pricer.stop, (True,))
            clock.start()
            try:
                return ask.answer(pricer)
            finally:
                clock.cancel()
                clock.join()
                pricer.stop(False)

    def above(self, prices: Prices, floors: dict[int, int], most: int, run: Run) -> list[int] | None:
        """Return every column that gains more than its pool's floor; None if there are more than ``most``."""
        found: list[int] = []
        for p, floor in floors.items():
            pricer, room = self.pricers[p], most - len(found)
            market = pricer.market(prices)
            job = self._threads.submit(pricer.above, market, floor, room, self.nodes(run))
            (some,) = self._awaited([job], run, run.elapsed + run.remaining)
            if some is None or run.stopping:
                return None
            found += self.add(p, some)
        return found

    def add(self, p: int, rows: Ints) -> list[int]:
        """Add patterns (n, D), the models of each replica and -1; return which columns they are."""
        load = (rows >= 0).sum(axis=1)
        found: list[int] = []
        for n in np.unique(load[load > 0]).tolist():
            members = np.sort(rows[load == n], axis=1)[:, rows.shape[1] - n :]
            found += self.columns.add(p, members)
        return found


_there: OrderedDict[str, Supply] = OrderedDict()
_entering = threading.Lock()


def price_there(c: Compiled, key: str, free: bool, limit: int, p: int, ask: Ask) -> Priced:
    """Price one pool for a supply elsewhere, which its key stands for: pricers stay for the next call."""
    with _entering:
        if key not in _there:
            _there[key] = Supply(c, free=free, limit=limit)
        _there.move_to_end(key)
        while len(_there) > _SUPPLIES:
            _there.popitem(last=False)
        supply = _there[key]
    return supply.price_in_time(p, ask)
