"""Features beside a table, and how they become numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.degradation.features import (
    Features,
    features_of,
    features_path,
    make_encoder,
    read_features,
    split_name,
)
from planner.degradation.table import read_table
from planner.errors import InputError

HEAD = "machine_type,model,parameters_mb,pressure_memory\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_features_are_read_by_machine_type_and_model(tmp_path: Path) -> None:
    features = read_features(write(tmp_path / "f.csv", HEAD + "gpu,b,4,\ncpu,a,1,-0.5\n"))
    assert features.columns == ("parameters_mb", "pressure_memory")
    assert (features.machine_types, features.models) == (("cpu", "gpu"), ("a", "b"))
    assert features.values[0, 0].tolist() == [1, -0.5]
    assert features.values[1, 1, 0] == 4
    assert np.isnan(features.values[1, 1, 1])
    assert np.isnan(features.values[0, 1]).all()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("machine_type,x\ncpu,1\n", "model: is a required column"),
        (HEAD + "cpu,a,one,1\n", "row 1, column parameters_mb: must be a number, found 'one'"),
        (HEAD + "cpu,a,-1,1\n", "row 1, column parameters_mb: must be at least 0"),
        (HEAD + "cpu,a,inf,1\n", "row 1, column parameters_mb: must be a finite number"),
        (HEAD + "cpu,,1,1\n", "row 1, column model: must not be empty"),
        (HEAD + "cpu,a,1,1\ncpu,a,2,2\n", "row 2: must not repeat the machine type and model of row 1"),
        (HEAD + "cpu,a,1\n", "row 1: must have 4 values"),
        (
            "machine_type,model," + ",".join(f"f{i}" for i in range(201)) + "\n",
            "must have at most 200 features",
        ),
    ],
)
def test_each_rule_bites(tmp_path: Path, text: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        read_features(write(tmp_path / "f.csv", text))
    assert str(caught.value).startswith(f"{tmp_path / 'f.csv'}: {rule}")


def test_solo_latency_comes_from_the_table_where_the_features_lack_it(tmp_path: Path) -> None:
    table = "machine_type,victim,aggressor,degradation,solo_steps_per_s\ncpu,a,b,0.1,100\ncpu,a,a,0.1,50\n"
    path = write(tmp_path / "t.csv", table)
    alone = features_of(read_table(path))
    assert alone.columns == ("solo_mean_ms",)
    assert alone.values[0, 0, 0] == 15  # the median of 10 ms and 20 ms
    assert np.isnan(alone.values[0, 1, 0])
    write(features_path(path), HEAD + "gpu,c,4,0\n")
    both = features_of(read_table(path))
    assert both.columns == ("parameters_mb", "pressure_memory", "solo_mean_ms")
    assert both.models == ("a", "b", "c")
    write(features_path(path), "machine_type,model,solo_mean_ms\ncpu,a,3\n")
    assert features_of(read_table(path)).values.tolist() == [[[3.0]]]


def test_only_one_convention_is_read_from_names() -> None:
    assert split_name("ResNet-50 batch=64") == ("ResNet-50", 6.0)
    assert split_name("resnet50@8") == ("resnet50", 3.0)
    assert split_name("A3C batch=0") == ("A3C", None)
    assert split_name("bert_b8") == ("bert_b8", None)
    assert split_name("x batch=1e3") == ("x batch=1e3", None)


def test_a_family_needs_two_models() -> None:
    models = ["LM batch=2", "LM batch=8", "GPT batch=4"]
    encoder = make_encoder(Features((), (), (), np.zeros((0, 0, 0))), ["cpu"], models)
    assert [(f.name, f.centre) for f in encoder.families] == [("LM", 2.0)]
    encoded, known = encoder.encode(
        Features((), (), (), np.zeros((0, 0, 0))), ["cpu"], [*models, "LM batch=32"]
    )
    # family, (log2 batch - 2) / 2, and the same for the family alone
    assert encoded[0].tolist() == [[1, -0.5, -0.5], [1, 0.5, 0.5], [0, 0, 0], [1, 1.5, 1.5]]
    assert known.tolist() == [[True, True, False, True]]


def test_columns_are_logs_with_mean_0_and_spread_1_and_missing_is_the_mean() -> None:
    values = np.array([[[1.0, 5.0, 0.1], [np.e**2, 5.0, 0.3], [np.nan, 5.0, np.nan]]])
    features = Features(("size_mb", "constant", "sensitivity_x"), ("cpu",), ("a", "b", "c"), values)
    encoder = make_encoder(features, ["cpu"], ["a", "b", "c"])
    assert [(c.name, c.log) for c in encoder.columns] == [("size_mb", True), ("sensitivity_x", False)]
    encoded, known = encoder.encode(features, ["cpu"], ["a", "b", "c"])
    np.testing.assert_allclose(encoded[0], [[-1, -1], [1, 1], [0, 0]], atol=1e-6)
    assert known.tolist() == [[True, True, False]]


def test_what_lies_far_outside_is_not_extrapolated() -> None:
    features = Features(("pressure_x",), ("cpu",), ("a", "b", "c"), np.array([[[0.0], [2.0], [1e9]]]))
    encoder = make_encoder(features, ["cpu"], ["a", "b"])
    encoded, _ = encoder.encode(features, ["cpu"], ["c"])
    assert encoded[0, 0, 0] == 4
