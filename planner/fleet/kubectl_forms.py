"""The parts of nodes and pods that are read from what ``kubectl get -o json`` says.

Fields that are null count as absent, as in Kubernetes; those that are not read may be anything.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Text = Annotated[str, Field(strict=True)]
Identity = Annotated[
    str, Field(strict=True, min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
Flag = Annotated[bool, Field(strict=True)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}


class Owner(_Form):
    """What made an object."""

    kind: Text
    name: Text
    controller: Flag = False


class NodeMetadata(_Form):
    """Who a node is."""

    name: Identity
    labels: dict[str, Text] = Field(default_factory=dict)
    annotations: dict[str, Text] = Field(default_factory=dict)


class PodMetadata(NodeMetadata):
    """Who a pod is, and whose."""

    namespace: Identity = "default"
    owners: tuple[Owner, ...] = Field((), alias="ownerReferences")
    deleted: Text | None = Field(None, alias="deletionTimestamp")


class Taint(_Form):
    """What keeps pods from a node."""

    key: Text
    effect: Text


class NodeSpec(_Form):
    """Whether pods may come to a node."""

    unschedulable: Flag = False
    taints: tuple[Taint, ...] = ()


class Condition(_Form):
    """One thing that is said of a node's state."""

    type: Text
    status: Text


class NodeStatus(_Form):
    """What a node has, and how it is."""

    allocatable: dict[str, Any]
    conditions: tuple[Condition, ...] = ()


class Node(_Form):
    """A node."""

    metadata: NodeMetadata
    spec: NodeSpec = Field(default_factory=NodeSpec)
    status: NodeStatus


class Resources(_Form):
    """What a container, or a pod as a whole, asks for."""

    requests: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, Any] = Field(default_factory=dict)


class Container(_Form):
    """A container of a pod."""

    resources: Resources = Field(default_factory=Resources)
    restart: Text = Field("", alias="restartPolicy")


class PodSpec(_Form):
    """What a pod runs, and where."""

    node: Text | None = Field(None, alias="nodeName")
    containers: tuple[Container, ...]
    init: tuple[Container, ...] = Field((), alias="initContainers")
    overhead: dict[str, Any] = Field(default_factory=dict)
    resources: Resources = Field(default_factory=Resources)
    selector: dict[str, Text] = Field(default_factory=dict, alias="nodeSelector")
    affinity: dict[str, Any] = Field(default_factory=dict)


class PodStatus(_Form):
    """How far a pod has come."""

    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]


class Pod(_Form):
    """A pod."""

    metadata: PodMetadata
    spec: PodSpec
    status: PodStatus
