"""Tables in notebooks are small, well-formed, and show names as text."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np

from planner.instance import Instance, MachineType, Rules
from planner.plan import Plan
from planner.result import Result, Status, Stop
from tests import tiny


class Page(HTMLParser):
    """Takes HTML apart; fails where a tag is closed that is not the last one open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"colspan"}, "colours are the notebook's"
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_an_instance(pair: Instance) -> None:
    instance = tiny.with_model(pair, "a", slo_ms=12.5, miss_price=1.0)
    instance = instance.replace(rules=Rules(keep_apart=(("a", "b"),)))
    texts = Page(instance._repr_html_()).texts
    assert texts[:2] == [
        "pair: 4 replicas of 2 models, 2 machines of 1 type; objective: degradation",
        "keep_apart: 1",
    ]
    assert texts[texts.index("gpu") :][:5] == ["gpu", "2", "2", "memory 16", "3"]
    assert texts[texts.index("a") :][:5] == ["a", "2", "1", "10", "12.5 (soft)"]


def test_names_are_text(pair: Instance) -> None:
    name = "<b onclick='x'>&amp;\x1b"
    instance = pair.replace(name="<script>alert(1)</script>")
    result = Result(Status.NO_PLAN, Stop.FAILED, name, 0, note=name, reasons=(name,))
    for html in (instance._repr_html_(), result._repr_html_()):
        assert Page(html).tags <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
        assert "\x1b" not in html
    assert "<script>alert(1)</script>: 4 replicas" in "".join(Page(instance._repr_html_()).texts)


def test_what_is_long_is_cut(pair: Instance) -> None:
    types = tuple(MachineType(name=f"type-{k}", count=0) for k in range(1_000))
    instance = pair.replace(
        machine_types=(*pair.machine_types, *types),
        degradation=np.concatenate([pair.degradation, np.zeros((1_000, 2, 2))]),
    )
    html = instance._repr_html_()
    assert "... and 989 more" in html
    assert len(html) < 5_000
    many = Plan.from_patterns((0, n + 1, {t: 1 for t in range(n + 1)}) for n in range(50))
    texts = Page(many._repr_html_()).texts
    assert texts[0] == "1,275 machines in 50 groups; plan.to_frame(instance) gives the names"
    assert texts[4:6] == ["0", "50"], "the largest group comes first"
    assert texts[6].endswith("1 x model 5 + 44 more")
    assert texts[-1] == "... and 38 more"


def test_a_result(separate: Plan) -> None:
    result = Result(
        Status.FEASIBLE,
        Stop.TIME_LIMIT,
        "milp",
        0,
        separate,
        objective=1_000_000,
        bound=900_000,
        seconds=1.234,
    )
    texts = Page(result._repr_html_()).texts
    for what, is_ in (
        ("status", "feasible, stopped: time limit"),
        ("solver", "milp, 1.23 s"),
        ("objective", "1"),
        ("bound", "0.9"),
        ("gap", "10 %"),
        ("plan", "2 machines in 2 groups"),
    ):
        assert texts[texts.index(what) + 1] == is_
    nothing = Page(
        Result(Status.NO_PLAN, Stop.FAILED, "milp", 0, reasons=("it is late",))._repr_html_()
    ).texts
    assert nothing[nothing.index("reason") + 1] == "it is late"
    assert nothing[nothing.index("objective") + 1] == "-"
    assert "plan" not in nothing
