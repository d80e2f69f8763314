"""The measurements table while it is being written: append-only, whole runs or nothing.

All rows of a run go into the file in one write that is on the disk when :meth:`Journal.append` returns.
After a crash the file may end in a run that is incomplete; opening it again cuts that run off. The spec
is kept beside the table, with its hash: a table is only ever continued with the spec that began it.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from planner.errors import InputError
from planner.json_text import parse_json
from planner.measure.row import COLUMNS, Row
from planner.reading import reason, regular_size
from planner.writing import check_writable, write_atomically

_LIMIT = 2**31
HEADER = (",".join(COLUMNS) + "\n").encode()
_MACHINE, _VICTIM, _NEIGHBOURS, _RUN = (COLUMNS.index(c) for c in COLUMNS[:4])
_DEGRADATION, _STABLE, _FLAGS = (COLUMNS.index(c) for c in ("degradation", "stable", "flags"))
_SPOILED = {"steal", "foreign", "unstable"}

Colocation = tuple[str, tuple[str, ...]]


class Journal:
    """A table that runs are appended to; a context that holds it for itself.

    Parameters
    ----------
    path
        ``NAME.csv``; ``NAME.spec.json`` beside it holds the spec and its hash.
    sha256, spec
        Of what is measured.
    first_run
        Least number of a new run.

    Attributes
    ----------
    runs
        (machine type, sorted members) -> runs in the table.
    settled
        Likewise, those that need no repeating: neither disturbed nor unstable.
    degradations
        (machine type, victim, neighbours) -> degradation of each run that counts.
    flags
        How many rows carry each flag.
    next_run
        Number of the next run.
    cut
        Bytes of an incomplete run that were cut off when it was opened.

    Raises
    ------
    InputError
        If the table was begun with another spec or by something else, is being written by another
        process, or is damaged elsewhere than at its end.
    """

    def __init__(self, path: Path, sha256: str, spec: Any, first_run: int = 0) -> None:
        self.path = path
        self.runs: Counter[Colocation] = Counter()
        self.settled: Counter[Colocation] = Counter()
        self.degradations: dict[tuple[str, str, tuple[str, ...]], list[float]] = {}
        self.flags: Counter[str] = Counter()
        self.next_run, self.cut = first_run, 0
        if path.suffix != ".csv":
            raise InputError("must be a .csv file", file=str(path))
        check_writable(path)
        with _named(path):
            self._stream: IO[bytes] = path.open("a+b")
        try:
            self._lock()
            self._check_spec(sha256, spec)
            with _named(path):
                self._recover()
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    @property
    def rows(self) -> int:
        """Rows in the table."""
        return sum(len(set(members)) * n for (_, members), n in self.runs.items())

    def append(self, rows: Sequence[Row]) -> None:
        """Add the rows of one run, all of them or none.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        self.append_cells([row.cells() for row in rows])

    def append_cells(self, rows: Sequence[Sequence[str]]) -> None:
        """Add the rows of one run as texts, one for each column."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        with _named(self.path):
            before = self._write(text.getvalue().encode())
            self._count(rows)  # Ctrl-C from here on does not lose the run
            self._sync(before)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError("is being written by another process", file=str(self.path)) from None

    def _check_spec(self, sha256: str, spec: Any) -> None:
        beside = spec_path(self.path)
        if beside.exists():
            known = parse_json(beside.read_text(encoding="utf-8"))
            begun = known.get("sha256") if isinstance(known, dict) else None
            if isinstance(known, dict) and "merged" in known:
                raise InputError("was merged from other tables and cannot be continued", file=str(self.path))
            if begun != sha256:
                rule = f"was begun with another spec, see {beside.name}; give another -o FILE"
                raise InputError(rule, file=str(self.path), value=str(begun)[:12])
        elif regular_size(self.path):
            rule = f"must be a new file, or have {beside.name} beside it to be continued"
            raise InputError(rule, file=str(self.path))
        else:
            write_atomically(beside, json.dumps({"sha256": sha256, "spec": spec}, indent=1) + "\n")

    def _recover(self) -> None:
        """Count what is there and cut off what is incomplete."""
        self._stream.seek(0)
        data = self._stream.read(_LIMIT)
        good = 0
        if data[: len(HEADER)] == HEADER:
            good = len(HEADER)
            for run, size in whole_runs(data[good:], self.path):
                self._count(run)
                good += size
        elif not HEADER.startswith(data):
            raise InputError("must begin with the columns of a measurements table", file=str(self.path))
        self.cut = len(data) - good
        if self.cut:
            self._stream.truncate(good)
            os.fsync(self._stream.fileno())
        if not good:
            self._sync(self._write(HEADER))

    def _count(self, rows: Sequence[Sequence[str]]) -> None:
        first = rows[0]
        members = _members(first)
        self.runs[first[_MACHINE], members] += 1
        spoiled = any(_SPOILED & {*row[_FLAGS].split(";")} for row in rows)
        self.settled[first[_MACHINE], members] += not spoiled
        self.next_run = max(self.next_run, int(first[_RUN]) + 1)
        for row in rows:
            flags = [word for word in row[_FLAGS].split(";") if word]
            self.flags.update(flags)
            if row[_DEGRADATION] and row[_STABLE] == "true" and not _SPOILED & {*flags}:
                key = (row[_MACHINE], row[_VICTIM], tuple(row[_NEIGHBOURS].split("|")))
                self.degradations.setdefault(key, []).append(float(row[_DEGRADATION]))

    def _write(self, data: bytes) -> int:
        """Append in one write if the system takes it in one; return the size before."""
        before = os.fstat(self._stream.fileno()).st_size
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._stream.fileno(), left) :]
        except BaseException:
            self._stream.truncate(before)
            raise
        return before

    def _sync(self, before: int) -> None:
        """Wait until what was appended is on the disk; cut it off again if the disk fails."""
        try:
            os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(before)
            raise


def whole_runs(data: bytes, path: Path) -> Iterator[tuple[list[list[str]], int]]:
    """Yield the rows of each run of a table without its header, and the bytes that they take.

    An incomplete run at its end is left out.

    Raises
    ------
    InputError
        If a run before the last one is not whole.
    """
    lines = data.split(b"\n")[:-1]  # what follows the last line end is incomplete
    at = 0
    while at < len(lines):
        first = _cells(lines[at])
        size = 0 if first is None else len(set(_members(first)))
        run = [_cells(line) for line in lines[at : at + size]]
        whole = [r for r in run if r is not None and first is not None and r[_RUN] == first[_RUN]]
        if not size or len(whole) < size:
            if at + max(size, 1) <= len(lines):  # it is not the last one
                raise InputError("is damaged before its end", file=str(path), field=f"row {at + 1}")
            return
        yield whole, sum(len(line) + 1 for line in lines[at : at + size])
        at += size


def spec_path(table: Path) -> Path:
    """Return where the spec of a table is."""
    return table.with_suffix(".spec.json")


def _members(row: Sequence[str]) -> tuple[str, ...]:
    """Return the sorted models on the machine of a row."""
    others = row[_NEIGHBOURS].split("|") if row[_NEIGHBOURS] else []
    return tuple(sorted((row[_VICTIM], *others)))


def _cells(line: bytes) -> list[str] | None:
    """Return the cells of a line; None if they are not those of a row."""
    try:
        cells = next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    return cells if len(cells) == len(COLUMNS) and cells[_RUN].isdecimal() else None


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot be written: {reason(error)}", file=str(path)) from None
