"""What this host is, and which machine types it can stand for."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.measure.gpu import gpus, steady
from planner.measure.spec import MachineTypeForm, Spec

_LIBRARIES = ("onnxruntime", "torch", "numpy", "onnx")


@dataclass(frozen=True)
class Host:
    """The fingerprint of a host.

    Attributes
    ----------
    cores
        Numbers of the cores that this process may use.
    governor
        Of the first core; None where the kernel does not say, as in most virtual machines.
    libraries
        Name -> version of what serves the models.
    gpus
        One dictionary for each accelerator, as nvidia-smi calls things.
    """

    cpu: str
    cores: tuple[int, ...]
    memory_gb: float
    kernel: str
    governor: str | None
    hypervisor: bool
    python: str
    libraries: dict[str, str]
    gpus: list[dict[str, str]]

    @property
    def id(self) -> str:
        """Eight characters that stay the same while nothing of this changes."""
        known = asdict(self) | {"gpus": [steady(g) for g in self.gpus]}
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:8]

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"id": self.id, **asdict(self), "cores": list(self.cores)}


def this_host() -> Host:
    """Return the fingerprint of the host that this runs on."""
    info = _text("/proc/cpuinfo")
    return Host(
        cpu=_cpu(info),
        cores=tuple(sorted(os.sched_getaffinity(0))),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        kernel=platform.release(),
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        hypervisor="hypervisor" in info,
        python=platform.python_version(),
        libraries={name: version for name in _LIBRARIES if (version := _version(name))},
        gpus=gpus(),
    )


def check_spec(spec: Spec, host: Host, only: str | None = None) -> None:
    """Refuse a spec whose machine types, or the one named ``only``, this host does not have.

    Raises
    ------
    InputError
        Naming the field, the rule and what was found.
    """
    for k, m in enumerate(spec.form.machine_types):
        if only not in (None, m.name):
            continue
        where = f"machine_types[{k}]"
        missing = sorted({*m.cores} - {*host.cores})
        if missing:
            rule = f"must be cores that this process may use, {_span(host.cores)}"
            raise InputError(rule, field=f"{where}.cores", value=missing)
        if m.memory_gb is not None and m.memory_gb > host.memory_gb:
            rule = f"must be at most what this host has, {host.memory_gb:g}"
            raise InputError(rule, field=f"{where}.memory_gb", value=m.memory_gb)
        if m.device != "cpu" and int(m.device.partition(":")[2]) >= len(host.gpus):
            rule = f"must be cpu or one of the {len(host.gpus)} accelerators that nvidia-smi lists"
            raise InputError(rule, field=f"{where}.device", value=m.device)


def offered(host: Host) -> list[MachineTypeForm]:
    """Return machine types that this host can stand for."""
    cores = host.cores
    sizes = [n for n in (2, 4, 8, 16, 32) if n <= len(cores)]
    memory = round(0.6 * host.memory_gb, 1)
    found = [_cpu_type("1-core-shared", cores[:1], "shared", memory)]
    for n in sizes:
        found.append(_cpu_type(f"{n}-cores-own", cores[:n], "own", memory))
        found.append(_cpu_type(f"{n}-cores-shared", cores[:n], "shared", memory))
    for i in range(len(host.gpus)):
        for sharing in ("time-sliced", "mps"):
            found.append(
                MachineTypeForm(
                    name=f"gpu{i}-{sharing}",
                    cores=cores,
                    sharing="shared",
                    device=f"cuda:{i}",
                    gpu_sharing=sharing,
                    slots=5,
                )
            )
    return found


def _cpu_type(name: str, cores: tuple[int, ...], sharing: Any, memory: float) -> MachineTypeForm:
    return MachineTypeForm(name=name, cores=cores, sharing=sharing, slots=5, memory_gb=memory)


def snippet(types: list[MachineTypeForm]) -> str:
    """Return a profile spec with these machine types, ready to be edited."""
    lines = ["version: 1", "models:", *(f"  - {{zoo: {name}}}" for name in ("resnet18", "bert_mini", "dlrm"))]
    lines.append("machine_types:")
    for m in types:
        shown = {"name": m.name, "cores": f"[{', '.join(map(str, m.cores))}]", "sharing": m.sharing}
        if m.device != "cpu":
            shown |= {"device": m.device, "gpu_sharing": str(m.gpu_sharing)}
        shown |= {"slots": str(m.slots)} | ({} if m.memory_gb is None else {"memory_gb": f"{m.memory_gb:g}"})
        lines.append(f"  - {{{', '.join(f'{name}: {value}' for name, value in shown.items())}}}")
    lines.append("protocol: {loop: closed, window_s: 0.5, warmup_s: 0.2, repeats: 5, seed: 0}")
    return "\n".join([*lines, "sets: {2: all, 3: 20}"]) + "\n"


def _span(cores: tuple[int, ...]) -> str:
    whole = cores == tuple(range(cores[0], cores[-1] + 1))
    return f"{cores[0]} to {cores[-1]}" if whole else ", ".join(map(str, cores))


def _cpu(info: str) -> str:
    found = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in info.splitlines())
    }
    name = found.get("model name") or found.get("Processor") or platform.machine()
    numbers = [found[key] for key in ("cpu family", "model", "stepping") if key in found]
    return f"{name} ({'/'.join(numbers)})" if numbers else name


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
