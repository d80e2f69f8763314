"""What is claimed of a move is what the checker says of the plan after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from planner.errors import PlannerError
from planner.evaluate import evaluate, objective_of
from planner.explain.local import improvements
from planner.explain.moves import Candidates, Move, Moves
from planner.explain.variants import NOBODY, RULE_NAMES, UNUSED, View
from planner.instance import Instance, Pinned, Rules
from planner.plan import Plan
from tests.planner.explain.plans import planned
from tests.tiny import plan, two_types, with_model, with_type

Key = tuple[tuple[int, int, tuple[tuple[int, int], ...]], ...]
SEEDS = range(60)
_OF = 7  # so many moves one is checked


def everything(moves: Moves) -> Iterator[Candidates]:
    """Yield all moves, from the places that replicas leave and from those that they come to."""
    for g in range(len(moves.view.plan)):
        yield from (moves.leaving(g, t) for t in moves.view.pattern(g))
        yield moves.arriving(g)


def by_hand(instance: Instance, before: Plan) -> set[Key]:
    """Return all plans that differ by one relocation or exchange, from single machines."""
    c = instance.compiled
    machines = [(p, dict(m)) for p, n, m in before.patterns() for _ in range(n)]
    used = Counter(p for p, _ in machines)
    machines += [(p, {}) for p, n in enumerate(c.machines.tolist()) if used[p] < n]
    found = set()
    for a, (p, mine) in enumerate(machines):
        for b, (q, other) in enumerate(machines):
            for t in mine if a != b else ():
                for u in (None, *(u for u in other if u != t)):
                    after = [m for i, m in enumerate(machines) if i not in (a, b)]
                    after += [(p, stepped(mine, t, u)), (q, stepped(other, u, t))]
                    found.add(key(Plan.from_patterns((p, 1, m) for p, m in after)))
    found.discard(key(before))
    return found


def stepped(pattern: dict[int, int], out: int | None, into: int | None) -> dict[int, int]:
    result = Counter(pattern)
    for t, step in ((out, -1), (into, 1)):
        if t is not None:
            result[t] += step
    return dict(result)


def key(plan: Plan) -> Key:
    return tuple((p, n, tuple(m.items())) for p, n, m in plan.patterns())


def test_every_move_does_what_is_claimed_of_it() -> None:
    refused: Counter[str] = Counter()
    objectives = set()
    for seed, instance, before in planned(SEEDS):
        moves = Moves(View(instance, before))
        began = objective_of(instance, before)
        assert moves.view.objective == began
        objectives.add(str(instance.objective)[:5])
        for candidates in everything(moves):
            for move in map(candidates.move, range(seed % _OF, candidates.model.size, _OF)):
                after = evaluate(instance, moves.made(move))
                assert after.objective == began + move.change, (seed, move)
                assert {v.rule for v in after.violations} == {*move.broken}, (seed, move)
                refused.update(move.broken)
    assert {*refused} == {*RULE_NAMES} - {"replicas"}  # no move loses anybody
    assert {"degra", "price", "worst"} <= objectives


def test_no_move_is_forgotten() -> None:
    for seed, instance, before in planned(range(0, 30, 3)):
        moves = Moves(View(instance, before))
        found = set()
        for candidates in everything(moves):
            for move in map(candidates.move, range(candidates.model.size)):
                if "machines" not in move.broken:
                    found.add(key(moves.made(move)))
        unknown = {after for after in by_hand(instance, before) - found if not _strange(instance, after)}
        assert not unknown, seed


def _strange(instance: Instance, after: Key) -> bool:
    """Whether somebody is where it has no latency, so that nothing can be said of the cost."""
    plan = Plan.from_patterns((p, n, dict(m)) for p, n, m in after)
    return any(v.rule == "permitted" for v in evaluate(instance, plan).violations)


def test_the_marginal_cost_is_the_objective_less_that_without_the_replica() -> None:
    for seed, instance, before in planned(range(20)):
        moves = Moves(View(instance, before))
        patterns = list(before.patterns())
        for e, (g, t) in enumerate(zip(moves.view.look.group.tolist(), before.model.tolist(), strict=True)):
            pool, machines, pattern = patterns[g]
            less = [*patterns, (pool, 1, stepped(pattern, t, None))]
            less[g] = (pool, machines - 1, pattern)
            without = objective_of(instance, Plan.from_patterns(less))
            assert moves.marginal[e] == moves.view.objective - without, seed


def test_a_plan_is_called_locally_optimal_if_no_move_improves_it() -> None:
    improvable = 0
    for seed, instance, before in planned(range(30)):
        moves = Moves(View(instance, before))
        best = min((int(c.change[c.broken == 0].min(initial=0)) for c in everything(moves)), default=0)
        found = improvements(moves, 3)
        assert found is not None
        assert min((move.change for move in found), default=0) == best, seed
        improvable += best < 0
    assert improvable > 8


def test_what_stands_in_the_way_is_said_in_the_checkers_words() -> None:
    for _, instance, before in planned(range(0, 30, 3)):
        moves = Moves(View(instance, before))
        for candidates in everything(moves):
            for move, why in moves.blocked(candidates, 3):
                assert move.change < 0
                assert {v.rule for v in why} == {*move.broken} != set()


def test_an_exchange_by_hand(pair: Instance, mixed: Plan) -> None:
    """From 1.1, mixed, to 1.0: the a of one machine for the b of the other."""
    moves = Moves(View(pair, mixed))
    best = moves.best(moves.leaving(0, 0), 5)
    assert best == [Move(model=0, source=0, target=0, pool=0, back=1, change=-100_000, broken=())]
    assert moves.made(best[0]) == plan(pair, "gpu: 2 a", "gpu: 2 b")
    assert moves.best(moves.leaving(0, 0), 5, below=-100_000) == []


def test_a_move_to_the_unused_machine_by_hand() -> None:
    """All four on the gpu; nobody suffers alone on the cpu."""
    instance = with_type(two_types(), "gpu", slots=4)
    before = plan(instance, "gpu: 2 a + 2 b")
    moves = Moves(View(instance, before))
    # a: 2 x (0.1 + 2 x 0.25) = 1.2, b: 2 x (2 x 0.3 + 0.4) = 2.0, both 3.2;
    # without an a: 2 x 0.25 + 2 x 0.7 = 1.9; without a b: 2 x (0.1 + 0.25) + 2 x 0.3 = 1.3
    assert (moves.view.objective, moves.marginal.tolist()) == (3_200_000, [1_300_000, 1_900_000])
    best = moves.best(moves.leaving(0, 1), 1)[0]
    assert (best.target, best.pool, best.back, best.change) == (UNUSED, 1, NOBODY, -1_900_000)


@pytest.mark.parametrize(
    ("rules", "rule", "message"),
    [
        (Rules(keep_apart=(("a", "b"),)), "keep_apart", "at most one of a, b may be there"),
        (Rules(max_per_machine={"b": 1}), "max_per_machine", "at most 1 x b on a machine"),
        (Rules(min_machines={"a": 2}), "min_machines", "a: spread over 1 machines, at least 2 wanted"),
    ],
)
def test_blocked_by_a_rule(pair: Instance, rules: Rules, rule: str, message: str) -> None:
    """Mixed, 1.1, would like to be separate, 1.0, or with keep_apart the other way at a = 0.01 beside b."""
    instance = pair.replace(rules=rules)
    before = ("gpu: 1 a + 1 b", "gpu: 1 a + 1 b")
    if rule == "keep_apart":
        instance = instance.replace(degradation=pair.degradation[:, :, ::-1].copy())
        before = ("gpu: 2 a", "gpu: 2 b")  # now 2 x 0.25 + 2 x 0.3, and mixed 2 x (0.1 + 0.4)
    moves = Moves(View(instance, plan(instance, *before)))
    found = moves.blocked(moves.leaving(0, 0), 5)
    assert [(v.rule, v.message) for _, why in found for v in why if v.rule == rule][:1] == [(rule, message)]


def test_blocked_by_an_slo_says_by_how_much(pair: Instance) -> None:
    """Two b take 10 ms x 1.4 = 14 ms, and may take 13.5."""
    instance = with_model(pair, "b", slo_ms=13.5)
    moves = Moves(View(instance, plan(instance, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b")))
    ((move, why),) = [b for b in moves.blocked(moves.leaving(0, 0), 5) if "slo" in b[0].broken]
    assert (move.change, move.broken) == (-100_000, ("slo",))
    assert why[0].message == "b at 14 ms, SLO 13.5 ms, over by 0.5 ms"


def test_blocked_by_a_pin(pair: Instance) -> None:
    """The pinned a would be better off with the other one."""
    instance = pair.replace(pinned=(Pinned(name="old", machine_type="gpu", models={"a": 1}),))
    moves = Moves(View(instance, plan(instance, "old: 1 a + 1 b", "gpu: 1 a + 1 b")))
    found = moves.blocked(moves.leaving(1, 0), 5)
    assert ["'old' pins 1 x a there"] in [[v.message for v in why] for _, why in found]


def test_a_false_claim_is_noticed(pair: Instance, mixed: Plan) -> None:
    moves = Moves(View(pair, mixed))
    with pytest.raises(PlannerError, match="taken for what it is not"):
        moves.check(Move(model=0, source=0, target=0, pool=0, back=1, change=-99_999, broken=()))
    with pytest.raises(PlannerError, match="taken for what it is not"):
        moves.why(Move(model=0, source=0, target=0, pool=0, back=1, change=-100_000, broken=("slo",)))
