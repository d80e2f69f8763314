"""The textbook formulations solve the same problem: a comparison with wrong ones would be worth nothing."""

from __future__ import annotations

import pytest

from benchmarks.peers import cpsat_pairwise, milp_pairwise
from benchmarks.peers.answer import Peer, answer, check_supported
from planner.errors import InputError
from planner.instance import Instance
from tests import oracle
from tests.random_instances import random_instance
from tests.solvers import bites
from tests.tiny import pair, with_type

PEERS = {"cpsat_pairwise": cpsat_pairwise.solve, "milp_pairwise": milp_pairwise.solve}
every_peer = pytest.mark.parametrize("name", PEERS)


def stated(seed: int) -> Instance | None:
    """Return a random instance without what the peers do not state."""
    instance = random_instance(seed)
    instance = instance.replace(
        objective="degradation",
        pinned=(),
        models=tuple(m.model_copy(update={"miss_price": None}) for m in instance.models),
    )
    try:
        check_supported(instance)
    except InputError:
        return None
    return instance


@every_peer
def test_the_optimum_is_that_of_brute_force(name: str) -> None:
    peer: Peer = PEERS[name]
    statuses = []
    for instance in filter(None, map(stated, range(60))):
        found, expected = answer(peer, name, instance, 30.0), oracle.solve(instance)
        assert found.note == ""
        assert found.objective == expected.objective
        assert found.status == ("optimal" if expected.feasible else "infeasible")
        statuses.append(found.status)
    assert len(statuses) > 25
    assert {*statuses} == {"optimal", "infeasible"}


@every_peer
@pytest.mark.parametrize(
    "case",
    [
        bites.slots(),
        bites.resources(),
        bites.slo(),
        bites.keep_apart(),
        bites.max_per_machine(),
        bites.min_machines(),
        bites.permitted(),
    ],
)
def test_rules_are_kept(name: str, case: bites.Case) -> None:
    found = answer(PEERS[name], name, case.instance, 30.0)
    assert (found.status, found.objective) == ("optimal", oracle.solve(case.instance).objective)
    assert found.bound == found.objective


@pytest.mark.parametrize(
    ("field", "instance"),
    [
        ("objective", bites.price()),
        ("objective", bites.worst()),
        ("pinned", bites.pinned().instance),
        ("miss_price", bites.miss()),
        ("colocation_factor", with_type(pair(), "gpu", colocation_factor={2: 1.5})),
    ],
)
def test_what_they_do_not_state_is_refused(field: str, instance: Instance) -> None:
    with pytest.raises(InputError, match=field):
        check_supported(instance)
