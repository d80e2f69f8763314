"""A plan as a config of Ray Serve, and how each machine has to be started.

A group of machines that carry c_t replicas of model t is started with c_t of a custom resource of its own
for t; a replica takes 1 of it. m machines hold m c_t replicas then, so all of them are placed only if each
machine holds exactly c_t.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Any

from planner.fleet.layout import Group, Layout
from planner.fleet.requests import Requests
from planner.fleet.yaml_text import yaml_text

_FINEST = 10_000  # of Ray's resources

_START = """#!/bin/sh
# Starts Ray on a machine: sh ray_start.sh GROUP, with RAY_ADDRESS the address of the head node.
# plan.csv says how many machines of which type belong to each group.
set -eu
case "${1:-}" in
"""


def serve_config(plan: Layout, requests: Requests, import_path: str) -> str:
    """Return the config as YAML: one application for each model of each group.

    Parameters
    ----------
    import_path
        Where the application of a model is, with ``{model}`` for the model's label, in which hyphens become
        underscores. It must define one deployment, called by the model's label.
    """
    head = f"the plan of instance {plan.instance.name}; `serve deploy` takes it when all machines are started"
    return yaml_text([{"applications": [*_applications(plan, requests, import_path)]}], head)


def ray_start(plan: Layout) -> str:
    """Return the script that starts Ray on a machine of a group."""
    branches = []
    for group in plan.groups:
        resources = {_resource(plan, group, model): n for model, n in group.models.items()}
        command = f"exec ray start --address=\"$RAY_ADDRESS\" --resources='{json.dumps(resources)}'"
        branches.append(f"{group.label})\n    {command} ;;\n")
    return _START + "".join(branches) + '*)\n    echo "no such group: ${1:-}" >&2; exit 2 ;;\nesac\n'


def _applications(plan: Layout, requests: Requests, import_path: str) -> Iterator[dict[str, Any]]:
    models = {m.name: m for m in plan.instance.models}
    for group in plan.groups:
        for model, each in group.models.items():
            label = plan.model_labels[model]
            asked = requests.of(models[model], group.machine_type)
            yield {
                "name": f"{label}-{group.digest}",
                "route_prefix": f"/{label}/{group.label}",
                "import_path": import_path.replace("{model}", label.replace("-", "_")),
                "deployments": [
                    {
                        "name": label,
                        "num_replicas": each * group.machines,
                        "ray_actor_options": {
                            **_options(asked),
                            "resources": {_resource(plan, group, model): 1},
                        },
                    }
                ],
            }


def _resource(plan: Layout, group: Group, model: str) -> str:
    """Return the custom resource that only this group's machines have, for one of its models."""
    return f"{group.label}.{plan.model_labels[model]}"


def _options(asked: dict[str, Fraction]) -> dict[str, Any]:
    """Return what a replica takes of Ray's own resources.

    1 CPU would be its default. Memory is left out: what Ray counts as a node's is a share of what it finds.
    """
    gpus = [amount for name, amount in asked.items() if name.endswith("/gpu")]
    options: dict[str, Any] = {"num_cpus": _number(asked.get("cpu", Fraction(0)))}
    if gpus:
        options["num_gpus"] = _number(gpus[0])
    return options


def _number(amount: Fraction) -> int | float:
    rounded = Fraction(ceil(amount * _FINEST), _FINEST)
    return int(rounded) if rounded.denominator == 1 else float(rounded)
