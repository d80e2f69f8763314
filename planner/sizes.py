"""How large an instance may be, so that its arrays fit the memory of a small machine."""

from __future__ import annotations

from planner.errors import InputError

_DEGRADATIONS = 25_000_000  # 200 MB for each array of them
_DEMANDS = 10_000_000


def check_sizes(types: int, models: int, pools: int = 0, resources: int = 0) -> None:
    """Refuse an instance of K machine types, T models, P pools and R resources that is too large.

    Raises
    ------
    InputError
        If K x T x T is above 25 million, or (K + P) x T x R above 10 million.
    """
    if types * models * models > _DEGRADATIONS:
        rule = f"must have at most {_DEGRADATIONS:,} degradations, machine types x models x models"
        raise InputError(rule, field="models", value=f"{types:,} x {models:,} x {models:,}")
    if (types + pools) * models * resources > _DEMANDS:
        what = "machine types and pinned entries x models x resources"
        rule = f"must have at most {_DEMANDS:,} demands, {what}"
        raise InputError(rule, field="models", value=f"{types + pools:,} x {models:,} x {resources:,}")
