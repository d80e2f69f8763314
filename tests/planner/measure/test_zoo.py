"""The zoo: every model takes its inputs; exports are whole, cached and compute what the module computes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from planner.errors import InputError
from planner.measure.costs import costs
from planner.measure.inputs import Input, requests
from planner.measure.zoo import ZOO, inputs_of, split_variant


def test_there_are_at_least_fourteen() -> None:
    assert len(ZOO) >= 14


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("batch", [1, 3])
def test_every_model_takes_its_inputs(name: str, batch: int) -> None:
    """On torch's meta device: shapes are computed, numbers are not."""
    import torch

    with torch.device("meta"):
        module = ZOO[name].builder()()
        given = [torch.empty(i.shape, dtype=getattr(torch, i.dtype)) for i in inputs_of(f"{name}@{batch}")]
        out = module.eval()(*given)
    assert (out[0] if isinstance(out, tuple) else out).shape[0] == batch


@pytest.mark.parametrize("name", ["resnet", "vgg@0", "vgg@", "vgg@2000", "VGG", "vgg@1 ", ""])
def test_unknown_variants_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        split_variant(name)


def test_whole_numbers_are_fresh_for_each_request_and_seeded() -> None:
    given = (Input("i", (2, 50), "int64", 0, 1000), Input("x", (3,)))
    made = list(itertools.islice(requests(given, 1), 130))
    again = list(itertools.islice(requests(given, 1), 130))
    assert all(np.array_equal(a["i"], b["i"]) for a, b in zip(made, again, strict=True))
    assert len({a["i"].tobytes() for a in made}) == 130
    assert len({a["x"].tobytes() for a in made}) > 1
    stacked = np.stack([a["i"] for a in made])
    assert [int(stacked.min()), int(stacked.max())] == [0, 999]
    assert stacked.dtype == np.int64


def test_an_export_computes_what_the_module_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime
    import torch

    from planner.measure.zoo.export import built, exported

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = exported("mlp_small@2")
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    written = path.stat().st_mtime_ns
    assert exported("mlp_small@2") == path
    assert path.stat().st_mtime_ns == written
    assert exported("mlp_small") != path
    request = next(requests(inputs_of("mlp_small@2"), 5))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = built("mlp_small@2")(torch.from_numpy(request["x"])).numpy()
    assert np.allclose(session.run(None, request)[0], expected, atol=1e-5)


def test_costs_of_a_network_that_can_be_counted_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers 512 x 1024, 1024 x 1024, 1024 x 1024, 1024 x 100, with biases and three times ReLU."""
    from planner.measure.zoo.export import exported

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = costs(exported("mlp_small"), inputs_of("mlp_small"))
    weights = 512 * 1024 + 2 * 1024 * 1024 + 1024 * 100
    assert found.parameters_mb == pytest.approx(4 * (weights + 3 * 1024 + 100) / 1e6)
    assert found.flops_per_request == 2 * weights + 3 * 1024
    activations = 512 + 3 * 1024 + 2 * 3 * 1024 + 3 * 1024 + 100
    assert found.bytes_per_request == 4 * (weights + 3 * 1024 + 100 + activations)
