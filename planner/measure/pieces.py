"""The caller's side of measuring on a fleet: pieces are asked for, taken, and asked for again.

The caller keeps the table. A worker gets all that is known so far and measures one machine type for some
minutes, a *piece*, in a process of its own; it returns the new runs, and the caller appends them and asks
for the next piece. A piece that is lost with its worker is measured again, by another. Numbers of runs are
given out by the caller, a range for each piece, because they say which rows belong together and seed the
arrivals.
"""

from __future__ import annotations

import csv
import io
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.cluster.pool import Lost
from planner.cluster.remote import Place
from planner.errors import InputError
from planner.measure.journal import Journal
from planner.measure.piece import Cargo, Order, Piece, Run
from planner.measure.profile import note_host
from planner.measure.row import COLUMNS
from planner.measure.spec import Spec

if TYPE_CHECKING:
    from planner.cluster.dask_pool import DaskPool

PREFIX = "machine:"  # of the resource that names a worker's machine type
_NUMBERS = 100_000  # of runs, for each piece
_MACHINE, _WINDOWS = COLUMNS.index("machine_type"), COLUMNS.index("windows")


class Pieces(ABC):
    """A session that measures into a journal by pieces of some seconds.

    Attributes
    ----------
    lost
        Machine types that were given up, for their workers were lost again and again.
    short
        Whether time ran out before everything was measured.
    """

    def __init__(
        self,
        spec: Spec,
        journal: Journal,
        pool: DaskPool,
        say: Callable[[str], object],
        seconds: float,
        budget_s: float | None,
    ) -> None:
        self.spec, self.journal, self.lost, self.short = spec, journal, list[str](), False
        self._pool, self._say, self._seconds = pool, say, seconds
        self._until = None if budget_s is None else time.time() + budget_s
        self._cargo = pool.share(Cargo.of(spec))
        self._warned: set[tuple[str, str]] = set()
        self._next_run = 0

    @property
    def left_s(self) -> float | None:
        """Seconds of the budget that are left; None without one."""
        return None if self._until is None else self._until - time.time()

    @abstractmethod
    def job(self, order: Order) -> tuple[Callable[..., Piece], tuple[Any, ...]]:
        """Return what a worker is to call: a function, and what it takes after cargo and order."""

    @abstractmethod
    def show(self, what: str) -> None:
        """Show how far things are, and what happened."""

    def taken(self, machine_type: str, piece: Any) -> bool:
        """Note the rest of a piece whose runs were appended; return whether it had anything else in it."""
        return False

    def measure(self, machine_types: Iterable[str]) -> None:
        """Measure piece after piece of every one of these machine types."""
        asked = {self._ask(name, self._seconds): (name, self._seconds) for name in machine_types}
        self.show(f"workers measure {', '.join(name for name, _ in asked.values())}")
        for ticket, answer in self._pool.finished():
            name, seconds = asked.pop(ticket)
            if isinstance(answer, Lost):
                self._say(f"{name} is not measured any further: {answer.reason}")
                self.lost.append(name)
                continue
            some = self._take(name, answer)
            if answer.done:
                continue
            if answer.late:
                self.short = True
                continue
            longer = seconds if some else 2 * seconds  # something takes longer than a piece
            asked[self._ask(name, longer)] = (name, longer)

    def _ask(self, machine_type: str, seconds: float) -> int:
        """Ask for the next piece of a machine type; return its ticket."""
        first = self._next_run = max(self._next_run, self.journal.next_run)
        self._next_run += _NUMBERS
        order = Order(machine_type, first, seconds, self._until, _without_windows(self.journal.path))
        function, more = self.job(order)
        place = Place(PREFIX + machine_type, self.spec.machine_types[machine_type].cores)
        return self._pool.submit(function, self._cargo, order, *more, place=place)

    def _take(self, machine_type: str, piece: Piece) -> bool:
        """Append the runs of a piece; return whether there was anything in it."""
        note_host(self.journal.path, piece.host)
        for run in piece.runs:
            _check(run, machine_type, piece.host["id"])
            self.journal.append_cells(run)
        if piece.crowded and (piece.node, machine_type) not in self._warned:
            self._warned.add((piece.node, machine_type))
            why = "has no core beside those that are measured; the Dask worker's threads run on them too"
            self._say(f"warning: {piece.node}, as {machine_type}, {why}")
        some = self.taken(machine_type, piece) or bool(piece.runs)
        self.show(f"{len(piece.runs)} runs of {machine_type} came from {piece.node}")
        return some


def check_fleet(machine_types: Iterable[str], pool: DaskPool) -> None:
    """Refuse a machine type that no worker says that it is.

    Raises
    ------
    InputError
        Naming the resource that is missing, and those that there are.
    """
    for name in machine_types:
        if PREFIX + name not in pool.resources:
            rule = f'must have a worker for {name}, started with --resources "{PREFIX}{name}=1"'
            raise InputError(rule, field="cluster", value=", ".join(sorted(pool.resources)) or "no resources")


def _check(run: Run, machine_type: str, host: str) -> None:
    """Refuse a run that is not what was asked for."""
    for row in run:
        if len(row) != len(COLUMNS) or row[_MACHINE] != machine_type or row[-1] != host:
            rule = f"must measure {machine_type} on host {host}, as it says"
            raise InputError(rule, field="cluster", value=row[:4])


def _without_windows(path: Path) -> str:
    """Return a table without its raw windows, which are most of it and not needed to go on."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        writer.writerow(next(rows))
        writer.writerows([*row[:_WINDOWS], "", *row[_WINDOWS + 1 :]] for row in rows)
    return text.getvalue()
