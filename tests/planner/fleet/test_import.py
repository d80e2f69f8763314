"""`planner import kubernetes`: nodes and pods into an instance and a plan."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from planner.files import load_instance, save_instance
from planner.fleet.export import Options, export
from planner.fleet.findings import pin_nodes
from planner.fleet.imported import Imported, imported
from planner.fleet.inventory import INSTANCE_TYPE, Which, read_cluster
from planner.fleet.layout import layout
from planner.instance import Background, Instance
from planner.plan import Plan
from planner.plan_files import load_plan, plan_document, save_document
from planner.result import Result as Solved
from planner.result import Status, Stop
from tests import tiny
from tests.planner.fleet.cases import cases
from tests.planner.fleet.cluster import PINNED, Cluster, documents, pod, wanted
from tests.planner.fleet.samples import A, B, daemon, deployment, gpu, pair, run


def read(cluster: Cluster, folder: Path, template: Instance | None = None, **which: Any) -> Imported:
    """Return a cluster as an instance and a plan."""
    known = None if template is None else template.model_index
    return imported(read_cluster(*cluster.write(folder), Which(known=known, **which)), "now", template)


def test_a_cluster_as_an_instance_and_a_plan(tmp_path: Path) -> None:
    found = read(pair(), tmp_path, tiny.pair())
    (kind,) = found.instance.machine_types
    assert (kind.name, kind.count, kind.slots, kind.price) == ("gpu", 2, 2, 3.0)
    assert kind.resources == {"cpu": 4.0, "memory_mb": 17179.869184}
    assert [m.demand for m in found.instance.models] == [
        {"cpu": 0.5, "memory_mb": 4294.967296},
        {"cpu": 1.0, "memory_mb": 4294.967296},
    ]
    assert found.instance.degradation.tolist() == tiny.pair().degradation.tolist()
    assert found.plan == tiny.plan(found.instance, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b")


def test_memory_that_just_fits_still_fits(tmp_path: Path) -> None:
    """110 pods of an odd number of bytes fill a node to the last byte."""
    each = 1_234_567_891
    cluster = Cluster(
        [gpu(0, memory=str(110 * each))],
        [pod(deployment("a", memory=str(each)), str(i), "gpu-0") for i in range(110)],
    )
    found = read(cluster, tmp_path)
    assert not violations(found)
    cluster.nodes[0]["status"]["allocatable"]["memory"] = str(110 * each - 1)
    assert violations(read(cluster, tmp_path)) == ["resources"]


def violations(found: Imported) -> list[str]:
    from planner.evaluate import evaluate

    return [v.rule for v in evaluate(found.instance, found.plan).violations]


def test_export_schedule_import_is_the_same_plan(tmp_path: Path) -> None:
    """Random instances, every second one under names that no label can be."""
    seen = 0
    for i, (instance, plan) in enumerate(cases(range(24))):
        folder = tmp_path / str(i)
        folder.mkdir()
        export(layout(instance, plan), "kubernetes", folder / "out", Options())
        cluster = Cluster.of(instance, plan)
        cluster.take_labels(layout(instance, plan))
        cluster.apply(documents(folder / "out"), random.Random(i))
        template = instance.replace(pinned=())
        found = read(cluster, folder, template)
        assert wanted(found.instance, found.plan) == wanted(instance, plan)
        assert [m.replicas for m in found.instance.models] == [
            m.replicas for m in sorted(instance.models, key=lambda m: m.name)
        ]
        seen += 1
    assert seen > 12


@pytest.mark.soak
def test_the_whole_way_by_commands(tmp_path: Path) -> None:
    """Export, run, import, check, replan without moves: nothing has changed."""
    instance = tiny.two_types()
    save_instance(instance, tmp_path / "fleet.yaml")
    plan = tiny.plan(instance, "cpu: 2 a", "gpu: 2 b")
    solved = Solved(Status.FEASIBLE, Stop.FINISHED, "hand", 0, plan=plan)
    save_document(tmp_path / "plan.json", plan_document(instance, solved))
    told = ("--format", "kubernetes", "--resource", "memory=memory:Gi", "-o", tmp_path / "out")
    assert run("export", tmp_path / "fleet.yaml", tmp_path / "plan.json", *told).exit_code == 0
    cluster = Cluster.of(instance, plan)
    cluster.label(tmp_path / "out", tmp_path)
    cluster.apply(documents(tmp_path / "out"), random.Random(5))
    nodes, pods = cluster.write(tmp_path)
    now, today = tmp_path / "now.yaml", tmp_path / "now.json"
    done = run(
        "import", "kubernetes", nodes, pods, "--template", tmp_path / "fleet.yaml", "-o", now, "--plan", today
    )
    assert done.exit_code == 0, done.output
    assert "4 replicas of 2 models" in done.stdout
    assert run("check", now, today).exit_code == 0
    replanned = run("replan", now, "--from", today, "--max-moves", 0, "--time-limit", 1, "--json")
    answer = json.loads(replanned.stdout)
    assert (replanned.exit_code, answer["moves"], answer["objective"]) == (0, 0, 1.2)


def test_other_pods_are_background_load(tmp_path: Path) -> None:
    """The same agent on all nodes is the machine type's; more on one of them is a pinned entry's."""
    cluster = pair()
    cluster.nodes.append(gpu(2))
    cluster.pods += [daemon(f"gpu-{i}", cpu="250m", memory="1Gi") for i in range(3)]
    cluster.pods.append(pod(deployment("web", cpu="2"), "w", "gpu-1"))
    found = read(cluster, tmp_path, with_slots(tiny.pair(), None))
    (kind,), (pin,) = found.instance.machine_types, found.instance.pinned
    assert kind.background == Background(demand={"cpu": 0.25, "memory_mb": 1073.741824}, slots=1)
    assert (pin.name, pin.machines, found.entries) == ("gpu-1", 1, {"gpu-1": ["gpu-1"]})
    assert pin.background == Background(demand={"cpu": 2.25, "memory_mb": 1073.741824}, slots=2)
    assert found.plan == tiny.plan(found.instance, "gpu: 1 a + 1 b", "gpu-1: 1 a + 1 b")
    assert kind.slots == 110


def with_slots(instance: Instance, slots: int | None) -> Instance:
    return tiny.with_type(instance, "gpu", slots=slots)


def test_the_slots_of_the_template_are_for_models(tmp_path: Path) -> None:
    """Other pods take none of the two until a node has no room for two more pods."""
    cluster = pair()
    cluster.nodes.append(gpu(2, pods="3"))
    cluster.pods += [daemon(f"gpu-{i}") for i in range(3)]
    cluster.pods.append(pod(deployment("web"), "w", "gpu-2"))
    found = read(cluster, tmp_path, tiny.pair())
    (kind,), (pin,) = found.instance.machine_types, found.instance.pinned
    assert (kind.slots, kind.background.slots) == (2, 0)
    assert (pin.name, pin.background) == ("gpu-2", Background(slots=1))


def test_nodes_of_a_type_with_less_room(tmp_path: Path) -> None:
    cluster = pair()
    cluster.nodes += [gpu(2), gpu(3, cpu="3500m"), gpu(4, cpu="3500m")]
    found = read(cluster, tmp_path, tiny.pair())
    (pin,) = found.instance.pinned
    assert (pin.machines, pin.background) == (2, Background(demand={"cpu": 0.5}))
    assert found.entries == {"gpu-3.and-1-more": ["gpu-3", "gpu-4"]}


def said(cluster: Cluster, folder: Path, *options: object) -> str:
    """Return what the command prints."""
    save_instance(tiny.pair(), folder / "pair.yaml")
    nodes, pods = cluster.write(folder)
    told = options or ("--template", folder / "pair.yaml")
    files = ("-o", folder / "now.yaml", "--plan", folder / "now.json")
    done = run("import", "kubernetes", nodes, pods, *files, *told)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_nodes_that_take_no_pods_are_left_out(tmp_path: Path) -> None:
    cluster = pair()
    cordoned, broken, full, control, other = (gpu(i) for i in range(2, 7))
    cordoned["spec"]["unschedulable"] = True
    broken["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    full["status"]["allocatable"]["pods"] = "0"
    control["spec"]["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    other["metadata"]["labels"][INSTANCE_TYPE] = "cpu"
    cluster.nodes += [cordoned, broken, full, control, other]
    cluster.nodes[0]["spec"]["taints"] = [
        {"key": "nvidia.com/gpu", "effect": "NoSchedule"},
        {"key": "soft", "effect": "PreferNoSchedule"},
    ]
    text = said(cluster, tmp_path)
    for line in (
        "2 nodes of 1 machine types",
        "1 nodes unschedulable, left out: gpu-2",
        "1 nodes not ready, left out: gpu-3",
        "1 nodes without room for a pod, left out: gpu-4",
        "1 nodes tainted (node-role.kubernetes.io/control-plane) and without a model, left out: gpu-5",
        "1 nodes of machine type cpu, which the template does not have, left out",
        "1 tainted nodes hold models and are taken for any other: gpu-0",
    ):
        assert line in text
    assert load_instance(tmp_path / "now.yaml").machine_types[0].count == 2


def test_pods_that_do_not_run_are_stated(tmp_path: Path) -> None:
    cluster = pair()
    finished, deleted, waiting, lost = (pod(A, f"x{i}", "gpu-0") for i in range(4))
    finished["status"]["phase"] = "Succeeded"
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    del waiting["spec"]["nodeName"]
    waiting["status"]["phase"] = "Pending"
    lost["spec"]["nodeName"] = "gone"
    bound = pod(B, "x5", "gpu-1")
    bound["status"]["phase"] = "Pending"  # its image is being pulled
    cluster.pods += [finished, deleted, waiting, lost, bound]
    text = said(cluster, tmp_path)
    for line in (
        "7 replicas of 2 models",
        "1 pods finished, left out",
        "1 pods being deleted, left out",
        "1 pods of models, pending: replicas without a machine",
        "1 pods of models, on nodes not in the file: replicas without a machine",
        "what runs breaks a rule: replicas:",
    ):
        assert line in text
    assert run("check", tmp_path / "now.yaml", tmp_path / "now.json").exit_code == 1
    assert [m.replicas for m in load_instance(tmp_path / "now.yaml").models] == [4, 3]


def test_what_is_taken_for_something_else_is_stated(tmp_path: Path) -> None:
    cluster = pair()
    larger = pod(deployment("a", cpu="750m", memory="1Gi"), "l", "gpu-0")
    larger["spec"]["nodeSelector"] = {"disk": "ssd"}
    cluster.pods[0] = larger
    cluster.pods.append(daemon("gpu-0"))
    text = said(cluster, tmp_path)
    assert "pods ask for different amounts, the largest is taken: serving/a" in text
    assert "node selectors and affinities are not taken over: serving/a" in text
    assert (
        "1 pods not of a model: background load, by which models are slowed by what the template says" in text
    )
    (a, _) = load_instance(tmp_path / "now.yaml").models
    assert a.demand == {"cpu": 0.75, "memory_mb": 4294.967296}


def test_without_interference_only_if_asked(tmp_path: Path) -> None:
    nodes, pods = pair().write(tmp_path)
    files = ("-o", tmp_path / "now.yaml", "--plan", tmp_path / "now.json")
    done = run("import", "kubernetes", nodes, pods, *files)
    assert done.exit_code == 2
    assert "--template: is needed, or --no-interference" in done.stderr
    assert "2 models (a, b) on 1 machine types (gpu)" in done.stderr
    assert not (tmp_path / "now.yaml").exists()
    assert "as asked: this says nothing of interference" in said(pair(), tmp_path, "--no-interference")
    instance = load_instance(tmp_path / "now.yaml")
    assert {m.latency_ms["gpu"] for m in instance.models} == {1.0}
    assert not instance.degradation.any()
    done = run(
        "import", "kubernetes", nodes, pods, *files, "--no-interference", "--template", tmp_path / "now.yaml"
    )
    assert "must not be given beside --no-interference" in done.stderr


def test_which_pods_are_models(tmp_path: Path) -> None:
    cluster = pair()
    cluster.pods[0]["metadata"]["namespace"] = "other"
    for p in cluster.pods[1:]:
        p["metadata"]["labels"]["app"] = "both"
    everything = read(cluster, tmp_path)
    assert [m.name for m in everything.instance.models] == ["b", "other/a", "serving/a"]
    some = read(cluster, tmp_path, namespaces=["serving"])
    assert [(m.name, m.replicas) for m in some.instance.models] == [("a", 1), ("b", 2)]
    labelled = read(cluster, tmp_path, label="app")
    assert [(m.name, m.replicas) for m in labelled.instance.models] == [("both", 3)]


def test_rules_and_slos_of_the_template(tmp_path: Path) -> None:
    """Those of models and machine types that are not there are left away."""
    template = tiny.two_types()
    rules = template.rules.model_copy(
        update={
            "keep_apart": (("a", "b"),),
            "max_per_machine": {"a": 1, "b": 2},
            "forbid": {"a": ("cpu",), "b": ("gpu",)},
        }
    )
    template = tiny.with_model(template.replace(rules=rules), "a", slo_ms=12.5, weight=2.0)
    cluster = pair()
    cluster.pods = [p for p in cluster.pods if p["metadata"]["name"].startswith("a")]
    found = read(cluster, tmp_path, template)
    (model,) = found.instance.models
    assert (model.slo_ms, model.weight, model.latency_ms) == (12.5, 2.0, {"gpu": 10.0})
    assert found.instance.rules.model_dump(exclude_defaults=True) == {
        "max_per_machine": {"a": 1},
        "forbid": {"a": ()},
    }


def test_commands_label_the_nodes_of_pinned_entries(tmp_path: Path) -> None:
    cluster = pair()
    cluster.nodes.append(gpu(2, cpu="3"))
    nodes, pods = cluster.write(tmp_path)
    files = ("-o", tmp_path / "now.yaml", "--plan", tmp_path / "now.json", "--pins", tmp_path / "pins.sh")
    assert run("import", "kubernetes", nodes, pods, *files, "--no-interference").exit_code == 0
    assert (tmp_path / "pins.sh").read_text().splitlines()[3:] == [
        "$KUBECTL label nodes -l interference-planner/pinned interference-planner/pinned-",
        "$KUBECTL label --overwrite nodes gpu-2 interference-planner/pinned=gpu-2",
    ]


def test_nodes_with_load_of_their_own_all_the_way(tmp_path: Path) -> None:
    """Import, label pinned nodes, export, label groups, run, import again: the same instance and plan."""
    cluster = pair()
    cluster.nodes += [gpu(2, cpu="3"), gpu(3)]
    cluster.nodes[0]["metadata"]["labels"][PINNED] = "old"
    found = read(cluster, tmp_path, tiny.pair())
    plan = tiny.plan(found.instance, "gpu: 2 a", "gpu-2: 2 b")
    (tmp_path / "pins.sh").write_text(pin_nodes(found))
    cluster.run(tmp_path / "pins.sh", tmp_path)
    export(layout(found.instance, plan), "kubernetes", tmp_path / "out", Options())
    cluster.label(tmp_path / "out", tmp_path)
    cluster.pods = []
    cluster.apply(documents(tmp_path / "out"), random.Random(1))
    again = read(cluster, tmp_path, tiny.pair())
    assert again.plan == plan
    assert again.instance.sha256 == found.instance.sha256


def test_a_plan_of_what_runs_is_one_of_the_instance(tmp_path: Path) -> None:
    said(pair(), tmp_path)
    plan = load_plan(tmp_path / "now.json", load_instance(tmp_path / "now.yaml"))
    assert plan == Plan.from_patterns([(0, 2, {0: 1, 1: 1})])
