"""Linearizations of the products of counts, side by side: size, relaxation, and branch and bound.

The cost of a machine is a sum of products: replicas of t times replicas of u. The formulations differ in how
they make it linear, and in nothing else that matters; all state the rules of the instance.

* ``pairs``: a binary for each replica and machine, McCormick for each pair of replicas
  (:mod:`benchmarks.peers.milp_pairwise`).
* ``levels``: counts of each model in levels b[m,t,j], and McCormick for each pair of levels:
  z >= b[m,t,j] + b[m,u,i] - 1.
* ``big-M``: the same, but what the j-th replica of t and all earlier models cost each other is one variable
  with one row, g >= sum_u cost x[m,u] - G (1 - b[m,t,j]).
* ``levels + flow``, ``big-M + flow``: the same with pair flow (:mod:`solvers.pairflow`): pair counts summed
  over the machines of a pool and load, and the rules multiplied with counts (RLT).
* ``flow``: pair flow alone; a relaxation only.
* ``patterns``: one variable for each pattern (:mod:`solvers.milp_by_pattern`). What ``milp`` takes otherwise.

Run as ``python -m benchmarks.linearizations [--seconds 10] [-o FILE.json]``. Bounds are shares of the best
objective known, which ``cpsat`` finds first. Each measurement has a process of its own, one after the other.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo

from benchmarks.machine import fingerprint, in_words
from benchmarks.peers.milp_pairwise import Program
from planner.files import load_instance
from planner.generate import generate
from planner.instance import Instance
from planner.writing import check_writable, write_atomically
from solvers import milp_by_machine as machines
from solvers.child import solve_in_child
from solvers.enumeration import all_patterns
from solvers.highs import Quiet
from solvers.lagrange import Relaxation
from solvers.milp_by_machine import ByMachine, Row, by_machine, weighted
from solvers.milp_by_pattern import by_pattern
from solvers.pairflow import Flow

MEDIUM = Path(__file__).resolve().parent.parent / "instances" / "medium.yaml"
_MANY = 1_000_000
_GRACE = 60.0
_PAIR_FLOW = (machines.pair_flow, machines.link, machines.bounded)
_ALONE = tuple(family for family in machines.FAMILIES if family not in _PAIR_FLOW)

Family = Callable[[ByMachine], Iterator[Row]]
#: HiGHS with a formulation, and what one unit of its objective is in ppm.
Loaded = tuple[highspy.Highs, int]


def pairs(instance: Instance) -> Loaded:
    """Return McCormick for each pair of replicas."""
    return Program(instance).highs(1.0), 1


def levels(instance: Instance) -> Loaded:
    """Return McCormick for each pair of levels."""
    return _loaded(by_machine(instance, families=_with_products(_ALONE)))


def levels_and_flow(instance: Instance) -> Loaded:
    """Return the same with pair flow."""
    families = _with_products(machines.FAMILIES)
    return _loaded(by_machine(instance, Flow(instance, enumerate_up_to=0), families=families))


def _with_products(families: tuple[Family, ...]) -> tuple[Family, ...]:
    return tuple(products if family is machines.colocation else family for family in families)


def products(f: ByMachine) -> Iterator[Row]:
    """A replica and one of an earlier model on its machine cost each other if both are there."""
    f.model.product = pyo.VarList(domain=pyo.NonNegativeReals)
    for (m, t, j), together in f.model.together.items():
        p = int(f.grid.pool[m])
        cost = f.c.cost[f.c.type_of[p]]
        terms = [(-1, together)]
        for u in f.models_on(p):
            both = int(cost[t, u] + cost[u, t]) // f.unit
            for level in f.levels(m, u) if u < t and both else []:
                product = f.model.product.add()
                terms.append((both, product))
                yield None, weighted([(1, f.model.b[m, t, j]), (1, level), (-1, product)]), 1
        yield None, weighted(terms), 0


def big_m(instance: Instance) -> Loaded:
    """Return one variable and one row for each level."""
    return _loaded(by_machine(instance, families=_ALONE))


def big_m_and_flow(instance: Instance) -> Loaded:
    """Return the same with pair flow."""
    return _loaded(by_machine(instance, Flow(instance, enumerate_up_to=0)))


def flow(instance: Instance) -> Loaded:
    """Return pair flow alone."""
    relaxation = Relaxation(Flow(instance, enumerate_up_to=0).program)
    relaxation.solve(0.01)  # hands the rows over
    n = relaxation.program.columns
    relaxation.highs.changeColsCost(n, np.arange(n, dtype=np.int32), relaxation.cost.astype(float))
    return relaxation.highs, 1


def patterns(instance: Instance) -> Loaded:
    """Return one variable for each pattern."""
    found = all_patterns(instance.compiled, _MANY)
    assert found is not None
    return _loaded(by_pattern(instance.compiled, found))


FORMULATIONS: dict[str, Callable[[Instance], Loaded]] = {
    "pairs": pairs,
    "levels": levels,
    "levels + flow": levels_and_flow,
    "big-M": big_m,
    "big-M + flow": big_m_and_flow,
    "flow": flow,
    "patterns": patterns,
}


def _loaded(f: Any) -> Loaded:
    from pyomo.repn.plugins.lp_writer import LPWriter

    highs = Quiet()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "formulation.lp"
        with path.open("w") as stream:
            LPWriter().write(f.model, stream)
        highs.readModel(str(path))
    return highs, int(f.unit)


@dataclass(frozen=True)
class Measured:
    """One formulation of one instance; bounds and objective in ppm, None where there is none in time."""

    columns: int
    rows: int
    building: float
    relaxation: float | None
    relaxing: float
    bound: float | None
    objective: float | None
    branching: float


def measure(name: str, instance: Instance, seconds: float) -> Measured:
    """Build a formulation, solve its relaxation, then branch and bound, each for at most ``seconds``."""
    began = time.monotonic()
    highs, unit = FORMULATIONS[name](instance)
    building = time.monotonic() - began
    for option, value in (("output_flag", False), ("threads", 2), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.5)):
        highs.setOptionValue(option, value)
    relaxing = _run(highs, seconds, relaxed=True)
    solved = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    relaxation = highs.getObjectiveValue() * unit if solved else None
    bound, objective, branching = relaxation, None, 0.0
    if name != "flow":
        highs.clearSolver()
        branching = _run(highs, seconds, relaxed=False)
        info = highs.getInfo()
        bound = info.mip_dual_bound * unit if np.isfinite(info.mip_dual_bound) else None
        has_plan = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        objective = info.objective_function_value * unit if has_plan else None
    size = highs.getNumCol(), highs.getNumRow()
    return Measured(*size, building, relaxation, relaxing, bound, objective, branching)


def _run(highs: highspy.Highs, seconds: float, *, relaxed: bool) -> float:
    """Run HiGHS; return the seconds that it took."""
    highs.setOptionValue("solve_relaxation", relaxed)
    highs.setOptionValue("time_limit", highs.getRunTime() + seconds)
    began = time.monotonic()
    highs.run()
    return time.monotonic() - began


def in_child(name: str, instance: Instance, seconds: float) -> Measured | None:
    """Measure in a process of its own; None if it does not heed its limits, or dies."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(theirs, name, instance, seconds))
    child.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(2 * seconds + _GRACE) else None
    except EOFError:
        return None
    finally:
        child.kill()
        child.join()


def _child(pipe: Connection, name: str, instance: Instance, seconds: float) -> None:
    """Measure, and answer; what HiGHS prints goes nowhere."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    pipe.send(measure(name, instance, seconds))


def instances() -> Iterator[Instance]:
    """Yield instances of rising size."""
    for replicas, models in ((20, 5), (40, 8), (100, 12)):
        yield generate(
            name=f"{replicas} replicas",
            models=models,
            types=2,
            replicas=replicas,
            slots=(4, 4),
            rules=1,
            feasible=True,
            seed=1,
        )
    yield load_instance(MEDIUM)


HEADER = (
    "| instance | formulation | columns | rows | relaxation | seconds | bound | objective | seconds |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|"
)


def row(instance: Instance, name: str, found: Measured | None, best: int) -> str:
    """Return a row of the table; bounds and objective in percent of the best objective known."""
    if found is None:
        return f"| {instance.name} | {name} | - | - | - | - | - | - | none in time |"

    def share(value: float | None) -> str:
        return "-" if value is None else f"{100 * value / best:.1f} %"

    cells = [
        *(instance.name, name, f"{found.columns:,}", f"{found.rows:,}"),
        *(share(found.relaxation), f"{found.relaxing:.1f}"),
        *(share(found.bound), share(found.objective), f"{found.branching:.1f}"),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.output:
        check_writable(options.output)
    machine = fingerprint()
    limit = f"At most {options.seconds:g} s for the relaxation and for branch and bound"
    print(f"{in_words(machine)}\n{limit}\n\n{HEADER}", flush=True)
    runs: list[dict[str, Any]] = []
    for instance in instances():
        best = solve_in_child(instance, "cpsat", time_limit=max(options.seconds, 10.0))
        assert best.objective is not None
        for name in FORMULATIONS:
            found = in_child(name, instance, options.seconds)
            print(row(instance, name, found, best.objective), flush=True)
            measured = None if found is None else asdict(found)
            known = {"objective": best.objective, "bound": best.bound}
            runs.append({"instance": instance.name, "best": known, "formulation": name, "measured": measured})
    if options.output:
        document = {"machine": machine, "seconds": options.seconds, "runs": runs}
        write_atomically(options.output, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
