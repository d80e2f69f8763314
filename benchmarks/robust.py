"""Robust plans: what a promise costs, and how often plans break SLOs when degradations turn out otherwise.

Run as ``python -m benchmarks.robust``. A generated fleet whose degradations have 95 % intervals that end half
as much again above the value; its cheapest plans (objective ``price``, what is published most) and its plans
of least degradation, each as if degradations were certain and for several probabilities. Then 1,000 draws:
with independent errors, with errors that rise and fall together, and with degradations 1.5 times as expected.
"""

from __future__ import annotations

import argparse

from benchmarks.machine import fingerprint, in_words
from planner.generate import generate
from planner.integers import PPM
from planner.simulate import simulate
from solvers import solve

PROMISES = (None, 0.9, 0.95, 0.99)
UPPER = 1.5


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=3)
    given = parser.parse_args()
    print(f"auto, {given.time_limit:g} s each, on {in_words(fingerprint())}\n")
    print("Shares of the replicas with an SLO that miss it; and of draws with independent errors, any:\n")
    print("| objective | promised | value | machines | independent | together | 1.5 x | any in a draw |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for objective in ("price", "degradation"):
        fleet = generate(
            models=20,
            types=3,
            replicas=300,
            slots=(4, 6),
            tightness=0.6,
            slo_fraction=1.0,
            feasible=True,
            objective=objective,
            seed=given.seed,
        )
        fleet = fleet.replace(upper=fleet.degradation * UPPER)
        for promise in PROMISES:
            result = solve(fleet.replace(slo_probability=promise), "auto", time_limit=given.time_limit)
            promised = "-" if promise is None else f"{promise:.0%}"
            if result.plan is None or result.objective is None:
                print(f"| {objective} | {promised} | {result.status} |  |  |  |  |  |", flush=True)
                continue
            drawn = simulate(fleet, result.plan)
            others = [simulate(fleet, result.plan, together=True), simulate(fleet, result.plan, factor=1.5)]
            shares = " | ".join(f"{100 * s.missed:.2f} %" for s in (drawn, *others))
            value = f"{result.objective / PPM:,.4f}" + (" (optimal)" if result.status == "optimal" else "")
            row = f"| {objective} | {promised} | {value} | {drawn.machines_used} | {shares}"
            print(f"{row} | {100 * drawn.any_missed:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
