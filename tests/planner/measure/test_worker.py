"""What a worker calls latency, on a clock that only its engine and its requests move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from planner.measure import worker
from planner.measure.messages import Drive, Load
from planner.measure.subject import Subject
from planner.measure.windows import Trace, poisson

MS = 1_000_000


@dataclass
class Clock:
    """Stands for the module ``time``: 5 ms to make a request, 1 ms to serve one unless told otherwise."""

    now: int = 0
    cpu: int = 0
    service: int = MS

    def monotonic_ns(self) -> int:
        return self.now

    def process_time_ns(self) -> int:
        return self.cpu

    def sleep(self, seconds: float) -> None:
        self.now += max(1, round(seconds * 1e9))

    def serve(self, request: object) -> None:
        self.now += self.service
        self.cpu += self.service // 2

    def requests(self, inputs: object, seed: int) -> Iterator[dict[str, object]]:
        while True:
            self.now += 5 * MS
            yield {}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(worker, "time", made)
    monkeypatch.setattr(worker, "requests", made.requests)
    monkeypatch.setattr(worker, "make_engine", lambda load: made.serve)
    return made


def drive(order: Drive) -> Trace:
    return worker.Server(Load(Subject("a"), None, 1, "cpu", 0)).drive(order)


def test_a_closed_loop_does_not_count_making_the_request(clock: Clock) -> None:
    trace = drive(Drive(20 * MS, 60 * MS, None, (1,)))
    assert {*(trace.done_ns - trace.arrival_ns).tolist()} == {MS}
    assert {*trace.cpu_ns.tolist()} == {MS // 2}
    assert trace.arrival_ns.size == 6  # from 25 ms on, one in 6 ms, the last begins at 55 ms


def test_an_open_loop_counts_from_when_it_was_meant_to_be_sent(clock: Clock) -> None:
    """Served in 40 ms and made in 5 ms at 100 requests a second, each waits for those before it."""
    clock.service = 40 * MS
    order = Drive(20 * MS, 520 * MS, 100.0, (1, 2))
    trace = drive(order)
    arrivals = poisson((1, 2), 100.0, 0.5) + order.start_ns
    assert trace.arrival_ns.tolist() == arrivals.tolist(), "requests that were never served are there too"
    ends, free = [], 0
    for arrival in arrivals.tolist():
        begin = max(arrival, free + 5 * MS)
        if begin >= order.stop_ns:
            break
        free = begin + 40 * MS
        ends.append(free)
    served = trace.done_ns[trace.done_ns > 0]
    assert served.size == len(ends) < arrivals.size
    assert abs(served - ends).max() < 1000  # sleeping is rounded to the ns
    assert (trace.done_ns[served.size :] == 0).all()
