"""A predictor comes back as it was, and nothing that is not one is loaded."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack

from planner.degradation.features import features_of
from planner.degradation.predictor import Predictor, fit
from planner.degradation.predictor_files import METADATA, WEIGHTS, check_folder, read_metadata, save
from planner.degradation.table import Table, read_table
from planner.errors import InputError
from tests.planner.degradation.planted import QUICK, contended, pairs_of

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    pairs = pairs_of(contended()[:2, :6, :6])
    path = tmp_path_factory.mktemp("table") / "t.csv"
    rows = zip(*pairs.names(), pairs.degradation, strict=True)
    path.write_text("machine_type,victim,aggressor,degradation,solo_ms\n")
    with path.open("a") as stream:
        stream.writelines(f"{k},{v},{u},{d:.6f},{1 + int(v[1:]) * (1 + (k == 'a'))}\n" for k, v, u, d in rows)
    return read_table(path)


@pytest.fixture(scope="module")
def predictor(table: Table) -> Predictor:
    return fit(table.pairs, features_of(table), seed=5, config=QUICK)


@pytest.fixture
def folder(predictor: Predictor, table: Table, tmp_path: Path) -> Path:
    save(predictor, tmp_path / "models" / "it", table, "mean latency")
    return tmp_path / "models" / "it"


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        Predictor.load(folder)
    return str(caught.value)


def reweigh(folder: Path, content: bytes) -> None:
    """Put other weights into a folder, with the hash that belongs to them."""
    (folder / WEIGHTS).write_bytes(content)
    edit(folder, lambda form: form.update(weights_sha256=hashlib.sha256(content).hexdigest()))


def edit(folder: Path, change: Edit) -> None:
    form = json.loads((folder / METADATA).read_text())
    change(form)
    (folder / METADATA).write_text(json.dumps(form))


def test_it_predicts_the_same_after_a_round_trip(predictor: Predictor, table: Table, folder: Path) -> None:
    loaded = Predictor.load(folder)
    features = features_of(table)
    asked = ["a", "b", "c"], ["m00", "m03", "m01"], ["m01", "m03", "m02"]
    for with_features in (None, features):
        one, two = (p.predict(*asked, features=with_features) for p in (predictor, loaded))
        assert np.array_equal(one.log_slowdown, two.log_slowdown)
        assert np.array_equal(one.half_widths, two.half_widths)
        assert np.array_equal(one.new_model, two.new_model)
    assert (loaded.config, loaded.seed, loaded.models) == (predictor.config, 5, predictor.models)
    assert np.array_equal(loaded.seen, predictor.seen)


def test_the_metadata_say_where_it_comes_from(table: Table, folder: Path) -> None:
    form = read_metadata(folder)
    assert form.training.model_dump() == {
        "table": "t.csv",
        "sha256": table.sha256,
        "rows": 72,
        "pairs": 72,
        "quantity": "mean latency",
    }
    assert form.torch == torch.__version__.partition("+")[0]
    assert sorted(path.name for path in folder.iterdir()) == [METADATA, WEIGHTS]


def test_saving_twice_gives_the_same_bytes(predictor: Predictor, table: Table, folder: Path) -> None:
    before = [(folder / name).read_bytes() for name in (WEIGHTS, METADATA)]
    save(predictor, folder, table, "mean latency")
    assert [(folder / name).read_bytes() for name in (WEIGHTS, METADATA)] == before


class Bomb:
    """Leaves a file behind if anybody unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_pickles_and_archives_are_refused_and_never_run(folder: Path, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    content = pickle.dumps(Bomb(trap))
    reweigh(folder, content)
    assert refused(folder).endswith(f"{WEIGHTS}: must be safetensors, found a pickle")
    torch.save({"w": torch.zeros(3)}, tmp_path / "w.pt")
    reweigh(folder, (tmp_path / "w.pt").read_bytes())
    assert refused(folder).endswith("must be safetensors, found a zip archive")
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
        archive.writestr("../../escaped", "x")
    reweigh(folder, (tmp_path / "slip.zip").read_bytes())
    assert refused(folder).endswith("must be safetensors, found a zip archive")
    assert not trap.exists()
    assert not list(tmp_path.rglob("escaped"))


def test_a_file_in_place_of_a_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    torch.save({}, tmp_path / "predictor.pt")
    for path in (tmp_path / "predictor.pt", folder / WEIGHTS):
        assert refused(path) == f"{path}: must be a folder that `planner train` has written, found a file"
    assert "cannot be read: no such file" in refused(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("header", "body", "rule"),
    [
        (2**40, b"{}", "must have a header of at most 1,048,576 bytes that is inside the file"),
        (2**20 + 1, b"{" + b" " * 2**20 + b"}", "must have a header of at most 1,048,576 bytes"),
        (300, b"{}        ", "must have a header of at most"),
        (2, b"{}", "must hold"),
        (10, b'{"a": [1]}', "is not valid safetensors"),
        (5, b"hello", "must be safetensors, found something else"),
    ],
)
def test_headers_that_lie_are_refused(folder: Path, header: int, body: bytes, rule: str) -> None:
    reweigh(folder, header.to_bytes(8, "little") + body)
    assert rule in refused(folder)


def test_other_shapes_kinds_and_numbers_are_refused(folder: Path) -> None:
    arrays = unpack((folder / WEIGHTS).read_bytes())

    def trial(**changes: np.ndarray[Any, Any]) -> str:
        reweigh(folder, pack(arrays | changes))
        return refused(folder)

    assert "bias: must be float32 of shape (3, 4), found" in trial(bias=np.zeros((3, 5), np.float32))
    assert "bias: must be float32" in trial(bias=np.zeros((3, 4), np.float64))
    assert "bias: must be finite numbers" in trial(bias=np.full((3, 4), np.nan, np.float32))
    assert "scale: must be greater than 0" in trial(scale=np.zeros(2))
    assert "must hold" in trial(more=np.zeros(1, np.float32))


def test_files_that_do_not_belong_together_are_refused(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert refused(folder).endswith(f"must be the file that {METADATA} names by its SHA-256")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda form: form.update(version=2), "version"),
        (lambda form: form.pop("seed"), "seed: is required"),
        (lambda form: form.update(extra=1), "extra: is not a known field"),
        (lambda form: form.update(models=["b", "a"]), "names must be sorted and different"),
        (lambda form: form.update(machine_types=["", "b"]), "names must not be empty"),
        (lambda form: form.update(machine_types=["a", "b", "c"]), "calibration.known must have one entry"),
        (lambda form: form["config"].update(members=10**9), "config.members: must be at most 1024"),
        (lambda form: form["config"].update(rank="x"), "config.rank: must be"),
        (lambda form: form["encoder"]["columns"][0].update(scale=0.0), "scale: must be greater than 0"),
        (lambda form: form["calibration"]["known"][0].update(floor=-1.0), "floor: must be at least 0"),
        (lambda form: form.update(models=[f"x{i}" for i in range(9)]), "must be float32 of shape"),
    ],
)
def test_metadata_that_are_wrong_are_refused(folder: Path, change: Edit, rule: str) -> None:
    edit(folder, change)
    assert rule in refused(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / WEIGHTS).rename(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", folder / WEIGHTS)
    assert "must not leave its folder through a link" in refused(folder)


def test_huge_metadata_are_refused(folder: Path) -> None:
    with (folder / METADATA).open("a") as stream:
        stream.write(" " * (8 * 2**20))
    assert "must be at most 8 MB" in refused(folder)


def test_a_folder_that_cannot_be_is_refused_before_training(folder: Path, tmp_path: Path) -> None:
    check_folder(folder)
    check_folder(tmp_path / "new" / "one")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="must be a folder, or a new name inside one"):
        check_folder(tmp_path / "file")
    (folder / METADATA).unlink()
    (folder / METADATA).mkdir()
    with pytest.raises(InputError, match="must not be a directory"):
        check_folder(folder)
