"""Solvers that misbehave; :func:`enter` puts them into the registry of a process of their own."""

from __future__ import annotations

import ctypes
import os
import time

import solvers
from planner.instance import Instance
from planner.plan import Plan
from solvers.run import Outcome, Run, Solver


def separate() -> Plan:
    """Return the best plan of ``tiny.pair``: each model on its own machine."""
    return Plan.from_patterns([(0, 1, {0: 2}), (0, 1, {1: 2})])


def crash(_: Instance, run: Run) -> Outcome:
    """Read from address 0."""
    run.report(objective=5)
    ctypes.string_at(0)
    return Outcome()


def abort(_: Instance, run: Run) -> Outcome:
    """Abort with last words, as C++ libraries do."""
    os.write(2, b"Check failed: the moon is not cheese\n")
    os.abort()


def leave(_: Instance, run: Run) -> Outcome:
    """Exit."""
    os._exit(3)


def fail(_: Instance, run: Run) -> Outcome:
    """Raise."""
    raise ZeroDivisionError("no")


def eat(_: Instance, run: Run) -> Outcome:
    """Take 2 GB of memory."""
    return Outcome(note=str(len(bytearray(2 * 2**30))))


def hang(_: Instance, run: Run) -> Outcome:
    """Look at no clock."""
    run.report(objective=5)
    time.sleep(100)
    return Outcome()


def patient(_: Instance, run: Run) -> Outcome:
    """Report until told to stop, then hand over a plan."""
    while not run.report(objective=1_000_000, bound=7):
        time.sleep(0.02)
    return Outcome(plan=separate(), bound=7, stop=run.stop)


def silent(_: Instance, run: Run) -> Outcome:
    """Look at the clock, report nothing after the first incumbent, hand over a plan."""
    run.report(objective=1_100_000)
    while not run.stopping:
        time.sleep(0.02)
    return Outcome(plan=separate(), stop=run.stop)


def chatty(_: Instance, run: Run) -> Outcome:
    """Print, and find the best plan."""
    print("{this is not JSON", flush=True)
    return Outcome(plan=separate(), bound=10**6)


def wrong(_: Instance, run: Run) -> Outcome:
    """Claim a bound that is too high."""
    return Outcome(plan=separate(), bound=10**6 + 1)


NAUGHTY: tuple[Solver, ...] = (crash, abort, leave, fail, eat, hang, patient, silent, chatty, wrong)


def enter() -> None:
    """Enter them into the registry of this process."""
    for function in NAUGHTY:
        name = function.__name__
        solvers.SOLVERS[name] = solvers.Entry("tests.solvers.naughty", False, "misbehaves")
        solvers._loaded[name] = function
