"""What one request costs on paper: operations and bytes, counted on the operators of an ONNX graph.

A floating-point multiplication and an addition are two operations. The bytes of an operator are those of
all tensors that it reads and writes, as if nothing stayed in cache; a lookup reads the rows that it asks
for and not the table. What cannot be counted because a shape is unknown makes the whole number unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from planner.measure.inputs import Input

_FREE = frozenset(
    {"Constant", "Shape", "Reshape", "Flatten", "Unsqueeze", "Squeeze", "Identity", "ConstantOfShape"}
)
_LOOKUPS = frozenset({"Gather", "GatherElements", "GatherND", "Slice"})
_WIDTHS = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Costs:
    """Of one request; None where unknown."""

    parameters_mb: float
    bytes_per_request: float | None
    flops_per_request: float | None


def costs(path: Path, inputs: Sequence[Input]) -> Costs:
    """Return what a request of an ONNX model costs.

    Parameters
    ----------
    path
        The file, with its weights inside or beside it.
    inputs
        Their shapes take the place of free dimensions.
    """
    import onnx

    model = onnx.load(str(path))
    given = {i.name: i.shape for i in inputs}
    for value in model.graph.input:
        if value.name in given:
            for dimension, size in zip(value.type.tensor_type.shape.dim, given[value.name], strict=False):
                dimension.dim_value = size
    weights = sum(_tensor_bytes(t) for t in model.graph.initializer)
    shapes, widths = _known(_inferred(model))
    nodes = [n for n in model.graph.node if n.op_type not in _FREE]
    return Costs(
        weights / 1e6,
        _total([_bytes(n, shapes, widths) for n in nodes]),
        _total([_operations(n, shapes) for n in nodes]),
    )


def _inferred(model: Any) -> Any:
    """Return the model with the shapes of its intermediate tensors, as far as they can be known."""
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(model, data_prop=True)
    except (ValueError, RuntimeError, shape_inference.InferenceError):
        return model  # what stays unknown makes the numbers unknown


def _known(model: Any) -> tuple[Shapes, Mapping[str, int]]:
    """Return the shape and the bytes of an element of each tensor that is known."""
    shapes: dict[str, tuple[int, ...]] = {"": ()}
    widths: dict[str, int] = {}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        tensor = value.type.tensor_type
        dims = tensor.shape.dim
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            shapes[value.name] = tuple(d.dim_value for d in dims)
        widths[value.name] = _WIDTHS.get(tensor.elem_type, 4)
    for tensor in model.graph.initializer:
        shapes[tensor.name], widths[tensor.name] = tuple(tensor.dims), _WIDTHS.get(tensor.data_type, 4)
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    shapes[node.output[0]] = tuple(attribute.t.dims)
                    widths[node.output[0]] = _WIDTHS.get(attribute.t.data_type, 4)
    return shapes, widths


def _tensor_bytes(tensor: Any) -> int:
    return int(prod(tensor.dims)) * _WIDTHS.get(tensor.data_type, 4)


def _total(parts: Sequence[float | None]) -> float | None:
    known = [p for p in parts if p is not None]
    return float(sum(known)) if len(known) == len(parts) else None


def _bytes(node: Any, shapes: Shapes, widths: Mapping[str, int]) -> float | None:
    names = [n for n in (*node.input, *node.output) if n]
    if node.op_type in _LOOKUPS:
        names = [*node.output, *node.output, *(n for n in node.input[1:] if n)]
    if any(n not in shapes for n in names):
        return None
    return float(sum(prod(shapes[n]) * widths.get(n, 4) for n in names))


def _operations(node: Any, shapes: Shapes) -> float | None:
    """Return the operations of one operator: two for each product in a sum, else one for each output."""
    kind, given, made = node.op_type, list(node.input), node.output[0]
    if kind in _LOOKUPS or kind in ("Transpose", "Concat", "Expand", "Pad", "Cast", "Split", "Resize"):
        return 0.0
    if made not in shapes or any(n not in shapes for n in given if n and kind in _COUNTED):
        return None
    counted = _COUNTED.get(kind)
    return float(prod(shapes[made])) if counted is None else counted(node, shapes)


def _multiply(node: Any, shapes: Shapes) -> float:
    inner = shapes[node.input[0]][0 if _flag(node, "transA") else -1]
    return 2.0 * prod(shapes[node.output[0]]) * inner


def _convolve(node: Any, shapes: Shapes) -> float:
    """Each output is a sum over the kernel and the input channels of its group."""
    return 2.0 * prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])


def _spread(node: Any, shapes: Shapes) -> float:
    """A transposed convolution adds each input times the kernel to the outputs."""
    return 2.0 * prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])


def _recur(node: Any, shapes: Shapes) -> float:
    """Each step multiplies the input and the state with the weights of all gates."""
    length, batch, _ = shapes[node.input[0]]
    return 2.0 * length * batch * (prod(shapes[node.input[1]]) + prod(shapes[node.input[2]]))


def _flag(node: Any, name: str) -> bool:
    return any(a.name == name and a.i for a in node.attribute)


_COUNTED = {
    "MatMul": _multiply,
    "Gemm": _multiply,
    "Conv": _convolve,
    "ConvTranspose": _spread,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recur),
}
