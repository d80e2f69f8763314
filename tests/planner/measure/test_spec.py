"""Profile specs: what is accepted, and that each refusal says where and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.errors import InputError
from planner.measure.inputs import DTYPES
from planner.measure.spec import EXAMPLE, InputForm, load_spec, parse_spec
from planner.reading import parse_yaml


def document() -> dict[str, Any]:
    found: dict[str, Any] = parse_yaml(EXAMPLE)
    return found


def test_the_example_is_a_spec(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"x")
    (tmp_path / "spec.yaml").write_text(EXAMPLE)
    spec = load_spec(tmp_path / "spec.yaml")
    assert list(spec.subjects) == ["resnet18", "bert_mini@8", "mine"]
    assert spec.subjects["bert_mini@8"].inputs[0].shape == (8, 64)
    assert spec.form.sets == {"2": "all", "3": 20}


def test_the_hash_is_of_content_and_of_the_users_files(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"x")
    one = parse_spec(document(), tmp_path).sha256
    assert parse_spec({**reversed_items(document())}, tmp_path).sha256 == one
    (tmp_path / "mine.onnx").write_bytes(b"y")
    assert parse_spec(document(), tmp_path).sha256 != one


def reversed_items(data: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(data.items()))


def test_every_dtype_can_be_asked_for() -> None:
    annotation: Any = InputForm.model_fields["dtype"].annotation
    assert set(annotation.__args__) == {*DTYPES}


MINE = {"name": "x", "shape": [1, 16]}


@pytest.mark.parametrize(
    ("path", "value", "field", "rule"),
    [
        (("models", 0, "zoo"), "resnet19", "models[0].zoo", "must be one of mlp_small"),
        (("models", 0, "zoo"), "vgg@2000", "models[0].zoo", "batch of at most"),
        (("models", 1, "batch"), 8, "models[1].batch", "NAME@BATCH"),
        (("models", 0, "onnx"), "a.onnx", "models[0]", "exactly one of"),
        (("models", 0, "inputs"), [MINE], "models[0].inputs", "must not be given"),
        (("models", 1), {"zoo": "resnet18"}, "models[1].name", "unique"),
        (("models", 2, "onnx"), "none.onnx", "models[2].onnx", "cannot be read"),
        (("models", 2, "inputs"), [], "models[2].inputs", "required"),
        (("models", 2, "inputs"), [MINE, MINE], "models[2].inputs[1].name", "unique"),
        (("models", 2, "inputs", 0, "high"), 0.0, "models[2].inputs[0].high", "greater than low"),
        (("models", 2, "inputs", 0, "high"), 1e39, "models[2].inputs[0].low", "for float32"),
        (("models", 2, "inputs", 0, "dtype"), "int4", "models[2].inputs[0].dtype", "must be 'float32'"),
        (("models", 2, "inputs", 0, "shape"), [2**20, 2**20], "models[2].inputs[0].shape", "2^30"),
        (("models", 0, "name"), "a|b", "models[0].name", "must not hold '|'"),
        (("models", 0, "name"), "~memory", "models[0].name", "must not hold '|'"),
        (("machine_types", 0, "cores"), [0, 0], "machine_types[0].cores", "once"),
        (("machine_types", 0, "threads"), 2, "machine_types[0].threads", "must be 1"),
        (("machine_types", 0, "gpu_sharing"), "mps", "machine_types[0].gpu_sharing", "cuda"),
        (("machine_types", 0, "device"), "tpu", "machine_types[0].device", "must be cpu or cuda:N"),
        (("machine_types", 1, "name"), "2-cores-own", "machine_types[1].name", "unique"),
        (("protocol", "loop"), "open", "models[0].rate_rps", "required"),
        (("protocol", "repeats"), 0, "protocol.repeats", "at least 1"),
        (("protocol", "window"), 1.0, "protocol.window", "did you mean 'window_s'"),
        (("sets",), {"6": "all"}, "sets.6", "must be"),
        (("version",), 2, "version", "must be 1"),
    ],
)
def test_a_refusal_names_field_and_rule(
    path: tuple[Any, ...], value: Any, field: str, rule: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"x")
    data: Any = document()
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    with pytest.raises(InputError) as caught:
        parse_spec(data, tmp_path)
    assert caught.value.field == field
    assert rule in caught.value.rule


def test_a_refusal_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("version: 1\nmodels: []\n")
    with pytest.raises(InputError, match="models"):
        load_spec(tmp_path / "spec.yaml")
    with pytest.raises(InputError) as caught:
        load_spec(tmp_path / "none.yaml")
    assert caught.value.file.endswith("none.yaml")


def test_short_open_windows_are_warned_of() -> None:
    models = [{"zoo": "mlp_small", "rate_rps": 600.0}, {"zoo": "dlrm", "rate_rps": 20.0}]
    types = [{"name": "one", "cores": [0]}]
    data = {
        "version": 1,
        "models": models,
        "machine_types": types,
        "protocol": {"loop": "open", "window_s": 1.0},
    }
    (warning,) = parse_spec(data, Path()).warnings
    assert "dlrm" in warning
    assert "mlp_small" not in warning
    data["protocol"] = {"loop": "open", "window_s": 10.0}
    assert not parse_spec(data, Path()).warnings
