r"""A plan as Deployments of Kubernetes, and the labels that its nodes need.

A group of m machines that carry c_t replicas of model t becomes, for each model, one Deployment of m c_t
replicas that may run on the group's nodes only. Its spread constraint keeps any two of those nodes within one
replica of each other and knows that there are m of them, so a node gets its next replica only while none has
fewer: none ever holds more than c_t, and once all are scheduled each holds exactly c_t. An update first takes
a replica away (``maxSurge: 0``), so that holds meanwhile too.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from planner.fleet.layout import Group, Layout
from planner.fleet.requests import Requests, is_device
from planner.fleet.yaml_text import yaml_text

DOMAIN = "interference-planner"
GROUP = f"{DOMAIN}/group"
TYPE = f"{DOMAIN}/machine-type"
PINNED = f"{DOMAIN}/pinned"
MODEL = f"{DOMAIN}/model"


def deployments(plan: Layout, requests: Requests, image: str) -> Iterator[dict[str, Any]]:
    """Yield a Deployment for each model of each group.

    Parameters
    ----------
    image
        The container image, with ``{model}`` for a model's label.
    """
    models = {m.name: m for m in plan.instance.models}
    for group in plan.groups:
        for name in group.models:
            asked = requests.of(models[name], group.machine_type)
            yield _deployment(plan, group, name, asked, image.replace("{model}", plan.model_labels[name]))


def deployments_yaml(plan: Layout, requests: Requests, image: str) -> str:
    """Return the Deployments as one YAML text."""
    return yaml_text(deployments(plan, requests, image), f"the plan of instance {plan.instance.name}")


def _deployment(
    plan: Layout, group: Group, model: str, asked: dict[str, Fraction], image: str
) -> dict[str, Any]:
    label = plan.model_labels[model]
    chosen = {MODEL: label, GROUP: group.label}
    marks = {**chosen, "app.kubernetes.io/managed-by": DOMAIN}
    originals = {MODEL: model, TYPE: group.machine_type}
    if group.pinned is not None:
        originals[PINNED] = group.pinned
    container = {"name": "model", "image": image, **_resources(asked)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{label}-{group.digest}",
            "labels": marks,
            "annotations": {**originals, f"{DOMAIN}/replicas-on-each": str(group.models[model])},
        },
        "spec": {
            "replicas": group.models[model] * group.machines,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "selector": {"matchLabels": chosen},
            "template": {
                "metadata": {"labels": marks, "annotations": originals},
                "spec": {
                    "affinity": {"nodeAffinity": _only_on(plan, group)},
                    "topologySpreadConstraints": [_even(group, chosen)],
                    "containers": [container],
                },
            },
        },
    }


def _only_on(plan: Layout, group: Group) -> dict[str, Any]:
    wanted = [(TYPE, plan.type_values[group.machine_type]), (GROUP, group.label)]
    if group.pinned is not None:
        wanted.append((PINNED, plan.pinned_values[group.pinned]))
    expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in wanted]
    term = {"matchExpressions": expressions}
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}


def _even(group: Group, chosen: dict[str, str]) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "minDomains": group.machines,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": chosen},
    }


def _resources(asked: dict[str, Fraction]) -> dict[str, Any]:
    if not asked:
        return {}
    requests = {name: _quantity(amount) for name, amount in asked.items()}
    limits = {
        name: text for name, text in requests.items() if is_device(name) or name.startswith("hugepages")
    }
    return {"resources": {"requests": requests, **({"limits": limits} if limits else {})}}


def _quantity(amount: Fraction) -> str:
    return str(amount.numerator) if amount.denominator == 1 else f"{int(amount * 1000)}m"
