"""`planner import kubernetes` on files that kubectl would not print: each is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.files import save_instance
from planner.fleet.inventory import INSTANCE_TYPE
from tests import tiny
from tests.planner.fleet.cluster import Cluster
from tests.planner.fleet.samples import pair, run

Change = Callable[[Cluster], None]


def _set(*path: Any, value: Any) -> Change:
    """Return a change of one field of the first node or pod."""

    def change(cluster: Cluster) -> None:
        place: Any = cluster
        for part in path[:-1]:
            place = getattr(place, part) if isinstance(place, Cluster) else place[part]
        place[path[-1]] = value

    return change


BAD: dict[str, tuple[Change, str]] = {
    "node quantity": (
        _set("nodes", 0, "status", "allocatable", "cpu", value="four"),
        "nodes.json: items[0].status.allocatable.cpu: must be a Kubernetes quantity",
    ),
    "no allocatable": (
        _set("nodes", 1, "status", value={}),
        "nodes.json: items[1].status.allocatable: is required",
    ),
    "labels": (
        _set("nodes", 0, "metadata", "labels", value=["x"]),
        "nodes.json: items[0].metadata.labels: must be a mapping, found ['x']",
    ),
    "node name": (
        _set("nodes", 0, "metadata", "name", value="a b; rm -rf /"),
        "nodes.json: items[0].metadata.name: must",
    ),
    "two nodes": (
        _set("nodes", 1, "metadata", "name", value="gpu-0"),
        "nodes.json: items[1].metadata.name: must be unique, found 'gpu-0'",
    ),
    "two pods": (
        lambda cluster: cluster.pods.append(cluster.pods[0]),
        "pods.json: items[4].metadata.name: must be unique",
    ),
    "swapped": (
        lambda cluster: cluster.pods.reverse() or cluster.pods.append(cluster.nodes[0]),  # type: ignore[func-returns-value]
        "pods.json: items[4].kind: must be 'Pod', found 'Node'",
    ),
    "phase": (
        _set("pods", 0, "status", "phase", value="Sleeping"),
        "pods.json: items[0].status.phase: must be 'Pending', 'Running'",
    ),
    "container": (
        _set("pods", 0, "spec", "containers", value=[7]),
        "pods.json: items[0].spec.containers[0]: must be a mapping, found 7",
    ),
    "request": (
        _set("pods", 0, "spec", "containers", value=[{"resources": {"requests": {"cpu": "-1"}}}]),
        "pods.json: items[0].spec.containers[0].resources.requests.cpu: must be from 0 to 1e24, found '-1'",
    ),
    "item": (_set("pods", 0, value="pod"), "pods.json: items[0]: must be a mapping, found 'pod'"),
    "no model": (lambda cluster: cluster.pods.clear(), "pods.json: holds no pod of a model"),
    "no node": (lambda cluster: cluster.nodes.clear(), "nodes.json: holds no node"),
    "type without a name": (
        _set("nodes", 0, "metadata", "labels", value={}),
        "nodes.json: items[0]: must have a label with its machine type (--type-label), as a runs on it",
    ),
    "type that is not known": (
        _set("nodes", 0, "metadata", "labels", INSTANCE_TYPE, value="tpu"),
        "nodes.json: items[0]: must be of a machine type of the template, as a runs on it, found 'tpu'",
    ),
    "type with a control character": (
        _set("nodes", 0, "metadata", "labels", INSTANCE_TYPE, value="g\x1b[2Jpu"),
        "nodes.json: items[0].metadata.labels.node.kubernetes.io/instance-type: must have 1 to 200",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_named(what: str, tmp_path: Path) -> None:
    change, message = BAD[what]
    cluster = json.loads(json.dumps(vars(pair())))
    cluster = Cluster(**cluster)
    change(cluster)
    save_instance(tiny.pair(), tmp_path / "pair.yaml")
    nodes, pods = cluster.write(tmp_path)
    files = (
        "-o",
        tmp_path / "now.yaml",
        "--plan",
        tmp_path / "now.json",
        "--template",
        tmp_path / "pair.yaml",
    )
    done = run("import", "kubernetes", nodes, pods, *files)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert "\x1b" not in done.stderr
    assert not (tmp_path / "now.yaml").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must not be empty"),
        ("[]", "must be what `kubectl get nodes -o json` prints"),
        ("{}", "must be what `kubectl get nodes -o json` prints"),
        ('{"items": 5}', "items: must be a list, found 5"),
        ('{"items": [{}]}', "items[0].kind: must be 'Node', found 'nothing'"),
        ('{"items": [{"kind": "Node", "kind": "Pod"}]}', "items[0].kind: must not appear twice"),
        ('{"items": ' + "[" * 100_000, "must not be nested deeper"),
        ('{"items": [' + '{"a":' * 5_000, "must not be nested deeper"),
        ('{"items": [{"kind": "Node", "x": 1e999}]}', "must be a number of at most 1e308"),
        (
            '{"items": [{"kind": "Node", "x": [' + "0," * 400_000 + "0]}]}",
            "items[0]: must hold at most 100,000 values",
        ),
        ("name: x\n", "is not valid JSON"),
    ],
)
def test_hostile_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    nodes, pods = pair().write(tmp_path)
    nodes.write_text(text)
    files = ("-o", tmp_path / "now.yaml", "--plan", tmp_path / "now.json", "--no-interference")
    done = run("import", "kubernetes", nodes, pods, *files)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert str(nodes) in done.stderr


def test_missing_files_are_named(tmp_path: Path) -> None:
    nodes, _ = pair().write(tmp_path)
    files = ("-o", tmp_path / "now.yaml", "--plan", tmp_path / "now.json", "--no-interference")
    done = run("import", "kubernetes", nodes, tmp_path / "none.json", *files)
    assert (done.exit_code, "none.json: cannot be read" in done.stderr) == (2, True)
