"""Make one measurements table of several, which were measured apart: on other hosts, days or machine types.

Runs are numbered anew, for every table begins with its own first run. Everything else stays as it was
measured; each row says on which host.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.measure.features import FeatureTable, features_path
from planner.measure.journal import HEADER, spec_path, whole_runs
from planner.measure.profile import hosts_path
from planner.measure.row import COLUMNS
from planner.measure.spec import SpecFile, parse_form
from planner.reading import read_document, regular_size
from planner.writing import check_writable, write_together

MOST_BYTES = 2**30  # of all tables together
_MACHINE, _RUN = COLUMNS.index("machine_type"), COLUMNS.index("run")


@dataclass(frozen=True, eq=False)
class Source:
    """What came from one table.

    Attributes
    ----------
    rows, runs
        How many.
    machine_types, hosts
        Names of its machine types; ids of the hosts that it was measured on.
    features, known
        Rows of features that it added; those left out because a table before it has the same.
    checked
        Whether its spec was beside it, so that its machine types and models could be compared.
    cut
        Bytes of an incomplete run at its end, left out.
    """

    table: str
    rows: int
    runs: int
    machine_types: tuple[str, ...]
    hosts: tuple[str, ...]
    features: int
    known: int
    checked: bool
    cut: int

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(eq=False)
class _Merged:
    """What is merged so far."""

    features: FeatureTable
    text: io.StringIO = field(default_factory=io.StringIO)
    runs: int = 0
    seen: dict[int, tuple[int, Path]] = field(default_factory=dict)  # hash of a run -> which table
    hosts: dict[str, Any] = field(default_factory=dict)
    specs: list[dict[str, Any]] = field(default_factory=list)
    meanings: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def take(self, at: int, table: Path) -> Source:
        """Add a table, the one at a place in their order, and what is beside it."""
        data = _read(table)
        rows, runs, used = 0, 0, len(HEADER)
        types: dict[str, None] = {}
        hosts: dict[str, None] = {}
        writer = csv.writer(self.text, lineterminator="\n")
        for run, size in whole_runs(data[used:], table):
            self._check_new(run, at, table)
            writer.writerows([*row[:_RUN], str(self.runs), *row[_RUN + 1 :]] for row in run)
            types[run[0][_MACHINE]] = hosts[run[0][-1]] = None
            rows, runs, used, self.runs = rows + len(run), runs + 1, used + size, self.runs + 1
        self._take_hosts(table)
        checked = self._take_specs(table)
        new, known = self._take_features(table)
        return Source(str(table), rows, runs, (*types,), (*hosts,), new, known, checked, len(data) - used)

    def _check_new(self, run: Sequence[Sequence[str]], at: int, table: Path) -> None:
        """Refuse a run that another table holds too, by whichever number: it would count twice."""
        key = hash(tuple((*row[:_RUN], *row[_RUN + 1 :]) for row in run))
        other, where = self.seen.setdefault(key, (at, table))
        if other != at:
            rule = f"must not hold a run that is in {where} too"
            raise InputError(rule, file=str(table), field="run", value=run[0][_RUN])

    def _take_hosts(self, table: Path) -> None:
        self.hosts |= _mapping(hosts_path(table))

    def _take_specs(self, table: Path) -> bool:
        """Keep the specs of a table, or of those that it was merged from; return whether there are any."""
        path = spec_path(table)
        document = _mapping(path)
        specs = document.get("merged", [document] if document else [])
        if not isinstance(specs, list):
            raise InputError("must be a list", file=str(path), field="merged")
        for spec in specs:
            try:
                form = parse_form(spec.get("spec") if isinstance(spec, dict) else spec)
            except InputError as error:
                raise error.in_file(str(path)) from None
            self._check_meanings(form, table)
        self.specs += [s for s in specs if s not in self.specs]
        return bool(specs)

    def _check_meanings(self, form: SpecFile, table: Path) -> None:
        for kind, name, meaning in _meanings(form):
            before, where = self.meanings.setdefault((kind, name), (meaning, str(table)))
            if before != meaning:
                rule = f"must have the {kind} {name} as it is in {where}: {before}"
                raise InputError(rule, file=str(spec_path(table)), value=meaning)

    def _take_features(self, table: Path) -> tuple[int, int]:
        other = FeatureTable(features_path(table))
        new = sum(self.features.take(other, name) for name in other.machine_types)
        return new, len(other) - new


def merge(tables: Sequence[Path], output: Path) -> list[Source]:
    """Write one table with the rows of several, and its features, hosts and specs beside it.

    Parameters
    ----------
    tables
        At least two that ``planner profile`` wrote, or this function. Where two have features of the same
        model on the same machine type, those of the first stay.
    output
        ``NAME.csv``, a new file. It cannot be continued: it belongs to no single spec.

    Raises
    ------
    InputError
        If a table is none, is damaged or is given twice, two hold the same run, or two specs call
        different machine types or models by one name.
    """
    if len(tables) < 2:
        raise InputError("must be given at least two tables", value=len(tables))
    check_writable(output)
    beside = (output, features_path(output), hosts_path(output), spec_path(output))
    if output.suffix != ".csv" or any(path.exists() for path in beside):
        rule = "must be a new .csv file, without features, hosts or a spec beside it"
        raise InputError(rule, file=str(output))
    if sum(map(_size, tables)) > MOST_BYTES:
        raise InputError(f"must be at most {MOST_BYTES // 2**20:,} MB together", file=str(tables[0]))
    with tempfile.TemporaryDirectory() as folder:
        merged = _Merged(FeatureTable(Path(folder) / "features.csv"))
        sources = [merged.take(at, table) for at, table in enumerate(tables)]
        files: dict[Path, str | bytes] = {
            hosts_path(output): json.dumps(merged.hosts, indent=1) + "\n",
            spec_path(output): json.dumps({"merged": merged.specs}, indent=1) + "\n",
        }
        if len(merged.features):
            files[features_path(output)] = merged.features.path.read_bytes()
        write_together(files | {output: HEADER.decode() + merged.text.getvalue()})
    return sources


def _size(table: Path) -> int:
    try:
        return regular_size(table)
    except InputError as error:
        raise error.in_file(str(table)) from None


def _read(table: Path) -> bytes:
    """Return the bytes of a table that ``planner profile`` could have written."""
    data = table.read_bytes()
    if not data.startswith(HEADER):
        raise InputError("must begin with the columns of a measurements table", file=str(table))
    return data


def _mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a file beside a table; empty where there is none."""
    if not path.exists():
        return {}
    found = read_document(path)
    if not isinstance(found, dict):
        raise InputError("must be a mapping", file=str(path), value=found)
    return found


def _meanings(form: SpecFile) -> Iterator[tuple[str, str, str]]:
    """Yield the kind and name of all that a spec names, and what it is, on whichever cores."""
    for m in form.machine_types:
        given = m.model_dump(exclude={"name", "slots", "memory_gb"}, exclude_none=True)
        yield "machine type", m.name, _words(given | {"cores": len(m.cores)})
    for model in form.models:
        given = {"zoo": model.variant} if model.zoo else {"onnx": Path(model.onnx or "").name}
        yield "model", model.called, _words(given | {"inputs": [i.model_dump() for i in model.inputs]})


def _words(what: dict[str, Any]) -> str:
    """Return what is known of something in one line."""
    return ", ".join(f"{name} {value}" for name, value in sorted(what.items()) if value != [])
