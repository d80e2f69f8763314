"""What pricing works on: a pool at prices, and room to search in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.terms import Ints

NOTHING = -(2**62)


class Market(NamedTuple):
    """What is for sale: C models of a pool at prices, in units of 2^-shift ppm; (C,) int64 where not said."""

    base: int  # gain of the pinned replicas less the price of the machine
    price: int  # of the machine, less what is paid for one that is used
    slots: int  # left beside pinned replicas
    gain: Ints  # of the first replica beside the pinned ones, without bonus
    bonus: Ints  # for having at least one
    both: Ints  # (C, C): at least what t and u cost beside each other
    row: Ints  # (C, slots): sum of the j smallest costs of a pair with t
    most: Ints  # replicas of a model beside pinned ones
    demand: Ints  # (C, R)
    room: Ints  # (R,): beside pinned ones
    toll: Ints  # of one replica
    free: int  # toll of all the room
    apart: NDArray[np.bool_]  # (C, C)
    hurt: Ints  # (C, C): degradation in ppm that t adds to u
    reach: Ints  # degradation by pinned replicas in ppm
    pinned: Ints  # replicas that are there
    background: Ints  # degradation by background load in ppm
    limit: Ints  # hard limit of degradation in ppm
    soft: Ints  # soft limit
    miss: Ints  # what missing it costs each replica
    here: Ints  # replicas that cost nothing to come, pinned ones included
    dear: Ints  # what each more costs
    value: Ints  # what a replica is worth alone: price less the cost of background load
    cost: Ints  # (C, C): of t beside u, in ppm, without factor
    factor: Ints  # (slots + pinned + 1,): in ppm, by number of replicas
    least: Ints  # the same: the least for so many or more
    shift: int
    watched: bool  # some limit may bite
    exact: bool  # the sum of gains is the value: no factor, no soft SLO
    factored: bool
    pin: int  # pinned replicas


class Desk(NamedTuple):
    """Room to work in, for C models, D slots, R resources and N patterns that are found."""

    models: Ints  # (D + 1, C): candidates of each level, by falling gain
    gains: Ints  # (D + 1, C)
    size: Ints  # (D + 1,)
    cursor: Ints  # (D + 1,)
    value: Ints  # (D + 1,)
    toll: Ints  # (D + 1,)
    used: Ints  # (D + 1, R)
    reach: Ints  # (D + 1, C)
    member: Ints  # (D,): what was added at each level
    number: Ints  # (C,): replicas of each model
    top: Ints  # (D + 1,)
    found: Ints  # (N, D): members of patterns, then -1
    worth: Ints  # (N,): their gains
    stop: Ints  # (1,): another thread sets it to end the search


def desk(models: int, slots: int, resources: int, patterns: int) -> Desk:
    """Return room to work in."""

    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, dtype=np.int64)

    return Desk(
        models=zeros(slots + 1, models),
        gains=zeros(slots + 1, models),
        size=zeros(slots + 1),
        cursor=zeros(slots + 1),
        value=zeros(slots + 1),
        toll=zeros(slots + 1),
        used=zeros(slots + 1, resources),
        reach=zeros(slots + 1, models),
        member=zeros(slots),
        number=zeros(models),
        top=zeros(slots + 1),
        found=zeros(patterns, slots),
        worth=zeros(patterns),
        stop=zeros(1),
    )
