"""Zoo models as ONNX files, exported once and kept in a cache folder.

The TorchScript-based exporter is used: it needs about a tenth of the time of the one based on
``torch.export`` and leaves recurrent layers as single operators. The weights are inside the file. A file
is named after a hash of what it was made from, so an older one is never taken for a newer one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from planner.measure.inputs import requests
from planner.measure.zoo import ZOO, inputs_of, split_variant
from planner.writing import make_folder, write_atomically

if TYPE_CHECKING:
    from torch import nn

SEED = 20211
_OPSET = 17


def cache_folder() -> Path:
    """Return where exported models are kept: below ``XDG_CACHE_HOME``, by default ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "interference-planner" / "zoo"


def onnx_path(name: str) -> Path:
    """Return where the export of a variant is or will be.

    Raises
    ------
    InputError
        For a name that the zoo does not have.
    """
    entry, batch = split_variant(name)
    made_from = (ZOO[entry].source(), importlib.metadata.version("torch"), batch, SEED, _OPSET)
    digest = hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]
    return cache_folder() / f"{entry}@{batch}-{digest}.onnx"


def exported(name: str) -> Path:
    """Return the ONNX file of a variant, exporting it if the cache does not have it.

    Raises
    ------
    InputError
        For a name that the zoo does not have, or a cache folder that cannot be written to.
    """
    path = onnx_path(name)
    if not path.exists():
        make_folder(path.parent)
        write_atomically(path, _export(name))
    return path


def built(name: str) -> nn.Module:
    """Return the module of a variant with its seeded random weights, ready to infer."""
    import torch

    entry, _ = split_variant(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return ZOO[entry].builder()().eval()


def _export(name: str) -> bytes:
    import torch

    inputs = inputs_of(name)
    request = next(requests(inputs, SEED))
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing warns of shapes that become constants; they are fixed here
        torch.onnx.export(
            built(name),
            tuple(torch.from_numpy(request[i.name]) for i in inputs),
            buffer,  # type: ignore[arg-type]  # this exporter also writes to a stream
            dynamo=False,
            opset_version=_OPSET,
            input_names=[i.name for i in inputs],
        )
    return buffer.getvalue()
