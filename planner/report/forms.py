"""The forms of documents that `compare`, `validate` and `evaluate` write, as pydantic checks them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from planner.names import Name
from planner.plan_form import Exact, Real, Whole
from planner.problems import whole_one
from planner.result import Status, Stop


def _signed(value: Any) -> Any:
    if type(value) is bool or isinstance(value, str):
        raise ValueError("must be a number")
    return float(value) if value is not None else value


Signed = Annotated[float, BeforeValidator(_signed), Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Version = Annotated[Literal[1], BeforeValidator(whole_one)]
Label = Annotated[str, Field(min_length=1, max_length=255)]
Words = Annotated[str, Field(max_length=10_000)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Document):
    """One solver on one instance; see :data:`planner.report.compare.FIELDS`."""

    instance: Label
    solver: Name
    status: Status
    stop: Stop | None
    objective: Exact | None
    ratio_to_best: Real | None = None
    bound: Exact | None
    gap: Real | None = None
    gap_to_best_bound: Signed | None = None
    misses: Whole | None
    machines_used: Whole | None
    price: Exact | None
    mean_degradation: Real | None
    worst_degradation: Real | None
    runtime_s: Real
    note: Words = ""


class CompareFile(_Document):
    """What ``planner compare`` writes as ``compare.json``."""

    version: Version
    rows: tuple[Row, ...] = Field(min_length=1)
    contradictions: tuple[Words, ...] = ()


class Between(_Document):
    """A value and its 95 % interval."""

    value: Signed
    lower: Signed
    upper: Signed


class MeasuredModel(_Document):
    """See :class:`planner.degradation.validation.ModelReport`."""

    model: Name
    replicas: Whole
    predicted: Real
    measured: Signed
    latency_ms: Real
    slo_ms: Real | None
    missed: Whole


class MeasuredPlan(_Document):
    """See :class:`planner.degradation.validation.PlanReport`."""

    name: Words
    replicas: Whole
    alone: Whole
    covered: Whole
    predicted: Real
    measured: Between
    ratio: Between | None
    models: tuple[MeasuredModel, ...]


class MeasuredVictim(_Document):
    """See :class:`planner.degradation.validation.Victim`."""

    machine_type: Name
    members: tuple[Name, ...]
    model: Name
    predicted: Real
    measured: Signed
    latency_ms: Real
    runs: Whole


class ValidationFile(_Document):
    """What ``planner validate`` writes as ``validation.json``."""

    plans: tuple[MeasuredPlan, ...] = Field(min_length=1)
    control: Between | None
    victims: tuple[MeasuredVictim, ...]
    excluded: Whole


class MethodScore(_Document):
    """See :class:`planner.degradation.evaluation.Score`."""

    split: Name
    machine_type: Name
    method: Name
    rows: Whole
    mae: Real
    slowdown_error: Real
    r2: Signed | None
    r2_log: Signed | None
    spearman: Signed | None
    regret: Real | None
    covered_80: Real | None = None
    covered_95: Real | None = None


class EvaluationFile(_Document):
    """What ``planner evaluate`` writes as ``evaluation.json``."""

    version: Version
    planner: Words
    table: Words
    sha256: Words
    quantity: Words
    pairs: Whole
    seed: Whole
    scores: tuple[MethodScore, ...] = Field(min_length=1)
