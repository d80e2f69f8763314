"""Deployments: valid by Kubernetes' own schema, and scheduled as planned."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from planner.fleet.export import Options, export
from planner.fleet.kubernetes import deployments_yaml
from planner.fleet.layout import Layout, layout
from planner.fleet.naming import LABEL_VALUE
from planner.fleet.requests import requests
from planner.instance import InferenceModel, Instance, MachineType
from planner.plan import Plan
from tests import tiny
from tests.planner.fleet.cases import cases, layouts
from tests.planner.fleet.cluster import Cluster, documents, wanted

TYPE = "interference-planner/machine-type"


@cache
def schema() -> Draft202012Validator:
    """Return the schema of Deployments of Kubernetes 1.37, in which no unknown field passes."""
    found = find_spec("kubernetes_validate")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "kubernetes-json-schema" / "v1.37.0-local-strict"
    top, definitions = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("deployment-apps-v1", "_definitions")
    )
    registry: Registry[Any] = Registry()
    registry = registry.with_resource("_definitions.json", Resource.from_contents(definitions))
    return Draft202012Validator(top, registry=registry.crawl())  # else each reference is looked for anew


def written(
    plan: Layout, path: Path, *named: str, image: str = "registry.example/{model}:1"
) -> list[dict[str, Any]]:
    export(plan, "kubernetes", path, Options(image=image, resources=named))
    return documents(path)


def labels_in(value: Any) -> list[tuple[str, str]]:
    """Return every label of a document."""
    if isinstance(value, list):
        return [pair for item in value for pair in labels_in(item)]
    if not isinstance(value, dict):
        return []
    here = [*value.get("labels", {}).items(), *value.get("matchLabels", {}).items()]
    here += [(value["key"], v) for v in value["values"]] if "values" in value else []
    return here + [pair for item in value.values() for pair in labels_in(item)]


def test_every_deployment_is_valid(tmp_path: Path) -> None:
    found = 0
    for i, (plan, _) in enumerate(layouts(range(9))):
        for document in written(plan, tmp_path / str(i), *_named(plan.instance)):
            schema().validate(document)
            assert all(LABEL_VALUE.fullmatch(v) and len(v) <= 63 for _, v in labels_in(document))
            name = document["metadata"]["name"]
            assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)
            found += 1
    assert found > 15


def _named(instance: Instance) -> list[str]:
    known = {"memory": "memory=memory:Gi", "cores": "cores=cpu"}
    return [known[name] for name in {r for kind in instance.machine_types for r in kind.resources}]


def test_the_schema_bites(tmp_path: Path) -> None:
    plan, _ = next(layouts(range(9)))
    document = written(plan, tmp_path / "d")[0]
    document["spec"]["template"]["spec"]["affinity"]["nodeAffinities"] = {}
    assert not schema().is_valid(document)


def test_the_scheduler_places_what_was_planned(tmp_path: Path) -> None:
    """Labels by the exported script, then any order of pods and any choice of the scheduler."""
    seen = 0
    for i, (instance, plan) in enumerate(cases(range(7))):
        (tmp_path / f"t{i}").mkdir()
        cluster = Cluster.of(instance, plan)
        files = written(layout(instance, plan), tmp_path / f"d{i}")
        cluster.label(tmp_path / f"d{i}", tmp_path / f"t{i}")
        cluster.apply(files, random.Random(i))
        found = cluster.holdings(lambda n: n["metadata"]["annotations"][TYPE])
        assert found == wanted(instance, plan)
        seen += 1
    assert seen > 3


def fleet(*counts: int) -> tuple[Instance, Plan]:
    """Return machines of one type, each group of which carries its own pattern of a and b."""
    patterns = [{0: 3, 1: 1}, {0: 1}, {1: 2}]
    base = tiny.pair()
    placed = Counter[int]()
    for n, pattern in zip(counts, patterns, strict=False):
        for t, c in pattern.items():
            placed[t] += n * c
    models = tuple(
        InferenceModel(**{**vars(m), "replicas": max(placed[t], 1), "demand": {}})
        for t, m in enumerate(base.models)
    )
    kind = MachineType(name="gpu", count=sum(counts), slots=4)
    instance = base.replace(machine_types=(kind,), models=models)
    return instance, Plan.from_patterns((0, n, p) for n, p in zip(counts, patterns, strict=False))


def test_an_update_never_crowds_a_node(tmp_path: Path) -> None:
    """Pods go one at a time and come back somewhere: no node ever holds more than planned."""
    instance, plan = fleet(5, 3, 2)
    files = written(layout(instance, plan), tmp_path / "d")
    cluster, rng = Cluster.of(instance, plan), random.Random(1)
    cluster.label(tmp_path / "d", tmp_path)
    cluster.apply(files, rng)
    by_name = {d["metadata"]["name"]: d for d in files}
    for _ in range(300):
        gone = cluster.pods.pop(rng.randrange(len(cluster.pods)))
        name = gone["metadata"]["ownerReferences"][0]["name"].removesuffix("-5d8c7b9f6d")
        cluster.start(by_name[name], rng)
        assert cluster.holdings(lambda n: "gpu") == wanted(instance, plan)


def test_nodes_that_are_missing_leave_replicas_pending(tmp_path: Path) -> None:
    """Two of five nodes have no label yet: the others are not crowded."""
    instance, plan = fleet(5)
    files = written(layout(instance, plan), tmp_path / "d")
    cluster = Cluster.of(instance, plan)
    cluster.label(tmp_path / "d", tmp_path)
    for node in cluster.nodes[:2]:
        del node["metadata"]["labels"]["interference-planner/group"]
    cluster.apply(files, random.Random(2))
    there: Counter[str | None] = Counter(p["spec"].get("nodeName") for p in cluster.pods)
    assert there == {None: 20 - 3 * 2, "node-2": 2, "node-3": 2, "node-4": 2}


def test_a_later_plan_relabels_only_what_changes(tmp_path: Path) -> None:
    before, after = fleet(5, 3, 2), fleet(4, 3, 3)
    cluster = Cluster.of(*before)
    for step, (instance, plan) in enumerate((before, after, after)):
        old = {n["metadata"]["name"]: n["metadata"]["labels"] for n in cluster.nodes}
        written(layout(instance, plan), tmp_path / str(step))
        cluster.label(tmp_path / str(step), tmp_path)
        groups = Counter(n["metadata"]["labels"]["interference-planner/group"] for n in cluster.nodes)
        assert groups == {g.label: g.machines for g in layout(instance, plan).groups}
        changed = [n for n in cluster.nodes if n["metadata"]["labels"] != old[n["metadata"]["name"]]]
        assert len(changed) == (10, 1, 0)[step]


def test_files_grow_with_patterns_not_with_machines() -> None:
    small, large = (layout(*fleet(n, n, n)) for n in (3, 300_000))
    asked = requests(small.instance)
    texts = [deployments_yaml(plan, asked, "x") for plan in (small, large)]
    assert large.replicas == 2_100_000
    assert abs(len(texts[1]) - len(texts[0])) < 100


def test_the_image_is_a_placeholder_until_it_is_given(tmp_path: Path) -> None:
    plan = layout(*fleet(2))
    notes = export(plan, "kubernetes", tmp_path / "d", Options())
    assert "image-not-set.invalid/{model} is a placeholder" in notes[0]
    assert "image-not-set.invalid/{model} is a placeholder" in (tmp_path / "d" / "README.md").read_text()
    image = documents(tmp_path / "d")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "image-not-set.invalid/a"
