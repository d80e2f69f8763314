"""The form of a plan file: its fields, as pydantic checks them."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from planner.groups import Groups
from planner.names import Name
from planner.problems import whole_one
from planner.result import Status, Stop


def _decimal(value: Any) -> Any:
    """Let whole numbers pass for decimals, and nothing else."""
    if type(value) not in (int, Decimal):
        raise ValueError("must be a number")
    return Decimal(value)


def _float(value: Any) -> Any:
    return value if type(value) is float else float(_decimal(value))


Exact = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, le=10**15, decimal_places=6)]
Real = Annotated[float, BeforeValidator(_float), Field(ge=0, le=1e15)]
Whole = Annotated[int, Field(ge=0, le=10**18, strict=True)]
Moment = tuple[Real, Exact | None, Exact | None]


def _in_time_order(history: tuple[Moment, ...]) -> tuple[Moment, ...]:
    if any(later[0] < earlier[0] for earlier, later in pairwise(history)):
        raise ValueError("must be in time order")
    return history


#: Seconds, incumbent's objective and bound, at each improvement of one of them.
History = Annotated[tuple[Moment, ...], Field(max_length=5_000), AfterValidator(_in_time_order)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Document):
    """The instance that a plan is for; without its SHA-256 the plan is taken for any of that name."""

    name: Name
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class Author(_Document):
    """The solver that made a plan."""

    name: Name
    version: Name


class Summary(_Document):
    """A plan in a few numbers. Degradations are dimensionless and unweighted, over replicas."""

    replicas: Whole
    machines_used: Whole
    price: Exact
    mean_degradation: Real
    worst_degradation: Real
    misses: Whole


class Aggressor(_Document):
    """A model and the share of another model's degradation that it causes."""

    model: Name
    share: Real


class Outcome(_Document):
    """What a plan means for one model; see :class:`planner.evaluate.ModelOutcome`."""

    name: Name
    replicas: Whole
    mean_degradation: Real
    worst_degradation: Real
    latency_ms: Real | None
    machine_type: Name | None
    slo_ms: Real | None
    misses: Whole
    hurt_by: tuple[Aggressor, ...]


class PlanFile(_Document):
    """A plan and what is known about it."""

    version: Annotated[Literal[1], BeforeValidator(whole_one)]
    instance: Source
    solver: Author | None = None
    seed: Whole | None = None
    status: Status | None = None
    stop: Stop | None = None
    objective: Exact | None = None
    bound: Exact | None = None
    gap: Real | None = None
    runtime_s: Real | None = None
    slo_probability: Annotated[float, BeforeValidator(_float), Field(ge=0.5, le=0.9999)] | None = None
    note: str = ""
    reasons: tuple[str, ...] = ()
    history: History = ()
    summary: Summary | None = None
    models: tuple[Outcome, ...] = ()
    machines: Annotated[Groups, PlainValidator(Groups.of), WithJsonSchema({"type": "array"})]
