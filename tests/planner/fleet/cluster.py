"""A cluster that does with exported files what Kubernetes would: nodes, labels, a scheduler, kubectl."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from planner.fleet.layout import Layout, layout
from planner.instance import Instance
from planner.plan import Plan

TYPE_LABEL = "node.kubernetes.io/instance-type"
PINNED = "interference-planner/pinned"
GROUP = "interference-planner/group"
TYPE = "interference-planner/machine-type"

Holdings = Counter[tuple[str, tuple[tuple[str, int], ...]]]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: A kubectl that knows `get nodes -l`, `label` and `annotate`, over nodes in a JSON file.
_KUBECTL = """
import json, os, sys
path = os.environ["NODES"]
nodes = json.load(open(path))
words = [word for word in sys.argv[1:] if word != "--overwrite"]
def matches(node, text):
    labels = node["metadata"]["labels"]
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals and labels.get(key) != value: return False
        if not equals and (key.lstrip("!") in labels) == key.startswith("!"): return False
    return True
if words[:2] == ["get", "nodes"]:
    chosen = [n for n in nodes if matches(n, words[words.index("-l") + 1])]
    for n in chosen:
        name = n["metadata"]["name"]
        if "-o" in words: print("node/" + name)
        else: print(name, "Ready", n["metadata"]["labels"][words[words.index("-L") + 1]])
    if not chosen: print("No resources found", file=sys.stderr)
else:
    part = {"label": "labels", "annotate": "annotations"}[words[0]]
    if words[1] == "nodes": words[1:2] = []
    if words[1] == "-l": words[1:3] = [n["metadata"]["name"] for n in nodes if matches(n, words[2])]
    names = {n["metadata"]["name"] for n in nodes}
    named = [word.removeprefix("node/") for word in words[1:] if word.removeprefix("node/") in names]
    for node in nodes:
        if node["metadata"]["name"] not in named: continue
        for word in words[1 + len(named):]:
            key, equals, value = word.partition("=")
            if equals: node["metadata"][part][key] = value
            else: node["metadata"][part].pop(key[:-1])
    json.dump(nodes, open(path, "w"))
"""


@dataclass
class Cluster:
    """Nodes and pods, as the API has them."""

    nodes: list[dict[str, Any]]
    pods: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, instance: Instance, plan: Plan) -> Cluster:
        """Return the machines of an instance as nodes; those of pinned entries are marked."""
        names = layout(instance, plan)
        nodes: list[dict[str, Any]] = []
        for kind in instance.machine_types:
            pins = [p.name for p in instance.pinned if p.machine_type == kind.name for _ in range(p.machines)]
            for i in range(kind.count):
                labels = {TYPE_LABEL: names.type_values[kind.name]}
                if i < len(pins):
                    labels[PINNED] = names.pinned_values[pins[i]]
                nodes.append(node(f"node-{len(nodes)}", labels))
        return cls(nodes)

    def label(self, folder: Path, tmp: Path) -> None:
        """Run the exported script."""
        self.run(folder / "label_nodes.sh", tmp)

    def run(self, script: Path, tmp: Path) -> None:
        """Run a script that labels nodes."""
        (tmp / "kubectl.py").write_text(_KUBECTL)
        (tmp / "nodes").write_text(json.dumps(self.nodes))
        environment = {
            **os.environ,
            "NODES": str(tmp / "nodes"),
            "KUBECTL": f"{sys.executable} -S -E {tmp / 'kubectl.py'}",
        }
        done = subprocess.run(
            ["sh", str(script)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.nodes = json.loads((tmp / "nodes").read_text())

    def take_labels(self, plan: Layout) -> None:
        """Label nodes as the exported script does, quicker."""
        for group in plan.groups:
            pin = None if group.pinned is None else plan.pinned_values[group.pinned]
            value = plan.type_values[group.machine_type]
            free = [
                n["metadata"]
                for n in self.nodes
                if GROUP not in n["metadata"]["labels"]
                and (n["metadata"]["labels"][TYPE_LABEL], n["metadata"]["labels"].get(PINNED)) == (value, pin)
            ]
            for chosen in free[: group.machines]:
                chosen["labels"] |= {GROUP: group.label, TYPE: value}
                chosen["annotations"][TYPE] = group.machine_type

    def apply(self, deployments: list[dict[str, Any]], rng: random.Random) -> None:
        """Schedule every replica, in any order, on any node that the scheduler could take."""
        waiting = [d for d in deployments for _ in range(d["spec"]["replicas"])]
        rng.shuffle(waiting)
        for deployment in waiting:
            self.start(deployment, rng)

    def start(self, deployment: dict[str, Any], rng: random.Random) -> None:
        """Schedule one replica."""
        template = deployment["spec"]["template"]
        possible = self._possible(template["spec"], template["metadata"]["labels"])
        place = rng.choice(possible) if possible else None
        self.pods.append(pod(deployment, f"{len(self.pods)}", place))

    def _possible(self, spec: dict[str, Any], labels: dict[str, str]) -> list[str]:
        affinity = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (term,) = affinity["nodeSelectorTerms"]
        (spread,) = spec["topologySpreadConstraints"]
        selector = spread["labelSelector"]["matchLabels"].items()
        domains = [
            n["metadata"]["name"]
            for n in self.nodes
            if all(n["metadata"]["labels"].get(e["key"]) in e["values"] for e in term["matchExpressions"])
        ]
        assert selector <= labels.items()
        there = Counter(
            p["spec"]["nodeName"]
            for p in self.pods
            if "nodeName" in p["spec"] and selector <= p["metadata"]["labels"].items()
        )
        least = (
            min((there[name] for name in domains), default=0) if len(domains) >= spread["minDomains"] else 0
        )
        return [name for name in domains if there[name] + 1 - least <= spread["maxSkew"]]

    def holdings(self, of: Callable[[dict[str, Any]], str]) -> Holdings:
        """Return how many nodes hold which replicas: (machine type, ((model, replicas), ...)) -> nodes.

        Parameters
        ----------
        of
            What the machine type of a node is called.
        """
        on: dict[str, Counter[str]] = {n["metadata"]["name"]: Counter() for n in self.nodes}
        for p in self.pods:
            on[p["spec"]["nodeName"]][p["metadata"]["annotations"]["interference-planner/model"]] += 1
        return Counter(
            (of(n), tuple(sorted(on[n["metadata"]["name"]].items())))
            for n in self.nodes
            if on[n["metadata"]["name"]]
        )

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write what ``kubectl get nodes`` and ``kubectl get pods`` say as JSON."""
        paths = folder / "nodes.json", folder / "pods.json"
        for path, items in zip(paths, (self.nodes, self.pods), strict=True):
            path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        return paths


def node(name: str, labels: dict[str, str] | None = None, **allocatable: str) -> dict[str, Any]:
    """Return a node that is ready."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, **(labels or {})},
            "annotations": {},
        },
        "spec": {},
        "status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "110", **allocatable},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(deployment: dict[str, Any], suffix: str, place: str | None) -> dict[str, Any]:
    """Return a pod of a Deployment, as its ReplicaSet makes it."""
    template = deployment["spec"]["template"]
    name = f"{deployment['metadata']['name']}-5d8c7b9f6d"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{suffix}",
            "namespace": "serving",
            "labels": {**template["metadata"].get("labels", {}), "pod-template-hash": "5d8c7b9f6d"},
            "annotations": template["metadata"].get("annotations", {}),
            "ownerReferences": [{"kind": "ReplicaSet", "name": name, "controller": True}],
        },
        "spec": {**template["spec"], **({} if place is None else {"nodeName": place})},
        "status": {"phase": "Pending" if place is None else "Running"},
    }


def documents(folder: Path) -> list[dict[str, Any]]:
    """Return the exported Deployments."""
    return [*yaml.load_all((folder / "deployments.yaml").read_text(encoding="utf-8"), Loader=_LOADER)]


def wanted(instance: Instance, plan: Plan) -> Holdings:
    """Return a plan as :meth:`Cluster.holdings` says it."""
    names = [*instance.model_index]
    found: Holdings = Counter()
    for pool, machines, pattern in plan.patterns():
        models = tuple(sorted((names[t], n) for t, n in pattern.items()))
        found[instance.compiled.pool_names[pool][0], models] += machines
    return found
