"""The answer first: objective, gap, SLOs, machines and price of each instance's plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from planner.instance import Objective
from planner.report.blocks import Answer, Cell, Fact, Table, Tone
from planner.report.cases import LEAST_LOADED, Case, Entry
from planner.report.text import count, number, percent, promised, slowdown
from planner.result import Status

_OVERVIEW = 100
_REMARKS = 12
_WORTH_SAYING = 0.2  # a gap above says little of the plan
_STATUS: dict[Status, tuple[str, Tone]] = {
    Status.OPTIMAL: ("proven optimal", "good"),
    Status.FEASIBLE: ("feasible", ""),
    Status.INFEASIBLE: ("infeasible", "bad"),
    Status.NO_PLAN: ("no plan", "bad"),
}


def answer(case: Case) -> Answer:
    """Return the answer for one instance."""
    entry = case.main
    words, tone = _status(case, entry)
    reasons = () if entry.form is None else entry.form.reasons
    note = [f"{entry.row.solver}: {entry.row.note}"] if entry.row.note else []
    promise = None if entry.form is None else entry.form.slo_probability
    remarks = [*note, *([] if promise is None else [promised(promise)]), *reasons[:_REMARKS]]
    if len(reasons) > _REMARKS:
        remarks.append(f"... and {count(len(reasons) - _REMARKS, 'more reason')}")
    return Answer(
        label=case.label,
        headline=_headline(case, entry),
        status=words,
        tone=tone,
        facts=list(_facts(case, entry)),
        checked=entry.checked is not None,
        proof=_proof(case, entry),
        remarks=remarks,
    )


def _status(case: Case, entry: Entry) -> tuple[str, Tone]:
    objective, bound = entry.row.objective, case.bound
    if objective is not None and bound is not None and bound[0] == objective:
        return _STATUS[Status.OPTIMAL]
    gap = case.gap(objective)
    if gap is not None and gap < _WORTH_SAYING:
        return f"within {percent(gap)} of optimal", ""
    return _STATUS[entry.row.status]


def _proof(case: Case, entry: Entry) -> str:
    if entry.checked is not None and case.instance is not None:
        return f"checked against the instance, SHA-256 {case.instance.sha256[:12]}"
    return "not checked against the instance"


def _headline(case: Case, entry: Entry) -> str:
    row = entry.row
    if row.status is Status.INFEASIBLE:
        return "No plan can exist."
    if row.status is Status.NO_PLAN:
        return "No plan was found, and no proof that there is none."
    replicas = sum(m.replicas for m in entry.models)
    models = sum(1 for m in entry.models if m.replicas)
    machines = "" if row.machines_used is None else f" on {count(row.machines_used, 'machine')}"
    begins = f"{count(replicas, 'replica')} of {count(models, 'model')}{machines}. " if replicas else ""
    if row.objective is None:
        return f"{begins}The file states no objective; with the instance it is worked out."
    gap = case.gap(row.objective)
    if gap is None:
        return f"{begins}How much better a plan could be is not known: there is no bound."
    return begins + ("No plan is better." if gap == 0 else f"No plan is more than {percent(gap)} better.")


def _facts(case: Case, entry: Entry) -> Iterator[Fact]:
    row = entry.row
    if row.objective is not None:
        data = {"objective": f"{row.objective:f}"}
        yield Fact("Objective", number(row.objective), _aim(case), data=data)
    yield from _gap(case, entry)
    if row.misses is not None:
        limited = sum(1 for m in entry.models if m.replicas and m.slo_ms)
        data = {"misses": str(row.misses)}
        if row.misses:
            hit = sum(1 for m in entry.models if m.misses)
            of = f" of {count(hit, 'model')}" if hit else ""
            beside = f"{count(row.misses, 'replica')}{of} over the SLO"
            yield Fact("SLOs", f"{row.misses:,} missed", beside, "bad", data)
        else:
            beside = f"{count(limited, 'model')} with an SLO" if entry.models else ""
            yield Fact("SLOs", "all met" if limited or not entry.models else "none set", beside, "good", data)
    if row.machines_used is not None:
        there = None if case.instance is None else sum(m.count for m in case.instance.machine_types)
        of = "" if there is None else f"of {there:,}, "
        price = {"price": f"{row.price:f}"} if row.price is not None else {}
        beside = f"{of}price {number(row.price)}"
        yield Fact(
            "Machines used",
            f"{row.machines_used:,}",
            beside,
            data={"machines": str(row.machines_used)} | price,
        )
    if row.mean_degradation is not None and row.worst_degradation is not None:
        beside = f"mean over replicas, worst {slowdown(row.worst_degradation)}"
        data = {"mean": f"{row.mean_degradation:.9f}", "worst": f"{row.worst_degradation:.9f}"}
        yield Fact("Degradation", slowdown(row.mean_degradation), beside, data=data)
    yield from _against(case, entry)


def _aim(case: Case) -> str:
    asked = None if case.instance is None else case.instance.objective
    if isinstance(asked, Objective):
        return f"{number(asked.degradation)} × degradation + {number(asked.price)} × price"
    words = {
        "degradation": "total degradation, weighted",
        "price": "price of machines used",
        "worst": "worst degradation of any replica",
    }
    return words.get(asked or "", "as the instance defines it")


def _gap(case: Case, entry: Entry) -> Iterator[Fact]:
    if case.bound is None:
        if entry.row.objective is not None:
            yield Fact("Proven gap", "unknown", "no bound was proven", "muted")
        return
    bound, solver = case.bound
    gap = case.gap(entry.row.objective)
    data = {"bound": f"{bound:f}"} | ({} if gap is None else {"gap": f"{gap:.9f}"})
    beside = f"bound {number(bound)}, proven by {solver}"
    yield Fact("Proven gap", percent(gap), beside, "good" if gap == 0 else "", data)


def least_loaded_ratio(case: Case, objective: Decimal | None) -> float | None:
    """Return an objective over that of ``least_loaded``; None where one of them is missing or it is 0."""
    blind = next((e.row.objective for e in case.entries if e.solver == LEAST_LOADED), None)
    return float(objective / blind) if objective is not None and blind else None


def _against(case: Case, entry: Entry) -> Iterator[Fact]:
    blind = next((e for e in case.entries if e.solver == LEAST_LOADED), None)
    if blind is None or entry is blind or entry.row.objective is None:
        return
    if blind.row.objective is None:
        yield Fact("Against least-loaded", "only here", "least_loaded finds no plan", "good")
        return
    ratio = least_loaded_ratio(case, entry.row.objective)
    if ratio is not None:
        tone: Tone = "good" if ratio < 1 else ""
        beside = f"of its objective, {number(blind.row.objective)}"
        yield Fact("Against least-loaded", f"{100 * ratio:.1f} %", beside, tone, {"ratio": f"{ratio:.9f}"})


def overview(cases: Sequence[Case]) -> Table:
    """Return the answers for several instances as one table."""
    columns = (
        "instance",
        "status",
        "objective",
        "gap",
        "SLO misses",
        "machines",
        "price",
        "of least-loaded",
        "checked",
    )
    left_out = len(cases) - _OVERVIEW
    note = f"{count(left_out, 'more instance')} not shown." if left_out > 0 else ""
    return Table(columns, [_overview_row(case) for case in cases[:_OVERVIEW]], left=2, note=note)


def _overview_row(case: Case) -> list[Cell]:
    entry = case.main
    row = entry.row
    words, tone = _status(case, entry)
    objective = {} if row.objective is None else {"objective": f"{row.objective:f}"}
    ratio = least_loaded_ratio(case, row.objective)
    return [
        Cell(case.label, name=True, strong=True),
        Cell(words, tone),
        Cell(number(row.objective), data=objective),
        Cell(percent(case.gap(row.objective))),
        Cell("-" if row.misses is None else f"{row.misses:,}", "bad" if row.misses else ""),
        Cell("-" if row.machines_used is None else f"{row.machines_used:,}"),
        Cell(number(row.price)),
        Cell("-" if ratio is None else f"{100 * ratio:.1f} %"),
        Cell("yes" if entry.checked is not None else "no", "good" if entry.checked is not None else "muted"),
    ]
