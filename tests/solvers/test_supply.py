"""Pricing by helpers: the same plans and bounds, whatever becomes of the helpers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from planner.compiled import UNLIMITED
from planner.generate import generate
from planner.instance import Instance
from solvers import solve, supply
from solvers.pricer import Prices
from solvers.run import Run
from solvers.supply import Ask, Supply, price_there
from tests.tiny import pair


class Near:
    """Helpers in this process that fail as told from some call on."""

    def __init__(self, fail: Callable[[], Any] | None = None, after: int = 0) -> None:
        self.calls, self.given_up = 0, list[str]()
        self._fail, self._after, self._there = fail, after, True
        self._threads = ThreadPoolExecutor(2)

    def share(self, value: Any) -> Any:
        return value

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        self.calls += 1
        if self._fail is not None and self.calls > self._after:
            return self._threads.submit(self._fail)
        return self._threads.submit(function, *arguments)

    def there(self) -> bool:
        return not self.given_up

    def give_up(self, why: str) -> None:
        if not self.given_up:
            self.given_up.append(why)


@pytest.fixture(autouse=True)
def _every_round_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply, "_LONG", -1.0)


@pytest.fixture(scope="module")
def fleet() -> Instance:
    return generate(models=6, types=3, replicas=60, machines=20, feasible=True, seed=5)


def test_helpers_find_what_is_found_here(fleet: Instance) -> None:
    near = Near()
    here = solve(fleet, "patterns", time_limit=60)
    helped = solve(fleet, "patterns", time_limit=60, helpers=near)
    assert near.calls > 10
    assert not near.given_up
    assert here.status == helped.status == "optimal"
    assert (here.objective, here.bound) == (helped.objective, helped.bound)


def test_a_round_is_the_same_wherever_it_is_priced(fleet: Instance) -> None:
    c = fleet.compiled
    rng = np.random.default_rng(0)
    one = Supply(c)
    paid = rng.uniform(0, 4 * c.cost.max(), 2 * c.replicas.size + 1)
    prices, none = Prices.rounded(c, paid), np.zeros(len(c.pool_names), dtype=np.int64)
    one.price(prices, Run(time_limit=60), 60.0, none)  # helpers are asked from the second round on
    near = Near()
    here = one.price(prices, Run(time_limit=60), 60.0, none)
    there = one.price(prices, Run(time_limit=60, helpers=near), 60.0, none)
    assert near.calls == len(here) == len(there) > 1
    for p, priced in here.items():
        assert priced.gain == there[p].gain
        assert np.array_equal(priced.best, there[p].best)
        assert np.array_equal(priced.grown, there[p].grown)


def test_short_rounds_stay_here(fleet: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply, "_LONG", 1e9)
    near = Near()
    assert solve(fleet, "patterns", time_limit=60, helpers=near).status == "optimal"
    assert not near.calls


@pytest.mark.parametrize("after", [pytest.param(0, marks=pytest.mark.soak), 7])
def test_helpers_that_fail_are_given_up_and_nothing_is_lost(fleet: Instance, after: int) -> None:
    def broken() -> None:
        raise ValueError("no such kernel")

    near = Near(broken, after)
    result = solve(fleet, "patterns", time_limit=60, helpers=near)
    assert result.status == "optimal"
    assert "ValueError: no such kernel" in near.given_up[0]
    calls = near.calls
    assert calls <= after + len(fleet.machine_types) + 3, "nobody is asked again"


def test_helpers_that_are_gone_are_given_up(fleet: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    near = Near(never.wait)
    monkeypatch.setattr(near, "there", lambda: near.calls == 0 and not near.given_up)
    result = solve(fleet, "patterns", time_limit=60, helpers=near)
    never.set()
    assert result.status == "optimal"
    assert near.given_up == ["its workers are gone"]


def test_helpers_that_do_not_answer_end_no_later(fleet: Instance) -> None:
    never = threading.Event()
    near, began = Near(never.wait, after=6), time.monotonic()
    result = solve(fleet, "patterns", time_limit=2.0, helpers=near)
    took = time.monotonic() - began
    never.set()
    assert result.bound is not None
    assert result.objective is not None
    assert result.bound <= result.objective
    assert took < 10.0, "not a matter of how fast this host is"


def test_a_call_ends_in_time_and_the_next_one_is_whole(fleet: Instance) -> None:
    c = fleet.compiled
    prices = Prices.rounded(c, np.full(2 * c.replicas.size + 1, 1e6))
    late, whole = (
        price_there(c, "k", False, UNLIMITED, 0, Ask(prices, None, 10**6, True, s)) for s in (0.0, 60.0)
    )
    again = price_there(c, "other", False, UNLIMITED, 0, Ask(prices, None, 10**6, True, 60.0))
    assert late.gain >= whole.gain == again.gain


def test_only_some_supplies_are_kept() -> None:
    c = pair().compiled
    prices = Prices.rounded(c, np.full(2 * c.replicas.size + 1, 1e6))
    for i in range(10):
        price_there(c, f"supply {i}", False, UNLIMITED, 0, Ask(prices, None, 1000, True, 60.0))
    assert len(supply._there) == supply._SUPPLIES
    assert "supply 9" in supply._there
