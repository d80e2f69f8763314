"""What is said of a plan, a model and machines; all numbers are the checker's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pytest

from planner.errors import InputError
from planner.evaluate import evaluate
from planner.explain import local, machine
from planner.explain.answer import Answer, explain
from planner.explain.parts import victims
from planner.explain.place import PLACES
from planner.explain.variants import View
from planner.instance import Background, InferenceModel, Instance, MachineType, Objective, Pinned, Rules
from planner.integers import PPM
from planner.plan import Plan
from planner.plan_files import render
from planner.plan_form import PlanFile
from planner.report import explain as words
from tests import tiny
from tests.planner.explain.plans import document, looked_at, planned
from tests.tiny import plan, with_model, with_type


def asked(instance: Instance, before: Plan, model: str | None = None, machine: str | None = None) -> Answer:
    return explain(instance, before, document(instance, before), model=model, machine=machine)


def said(instance: Instance, before: Plan, model: str | None = None, machine: str | None = None) -> str:
    """Return an answer in words, tables as their cells."""
    parts = words.show(
        asked(instance, before, model, machine), document(instance, before), "planner explain x p", made=False
    )
    return "\n".join(text_of(parts))


def text_of(parts: Iterable[object]) -> list[str]:
    lines = []
    for part in parts:
        if isinstance(part, str):
            lines.append(part)
        else:
            columns = [[str(c) for c in column.cells] for column in part.columns]  # type: ignore[attr-defined]
            lines += [str(part.title), *(" | ".join(row) for row in zip(*columns, strict=True))]  # type: ignore[attr-defined]
    return lines


def test_a_model_by_hand(pair: Instance, mixed: Plan) -> None:
    """a suffers 0.25 from b, 12.5 ms, and adds 0.3 to it; without it the objective is 1.1 - 0.55."""
    instance = with_model(pair, "a", slo_ms=13.0)
    answer = asked(instance, mixed, model="a").model
    assert answer is not None
    (place,) = answer.places
    assert (answer.replicas, answer.more, place.group.name, place.group.machines) == (2, 0, "gpu#1", 2)
    assert (place.it.degradation, place.it.latency_ms, place.it.room_ms) == (0.25, 12.5, 0.5)
    assert [(s.model, s.replicas, s.degradation) for s in place.it.hurt_by] == [("b", 1, 0.25)]
    assert [(s.model, s.replicas, s.degradation) for s in place.causes] == [("b", 1, 0.3)]
    assert (place.marginal, place.without) == (Decimal("0.55"), Decimal("0.55"))
    (best,) = place.choices.options
    assert (best.target, best.back) == ("gpu#1", "b")
    assert (best.change, best.objective) == (Decimal("-0.1"), Decimal(1))
    text = said(instance, mixed, model="a")
    assert "suffers   25.0 %, by b 25.0 %: 12.5 ms, SLO 13 ms, 0.5 ms left" in text
    assert "causes    b 30.0 %" in text
    assert "costs     0.55: without this replica the objective would be 0.55" in text
    assert "-0.1 | gpu#1 | a | b" in text


def test_a_model_without_an_alternative(pair: Instance, separate: Plan) -> None:
    """The only other plan is mixed, 1.1; one machine more would save 0.2, as both a suffer 0.1."""
    text = said(pair, separate, model="a")
    assert "no single move or exchange of it improves the plan" in text
    assert "causes    a 10.0 %" in text
    assert "-0.2 | one more gpu | nobody | - | machines: gpu: 3 machines used, has 2" in text
    assert "Better but blocked: 1 move (machines 1)" in text
    apart = pair.replace(rules=Rules(keep_apart=(("a", "b"),)))
    assert "it can be nowhere else: 3 moves, all refused or without effect (" in said(
        apart, separate, model="a"
    )


def test_a_machine_by_hand(pair: Instance) -> None:
    """On the full machine a suffers 0.1 + 0.25 and 0.05 from background; the other b is alone."""
    loaded = with_type(pair, "gpu", slots=3, background=Background(degradation={"a": 0.05}))
    instance = with_model(loaded, "b", slo_ms=16.0)
    before = plan(instance, "gpu: 2 a + 1 b", "gpu: 1 b")
    answer = asked(instance, before, machine="gpu#1").machine
    assert answer is not None
    (detail,) = answer.details
    assert detail.cost == Decimal("1.4")  # 2 x 0.4 + 2 x 0.3
    assert [(v.model, v.degradation, v.background) for v in detail.victims] == [
        ("b", 0.6, 0.0),
        ("a", 0.4, 0.05),
    ]
    assert [(r.what, r.has, r.left) for r in detail.room] == [("slots", 3, 0), ("memory", 16, 4)]
    assert (detail.tightest and detail.tightest.model, detail.taking.options[0].model) == ("b", "b")
    text = said(instance, before, machine="gpu#1")
    assert "room left: 0 of 3 slots, 4 of 16 memory" in text
    assert "2 x a | 10.0 % | 25.0 % | 5.0 % | 40.0 % | 14 | - | -" in text
    assert "nearest to its SLO: b, 16 ms, SLO 16 ms, 0 ms left" in text
    assert "nobody can be brought here: 1 move, all refused or without effect (slots 1, slo 1)" in text


def test_what_a_replica_suffers_is_the_sum_of_its_parts() -> None:
    for seed, instance, before in planned(range(30)):
        view = View(instance, before)
        for g in range(len(before)):
            for v in victims(view, g):
                parts = sum(s.degradation for s in v.hurt_by) + v.background
                rounding = 0 if not view.c.factored else len(v.hurt_by) + 1  # each is rounded
                assert abs(parts - v.degradation) * PPM <= rounding / 2 + 1e-6, seed


def test_latencies_are_the_checkers() -> None:
    for seed, instance, before in planned(range(30)):
        view = View(instance, before)
        worst: dict[str, float] = {}
        for g in range(len(before)):
            for v in victims(view, g):
                worst[v.model] = max(worst.get(v.model, 0.0), v.latency_ms)
        assert worst == {m.name: m.latency_ms for m in evaluate(instance, before).models}, seed


def test_every_answer_has_words_and_a_document() -> None:
    for _, instance, before in planned(range(0, 40, 8)):
        form = document(instance, before)
        names = [name for name, _ in form.machines.named(None)]
        everything = [(None, None), (instance.models[0].name, None), (None, names[-1])]
        everything += [(None, kind.name) for kind in instance.machine_types]
        for model, where in everything:
            answer = asked(instance, before, model, where)
            data = json.loads(render(answer.document(instance, form)))
            assert data["instance"]["sha256"] == instance.sha256
            assert text_of(words.show(answer, form, "planner explain x p", made=True))
            if model:
                assert data["model"]["places"][0]["group"]["models"][model]


def test_the_whole_plan(pair: Instance, mixed: Plan) -> None:
    """Both machines cost 0.55; a is at 12.5 ms of 13."""
    instance = with_model(pair, "a", slo_ms=13.0).replace(rules=Rules(min_machines={"a": 2}))
    text = said(instance, mixed)
    assert "gpu#1 | 2 | a + b | 0.55 | 1.1 | 100 %" in text
    assert "a | 2 | 0.55 | 0.55 | gpu#1" in text
    assert "gpu | 2 of 2 | 2 | 0" in text
    assert "a | gpu#1 | 12.5 | 13 | 0.5 | b" in text
    assert "min_machines just met: a" in text
    assert "no single move or exchange improves the plan" in text
    assert "planner explain x p --machine 'gpu#1'" in text
    assert "-0.1 | a | gpu#1 | gpu#1 | a | b" in said(pair, mixed)


def test_misses_and_prices_of_the_whole_plan(pair: Instance, mixed: Plan) -> None:
    """Both b take 13 ms; each miss costs 0.25, each machine 0.01 x 3."""
    instance = with_model(pair, "b", slo_ms=12.9, miss_price=0.25)
    instance = instance.replace(objective=Objective(degradation=0.0, price=0.01))
    answer = asked(instance, mixed).whole
    assert answer is not None
    assert (answer.objective, answer.misses, answer.misses_cost) == (Decimal("0.56"), 2, Decimal("0.5"))
    assert [(p.each, p.share) for p in answer.patterns] == [(Decimal("0.28"), 1.0)]
    assert "2 replicas over a soft SLO, which is 0.5 of the objective" in said(instance, mixed)
    assert "soft SLO 12.9 ms, 0.1 ms over" in said(instance, mixed, model="b")


def test_the_worst_of_a_plan(pair: Instance, separate: Plan) -> None:
    """Two b suffer 0.4, mixed 0.3: an exchange."""
    text = said(pair.replace(objective="worst"), separate)
    assert "Where it is worst" in text
    assert "gpu#2 | 1 | 2 x b | 40.0 %" in text
    assert "-0.1 | b | gpu#2 | gpu#1 | a | a" in text


def test_nothing_costs_anything(pair: Instance, mixed: Plan) -> None:
    free = pair.replace(degradation=0 * pair.degradation)
    assert "nothing costs anything" in said(free, mixed)


def test_too_many_moves_to_try(pair: Instance, mixed: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_MOST_ENTRIES", 1)
    assert "was not tried: there are too many" in said(pair, mixed)


def test_a_crowded_machine_is_looked_at_in_part(
    pair: Instance, mixed: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MOVED", 1)
    assert "(tried: 1 model whose replicas cost most here)" in said(pair, mixed, machine="gpu")


def test_groups_are_called_as_show_numbers_them(pair: Instance) -> None:
    """The largest of a type first; a pinned group has the number of its type."""
    instance = with_type(pair, "gpu", count=4).replace(
        pinned=(Pinned(name="old", machine_type="gpu", models={"a": 1}),)
    )
    instance = with_model(with_model(instance, "a", replicas=3), "b", replicas=4)
    before = plan(instance, "gpu: 1 a + 1 b", "old: 1 a + 1 b", "gpu: 2 b", "gpu: 1 a")
    form = document(instance, before)
    named = dict(form.machines.named(None))
    for name, group in named.items():
        answer = asked(instance, before, machine=name).machine
        assert answer is not None
        assert answer.details[0].group.models == group["models"]
        assert answer.details[0].group.pinned == group.get("pinned")


def test_a_group_that_a_file_lists_twice(pair: Instance, mixed: Plan) -> None:
    once = {"machine_type": "gpu", "machines": 1, "models": {"a": 1, "b": 1}}
    data = {"version": 1, "instance": {"name": "pair"}, "machines": [once, once]}
    form = PlanFile.model_validate(data)
    for name in ("gpu#1", "gpu#2"):
        answer = explain(pair, mixed, form, model=None, machine=name).machine
        assert answer is not None
        assert answer.details[0].group.machines == 2


@pytest.mark.parametrize(
    ("model", "where", "message"),
    [
        ("c", None, "model: must name a model of the instance, found 'c'"),
        (None, "tpu", "must be a machine type or a group of its machines \\(gpu\\), found 'tpu'"),
        (
            None,
            "gpu#3",
            "must be a machine type or a group of its machines \\(gpu#1 to gpu#2\\), found 'gpu#3'",
        ),
        ("a", "gpu#2", "model: must name a model that lives on gpu#2, found 'a'"),
    ],
)
def test_bad_questions(
    pair: Instance, separate: Plan, model: str | None, where: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        asked(pair, separate, model, where)


def test_a_model_on_one_machine_only(pair: Instance) -> None:
    instance = with_type(pair, "gpu", count=4)
    before = plan(instance, "gpu: 1 a + 1 b", "gpu: 1 a", "gpu: 1 b")
    answer = asked(instance, before, model="a", machine="gpu#1").model
    assert answer is not None
    assert [p.group.name for p in answer.places] == ["gpu#1"]


def test_no_more_places_than_said(pair: Instance) -> None:
    """a lives alone on one machine and beside 1 to 5 b on others."""
    instance = with_type(
        with_model(with_model(pair, "a", replicas=6), "b", replicas=15), "gpu", count=6, slots=6
    )
    instance = with_type(instance, "gpu", resources={"memory": 99.0})
    before = plan(instance, "gpu: 1 a", *(f"gpu: 1 a + {n} b" for n in range(1, 6)))
    answer = asked(instance, before, model="a").model
    assert answer is not None
    assert (len(answer.places), answer.more) == (PLACES, 6 - PLACES)
    degradations = [p.it.degradation for p in answer.places]
    assert degradations == sorted(degradations, reverse=True)
    assert "lives on 6 groups of machines; the 4 where it suffers most" in said(instance, before, model="a")


def test_a_machine_type_without_a_replica() -> None:
    instance = tiny.two_types()
    roomy = with_type(instance, "gpu", slots=4)
    assert said(roomy, plan(roomy, "gpu: 2 a + 2 b"), machine="cpu") == "cpu: no machine carries a replica"


def test_options_are_in_order_and_the_blocked_ones_tell_something_new() -> None:
    for _, instance, before in planned(range(0, 30, 3)):
        moves, places = looked_at(instance, before)
        for g in range(len(before)):
            report = machine.group_report(moves, places, g)
            for choices in (report.taking, report.bringing):
                changes = [o.change for o in choices.options]
                assert changes == sorted(changes)
                assert sum(choices.cheaper_by_rule.values()) >= choices.cheaper
                rules = [{v.rule for v in o.blocked_by} for o in choices.blocked]
                assert all(not a <= b for i, a in enumerate(rules) for b in rules[i + 1 :])


def test_of_many_models_on_a_machine_the_worst_aggressors_are_named() -> None:
    """Eight models on one machine: model i suffers i / 100 from each other."""
    names = [f"m{i}" for i in range(8)]
    values = np.repeat(np.arange(8) / 100, 8).reshape(1, 8, 8)
    instance = Instance(
        name="eight",
        machine_types=(MachineType(name="gpu", count=1),),
        models=tuple(InferenceModel(name=name, replicas=1, latency_ms={"gpu": 10.0}) for name in names),
        degradation=values,
    )
    text = said(instance, plan(instance, "gpu: " + " + ".join(f"1 {name}" for name in names)), machine="gpu")
    by = ", ".join(f"m{i} 7.0 %" for i in range(6))
    assert f"m7 | {by} and 1 more | 49.0 % | 14.9 | - | -" in text
