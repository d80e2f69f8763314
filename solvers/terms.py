"""The coefficients of an instance in the form that compiled functions take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numba.types import unliteral
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled

Ints = NDArray[np.int64]
_Function = TypeVar("_Function", bound=Callable[..., Any])
_FILES = sorted(Path(__file__).parent.glob("*.py"))
_STAMP = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in _FILES)


def kernel(function: _Function) -> _Function:
    """Compile ``function`` with numba, once per machine; it runs without the interpreter's lock.

    A cached kernel holds those it calls. Numba compiles it again if its own file changes; here, if any file
    of this package does: it would go on with what others were before.

    Where a kernel calls another one with a constant, numba compiles that one once more for each constant;
    here it does not: half of all compilation went into copies that ran no faster.

    Kernels allocate nothing, so reference counting is off: it would touch every array of every tuple
    at every call, which made placement seven times slower.
    """
    return _compiled(function)


def fast_kernel(function: _Function) -> _Function:
    """Compile as :func:`kernel` does, for numbers without NaN and infinity, summed up in whatever order."""
    return _compiled(function, fastmath=True)


def inlined(function: _Function) -> _Function:
    """Compile as :func:`kernel` does, and as part of each kernel that calls it.

    A call hands on six words for each array of a tuple: with twenty arrays, hundreds of nanoseconds.
    """
    return _compiled(function, inline="always")


def _compiled(function: _Function, *, fastmath: bool = False, inline: str = "never") -> _Function:
    compiled = numba.njit(cache=True, nogil=True, fastmath=fastmath, inline=inline, _nrt=False)(function)
    compiled._cache._cache_file._source_stamp = _STAMP
    of_types = compiled.get_call_template

    def for_any_constant(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return of_types(tuple(map(unliteral, args)), {name: unliteral(t) for name, t in kws.items()})

    compiled.get_call_template = for_any_constant
    return cast(_Function, compiled)


# Columns of the arrays below. Numbers that are used together lie together: the loops of local search
# are bound by memory, not by arithmetic.
KIND, SLOTS, PRICE, CAPACITY = 0, 1, 2, 3
ALLOWED, BACKGROUND, BACKGROUND_COST = 0, 1, 2
SLACK, SOFT_SLACK = 0, 1
MISS_PRICE, MOST = 0, 1
BOTH, SUFFER, CAUSE, COST = 0, 1, 2, 3
HERE, DEAR = 0, 1


class Terms(NamedTuple):
    """The coefficients of an instance, int64. K types, P pools, T models, R resources."""

    pool: Ints  # (P, 3 + R): machine type, slots, price, capacity of each resource
    demand: Ints  # (K, T, R)
    place: Ints  # (P, T, 3): whether t is allowed, background degradation, background cost
    limit: Ints  # (K, T, 2): slack if the SLO is hard, slack if it is soft, else UNLIMITED
    model: Ints  # (T, 2): miss_price, max_per_machine
    #: (K, T, T, 1, 3 or 4): cost of t and u beside each other; degradation of t by u, of u by t; cost of t
    pair: Ints
    first: Ints  # (K, T + 1): neighbours of t on type k are near[first[k, t] : first[k, t + 1]]; or (0, 0)
    near: Ints  # (E, 2): a model whose pair cost with t is not 0, and that cost
    moving: Ints  # (P, T, 2): replicas here today, price of each more; or (0, 0, 0) if nothing has a price
    factor: Ints  # (K, S): co-location factor in ppm by number of replicas
    apart: NDArray[np.bool_]  # (T, T)
    watched: bool  # degradations must be tracked: an SLO, or the objective `worst`
    ruled: bool  # some models are kept apart
    worst: bool
    factored: bool  # some factor is not 1


def terms(c: Compiled, *, near: bool = False) -> Terms:
    """Return the coefficients of a compiled instance in the form that kernels take.

    With ``near``, also the pair costs that are not 0 as lists, for fleets that keep ``pull``.
    """
    watched = bool(c.worst or c.factored or (c.slack < UNLIMITED).any())
    both = c.both
    pairs = [both, c.degradation, c.degradation.transpose(0, 2, 1)] if watched else [both]
    first, lists = _neighbours(both) if near else (np.zeros((0, 0), np.int64), np.zeros((0, 2), np.int64))
    moving = np.stack([c.here, c.arrival_price], axis=2)
    result = Terms(
        pool=np.column_stack([c.type_of, c.slots, c.price, c.capacity]),
        demand=np.ascontiguousarray(c.demand),
        place=np.stack([c.allowed.astype(np.int64), c.background, c.background_cost], axis=2),
        limit=np.stack([np.where(c.soft, UNLIMITED, c.slack), np.where(c.soft, c.slack, UNLIMITED)], axis=2),
        model=np.column_stack([c.miss_price, c.max_per_machine]),
        pair=np.stack([*pairs, c.cost] if c.factored else pairs, axis=3) if watched else both[:, :, :, None],
        first=first,
        near=lists,
        moving=moving if c.arrival_price.any() else np.zeros((0, 0, 0), dtype=np.int64),
        factor=c.factor.copy(),
        apart=c.apart.copy(),
        watched=watched,
        ruled=bool(c.apart.any()),
        worst=c.worst,
        factored=c.factored,
    )
    for array in result:
        if isinstance(array, np.ndarray):
            array.setflags(write=False)  # one type for the compiler, whatever the instance
    return result


def _neighbours(both: Ints) -> tuple[Ints, Ints]:
    """Return ``first`` and ``near`` of pair costs of shape (K, T, T)."""
    ends = np.cumsum(np.count_nonzero(both, axis=2)).reshape(both.shape[:2])
    first = np.concatenate([np.concatenate([[0], ends[:-1, -1]])[:, None], ends], axis=1)
    kind, model, other = np.nonzero(both)
    return first, np.column_stack([other, both[kind, model, other]])
