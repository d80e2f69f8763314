"""Measure what a spec asks for on a fleet: each machine type on a worker that says that it is one.

The caller keeps the table. A worker gets all that is known so far and measures one machine type for some
minutes, a *piece*, with the code of ``planner profile``, in a process of its own; it returns the new runs,
and the caller appends them and asks for the next piece. A piece that is lost with its worker is measured
again, by another. Numbers of runs are given out by the caller, a range for each piece, because they say
which rows belong together and seed the arrivals.
"""

from __future__ import annotations

import csv
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.cluster.pool import Lost
from planner.cluster.remote import Place
from planner.errors import InputError
from planner.measure.colocations import colocations
from planner.measure.features import FeatureTable, features_path
from planner.measure.journal import Journal
from planner.measure.piece import Cargo, Order, Piece, Run, measure_piece
from planner.measure.profile import Outcome, check_options, note_host
from planner.measure.progress import Progress
from planner.measure.row import COLUMNS
from planner.measure.spec import Spec

if TYPE_CHECKING:
    from planner.cluster.dask_pool import DaskPool

PREFIX = "machine:"  # of the resource that names a worker's machine type
PIECE_S = 300.0
_NUMBERS = 100_000  # of runs, for each piece
_MACHINE, _WINDOWS = COLUMNS.index("machine_type"), COLUMNS.index("windows")


@dataclass(eq=False)
class _Fleet:
    """The caller's side of a session."""

    spec: Spec
    path: Path
    pool: DaskPool
    journal: Journal
    features: FeatureTable
    progress: Progress
    say: Callable[[str], object]
    select: str
    until: float | None
    cargo: Any = None
    of: int = 0
    pieces: list[Outcome] = field(default_factory=list)
    featured: int = 0
    too_large: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    short: bool = False  # of time
    warned: set[tuple[str, str]] = field(default_factory=set)
    next_run: int = 0

    def ask(self, machine_type: str, seconds: float) -> int:
        """Ask for the next piece of a machine type; return its ticket."""
        first = self.next_run = max(self.next_run, self.journal.next_run)
        self.next_run += _NUMBERS
        beside = self.features.path
        return self.pool.submit(
            measure_piece,
            self.cargo,
            Order(machine_type, self.select, first, seconds, self.until),
            _without_windows(self.path),
            beside.read_text(encoding="utf-8") if beside.exists() else "",
            place=Place(PREFIX + machine_type, self.spec.machine_types[machine_type].cores),
        )

    def take(self, machine_type: str, piece: Piece) -> bool:
        """Merge a piece; return whether there was anything in it."""
        note_host(self.path, piece.host)
        for run in piece.runs:
            _check(run, machine_type, piece.host["id"])
            self.journal.append_cells(run)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.features.path.name
            if piece.features:
                path.write_text(piece.features, encoding="utf-8")
            new = self.features.take(FeatureTable(path), machine_type)
        self.featured += new
        self.pieces.append(piece.outcome)
        self.too_large[machine_type] = piece.outcome.too_large
        self._show(machine_type, piece)
        return bool(piece.runs or new)

    def _show(self, machine_type: str, piece: Piece) -> None:
        if piece.crowded and (piece.node, machine_type) not in self.warned:
            self.warned.add((piece.node, machine_type))
            why = "has no core beside those that are measured; the Dask worker's threads run on them too"
            self.say(f"warning: {piece.node}, as {machine_type}, {why}")
        self.show(f"{len(piece.runs)} runs of {machine_type} came from {piece.node}")

    def show(self, what: str) -> None:
        """Show how far things are."""
        self.progress.show("co-locations", measured(self.spec, self.journal), self.of, self.left_s, what)

    @property
    def left_s(self) -> float | None:
        """Seconds of the budget that are left; None without one."""
        return None if self.until is None else self.until - time.time()


def _check(run: Run, machine_type: str, host: str) -> None:
    """Refuse a run that is not what was asked for."""
    for row in run:
        if len(row) != len(COLUMNS) or row[_MACHINE] != machine_type or row[-1] != host:
            rule = f"must measure {machine_type} on host {host}, as it says"
            raise InputError(rule, field="cluster", value=row[:4])


def measured(spec: Spec, journal: Journal) -> int:
    """Return how many co-locations are in a table as often as a spec asks for."""
    return sum(n >= spec.form.protocol.repeats for n in journal.runs.values())


def check_fleet(spec: Spec, pool: DaskPool) -> None:
    """Refuse a spec with a machine type that no worker says that it is.

    Raises
    ------
    InputError
        Naming the resource that is missing, and those that there are.
    """
    for name in spec.machine_types:
        if PREFIX + name not in pool.resources:
            rule = f'must have a worker for {name}, started with --resources "{PREFIX}{name}=1"'
            raise InputError(rule, field="cluster", value=", ".join(sorted(pool.resources)) or "no resources")


def profile_fleet(
    spec: Spec,
    path: Path,
    pool: DaskPool,
    *,
    progress: Progress,
    say: Callable[[str], object],
    select: str = "active",
    budget_s: float | None = None,
) -> Outcome:
    """Measure what a spec asks for into ``path`` on the workers of a pool, continuing what is there.

    Parameters
    ----------
    spec, path, select, budget_s
        As in :func:`.profile.profile`.
    say
        Told in a line what a person should know.

    Returns
    -------
    Outcome
        Its seconds are summed over all pieces. ``ended`` is ``lost: NAMES`` where pieces of machine types
        were lost again and again.

    Raises
    ------
    InputError
        As :func:`.profile.profile` does, or if no worker has a machine type of the spec.
    """
    check_options(select, budget_s)
    check_fleet(spec, pool)
    until = None if budget_s is None else time.time() + budget_s
    with Journal(path, spec.sha256, spec.form.model_dump(mode="json")) as journal:
        features = FeatureTable(features_path(path))
        fleet = _Fleet(spec, path, pool, journal, features, progress, say, select, until)
        fleet.of = len(colocations(spec))
        fleet.cargo = pool.share(Cargo.of(spec))
        try:
            ended = _work(fleet)
        except KeyboardInterrupt:
            ended = "interrupted"
        return _outcome(fleet, ended)


def _work(fleet: _Fleet) -> str:
    """Measure piece after piece of every machine type; return how it ended."""
    asked = {fleet.ask(name, PIECE_S): (name, PIECE_S) for name in fleet.spec.machine_types}
    fleet.show(f"workers measure {', '.join(fleet.spec.machine_types)}")
    for ticket, answer in fleet.pool.finished():
        name, seconds = asked.pop(ticket)
        if isinstance(answer, Lost):
            fleet.say(f"{name} is not measured any further: {answer.reason}")
            fleet.lost.append(name)
            continue
        some = fleet.take(name, answer)
        if answer.outcome.ended == "done":
            continue
        if answer.late:
            fleet.short = True
            continue
        longer = seconds if some else 2 * seconds  # something takes longer than a piece
        asked[fleet.ask(name, longer)] = (name, longer)
    if fleet.lost:
        return f"lost: {', '.join(fleet.lost)}"
    return "budget" if fleet.short else "done"


def _outcome(fleet: _Fleet, ended: str) -> Outcome:
    journal = fleet.journal

    def total(of: Callable[[Outcome], float]) -> float:
        return sum(map(of, fleet.pieces))

    return Outcome(
        ended=ended,
        runs=int(total(lambda o: o.runs)),
        total_runs=journal.runs.total(),
        colocations=measured(fleet.spec, journal),
        of=fleet.of,
        too_large=sum(fleet.too_large.values()),
        features=fleet.featured,
        flags=dict(sorted(journal.flags.items())),
        rows=journal.rows,
        cut=journal.cut,
        wall_s=total(lambda o: o.wall_s),
        driven_s=total(lambda o: o.driven_s),
        counted_s=total(lambda o: o.counted_s),
        loading_s=total(lambda o: o.loading_s),
    )


def _without_windows(path: Path) -> str:
    """Return a table without its raw windows, which are most of it and not needed to go on."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        writer.writerow(next(rows))
        writer.writerows([*row[:_WINDOWS], "", *row[_WINDOWS + 1 :]] for row in rows)
    return text.getvalue()
