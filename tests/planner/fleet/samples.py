"""A small cluster: the machines and replicas of :func:`tests.tiny.pair`, and what else may run there."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner, Result

from planner.cli import app
from planner.fleet.inventory import INSTANCE_TYPE
from tests.planner.fleet.cluster import Cluster, node, pod


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def deployment(name: str, **requests: str) -> dict[str, Any]:
    """Return a Deployment whose replicas ask for this much."""
    spec = {"containers": [{"name": "c", "resources": {"requests": requests}}]}
    return {"metadata": {"name": name}, "spec": {"template": {"metadata": {}, "spec": spec}}}


def daemon(place: str, **requests: str) -> dict[str, Any]:
    """Return a pod of a DaemonSet."""
    made = pod(deployment("agent", **requests), place, place)
    made["metadata"]["ownerReferences"][0]["kind"] = "DaemonSet"
    return made


A, B = deployment("a", cpu="500m", memory="4Gi"), deployment("b", cpu="1", memory="4Gi")


def gpu(i: int, **allocatable: str) -> dict[str, Any]:
    """Return a node of the machine type of :func:`tests.tiny.pair`."""
    return node(f"gpu-{i}", {INSTANCE_TYPE: "gpu"}, **{"cpu": "4", "memory": "16Gi", **allocatable})


def pair() -> Cluster:
    """Return the machines and replicas of :func:`tests.tiny.pair`: both machines mixed."""
    pods = [pod(what, f"{what['metadata']['name']}{i}", f"gpu-{i}") for i in (0, 1) for what in (A, B)]
    return Cluster([gpu(0), gpu(1)], pods)
