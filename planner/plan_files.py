"""Plan files: JSON documents with the machines as groups, one on a line.

A plan file is complete in itself: beside the groups it says which instance and solver it comes from,
what was proven, and what it means for every model, so that ``planner show`` needs no instance. Where
a file of plans is written by hand, ``version``, ``instance.name`` and ``machines`` are enough.

Objective and bound are decimals with six digits, the exact integers of :class:`~planner.result.Result`
divided by a million, and are read back as such.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from planner.errors import InputError
from planner.evaluate import Evaluation, ModelOutcome, evaluate
from planner.groups import ENTRIES, Groups
from planner.instance import Instance
from planner.integers import PPM
from planner.json_text import stream_json
from planner.plan import Plan
from planner.plan_form import PlanFile
from planner.problems import check_crowd, first_problem
from planner.reading import reason, regular_size
from planner.result import Progress, Result
from planner.writing import write_atomically

LIMIT = 512 * 2**20  # bytes of a plan file
_TOO_LARGE = f"must be at most {LIMIT // 2**20} MB"
_FEW = 100_000
_POINTS = 2_000  # of a history; more than a plot can show


def plan_document(instance: Instance, result: Result) -> dict[str, Any]:
    """Return what a plan file holds; ``machines`` is empty and ``summary`` None if there is no plan."""
    evaluation = None if result.plan is None else evaluate(instance, result.plan)
    gap = result.gap
    promise = instance.slo_probability
    return {
        "version": 1,
        "instance": {"name": instance.name, "sha256": instance.sha256},
        "solver": {"name": result.solver, "version": version()},
        "seed": result.seed,
        "status": result.status.value,
        "stop": result.stop.value,
        "objective": exact(result.objective),
        "bound": exact(result.bound),
        "gap": None if gap is None else round(gap, 9),
        "runtime_s": round(result.seconds, 3),
        **({} if promise is None else {"slo_probability": promise}),
        "note": result.note,
        "reasons": list(result.reasons),
        "history": history_document(result.history),
        "summary": None if evaluation is None else summary_document(evaluation),
        "models": [] if evaluation is None else [outcome_document(m) for m in evaluation.models],
        "machines": [] if result.plan is None else list(_groups(instance, result.plan)),
    }


def exact(ppm: int | None) -> Decimal | None:
    """Return millionths as a decimal with six digits."""
    return None if ppm is None else Decimal(ppm).scaleb(-6)


def history_document(history: Sequence[Progress]) -> list[list[Any]]:
    """Return ``[seconds, objective, bound]`` of each improvement; evenly thinned out where there are many."""
    spread = np.linspace(0, len(history) - 1, _POINTS).round().astype(int)
    kept = range(len(history)) if len(history) <= _POINTS else spread.tolist()
    points = (history[i] for i in kept)
    return [[round(now.seconds, 3), exact(now.objective), exact(now.bound)] for now in points]


def summary_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation in a few numbers."""
    return {
        "replicas": sum(m.replicas for m in evaluation.models),
        "machines_used": evaluation.machines_used,
        "price": exact(evaluation.price),
        "mean_degradation": round(evaluation.mean_degradation / PPM, 9),
        "worst_degradation": round(evaluation.worst_degradation / PPM, 9),
        "misses": evaluation.misses,
    }


def outcome_document(outcome: ModelOutcome) -> dict[str, Any]:
    """Return what a plan means for one model."""
    return {
        "name": outcome.name,
        "replicas": outcome.replicas,
        "mean_degradation": round(outcome.mean_degradation / PPM, 9),
        "worst_degradation": round(outcome.worst_degradation / PPM, 9),
        "latency_ms": None if outcome.latency_ms is None else round(outcome.latency_ms, 6),
        "machine_type": outcome.machine_type,
        "slo_ms": outcome.slo_ms,
        "misses": outcome.misses,
        "hurt_by": [{"model": name, "share": round(share, 6)} for name, share in outcome.hurt_by],
    }


def _groups(instance: Instance, plan: Plan) -> Iterator[dict[str, Any]]:
    names = list(instance.model_index)
    places = [
        {"machine_type": kind} if pinned is None else {"machine_type": kind, "pinned": pinned}
        for kind, pinned in instance.compiled.pool_names
    ]
    start, model, count = plan.start.tolist(), plan.model.tolist(), plan.count.tolist()
    entries = [(names[t], n) for t, n in zip(model, count, strict=True)]
    for g, (pool, machines) in enumerate(zip(plan.pool.tolist(), plan.machines.tolist(), strict=True)):
        yield {**places[pool], "machines": machines, "models": dict(entries[start[g] : start[g + 1]])}


def version() -> str:
    """Return the version of this distribution."""
    try:
        return metadata.version("interference-planner")
    except metadata.PackageNotFoundError:  # a clone that is not installed
        return "unknown"


def render(document: dict[str, Any]) -> str:
    """Return a document as JSON, each field and each entry of a list of mappings on its own line."""
    fields = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines = ",\n  ".join(inline(item) for item in value)
            fields.append(f"{json.dumps(key)}: [\n  {lines}\n ]")
        else:
            fields.append(f"{json.dumps(key)}: {inline(value)}")
    return "{\n " + ",\n ".join(fields) + "\n}\n"


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode  # made once: a plan may have a million groups


def inline(value: Any) -> str:
    """Return a value as JSON in one line, decimals as they are."""
    try:
        return _ENCODE(value)
    except TypeError:  # a decimal is in it
        pass
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {inline(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(map(inline, value)) + "]"


def save_plan(path: str | Path, instance: Instance, result: Result) -> None:
    """Write the plan of ``result`` to a JSON file.

    Raises
    ------
    InputError
        If there is no plan, the suffix is not ``.json``, or the file cannot be written.
    """
    if result.plan is None:
        raise InputError("there is no plan to save", file=str(path))
    save_document(path, plan_document(instance, result))


def save_document(path: str | Path, document: dict[str, Any]) -> None:
    """Write a document of :func:`plan_document`; raises as :func:`save_plan` does."""
    check_plan_path(path)
    data = render(document).encode()
    entries = sum(len(group["models"]) for group in document["machines"])
    if len(data) > LIMIT or entries > ENTRIES:
        rule = f"would be larger than a plan file may be, {LIMIT // 2**20} MB and {ENTRIES:,} entries"
        raise InputError(rule, file=str(path), value=f"{len(data) / 2**20:,.1f} MB and {entries:,} entries")
    write_atomically(path, data)


def check_plan_path(path: str | Path) -> None:
    """Refuse a name that :func:`save_plan` would refuse."""
    if Path(path).suffix.lower() != ".json":
        raise InputError("must be a .json file", file=str(path), value=Path(path).suffix)


def read_plan(path: str | Path, most: int = ENTRIES) -> PlanFile:
    """Return the document in a plan file, without looking at its instance.

    Parameters
    ----------
    path
        A JSON file of at most 512 MB.
    most
        Most groups of machines that it may have.

    Raises
    ------
    InputError
        Naming the file, the field, the rule and the value found.
    """
    check_plan_path(path)
    groups, data = Groups(most), None
    try:
        if regular_size(Path(path)) > LIMIT:
            raise InputError(_TOO_LARGE, value=f"{regular_size(Path(path)) / 2**20:,.1f} MB")
        data = stream_json(Path(path), "machines", groups.append, number=Decimal)
        check_crowd(data, "machines")
        if isinstance(data, dict) and data.get("machines") == []:
            data["machines"] = groups
        return PlanFile.model_validate(data)
    except OSError as error:
        raise InputError(f"cannot be read: {reason(error)}", file=str(path)) from None
    except ValidationError as error:
        raise first_problem(error, data, PlanFile).in_file(str(path)) from None
    except InputError as error:
        raise error.in_file(str(path)) from None


def load_plan(path: str | Path, instance: Instance) -> Plan:
    """Return the plan in a file, in the terms of ``instance``.

    Raises
    ------
    InputError
        If the file is not a plan, is one for another instance, or names what ``instance`` does not have.
    """
    document = read_plan(path, most_groups(instance))
    try:
        return plan_of(document, instance)
    except InputError as error:
        raise error.in_file(str(path)) from None


def promised(document: PlanFile, instance: Instance) -> Instance:
    """Return the instance with the ``slo_probability`` that a plan was made for.

    Raises
    ------
    InputError
        If the instance does not say how uncertain its degradations are.
    """
    if document.slo_probability in (None, instance.slo_probability):
        return instance
    return instance.replace(slo_probability=document.slo_probability)


def most_groups(instance: Instance) -> int:
    """Return how many groups are worth reading: each has a machine, but a wrong plan may have too many."""
    return min(ENTRIES, max(_FEW, sum(m.count for m in instance.machine_types)))


def plan_of(document: PlanFile, instance: Instance) -> Plan:
    """Return the plan in a document, in the terms of ``instance``.

    Raises
    ------
    InputError
        If it is one for another instance, or names what ``instance`` does not have.
    """
    source, instance = document.instance, promised(document, instance)
    if source.sha256 is None and source.name != instance.name:
        raise InputError(
            f"is a plan for another instance, not {instance.name!r}", field="instance.name", value=source.name
        )
    if source.sha256 not in (None, instance.sha256):
        rule = f"is a plan for another instance: this one's SHA-256 is {instance.sha256[:12]}..."
        raise InputError(rule, field="instance.sha256", value=source.sha256)
    return Plan.from_patterns(_patterns(document, instance))


def _patterns(document: PlanFile, instance: Instance) -> Iterator[tuple[int, int, dict[int, int]]]:
    pools = {names: p for p, names in enumerate(instance.compiled.pool_names)}
    index = instance.model_index
    for i, group in enumerate(document.machines):
        machine_type, pinned = group["machine_type"], group.get("pinned")
        pool = pools.get((machine_type, pinned))
        if pool is None and (machine_type, None) not in pools:
            rule = "must name a machine type of the instance"
            raise InputError(rule, field=f"machines[{i}].machine_type", value=machine_type)
        if pool is None:
            rule = f"must name a pinned entry of the instance on {machine_type}"
            raise InputError(rule, field=f"machines[{i}].pinned", value=pinned)
        try:
            yield pool, group["machines"], {index[name]: n for name, n in group["models"].items()}
        except KeyError as error:
            rule = "must name a model of the instance"
            raise InputError(rule, field=f"machines[{i}].models", value=error.args[0]) from None
