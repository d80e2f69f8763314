"""Ray Serve: a config by its own schema where Ray is installed, and replicas that fit in one way only."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from planner.fleet.export import Options, export
from planner.fleet.layout import Layout
from planner.instance import Instance
from planner.plan import Plan
from tests.planner.fleet.cases import layouts, plan_of
from tests.planner.fleet.test_table import read_back


def written(plan: Layout, path: Path) -> dict[str, Any]:
    """Return the exported config."""
    export(plan, "ray-serve", path, Options(import_path="serving.{model}:app"))
    config: dict[str, Any] = yaml.safe_load((path / "serve.yaml").read_text(encoding="utf-8"))
    return config


def started(folder: Path, group: str, tmp: Path) -> dict[str, int]:
    """Return the custom resources of a machine that the exported script starts."""
    ray = tmp / "ray"
    ray.write_text('#!/bin/sh\nfor word; do case "$word" in --resources=*) echo "${word#*=}" ;; esac; done\n')
    ray.chmod(ray.stat().st_mode | stat.S_IXUSR)
    command = ["sh", str(folder / "ray_start.sh"), group]
    environment = {**os.environ, "PATH": f"{tmp}:{os.environ['PATH']}", "RAY_ADDRESS": "head:6379"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    resources: dict[str, int] = json.loads(done.stdout)
    return resources


def test_each_resource_is_there_exactly_as_often_as_it_is_asked_for(tmp_path: Path) -> None:
    """So replicas that all have a place have the one that was planned."""
    seen = 0
    for i, (plan, _) in enumerate(layouts(range(9))):
        config = written(plan, tmp_path / str(i))
        asked: Counter[str] = Counter()
        for application in config["applications"]:
            (deployment,) = application["deployments"]
            ((resource, amount),) = deployment["ray_actor_options"]["resources"].items()
            assert amount == 1
            assert resource not in asked
            asked[resource] = deployment["num_replicas"]
        there: Counter[str] = Counter()
        for group in plan.groups:
            for resource, amount in started(tmp_path / str(i), group.label, tmp_path).items():
                there[resource] += amount * group.machines
        assert there == asked
        seen += 1
    assert seen > 4


def plan_in(instance: Instance, config: dict[str, Any], index: Path) -> Plan:
    """Return the plan that a config describes; group and model by the index beside it."""
    header, *lines = index.read_text(encoding="utf-8").splitlines()
    assert header.endswith(",model_label")
    assert len(lines) == len(config["applications"])
    return read_back(instance, index.read_text(encoding="utf-8"))


def test_the_same_plan_comes_back(tmp_path: Path) -> None:
    for i, (plan, original) in enumerate(layouts(range(24))):
        config = written(plan, tmp_path / str(i))
        groups = {group.label: group for group in plan.groups}
        models = {label: name for name, label in plan.model_labels.items()}
        patterns: dict[str, dict[int, int]] = {}
        for application in config["applications"]:
            (deployment,) = application["deployments"]
            (resource,) = deployment["ray_actor_options"]["resources"]
            label, _, model = resource.partition(".")
            each, rest = divmod(deployment["num_replicas"], groups[label].machines)
            assert (rest, model) == (0, deployment["name"])
            patterns.setdefault(label, {})[plan.instance.model_index[models[model]]] = each
        found = plan_of(plan, patterns)
        assert found == original == plan_in(plan.instance, config, tmp_path / str(i) / "plan.csv")


def test_applications_have_names_and_routes_of_their_own(tmp_path: Path) -> None:
    for i, (plan, _) in enumerate(layouts(range(8))):
        applications = written(plan, tmp_path / str(i))["applications"]
        for what in ("name", "route_prefix"):
            assert len({a[what] for a in applications}) == len(applications)
        assert all(
            a["route_prefix"].startswith("/") and a["import_path"].endswith(":app") for a in applications
        )


def test_ray_takes_the_config(tmp_path: Path) -> None:
    """Where Ray is installed, which this project does not ask for."""
    schema = pytest.importorskip("ray.serve.schema", reason="Ray is not installed")
    for i, (plan, _) in enumerate(layouts(range(20))):
        config = schema.ServeDeploySchema(**written(plan, tmp_path / str(i)))
        assert len(config.applications) == sum(len(group.models) for group in plan.groups)
