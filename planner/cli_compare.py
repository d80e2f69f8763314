"""The commands about solvers: ``planner compare`` and ``planner solvers``."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import AsJson, Cluster, ProgressStyle, Seed, ShowProgress
from planner.exits import INTERRUPTED, OK, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from planner.cluster.pool import Lost, Pool
    from planner.instance import Instance
    from planner.report.compare import Grid
    from planner.result import Result

    Cell = tuple[str, str, Result]  # instance, solver, what came of it

app = typer.Typer()


@app.command()
def compare(
    instances: Annotated[
        list[Path], typer.Argument(metavar="INSTANCE", help="Instance files, YAML or JSON.")
    ],
    solver: Annotated[
        list[str] | None, typer.Option(help="A solver; may be given several times. Default: all.")
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="For each solve.")] = 10.0,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="DIR", help="Folder for compare.csv, compare.json and plans.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", help="Solve so many at once, each on a core of its own.")
    ] = None,
    cluster: Cluster = None,
    as_json: AsJson = False,
    progress: ShowProgress = ProgressStyle.AUTO,
) -> None:
    """Compare solvers on instances, side by side.

    Each solve runs in a process of its own. The gap is against the solver's own bound, the gap to the
    best bound against the best that any of them has proven. Ctrl-C keeps what is finished.

    By default one solve runs after the other, on all cores. With --jobs N so many run at once, each pinned to
    one core; with --cluster as many as the workers of a Dask cluster have cores and threads, likewise. What a
    worker was at when it was lost runs again on another; if it is lost again and again, it ends as failed.

    \b
    planner compare fleet.yaml
    planner compare small.yaml large.yaml --solver greedy --solver milp --time-limit 60 -o results
    planner compare small.yaml large.yaml --jobs 8 -o results
    planner compare small.yaml large.yaml --cluster tcp://HOST:8786 -o results

    Exit codes: 0 done; 1 a solver failed, or two of them contradict each other; 2 bad usage or input;
    130 interrupted.
    """
    from planner.files import load_instance
    from planner.plan_files import render
    from planner.report.compare import Grid, as_document, labels
    from planner.writing import make_folder

    names = _solver_names(solver)
    asked = dict(zip(labels(instances), map(load_instance, instances), strict=True))
    grid = Grid([*asked], names)
    work = _Work(asked, names, time_limit, seed, progress)
    with _pool(jobs, cluster) as pool:
        if output is not None:
            make_folder(output)
        cells = work.one_by_one() if pool is None else work.at_once(pool)
        code = _run(grid, asked, cells, output, as_json)
    document = as_document(grid.comparisons())
    if as_json:
        print(render(document), end="")
    for text in document["contradictions"]:
        print(f"contradiction: {text}", file=sys.stderr)
    failed = document["contradictions"] or any(row["stop"] == "failed" for row in document["rows"])
    raise typer.Exit(REFUSED if failed and code == OK else code)


def _pool(jobs: int | None, cluster: str | None) -> AbstractContextManager[Pool | None]:
    """Return the pool that was asked for; None for one solve after the other."""
    from planner.cluster.dask_pool import DaskPool
    from planner.cluster.local import LocalPool
    from planner.errors import InputError

    if jobs is not None and cluster is not None:
        raise InputError("must not stand beside --cluster, whose workers say how many run", field="jobs")
    if cluster is not None:
        return DaskPool(cluster, lambda text: print(text, file=sys.stderr))
    return nullcontext() if jobs is None else LocalPool(jobs)


@dataclass(frozen=True)
class _Work:
    """What is to be solved: every solver on every instance."""

    asked: dict[str, Instance]
    names: list[str]
    time_limit: float
    seed: int
    progress: ProgressStyle

    def one_by_one(self) -> Iterator[Cell]:
        """Yield the cells in order; one that is interrupted is the last."""
        from planner.report.live import watch
        from planner.result import Stop
        from solvers.child import solve_in_child

        cells = [(label, name) for label in self.asked for name in self.names]
        for i, (label, name) in enumerate(cells, start=1):
            which = f"{i} of {len(cells)}"
            with watch(self.progress, label, name, self.time_limit, which) as watching:
                result = solve_in_child(
                    self.asked[label],
                    name,
                    time_limit=self.time_limit,
                    seed=self.seed,
                    on_progress=watching,
                )
            yield label, name, result
            if result.stop is Stop.INTERRUPTED:
                raise KeyboardInterrupt

    def at_once(self, pool: Pool) -> Iterator[Cell]:
        """Yield the cells as they are done."""
        from planner.report.live import counting
        from solvers.child import solve_in_child

        cells: dict[int, tuple[str, str]] = {}
        limits = {"time_limit": self.time_limit, "seed": self.seed}
        for label, instance in self.asked.items():
            shared = pool.share(instance)
            for name in self.names:
                cells[pool.submit(solve_in_child, shared, name, **limits)] = (label, name)
        with counting(self.progress, len(cells)) as count:
            for ticket, answer in pool.finished():
                yield *cells[ticket], self._result(cells[ticket][1], answer)
                count(*cells[ticket])  # now that it is written

    def _result(self, name: str, answer: Result | Lost) -> Result:
        from planner.cluster.pool import Lost
        from planner.result import Result, Status, Stop

        if not isinstance(answer, Lost):
            return answer
        why = answer.reason
        return Result(Status.NO_PLAN, Stop.FAILED, name, self.seed, reasons=(why,), note=why)


def _run(
    grid: Grid, asked: dict[str, Instance], cells: Iterator[Cell], output: Path | None, as_json: bool
) -> int:
    """Take the cells, write each as it comes and print each table when it is whole; return the exit code."""
    from planner.plan_files import plan_document
    from planner.report.compare import save

    shown = 0
    code = OK
    try:
        for label, name, result in cells:
            document = plan_document(asked[label], result)
            grid.add(label, name, document)
            if output is not None:
                save(output, grid.comparisons(), label, document)
            while not as_json and shown < len(grid.labels) and grid.whole(grid.labels[shown]):
                _show(grid, grid.labels[shown])
                shown += 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        for label in () if as_json else grid.labels[shown:]:
            _show(grid, label)
    return code


def _show(grid: Grid, label: str) -> None:
    from planner.report.text import show

    comparison = grid.comparison(label)
    if comparison.documents:
        show([comparison.table(), *comparison.notes()])


def _solver_names(wanted: list[str] | None) -> list[str]:
    from planner.errors import InputError
    from solvers import SOLVERS

    for name in wanted or ():
        if name not in SOLVERS:
            raise InputError(f"must be one of {', '.join(SOLVERS)}", field="solver", value=name)
    return list(dict.fromkeys(wanted)) if wanted else [name for name in SOLVERS if name != "auto"]


@app.command("solvers")
def solvers_command() -> None:
    """List the solvers that --solver takes."""
    from planner.report import tables, text
    from solvers import SOLVERS

    rows = [(name, "yes" if e.proves else "no", e.about) for name, e in SOLVERS.items()]
    text.show([tables.table("Solvers", ("<name", "<proves a bound", "~what it does"), rows)])
