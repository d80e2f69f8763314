"""What a clerk does: functions of plain data that read what was uploaded or make what is looked at."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.files import instance_of, load_instance, save_instance
from planner.instance import Instance
from planner.integers import PPM
from planner.json_text import parse_json
from planner.plan_files import exact, plan_document, plan_of, read_plan, render
from planner.plan_form import PlanFile
from planner.reading import read_document
from planner.result import Result, Status
from planner.serve.forms import Problem
from planner.serve.jobs import Outcome, State, StoredInstance
from planner.serve.lines import line_of

_INSTANCE, _TABLE = "instance.json", "instance.degradation.parquet"
_EXPLAINING, _DECIDING = 20.0, 5.0
_TABLED = 60  # models: as many as make an instance with a table


def ready() -> None:
    """Validate something once, so that no upload's time is spent on importing what validates."""
    from planner.generate import generate

    large = stored(generate(models=_TABLED, replicas=_TABLED, types=1))
    assert large.table is not None
    accept(large.document, ".json", large.table, ".parquet", None)


def accept(
    data: bytes, suffix: str, table: bytes | None, table_suffix: str, objective: Any
) -> StoredInstance | Problem:
    """Check what was uploaded; return the instance, or what is wrong.

    Parameters
    ----------
    data, suffix
        A document; ``.json``, ``.yaml`` or ``.yml``.
    table, table_suffix
        The degradation table that it names; ``.csv`` or ``.parquet``.
    objective
        In place of the document's own, if not None.
    """
    with _folder() as folder:
        path = folder / f"instance{suffix}"
        path.write_bytes(data)
        try:
            document = read_document(path)
            if objective is not None and isinstance(document, dict):
                document["objective"] = objective
            if table is not None:
                (folder / f"table{table_suffix}").write_bytes(table)
            _name_table(document, None if table is None else f"table{table_suffix}")
            return stored(instance_of(document, folder))
        except InputError as error:
            at_table = error.file.endswith(f"table{table_suffix}") and table is not None
            text = "" if at_table else data.decode("utf-8-sig", errors="replace")
            named = error.in_file("table" if at_table else "instance")  # not by a path on this machine
            return Problem.of(named, line_of(text, error.field))


def _name_table(document: Any, name: str | None) -> None:
    """Have a document name the table that was uploaded with it."""
    degradation = document.get("degradation") if isinstance(document, dict) else None
    named = degradation.get("table") if isinstance(degradation, dict) else None
    if named is not None and name is None:
        raise InputError("must be uploaded with the instance", field="degradation.table", value=named)
    if name is not None and named is None:
        raise InputError("must name the table that was uploaded", field="degradation.table")
    if isinstance(degradation, dict) and name is not None:
        degradation["table"] = name


def stored(instance: Instance) -> StoredInstance:
    """Return an instance as the store keeps it."""
    with _folder() as folder:
        save_instance(instance, folder / _INSTANCE)
        table = folder / _TABLE
        return StoredInstance(
            instance.sha256,
            instance.name,
            {
                "models": len(instance.models),
                "replicas": sum(m.replicas for m in instance.models),
                "machine_types": len(instance.machine_types),
                "machines": sum(m.count for m in instance.machine_types),
                "objective": json.loads((folder / _INSTANCE).read_text())["objective"],
            },
            (folder / _INSTANCE).read_bytes(),
            table.read_bytes() if table.exists() else None,
        )


def restored(found: StoredInstance) -> Instance:
    """Return the instance that was stored."""
    with _folder() as folder:
        return load_instance(_written(found, folder))


def report(found: StoredInstance, documents: Mapping[str, bytes]) -> str:
    """Return a page on plan documents of one instance, by what they are to be called."""
    from planner.plan_files import version
    from planner.report import page
    from planner.report.cases import cases_of, refusals
    from planner.report.inputs import read_results

    with _folder() as folder, contextlib.chdir(folder):  # the page names its sources
        path, plans = _written(found, Path()), []
        for name, document in documents.items():
            plans.append(Path(f"{name}.json"))
            plans[-1].write_bytes(document)
        results = read_results(plans)
        cases = cases_of(results, {path: load_instance(path)})
        if refused := list(refusals(cases)):
            raise InputError(f"is refused: {refused[0]}", field="plan")
        return page.render(page.page_of(cases, results, version()))


def explain(found: StoredInstance, document: bytes) -> dict[str, Any]:
    """Return why a plan is as it is; where none can be, the smallest changes that allow one."""
    from planner.explain.answer import explain as answer

    instance, form = restored(found), _form(document)
    if form.status is Status.INFEASIBLE:
        return _changes(instance, form.reasons)
    if not form.machines:
        raise InputError("has no plan to explain", field="job")
    made: dict[str, Any] = answer(instance, plan_of(form, instance), form, model=None, machine=None).document(
        instance, form
    )
    return _plain(made)


def _changes(instance: Instance, reasons: Sequence[str]) -> dict[str, Any]:
    from planner.explain.changes import smallest_changes
    from planner.explain.decide import Decider
    from planner.report import changes as words
    from solvers import solve

    found = smallest_changes(instance, Decider(solve, _EXPLAINING, _DECIDING), lambda *_: None)
    return _plain(words.document(instance, reasons, found))


def replan(
    found: StoredInstance,
    today: bytes,
    max_moves: int | None,
    move_cost: float | None,
    time_limit: float,
    seed: int,
) -> Outcome:
    """Change a plan as little as possible."""
    from planner.current import current
    from planner.move_order import order
    from planner.report.replan import Answer
    from solvers.replan import replan as replanned

    instance = restored(found)
    now = current(_form(today), instance)
    price = None if move_cost is None else round(move_cost * PPM)
    answer = replanned(now, max_moves=max_moves, move_price=price, time_limit=time_limit, seed=seed)
    way = None if answer.best is None else order(now, answer.best.became)
    whole = Answer(now, answer, way, max_moves, price)
    said, result = render(whole.document()).encode(), whole.result(seed)
    if result is None:
        status = Status.INFEASIBLE if answer.infeasible else Status.NO_PLAN
        return Outcome(State.DONE, status, answer.stop, note="; ".join(answer.reasons), answer=said)
    return dataclasses.replace(outcome_of(instance, result), answer=said)


def outcome_of(instance: Instance, result: Result, state: State = State.DONE) -> Outcome:
    """Return what a result means for a job."""
    return Outcome(
        state,
        result.status,
        result.stop,
        None if result.objective is None else str(exact(result.objective)),
        None if result.bound is None else str(exact(result.bound)),
        result.gap,
        result.seconds or None,
        "; ".join([*result.reasons, *([result.note] if result.note else [])])[:4000],
        render(plan_document(instance, result)).encode(),
    )


def _form(document: bytes) -> PlanFile:
    with _folder() as folder:
        (folder / "plan.json").write_bytes(document)
        return read_plan(folder / "plan.json")


def _written(found: StoredInstance, folder: Path) -> Path:
    (folder / _INSTANCE).write_bytes(found.document)
    if found.table is not None:
        (folder / _TABLE).write_bytes(found.table)
    return folder / _INSTANCE


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="planner-") as name:
        yield Path(name)


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document in which decimals are numbers."""
    plain: dict[str, Any] = parse_json(render(document))
    return plain
