"""The zoo: real architectures with seeded random weights, small enough for one core.

Nothing here imports torch; the builders do, and only exporting a model or running it on an accelerator
needs them. A name such as ``resnet18@8`` is the same model with a batch of 8.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from planner.errors import InputError
from planner.measure.inputs import Input

if TYPE_CHECKING:
    from torch import nn

Dimension = int | Literal["batch"]
LARGEST_BATCH = 1024
_NAME = re.compile(r"(?P<name>[a-z0-9_]+?)(@(?P<batch>[1-9][0-9]{0,3}))?", re.ASCII)


@dataclass(frozen=True)
class Tensor:
    """An input whose shape may hold ``"batch"``."""

    name: str
    shape: tuple[Dimension, ...]
    dtype: str = "float32"
    low: float = -1.0
    high: float = 1.0

    def of(self, batch: int) -> Input:
        """Return the input for one batch size."""
        shape = tuple(batch if d == "batch" else d for d in self.shape)
        return Input(self.name, shape, self.dtype, self.low, self.high)


@dataclass(frozen=True)
class Entry:
    """One model of the zoo.

    Attributes
    ----------
    build
        ``module.function`` below this package; the function returns the ``torch.nn.Module``.
    inputs
        Of one request, in the order of ``forward``.
    about
        For people.
    """

    build: str
    inputs: tuple[Tensor, ...]
    about: str

    def builder(self) -> Callable[[], nn.Module]:
        """Return the function that builds the model; imports torch."""
        module, _, function = self.build.partition(".")
        built: Callable[[], nn.Module] = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        return built

    def source(self) -> str:
        """Return the source of the module that builds it, without importing that module."""
        name = self.build.partition(".")[0]
        spec = importlib.util.find_spec(f"{__name__}.{name}")
        if spec is None or spec.origin is None:
            raise InputError("must name a module of the zoo", field="build", value=self.build)
        with open(spec.origin, encoding="utf-8") as stream:
            return stream.read() + inspect.getsource(Tensor) + repr(self.inputs)


def image(side: int) -> tuple[Tensor, ...]:
    """Return the input of a model that takes square RGB images."""
    return (Tensor("image", ("batch", 3, side, side)),)


def tokens(length: int, vocabulary: int) -> tuple[Tensor, ...]:
    """Return the input of a model that takes ids of words."""
    return (Tensor("ids", ("batch", length), "int64", 0, vocabulary),)


ZOO: dict[str, Entry] = {
    "mlp_small": Entry("dense.mlp_small", (Tensor("x", ("batch", 512)),), "3 layers of 1024"),
    "mlp_wide": Entry("dense.mlp_wide", (Tensor("x", ("batch", 4096)),), "3 layers of 4096: reads 200 MB"),
    "mobilenet": Entry("vision.mobilenet", image(192), "MobileNet v1, depthwise separable"),
    "resnet18": Entry("vision.resnet18", image(160), "ResNet-18"),
    "resnet50": Entry("vision.resnet50", image(160), "ResNet-50, bottlenecks"),
    "vgg": Entry("vision.vgg", image(128), "VGG-11 with batch normalisation"),
    "unet": Entry("vision.unet", image(128), "U-Net, 4 scales from 24 channels"),
    "vit": Entry("attention.vit", image(160), "ViT-S/16: 12 blocks of 384"),
    "bert_mini": Entry("attention.bert_mini", tokens(64, 8192), "BERT mini: 4 layers of 256, 64 tokens"),
    "bert_base": Entry("attention.bert_base", tokens(48, 8192), "BERT base: 12 layers of 768, 48 tokens"),
    "gpt_decode": Entry(
        "attention.gpt_decode",
        (
            Tensor("ids", ("batch", 1), "int64", 0, 8192),
            Tensor("past", ("batch", 8, 2, 12, 256, 64)),
        ),
        "one token of a decoder with 8 layers of 768 and a cache of 256 tokens",
    ),
    "lstm": Entry("sequence.lstm", (Tensor("x", ("batch", 48, 128)),), "2 layers of 384, 48 steps"),
    "tcn": Entry(
        "sequence.tcn", (Tensor("x", ("batch", 64, 512)),), "dilated causal convolutions, 512 steps"
    ),
    "dlrm": Entry(
        "dense.dlrm",
        (Tensor("dense", ("batch", 13)), Tensor("indices", ("batch", 24, 256), "int64", 0, 40_000)),
        "24 tables of 40,000 x 32, 256 random rows of each a request",
    ),
}


def split_variant(name: str) -> tuple[str, int]:
    """Return the entry and the batch size of a name such as ``resnet18`` or ``resnet18@8``.

    Raises
    ------
    InputError
        For a name that the zoo does not have, or a batch that is too large.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["name"] not in ZOO:
        rule = f"must be one of {', '.join(ZOO)}, with @N after it for a batch of N"
        raise InputError(rule, field="zoo", value=name)
    batch = int(match["batch"] or 1)
    if batch > LARGEST_BATCH:
        raise InputError(f"must have a batch of at most {LARGEST_BATCH}", field="zoo", value=name)
    return match["name"], batch


def inputs_of(name: str) -> tuple[Input, ...]:
    """Return the inputs of a variant."""
    entry, batch = split_variant(name)
    return tuple(tensor.of(batch) for tensor in ZOO[entry].inputs)
