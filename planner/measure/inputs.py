"""What one request of a model carries, and endless seeded requests made from that description.

Whole numbers are drawn anew for each request: they are indices into tables, and repeated indices would
find their rows in cache, so that nothing of what an embedding costs would be measured. Real numbers do
not steer memory accesses; a few arrays of them take turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: dtype -> the name that ONNX Runtime has for it.
DTYPES = {
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "float16": "tensor(float16)",
    "int64": "tensor(int64)",
    "int32": "tensor(int32)",
    "uint8": "tensor(uint8)",
    "int8": "tensor(int8)",
    "bool": "tensor(bool)",
}
_TURNS = 4
_BLOCK = 64

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Input:
    """One tensor of a request.

    Attributes
    ----------
    name
        As in the ONNX file.
    shape
        Without free dimensions; the batch is one of them.
    dtype
        One of :data:`DTYPES`.
    low, high
        Values are uniform in [low, high); whole numbers for whole dtypes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    low: float = 0.0
    high: float = 1.0

    @property
    def real(self) -> bool:
        """Whether the values are real numbers."""
        return self.dtype.startswith("float")


def requests(inputs: Sequence[Input], seed: int) -> Iterator[dict[str, Array]]:
    """Yield requests without end: input name -> array. Same seed, same requests."""
    rng = np.random.default_rng(seed)
    turns = {i.name: [_real(i, rng) for _ in range(_TURNS)] for i in inputs if i.real}
    whole = [i for i in inputs if not i.real]
    while True:
        blocks = {i.name: _whole(i, rng) for i in whole}
        for n in range(_BLOCK):
            yield {i.name: turns[i.name][n % _TURNS] if i.real else blocks[i.name][n] for i in inputs}


def _real(i: Input, rng: np.random.Generator) -> Array:
    return rng.uniform(i.low, i.high, size=i.shape).astype(i.dtype)


def _whole(i: Input, rng: np.random.Generator) -> Array:
    values = rng.integers(int(i.low), int(i.high), size=(_BLOCK, *i.shape))
    return values.astype(i.dtype)
