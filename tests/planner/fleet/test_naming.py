"""Labels: valid, told apart, the same each time, and names that are labels stay."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.fleet.naming import DNS_LABEL, LABEL_VALUE, digest, labels
from tests.planner.fleet.names import HOSTILE

NAMES = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=80)), unique=True)


@settings(max_examples=50, deadline=None)
@given(NAMES)
def test_labels_are_valid_and_told_apart(names: list[str]) -> None:
    for longest, valid in ((40, DNS_LABEL), (63, LABEL_VALUE)):
        found = labels(names, longest, valid)
        assert {*found} == {*names}
        assert len({*found.values()}) == len(names)
        assert all(valid.fullmatch(label) and len(label) <= longest for label in found.values())


def test_what_is_valid_stays() -> None:
    assert labels(["bert-mini", "7b"], 40) == {"bert-mini": "bert-mini", "7b": "7b"}
    assert labels(["p4d.24xlarge"], 63, LABEL_VALUE) == {"p4d.24xlarge": "p4d.24xlarge"}
    assert labels(["p4d.24xlarge"], 63) == {"p4d.24xlarge": f"p4d-24xlarge-{digest('p4d.24xlarge')}"}


def test_a_label_does_not_depend_on_the_names_beside_it() -> None:
    assert labels(["Bert", "x"], 40)["Bert"] == labels(["y", "Bert"], 40)["Bert"]


def test_a_name_that_looks_like_the_label_of_another() -> None:
    made = labels(["Bert"], 40)["Bert"]
    found = labels(["Bert", made], 40)
    assert found[made] == made
    assert found["Bert"] != made


def test_names_that_differ_behind_the_cut() -> None:
    found = labels(["a" * 199 + "b", "a" * 199 + "c"], 40)
    assert len({*found.values()}) == 2
    assert {len(label) for label in found.values()} == {40}
