"""The smallest changes that give an infeasible instance a plan, each decided by solving.

Of each family of changes (:mod:`planner.explain.relaxing`) the largest is decided first; then the border
between sizes that do and sizes that do not is bisected, small ones first. Where there is a plan, it may say
that a much smaller size does too. A size is called the smallest only if the one below was proven not to be
enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from planner.evaluate import verdict
from planner.explain.decide import Decider
from planner.explain.relaxing import Family, families
from planner.instance import Instance
from planner.plan import Plan

_SHARE = 3.0  # of what would be left for each family if all took the same
_LEAST = 1.0  # seconds for a family
_LINEAR = 20  # sizes tried one after the other where a larger one may be worse


@dataclass(frozen=True)
class Change:
    """What is known of a family of changes.

    Attributes
    ----------
    kind, what, most
        As in :class:`planner.explain.relaxing.Family`.
    suffices
        The smallest size that was found to suffice; None if none was.
    fails
        The largest size that was proven not to be enough; 0, of course, is none.
    decided
        Whether nothing is left open: the size above ``fails`` suffices, or nothing does.
    within
        As in :class:`planner.explain.relaxing.Family`: a change that does more than this one.
    """

    kind: str
    what: str
    most: int
    suffices: int | None
    fails: int
    decided: bool
    within: int | None = None


def smallest_changes(
    instance: Instance, decide: Decider, on_next: Callable[[Family, float], None] | None = None
) -> list[Change]:
    """Return for each family of changes the smallest size that gives ``instance`` a plan.

    Parameters
    ----------
    instance
        One that was proven to have no plan.
    on_next
        Called before each family, with it and the seconds left.
    """
    found: list[Change] = []
    everything = families(instance)
    for i, family in enumerate(everything):
        if family.within is not None and _hopeless(found[family.within]):
            found.append(_change(family, family.most, None, decided=True))
            continue
        if on_next is not None:
            on_next(family, decide.left)
        share = max(_SHARE * decide.left / (len(everything) - i), _LEAST)
        found.append(_smallest(family, _Budget(decide, min(share, decide.left))))
    return found


def _hopeless(change: Change) -> bool:
    return change.decided and change.suffices is None


class _Budget:
    """Decisions about a family, until its share of the time is spent."""

    def __init__(self, decide: Decider, seconds: float) -> None:
        self._decide = decide
        self._stop = decide.left - seconds

    def __call__(self, family: Family, size: int) -> Plan | bool | None:
        return self._decide(lambda: family.variant(size), self._decide.left - self._stop)


def _smallest(family: Family, decide: _Budget) -> Change:
    fails, suffices, decided = (_bisected if family.monotone else _one_by_one)(family, decide)
    return _change(family, fails, suffices, decided=decided)


def _change(family: Family, fails: int, suffices: int | None, *, decided: bool) -> Change:
    return Change(family.kind, family.what, family.most, suffices, fails, decided, family.within)


def _bisected(family: Family, decide: _Budget) -> tuple[int, int | None, bool]:
    """Return the largest size that fails, the smallest that suffices, and whether nothing lies between."""
    answer = decide(family, family.most)
    if answer is None or answer is False:
        return (family.most if answer is False else 0), None, answer is False
    fails, suffices = 0, _sufficient(family, family.most, answer)
    while suffices - fails > 1:
        middle = (fails + suffices) // 2
        middle = middle if family.fine else min(2 * fails + 1, middle)
        answer = decide(family, middle)
        if answer is None:
            return fails, suffices, False
        if answer is False:
            fails = middle
        else:
            suffices = _sufficient(family, middle, answer)
    return fails, suffices, True


def _sufficient(family: Family, size: int, plan: Plan | bool) -> int:
    """Return the smallest size of whose variant a plan of some size's variant is a plan too."""
    if family.enough is None or not isinstance(plan, Plan):
        return size
    smaller = min(size, max(family.enough(plan), 1))
    return size if verdict(family.variant(smaller), plan).violations else smaller


def _one_by_one(family: Family, decide: _Budget) -> tuple[int, int | None, bool]:
    for size in range(1, min(family.most, _LINEAR) + 1):
        answer = decide(family, size)
        if answer is None:
            return size - 1, None, False
        if answer is not False:
            return size - 1, size, True
    return min(family.most, _LINEAR), None, family.most <= _LINEAR
