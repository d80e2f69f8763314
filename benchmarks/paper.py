"""The paper's table on our hardware: 100 random workloads on two machines, measured.

The protocol, written before the measurements, is ``reports/paper/PROTOCOL.md``. Two commands::

    planner profile reports/paper/fresh.yaml -o reports/paper/fresh.csv     # resumable
    python -m benchmarks.paper models/zoo/measurements.csv reports/paper/fresh.csv -o reports/paper

The first measures every pair afresh; the second plans each workload from the earlier profile alone and
looks the plans up in the fresh runs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import fingerprint, in_words
from planner.degradation.build import BuildSpec, build
from planner.degradation.features import features_of
from planner.degradation.predictor import Predictor, fit
from planner.degradation.table import Table, read_table
from planner.degradation.validation import Key, Runs, patterns_of, runs_of
from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Plan
from planner.writing import make_folder, write_together
from solvers import solve

Floats = NDArray[np.float64]

TYPES = ("2-cores-own", "1-core-shared")
WORKLOADS, REPLICAS, ORDERS = 100, 4, 10
HALF = "auto, half unmeasured"
METHODS = ("random", "least_loaded", "least_loaded, best of 10", "greedy", HALF, "auto", "oracle")
RESAMPLES = 4_000
BASELINE = "least_loaded"


@dataclass(frozen=True)
class Fresh:
    """The fresh runs, and bootstrap means of their sums of degradation, shape (resamples,)."""

    runs: Mapping[Key, Runs]
    draws: Mapping[Key, Floats]

    @classmethod
    def of(cls, table: Table) -> Fresh:
        """Return the runs that count."""
        runs = runs_of(table.rows)
        rng = np.random.default_rng(0)
        draws = {}
        for key, found in sorted(runs.items()):
            n = len(found.degradation)
            draws[key] = found.sums[rng.integers(n, size=(RESAMPLES, n))].mean(axis=1)
        return cls(runs, draws)

    def mean(self, plan: Sequence[Key]) -> float:
        """Return the cumulative degradation of a plan."""
        return float(sum(self.runs[key].sums.mean() for key in plan))

    def half(self, plan: Sequence[Key], which: int) -> float:
        """Return the same of the even or the odd runs only."""
        return float(sum(self.runs[key].sums[which::2].mean() for key in plan))

    def added_ms(self, plan: Sequence[Key]) -> float:
        """Return the latency that co-location adds, summed over replicas."""
        return float(sum(self.runs[key].added_ms.mean() for key in plan))


Plans = dict[str, list[list[Key]]]  #: method -> plans whose mean counts (one, or one for each order)


@dataclass(frozen=True)
class Known:
    """An earlier profile, and the predictor that was trained on it."""

    table: Table
    predictor: Predictor

    @classmethod
    def of(cls, table: Table) -> Known:
        """Train on all of a table."""
        return cls(table, fit(table.pairs, features_of(table)))


def half_of(table: Table) -> Table:
    """Return the table with a random half of its pairs and nothing else."""
    together = [(row.machine_type, row.colocated) for row in table.rows]
    pairs = sorted({key for key in together if len(key[1]) == 2})
    chosen = np.random.default_rng(7).choice(len(pairs), len(pairs) // 2, replace=False)
    kept = {pairs[i] for i in chosen}
    return replace(table, rows=tuple(r for r, key in zip(table.rows, together, strict=True) if key in kept))


def workload_plans(
    machines: tuple[str, str],
    members: Sequence[str],
    known: Known,
    half: Known | None,
    fresh: Fresh,
    seed: int,
) -> Plans:
    """Return the plans of every method for one workload; without ``half``, of all but that one."""
    instance = predicted(machines, members, known)
    rng = np.random.default_rng([2026, seed])
    every = [_keys(machines, members, first) for first in itertools.combinations(range(REPLICAS), 2)]
    loaded = [_solved(instance, "least_loaded", seed) for seed in range(ORDERS)]
    plans = {
        "random": [every[i] for i in rng.integers(len(every), size=ORDERS)],
        "least_loaded": loaded,
        "least_loaded, best of 10": [min(loaded, key=fresh.mean)],
        "greedy": [_solved(instance, "greedy", 0)],
        "auto": [_solved(instance, "auto", 0)],
        "oracle": [min(every, key=fresh.mean)],
    }
    if half is not None:
        plans[HALF] = [_solved(predicted(machines, members, half), "auto", 0)]
    return plans


def predicted(machines: tuple[str, str], members: Sequence[str], known: Known) -> Instance:
    """Return the instance of a workload with measured and predicted degradations of the earlier profile."""
    names = sorted(set(members))
    kinds = sorted(set(machines))
    spec = BuildSpec.model_validate(
        {
            "version": 1,
            "name": "workload",
            "machine_types": [{"name": k, "count": machines.count(k), "slots": 2} for k in kinds],
            "models": [{"name": n, "replicas": list(members).count(n)} for n in names],
        }
    )
    return build(spec, known.predictor, known.table).instance


def _solved(instance: Instance, solver: str, seed: int) -> list[Key]:
    plan = solve(instance, solver, time_limit=30.0, seed=seed).plan
    assert plan is not None, f"{solver} found no plan for {instance}"
    return _of(instance, plan)


def _of(instance: Instance, plan: Plan) -> list[Key]:
    return [key for key, n in patterns_of(instance, plan).items() for _ in range(n)]


def _keys(machines: tuple[str, str], members: Sequence[str], first: Sequence[int]) -> list[Key]:
    """Return the patterns where the replicas ``first`` are on the first machine, the others on the second."""
    there = tuple(sorted(members[i] for i in first))
    rest = tuple(sorted(members[i] for i in range(len(members)) if i not in first))
    return [(machines[0], there), (machines[1], rest)]


def summary(plans: Sequence[Plans], fresh: Fresh) -> dict[str, Any]:
    """Return sums, added latency, and the ratio of the baseline to each method with its interval."""
    chosen = np.random.default_rng(1).integers(len(plans), size=(RESAMPLES, len(plans)))
    drawn, rows = {}, {}
    methods = [m for m in METHODS if m in plans[0]]
    for method in methods:
        means = np.array([np.mean([fresh.mean(p) for p in w[method]]) for w in plans])
        each = np.array([np.mean([_drawn(fresh, p) for p in w[method]], axis=0) for w in plans])  # (W, B)
        drawn[method] = np.array([each[index, b].sum() for b, index in enumerate(chosen)])
        added = sum(float(np.mean([fresh.added_ms(p) for p in w[method]])) for w in plans)
        rows[method] = {"sum": float(means.sum()), "added_ms": added}
    for method in methods:
        low, high = np.quantile(drawn[BASELINE] / drawn[method], [0.025, 0.975])
        ratio = rows[BASELINE]["sum"] / rows[method]["sum"]
        rows[method] |= {"ratio": ratio, "ratio_lower": float(low), "ratio_upper": float(high)}
    return {"methods": rows, "control": _control(plans, fresh, chosen)}


def _drawn(fresh: Fresh, plan: Sequence[Key]) -> Floats:
    total: Floats = np.sum([fresh.draws[key] for key in plan], axis=0)
    return total


def _control(plans: Sequence[Plans], fresh: Fresh, chosen: NDArray[np.int64]) -> dict[str, float]:
    """Return the ratio of the baseline's even runs to its odd runs, with its interval over workloads.

    Plans that hold a pair with a single run are left out.
    """
    of = [[p for p in w[BASELINE] if all(len(fresh.runs[key].sums) > 1 for key in p)] for w in plans]
    halves = np.array(
        [[sum(fresh.half(p, which) for p in w) / max(1, len(w)) for w in of] for which in (0, 1)]
    )
    even, odd = halves[:, chosen].sum(axis=2)
    low, high = np.quantile(even / odd, [0.025, 0.975])
    return {"ratio": float(halves[0].sum() / halves[1].sum()), "lower": float(low), "upper": float(high)}


def text(found: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = [
        "# The paper's table on our hardware",
        "",
        f"Planned on {in_words(found['host'])}.",
        "Machine types of one host, one at a time: not a cluster. What was done: PROTOCOL.md.",
    ]
    for name, part in found["machines"].items():
        lines += [
            "",
            f"## {name}",
            "",
            "| method | cumulative degradation | added ms | least-loaded / this |",
        ]
        lines += ["|---|---:|---:|---:|"]
        for method, row in part["methods"].items():
            ratio = f"{row['ratio']:.2f} [{row['ratio_lower']:.2f}, {row['ratio_upper']:.2f}]"
            lines.append(f"| {method} | {row['sum']:.2f} | {row['added_ms']:,.0f} | {ratio} |")
        c = part["control"]
        lines += ["", f"A/A control: {c['ratio']:.3f} [{c['lower']:.3f}, {c['upper']:.3f}]"]
    return "\n".join(lines) + "\n"


def compared(known: Table, fresh: Table, types: Sequence[str]) -> dict[str, Any]:
    """Return the summary of each two machines of these types, and of all workloads together."""
    models, counted = fresh.models, Fresh.of(fresh)
    whole, half = Known.of(known), None
    try:
        half = Known.of(half_of(known))
    except InputError as error:
        print(f"no plans from half of the pairs: {error}", file=sys.stderr)
    rng = np.random.default_rng(2026)
    parts, everything = {}, []
    for machines in itertools.combinations_with_replacement(types, 2):
        name = " + ".join(machines)
        workloads = [[models[i] for i in rng.integers(len(models), size=REPLICAS)] for _ in range(WORKLOADS)]
        _refuse_gaps(machines, workloads, counted)
        plans = []
        for w, members in enumerate(workloads):
            plans.append(workload_plans(machines, members, whole, half, counted, w))
            print(f"\r{name}: {w + 1} of {WORKLOADS}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        parts[name] = summary(plans, counted)
        everything += plans
    return {**parts, "all": summary(everything, counted)}


def _refuse_gaps(machines: tuple[str, str], workloads: Sequence[Sequence[str]], fresh: Fresh) -> None:
    """End if an assignment of some workload holds a pair without a fresh run that counts."""
    needed = {
        key
        for members in workloads
        for first in itertools.combinations(range(REPLICAS), 2)
        for key in _keys(machines, members, first)
    }
    if missing := sorted(needed - fresh.runs.keys()):
        raise SystemExit(f"{len(missing)} pairs have no fresh run that counts, the first {missing[0]}")


def write(known: Table, fresh: Table, types: Sequence[str], folder: Path) -> str:
    """Write ``paper.md`` and ``paper.json``; return the former."""
    found = {"host": fingerprint(), "machines": compared(known, fresh, types)}
    report = text(found)
    write_together({folder / "paper.md": report, folder / "paper.json": json.dumps(found, indent=1) + "\n"})
    return report


def main() -> None:
    """Plan, look up, write and print."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("known", type=Path, help="the earlier profile")
    parser.add_argument("fresh", type=Path, help="the fresh one")
    parser.add_argument("-o", dest="output", type=Path, required=True, metavar="DIR")
    asked = parser.parse_args()
    make_folder(asked.output)
    print(write(read_table(asked.known), read_table(asked.fresh), TYPES, asked.output))


if __name__ == "__main__":
    main()
