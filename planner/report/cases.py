"""The instances of a report: which results belong to each, what the checker says, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from pathlib import Path

from planner.errors import InputError
from planner.instance import Instance
from planner.integers import PPM
from planner.plan_checks import Checked, check_document
from planner.plan_files import exact, outcome_document
from planner.plan_form import Outcome, PlanFile
from planner.report.forms import Row
from planner.report.inputs import PlanResult, Results, RowResult
from planner.report.text import count as counted
from planner.report.text import number
from planner.result import Status

LEAST_LOADED = "least_loaded"


@dataclass(frozen=True)
class Entry:
    """One solver's outcome on one instance.

    Attributes
    ----------
    solver
        Its name; told apart by a number where several results have the same.
    row
        Its numbers; the checker's where there is a plan file and the instance.
    path
        Where they come from.
    form, checked
        The plan file, and what the checker says of it; None where there is none.
    given
        The plan file was named by itself.
    """

    solver: str
    row: Row
    path: Path
    form: PlanFile | None = None
    checked: Checked | None = None
    given: bool = False

    @property
    def models(self) -> tuple[Outcome, ...]:
        """What the plan means for every model."""
        if self.checked is not None:
            found = self.checked.evaluation.models
            return tuple(Outcome.model_validate(outcome_document(m)) for m in found)
        return () if self.form is None else self.form.models


@dataclass
class Case:
    """One instance and all results for it."""

    label: str
    instance: Instance | None = None
    entries: list[Entry] = field(default_factory=list)

    @property
    def main(self) -> Entry:
        """The result that figures show: the plan that was named by itself, else the best."""
        given = [e for e in self.entries if e.given]
        if given:
            return given[0]
        plans = [e for e in self.entries if e.form is not None] or self.entries

        def worth(e: Entry) -> tuple[bool, Decimal, Decimal]:
            nothing = e.row.objective is None
            return nothing, e.row.objective or Decimal(0), -(e.row.bound or Decimal(0))

        return min(plans, key=worth)

    @property
    def bound(self) -> tuple[Decimal, str] | None:
        """The highest bound that any solver has proven, and its name; it holds for every plan."""
        known = [(e.row.bound, e.solver) for e in self.entries if e.row.bound is not None]
        return max(known, key=lambda item: item[0], default=None)

    @property
    def best(self) -> Decimal | None:
        """The lowest objective of any plan."""
        return min((e.row.objective for e in self.entries if e.row.objective is not None), default=None)

    def gap(self, objective: Decimal | None) -> float | None:
        """Return the gap of an objective to :attr:`bound`."""
        if objective is None or self.bound is None:
            return None
        return float((objective - self.bound[0]) / objective) if objective else 0.0


def cases_of(results: Results, instances: Mapping[Path, Instance]) -> list[Case]:
    """Return the instances that there are results for, each plan checked where its instance is given.

    Raises
    ------
    InputError
        For an instance that no result is for, or a plan that names what its instance does not have.
    """
    known = {path: [i, *_promising(i, results)] for path, i in instances.items()}
    every = [i for variants in known.values() for i in variants]
    cases: dict[str, Case] = {}
    digests: dict[str, str] = {}  # label -> SHA-256 of the instance, where a file says so
    stems = {path.stem: instance for path, instance in instances.items()}
    for found in results.rows:
        if found.plan is not None and found.plan.form.instance.sha256:
            digests[found.row.instance] = found.plan.form.instance.sha256
    for found in results.rows:
        label = found.row.instance
        digest = digests.get(label) or (stems[label].sha256 if label in stems else None)
        _add(_case(cases, digest, label, every), found, given=False)
    for plan in results.plans:
        source, promise = plan.form.instance, plan.form.slo_probability
        label = source.name if promise is None else f"{source.name} ({100 * promise:g} % promised)"
        case = _case(cases, source.sha256, label, every)
        _add(case, RowResult(plan.path, _row(plan), plan), given=True)
    used = {case.instance.sha256 for case in cases.values() if case.instance is not None}
    for path, instance in instances.items():
        if not used & {i.sha256 for i in known[path]}:
            rule = f"is the instance of no result; they are for {_sources(results) or 'none'}"
            value = f"{instance.name}, SHA-256 {instance.sha256[:12]}..."
            raise InputError(rule, file=str(path), value=value)
    return list(cases.values())


def _promising(instance: Instance, results: Results) -> Iterator[Instance]:
    """Yield the instance with each probability that plans were made for, if it says how sure it is."""
    forms = [p.form for p in results.plans] + [r.plan.form for r in results.rows if r.plan is not None]
    if instance.upper is not None:
        for promise in {f.slo_probability for f in forms} - {None, instance.slo_probability}:
            yield instance.replace(slo_probability=promise)


def _sources(results: Results) -> str:
    plans = [*results.plans, *(found.plan for found in results.rows if found.plan is not None)]
    sources = dict.fromkeys((p.form.instance.name, (p.form.instance.sha256 or "none")[:12]) for p in plans)
    names = [f"{name!r} (SHA-256 {digest}...)" for name, digest in list(sources)[:3]]
    labels = dict.fromkeys(repr(found.row.instance) for found in results.rows)
    return ", ".join(names or list(labels)[:3])


def _case(cases: dict[str, Case], digest: str | None, label: str, instances: Sequence[Instance]) -> Case:
    """Return the case of an instance with this digest; without one, of this name."""
    known = next((c for c in cases.values() if digest is None and c.label == label), None)
    if known is not None:
        return known
    if digest is None:
        instance = next((i for i in instances if i.name == label), None)
        digest = instance.sha256 if instance is not None else None
    else:
        instance = next((i for i in instances if i.sha256 == digest), None)
    key = digest or f"name {label}"
    return cases.setdefault(key, Case(label, instance))


def _add(case: Case, found: RowResult, *, given: bool) -> None:
    """Add a result to its case, unless it is there already."""
    form = None if found.plan is None else found.plan.form
    row = found.row
    for i, entry in enumerate(case.entries):
        if form is not None and entry.form is None and _same(entry.row, row):
            case.entries[i] = _entry(case, entry.solver, found, given)  # its plan file came later
            return
        if form is not None and entry.form is not None and _same(entry.row, row) and given:
            case.entries[i] = replace(entry, given=True)
            return
    names = {entry.solver for entry in case.entries}
    solver = next(
        name for n in count(1) if (name := row.solver if n == 1 else f"{row.solver} ({n})") not in names
    )
    case.entries.append(_entry(case, solver, found, given))


def _same(a: Row, b: Row) -> bool:
    return (a.solver, a.objective, a.bound, a.runtime_s) == (b.solver, b.objective, b.bound, b.runtime_s)


def _entry(case: Case, solver: str, found: RowResult, given: bool) -> Entry:
    if found.plan is None:
        return Entry(solver, found.row, found.path)
    form, checked, row = found.plan.form, None, found.row
    if case.instance is not None and form.machines:
        try:
            checked = check_document(form, case.instance)
        except InputError as error:
            raise error.in_file(str(found.plan.path)) from None
        row = _checked_row(row, checked)
    return Entry(solver, row, found.plan.path, form, checked, given)


def _row(plan: PlanResult) -> Row:
    """Return a plan file in the form of a comparison's row."""
    form, summary = plan.form, plan.form.summary
    return Row(
        instance=form.instance.name,
        solver="by hand" if form.solver is None else form.solver.name,
        status=form.status or (Status.FEASIBLE if form.machines else Status.NO_PLAN),
        stop=form.stop,
        objective=form.objective,
        bound=form.bound,
        misses=None if summary is None else summary.misses,
        machines_used=None if summary is None else summary.machines_used,
        price=None if summary is None else summary.price,
        mean_degradation=None if summary is None else summary.mean_degradation,
        worst_degradation=None if summary is None else summary.worst_degradation,
        runtime_s=form.runtime_s or 0.0,
        note=form.note[:10_000],
    )


def _checked_row(row: Row, checked: Checked) -> Row:
    """Return a row with the checker's numbers; an objective that the file claims stays, to be compared."""
    e = checked.evaluation
    found = {
        "objective": exact(e.objective) if row.objective is None else row.objective,
        "misses": e.misses,
        "machines_used": e.machines_used,
        "price": exact(e.price),
        "mean_degradation": e.mean_degradation / PPM,
        "worst_degradation": e.worst_degradation / PPM,
    }
    return row.model_copy(update=found)


def refusals(cases: list[Case]) -> Iterator[str]:
    """Yield, in words, what the checker refuses and what contradicts itself; a page shows none of it."""
    for case in cases:
        for entry in case.entries:
            yield from _refused(entry)
        for entry in case.entries:
            row, best = entry.row, case.best
            where = f"{entry.path}: {case.label}, {entry.solver}"
            if row.bound is not None and best is not None and row.bound > best:
                yield f"{where} claims the bound {row.bound:f}; there is a plan of {best:f}"
            if row.status is Status.INFEASIBLE and best is not None:
                yield f"{where} claims that there is no plan; there is one of {best:f}"
            if row.status is Status.OPTIMAL and row.bound != row.objective:
                yield f"{where} claims 'optimal' without a bound equal to the objective"


def _refused(entry: Entry) -> Iterator[str]:
    """Yield what the checker says against one plan file, and against the row that it stands for."""
    if entry.checked is None:
        return
    found = entry.checked.violations
    if found:
        yield f"{entry.path}: the plan is refused, {counted(len(found), 'violation')}"
        yield from (f"  {violation.rule}: {violation.message}" for violation in found)
    real = exact(entry.checked.evaluation.objective)
    if real is not None and entry.row.objective not in (None, real):
        yield f"{entry.path}: a comparison claims {number(entry.row.objective)} for it, it is {number(real)}"
