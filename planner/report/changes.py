"""What would give an infeasible instance a plan, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from planner.report.text import count, number, plain

if TYPE_CHECKING:
    from planner.explain.changes import Change
    from planner.explain.relaxing import Family
    from planner.instance import Instance

_LISTED = 8
_KINDS = {
    "machines": "more machines of a type",
    "slo": "a longer SLO of a model",
    "slos": "longer SLOs",
    "replicas": "fewer replicas of a model",
    "rule": "without a rule",
    "pinned": "without pinned replicas",
}


def infeasible(instance: Instance, reasons: Sequence[str], changes: Sequence[Change]) -> Iterator[str]:
    """Yield why an instance has no plan, and what would give it one."""
    yield plain(f"{instance.name}: proven infeasible")
    yield from (plain(f"  {reason}") for reason in reasons)
    helping = [
        c for i, c in enumerate(changes) if c.suffices is not None and not _more_than_needed(i, changes)
    ]
    some = "Each of these changes alone gives it a plan"
    yield some if helping else "No change that was tried gives it a plan alone"
    for kind, same in groupby(helping, key=lambda change: change.kind):
        each = sorted(same, key=lambda change: change.suffices or 0)
        yield from (plain(f"  {_said(instance, change)}") for change in each[:_LISTED])
        if len(each) > _LISTED:
            yield f"  ... and {len(each) - _LISTED} more of this kind ({_KINDS[kind]}); --json lists them"
    hopeless = [
        c for c in changes if _hopeless(c) and not (c.within is not None and _hopeless(changes[c.within]))
    ]
    if hopeless:
        yield plain(f"Not enough alone: {_listed([_tried(c) for c in hopeless])}")
    unknown = [c for c in changes if c.suffices is None and not c.decided]
    if unknown:
        yield plain(f"Not decided in this time: {_listed([_tried(c) for c in unknown])}")


def _hopeless(change: Change) -> bool:
    return change.decided and change.suffices is None


def _more_than_needed(i: int, changes: Sequence[Change]) -> bool:
    """Whether it drops all rules of a kind where one of them is enough."""
    return changes[i].kind == "rule" and any(c.within == i and c.suffices is not None for c in changes)


def _said(instance: Instance, change: Change) -> str:
    size = change.suffices or 0
    text = _amount(instance, change, size)
    if change.most == 1:
        return text
    verb = "is" if change.kind in ("slo", "slos") or change.fails == 1 else "are"
    below = f"{_size(change.kind, change.fails)} {verb} not enough"
    open_ = ("in between" if change.fails else "less") + " was not decided"
    said = [below] if change.fails else []
    said += [] if change.decided else [open_]
    return f"{text} ({', '.join(said)})" if said else text


def _amount(instance: Instance, change: Change, size: int) -> str:
    if change.kind == "machines":
        have = instance.machine_types[instance.type_index[change.what]].count
        return f"{size:,} more {change.what}: {have + size:,} instead of {have:,}"
    if change.kind == "slo":
        slo = instance.models[instance.model_index[change.what]].slo_ms or 0.0
        instead = f"{number(slo + size / 1000)} ms instead of {number(slo)} ms"
        return f"the SLO of {change.what} {_size('slo', size)} longer: {instead}"
    if change.kind == "slos":
        return f"every hard SLO {size:,} % longer"
    if change.kind == "replicas":
        have = instance.models[instance.model_index[change.what]].replicas
        return f"{count(size, 'replica')} of {change.what} less: {have - size:,} instead of {have:,}"
    return _what(change.kind, change.what)


def _size(kind: str, size: int) -> str:
    return f"{number(size / 1000)} ms" if kind == "slo" else f"{size:,} %" if kind == "slos" else f"{size:,}"


def _what(kind: str, what: str) -> str:
    """Return what a family of changes is called."""
    return {
        "machines": f"more {what}",
        "slo": f"a longer SLO of {what}",
        "slos": "longer SLOs",
        "replicas": f"fewer replicas of {what}",
        "rule": f"without {what}",
        "pinned": f"without the replicas that {what} pins",
    }[kind]


def _tried(change: Change) -> str:
    """Return a change that is not known to help, and up to which size that is proven."""
    text, sized = _what(change.kind, change.what), change.kind in ("machines", "slos", "replicas")
    return f"{text} (not even {_size(change.kind, change.fails)})" if change.fails and sized else text


def _listed(items: Sequence[str]) -> str:
    more = f"; and {len(items) - _LISTED} more, --json lists them" if len(items) > _LISTED else ""
    return "; ".join(items[:_LISTED]) + more


def trying(family: Family, left: float) -> str:
    """Return a line that says what is being tried."""
    return plain(f"trying {_what(family.kind, family.what)}: {left:.0f} s left")


def document(instance: Instance, reasons: Sequence[str], changes: Sequence[Change]) -> dict[str, Any]:
    """Return it as plain data; sizes are machines, ms, percent or replicas."""
    return {
        "version": 1,
        "instance": {"name": instance.name, "sha256": instance.sha256},
        "status": "infeasible",
        "reasons": list(reasons),
        "changes": [
            {
                "kind": c.kind,
                "what": c.what or None,
                "suffices": _plain_size(c.kind, c.suffices),
                "not_enough": _plain_size(c.kind, c.fails or None),
                "tried_up_to": _plain_size(c.kind, c.most),
                "decided": c.decided,
            }
            for c in changes
        ],
    }


def _plain_size(kind: str, size: int | None) -> float | None:
    return None if size is None else size / 1000 if kind == "slo" else size
