"""Active against random selection of co-locations, replayed on complete tables of directed pairs.

    python benchmarks/selection.py TABLE.csv... [--seeds 5] [--step 10]

Each strategy "measures" co-locations of a table, STEP at a time. After n of them the additive model of
rank 2 is fitted to what is measured, and the table is completed with its predictions. Printed is the mean
absolute error of the degradation over all directed pairs of the completed table (what is measured counts
as known), and over a fifth of the co-locations that neither strategy may measure; means over seeds.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from planner.measure.select import STRATEGIES, Candidate, Measured, choose, fit, observed

Table = Mapping[Candidate, Sequence[Measured]]


def read(path: Path) -> Table:
    """Return the co-locations of a table of pairs with what measuring each of them would say."""
    found: dict[Candidate, list[Measured]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            pair = (row["victim"], row["aggressor"])
            one = Measured(row["machine_type"], pair[0], (pair[1],), float(row["degradation"]))
            found[Candidate(one.machine_type, tuple(sorted(pair)))].append(one)
    return found


def errors(table: Table, strategy: str, seed: int, step: int, points: Sequence[int]) -> list[list[float]]:
    """Return for each number of co-locations the error of the completed table and of what was held out."""
    rng = np.random.default_rng(seed)
    everything = list(table)
    held = {everything[i] for i in rng.permutation(len(everything))[: len(everything) // 5]}
    waiting = [c for c in everything if c not in held]
    measured: list[Measured] = []
    rows, done = [], 0
    while waiting and done < points[-1]:
        for candidate in choose(waiting, measured, step, strategy=strategy, seed=seed):
            measured += table[candidate]
            waiting.remove(candidate)
            done += 1
            if done in points:
                rows.append(error(table, measured, held))
    return rows


def error(table: Table, measured: Sequence[Measured], held: set[Candidate]) -> list[float]:
    """Return the mean absolute error over the completed table, and over the co-locations held out."""
    everything = [m for group in table.values() for m in group]
    types = sorted({m.machine_type for m in everything})
    models = sorted({m.victim for m in everything})
    fitted = fit(observed(measured, types, models), len(types), len(models), rng=np.random.default_rng(0))
    known = {*measured}

    def off(m: Measured) -> float:
        place = (types.index(m.machine_type), models.index(m.victim), models.index(m.neighbours[0]))
        return abs(float(np.expm1(fitted[place])) - m.degradation)

    completed = [0.0 if m in known else off(m) for m in everything]
    return [float(np.mean(completed)), float(np.mean([off(m) for c in held for m in table[c]]))]


def main() -> None:
    """Print a table for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--step", type=int, default=10)
    given = parser.parse_args()
    for path in given.tables:
        table = read(path)
        most = len(table) * 4 // 5
        points = sorted({max(1, round(most * share)) for share in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)})
        print(
            f"{path}: {len(table)} co-locations, mean absolute error of the degradation, {given.seeds} seeds"
        )
        results = {
            s: np.mean([errors(table, s, seed, given.step, points) for seed in range(given.seeds)], axis=0)
            for s in STRATEGIES
        }
        print("   n  " + "".join(f"{s + ' all':>14}{s + ' held out':>18}" for s in STRATEGIES))
        for i, n in enumerate(points):
            print(
                f"{n:5} " + "".join(f"{results[s][i][0]:14.4f}{results[s][i][1]:18.4f}" for s in STRATEGIES)
            )


if __name__ == "__main__":
    main()
