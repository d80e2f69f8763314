"""What an import found, took for something else, or left out, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from planner.evaluate import verdict
from planner.fleet.imported import Imported
from planner.fleet.inventory import Cluster
from planner.fleet.kubernetes import PINNED
from planner.fleet.layout import VALUE
from planner.fleet.naming import LABEL_VALUE, labels
from planner.fleet.template import left_out
from planner.instance import Instance

_SHOWN = 5


def findings(cluster: Cluster, found: Imported, template: Instance | None) -> Iterator[str]:
    """Yield a line for each thing that somebody must know of an import."""
    yield from _nodes(cluster, found)
    yield from _pods(cluster, found, template)
    yield from _assumed(found.instance, template)
    violations = verdict(found.instance, found.plan).violations
    for violation in violations[:_SHOWN]:
        yield f"what runs breaks a rule: {violation.rule}: {violation.message}"
    if len(violations) > _SHOWN:
        yield f"and {len(violations) - _SHOWN:,} more"


def unknown(cluster: Cluster) -> str:
    """Return what latencies and degradations are needed of, in words."""
    models = {str(workload.name) for workload in cluster.replicas}
    types = {machine.machine_type for machine in cluster.machines.values()} - {""}
    return f"{len(models):,} models ({_some(models)}) on {len(types):,} machine types ({_some(types)})"


def _nodes(cluster: Cluster, found: Imported) -> Iterator[str]:
    types = found.instance.machine_types
    yield f"{sum(kind.count for kind in types):,} nodes of {len(types):,} machine types"
    for why, nodes in cluster.left_out.items():
        yield f"{len(nodes):,} nodes {why}, left out: {_some(nodes)}"
    for kind, count in found.unknown.items():
        what = (
            f"of machine type {kind}, which the template does not have" if kind else "without a machine type"
        )
        yield f"{count:,} nodes {what}, left out"
    if tainted := [m.name for m in cluster.machines.values() if m.taints]:
        yield f"{len(tainted):,} tainted nodes hold models and are taken for any other: {_some(tainted)}"
    if found.entries:
        yield f"{len(found.entries):,} pinned entries: nodes with other load than most of their machine type"


def _pods(cluster: Cluster, found: Imported, template: Instance | None) -> Iterator[str]:
    yield f"{found.instance.replicas:,} replicas of {len(found.instance.models):,} models"
    for what, count in cluster.seen.items():
        yield f"{count:,} pods {what}"
    if others := sum(machine.others for machine in cluster.machines.values()):
        slowed = "none" if template is None else "what the template says of background load"
        yield f"{others:,} pods not of a model: background load, by which models are slowed by {slowed}"
    if cluster.differing:
        yield f"pods ask for different amounts, the largest is taken: {_some(map(str, cluster.differing))}"
    if cluster.choosy:
        yield f"node selectors and affinities are not taken over: {_some(map(str, cluster.choosy))}"


def _assumed(instance: Instance, template: Instance | None) -> Iterator[str]:
    if template is None:
        yield "latencies are set to 1 ms and degradations to 0, as asked: this says nothing of interference"
        return
    yield from left_out(template)
    running = {model.name for model in instance.models}
    if idle := [model.name for model in template.models if model.name not in running]:
        yield f"{len(idle):,} models of the template do not run: {_some(idle)}"


def pin_nodes(found: Imported) -> str:
    """Return a shell script that labels the nodes of pinned entries, which an export of a plan needs."""
    values = labels(found.entries, VALUE, LABEL_VALUE)
    lines = ["#!/bin/sh", "set -eu", 'KUBECTL="${KUBECTL:-kubectl}"']
    lines.append(f"$KUBECTL label nodes -l {PINNED} {PINNED}-")
    for entry, nodes in found.entries.items():
        for i in range(0, len(nodes), 100):
            some = " ".join(nodes[i : i + 100])
            lines.append(f"$KUBECTL label --overwrite nodes {some} {PINNED}={values[entry]}")
    return "\n".join(lines) + "\n"


def _some(names: Iterable[str]) -> str:
    listed: Sequence[str] = sorted(names)
    more = f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
