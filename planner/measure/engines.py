"""What serves one request in a worker: ONNX Runtime, torch on an accelerator, or a hog.

An engine is a function that takes a request (input name -> array) and returns when it is answered.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from planner.errors import InputError
from planner.measure.inputs import DTYPES, Array, Input
from planner.measure.messages import Load

Engine = Callable[[dict[str, Array]], object]

_COPIED = 64 * 2**20  # bytes: beyond a last-level cache's share
_GATHERED = 4 * 2**20
_UNIT = 8 * 2**20  # bytes copied in one unit of work


def make_engine(load: Load) -> Engine:
    """Return what serves the requests of a subject.

    Raises
    ------
    InputError
        For an ONNX file that the runtime refuses or whose inputs are not those of the spec.
    """
    if load.subject.hog is not None:
        return (_gpu_hog if load.device != "cpu" else _hog)(load)
    if load.onnx is None:
        return _torch(load)
    return _onnx(load)


def _onnx(load: Load) -> Engine:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = load.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for pool in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    if load.device != "cpu":
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise InputError("needs an onnxruntime with CUDA to run an ONNX file there", value=load.device)
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(load.device.partition(":")[2])}))
    try:
        session = onnxruntime.InferenceSession(load.onnx, options, providers=providers)
    except Exception as error:  # onnxruntime has a class of its own for each of a dozen failures
        if out_of_memory(error):
            raise
        raise InputError(f"cannot be loaded: {first_line(error)}", value=load.onnx) from None
    _check_inputs(session.get_inputs(), load)
    return lambda request: session.run(None, request)


def _check_inputs(wanted: list[Any], load: Load) -> None:
    given = {i.name: i for i in load.subject.inputs}
    names = [w.name for w in wanted]
    if sorted(names) != sorted(given):
        rule = f"must name the inputs of the ONNX file, {', '.join(names)}"
        raise InputError(rule, field="inputs", value=", ".join(given))
    for w in wanted:
        _check_input(w, given[w.name])


def _check_input(wanted: Any, given: Input) -> None:
    if DTYPES[given.dtype] != wanted.type:
        raise InputError(f"must be {wanted.type}", field=f"inputs.{given.name}.dtype", value=given.dtype)
    fits = len(wanted.shape) == len(given.shape) and all(
        not isinstance(w, int) or w == g for w, g in zip(wanted.shape, given.shape, strict=True)
    )
    if not fits:
        shown = " x ".join(map(str, wanted.shape))
        raise InputError(f"must be {shown}", field=f"inputs.{given.name}.shape", value=list(given.shape))


def _torch(load: Load) -> Engine:
    """Serve on an accelerator: copy in, infer, copy out, wait."""
    import torch

    from planner.measure.zoo.export import built

    torch.set_num_threads(load.threads)
    device = torch.device(load.device)
    module = built(str(load.subject.zoo)).to(device)
    names = [i.name for i in load.subject.inputs]

    def serve(request: dict[str, Array]) -> None:
        with torch.inference_mode():
            out = module(*(torch.from_numpy(request[name]).to(device) for name in names))
            for part in out if isinstance(out, tuple) else (out,):
                part.cpu()  # waits for the device

    return serve


def _hog(load: Load) -> Engine:
    rng = np.random.default_rng(load.seed)
    if load.subject.hog == "memory":
        origin, target = (np.full(_COPIED, 1, dtype=np.uint8) for _ in range(2))
        starts = itertools.cycle(range(0, _COPIED, _UNIT))

        def copy(_: object) -> None:
            at = next(starts)
            target[at : at + _UNIT] = origin[at : at + _UNIT]

        return copy
    if load.subject.hog == "cache":
        array = rng.random(_GATHERED // 8)
        places = rng.integers(array.size, size=100_000)
        out = np.empty(places.size)
        return lambda _: np.take(array, places, out=out, mode="clip")
    left, right = rng.random((2, 48, 48))
    product = np.empty((48, 48))

    def multiply(_: object) -> None:
        for _i in range(100):
            np.matmul(left, right, out=product)

    return multiply


def _gpu_hog(load: Load) -> Engine:
    """Press on the device's memory, its last-level cache or its arithmetic."""
    import torch

    device = torch.device(load.device)
    if load.subject.hog == "cpu":
        square = torch.rand(4096, 4096, device=device)

        def multiply(_: object) -> None:
            torch.mm(square, square)
            torch.cuda.synchronize(device)

        return multiply
    values = torch.zeros((512 if load.subject.hog == "memory" else 16) * 2**20 // 4, device=device)
    times = 2 if load.subject.hog == "memory" else 40

    def sweep(_: object) -> None:
        for _i in range(times):
            values.add_(1.0)
        torch.cuda.synchronize(device)

    return sweep


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "bad_alloc" in text


def first_line(error: BaseException) -> str:
    """Return an error in one line."""
    return (str(error).strip() or type(error).__name__).partition("\n")[0][:300]
