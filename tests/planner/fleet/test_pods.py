"""What pods ask for, by the rules of the scheduler, and what they are replicas of."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from planner.errors import InputError
from planner.fleet.kubectl_forms import Pod
from planner.fleet.pods import Workload, asked, whole, workload


def pod(spec: dict[str, Any] | None = None, **metadata: Any) -> Pod:
    """Return a pod with this spec and metadata."""
    return Pod.model_validate(
        {
            "metadata": {"name": "p", "namespace": "serving", **metadata},
            "spec": {"containers": [], **(spec or {})},
            "status": {"phase": "Running"},
        }
    )


def container(**requests: str) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": requests}}


def cpu(spec: dict[str, Any]) -> Fraction:
    return asked(pod(spec), "items[0]")["cpu"]


def test_containers_add_up() -> None:
    spec = {"containers": [container(cpu="250m", memory="1Gi"), container(cpu="1"), {"name": "nothing"}]}
    assert asked(pod(spec), "items[0]") == {"cpu": Fraction(5, 4), "memory": 2**30}


def test_an_init_container_counts_if_it_needs_more() -> None:
    assert cpu({"containers": [container(cpu="1")], "initContainers": [container(cpu="3")]}) == 3
    assert cpu({"containers": [container(cpu="4")], "initContainers": [container(cpu="3")]}) == 4


def test_an_init_container_that_stays_adds_up() -> None:
    """It runs beside the containers, and beside the init containers after it: 1 + 2, or 1 + 5."""
    stays = container(cpu="1") | {"restartPolicy": "Always"}
    assert cpu({"containers": [container(cpu="2")], "initContainers": [stays]}) == 3
    assert cpu({"containers": [container(cpu="2")], "initContainers": [stays, container(cpu="5")]}) == 6
    assert cpu({"containers": [container(cpu="2")], "initContainers": [container(cpu="5"), stays]}) == 5


def test_overhead_and_what_is_said_of_the_whole_pod() -> None:
    spec = {"containers": [container(cpu="1")], "overhead": {"cpu": "100m"}}
    assert cpu(spec) == Fraction(11, 10)
    assert cpu({**spec, "resources": {"requests": {"cpu": "5"}}}) == Fraction(51, 10)


def test_a_limit_without_a_request_is_both() -> None:
    limited = {
        "name": "c",
        "resources": {"limits": {"cpu": "2", "nvidia.com/gpu": "1"}, "requests": {"cpu": "1"}},
    }
    assert asked(pod({"containers": [limited]}), "items[0]") == {"cpu": 1, "nvidia.com/gpu": 1}


def test_nulls_count_as_absent() -> None:
    nothing = {"name": "c", "resources": {"requests": None}}
    assert asked(pod({"containers": [nothing], "initContainers": None}, labels=None), "items[0]") == {}


def test_what_is_no_quantity_is_named() -> None:
    with pytest.raises(InputError, match="must be a Kubernetes quantity") as caught:
        asked(pod({"containers": [container(cpu="1"), container(cpu="a lot")]}), "items[7]")
    assert caught.value.field == "items[7].spec.containers[1].resources.requests.cpu"


def owned(kind: str, name: str, **metadata: Any) -> Pod:
    return pod(ownerReferences=[{"kind": kind, "name": name, "controller": True}], **metadata)


def test_the_owner_is_the_model() -> None:
    digest = {"labels": {"pod-template-hash": "5d8c7b9f6d"}}
    assert workload(owned("ReplicaSet", "bert-5d8c7b9f6d", **digest), None) == Workload("bert", "serving")
    assert workload(owned("ReplicaSet", "bert-v2"), None) == Workload("bert-v2", "serving")
    assert workload(owned("StatefulSet", "llama"), None) == Workload("llama", "serving")
    for kind in ("DaemonSet", "Job", "Node"):
        assert workload(owned(kind, "x"), None) is None
    assert workload(pod(), None) is None


def test_an_export_says_the_model_in_full_and_a_label_goes_before_it() -> None:
    metadata = {"annotations": {"interference-planner/model": "Größe 7"}, "labels": {"app": "x"}}
    assert workload(owned("ReplicaSet", "gr-123", **metadata), None) == Workload("Größe 7", "serving")
    assert workload(owned("ReplicaSet", "gr-123", **metadata), "app") == Workload("x")
    assert workload(owned("ReplicaSet", "gr-123", **metadata), "other") is None


def test_amounts_are_rounded_against_us() -> None:
    assert whole("cpu", Fraction(1, 3), "f", up=True) == Fraction(334, 1000)
    assert whole("cpu", Fraction(1, 3), "f", up=False) == Fraction(333, 1000)
    assert whole("memory", Fraction(5, 2), "f", up=True) == Fraction(3, 10**6)
    assert whole("nvidia.com/gpu", Fraction(3, 2), "f", up=False) == 1
    with pytest.raises(InputError, match="must be at most 1e12"):
        whole("cpu", Fraction(10**13), "f", up=True)
