"""What is asked: models, machine types, degradation, rules and the objective.

An :class:`Instance` is frozen and valid if it exists: every field is checked when it is built, and a
variant is made with :meth:`Instance.replace`, which checks again. The numbers that solvers work on
are the integers of :attr:`Instance.compiled`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from planner.consistency import check
from planner.names import Name

if TYPE_CHECKING:
    from planner.compiled import Compiled

Count = Annotated[int, Field(ge=1, le=10**9, strict=True)]
Amount = Annotated[
    float,
    Field(ge=0, le=1e12, allow_inf_nan=False, strict=True),
    AfterValidator(lambda value: value + 0.0),  # turns -0.0 into 0.0
]
Probability = Annotated[float, Field(ge=0.5, le=0.9999, strict=True)]
Crowd = Annotated[int, Field(ge=2, le=1_000)]
Factor = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False, strict=True)]
Milliseconds = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False, strict=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Background(_Strict):
    """Load on a machine that is not ours to place but that the plan must live with."""

    demand: dict[Name, Amount] = Field({}, description="resource -> amount it takes on each machine")
    slots: int = Field(0, ge=0, le=10**9, strict=True, description="slots it takes on each machine")
    degradation: dict[Name, Amount] = Field({}, description="model -> degradation it adds to each replica")


class MachineType(_Strict):
    """A kind of host or accelerator, with how many of it there are."""

    name: Name
    count: int = Field(ge=0, le=10**9, strict=True, description="how many machines of this type there are")
    resources: dict[Name, Amount] = Field({}, description="resource -> capacity of one machine")
    slots: Count | None = Field(None, description="most replicas on one machine; absent: no limit")
    price: Amount = Field(0.0, description="price of one machine that carries a replica")
    background: Background = Field(Background(), description="load on every machine of this type")
    colocation_factor: dict[Crowd, Factor] = Field(
        {},
        description="replicas on one machine -> what sums of pair degradations are multiplied with there; "
        "a number that is absent takes the next lower one's factor, and 1 below the lowest",
    )

    @property
    def without_factor(self) -> set[str]:
        """The field to leave out of a digest: one that came later and is not used, so digests stay."""
        return set() if self.colocation_factor else {"colocation_factor"}


class InferenceModel(_Strict):
    """An inference model that is served by a number of identical replicas."""

    name: Name
    replicas: Count
    weight: Amount = Field(1.0, description="how much one unit of degradation of one replica counts")
    demand: dict[Name, Amount] = Field({}, description="resource -> amount that one replica takes")
    demand_on: dict[Name, dict[Name, Amount]] = Field(
        {}, description="machine type -> resource -> amount, where it differs from `demand`"
    )
    latency_ms: dict[Name, Milliseconds] = Field(
        description="machine type -> latency alone, in ms; a type that is absent cannot run the model"
    )
    slo_ms: Milliseconds | None = Field(None, description="latency limit in ms; absent: none")
    miss_price: Amount | None = Field(
        None, description="makes the SLO soft: what each replica over it adds to the objective"
    )


class Rules(_Strict):
    """What a plan must respect beyond capacities and SLOs."""

    keep_apart: tuple[tuple[Name, ...], ...] = Field(
        (), description="groups of models of which no two may share a machine"
    )
    max_per_machine: dict[Name, Count] = Field({}, description="model -> most replicas of it on one machine")
    min_machines: dict[Name, Count] = Field(
        {}, description="model -> fewest machines its replicas spread over"
    )
    allow: dict[Name, tuple[Name, ...]] = Field({}, description="model -> the only machine types it may use")
    forbid: dict[Name, tuple[Name, ...]] = Field({}, description="model -> machine types it may not use")


class Pinned(_Strict):
    """Machines on which some replicas stay where they are, or are today; the plan may add to them."""

    name: Name
    machine_type: Name
    machines: Count = Field(1, description="how many machines look like this")
    models: dict[Name, Count] = Field({}, description="model -> replicas of it on each of these machines")
    background: Background | None = Field(
        None, description="load on these machines, in place of the machine type's"
    )
    here: dict[Name, Count] = Field(
        {}, description="model -> replicas that run on each of these machines today, and may leave"
    )
    arrival_price: dict[Name, Amount] = Field(
        {}, description="model -> what each replica more than are here adds to the objective"
    )

    @property
    def without_arrivals(self) -> set[str]:
        """The fields to leave out of a digest where they are not used, as with co-location factors."""
        return {name for name in ("here", "arrival_price") if not getattr(self, name)}


class Objective(_Strict):
    """A weighted sum of total degradation and the price of the machines used."""

    degradation: Amount = 1.0
    price: Amount = 0.0


ObjectiveChoice = Literal["degradation", "price", "worst"] | Objective


def _fixed(given: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an array that nobody changes: the same if it is one, else a copy."""
    final = given.dtype == np.float64 and given.flags.owndata and not given.flags.writeable
    values = given if final else np.array(given, dtype=np.float64)
    values.setflags(write=False)
    return values


@dataclass(frozen=True, eq=False)
class Instance:
    """A placement problem.

    Parameters
    ----------
    name
        What people call it.
    machine_types, models
        K machine types and T models, each with unique names.
    degradation
        Float array of shape (K, T, T), dimensionless: ``degradation[k, t, u]`` is what one co-located
        replica of model u adds to the latency of one replica of model t on machine type k, relative
        to its latency alone. NaN where the two never meet (one of them cannot run on k).
    upper
        The same shape: upper ends of 95 % intervals of ``degradation``, NaN where unknown; None if all are.
    slo_probability
        If given, each replica keeps its SLO with this probability; see :mod:`planner.uncertainty`.
    rules, pinned, objective
        See :class:`Rules`, :class:`Pinned`; the objective is ``"degradation"``, ``"price"``,
        ``"worst"`` or an :class:`Objective` with weights.

    Raises
    ------
    InputError
        For a name that is unknown or used twice, a missing or negative degradation, rules that
        contradict the data, or numbers so large that the objective could leave 64 bits.
    """

    name: str
    machine_types: tuple[MachineType, ...]
    models: tuple[InferenceModel, ...]
    degradation: NDArray[np.float64] = field(repr=False)
    rules: Rules = field(default_factory=Rules)
    pinned: tuple[Pinned, ...] = ()
    objective: ObjectiveChoice = "degradation"
    upper: NDArray[np.float64] | None = field(default=None, repr=False)
    slo_probability: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "degradation", _fixed(self.degradation))
        if self.upper is not None:
            object.__setattr__(self, "upper", _fixed(self.upper))
        check(self)
        self.compiled  # noqa: B018  an instance that cannot be compiled must not exist

    def replace(self, **changes: Any) -> Instance:
        """Return a copy with some fields changed, validated like any other instance."""
        return dataclasses.replace(self, **changes)

    @cached_property
    def type_index(self) -> dict[str, int]:
        """Machine type name -> its position."""
        return {m.name: k for k, m in enumerate(self.machine_types)}

    @cached_property
    def model_index(self) -> dict[str, int]:
        """Model name -> its position."""
        return {m.name: t for t, m in enumerate(self.models)}

    @cached_property
    def weights(self) -> Objective | None:
        """The weights of the objective's two parts; None for ``worst``."""
        if isinstance(self.objective, Objective):
            return self.objective
        if self.objective == "price":
            return Objective(degradation=0.0, price=1.0)
        return Objective() if self.objective == "degradation" else None

    @cached_property
    def replicas(self) -> int:
        """Replicas over all models."""
        return sum(m.replicas for m in self.models)

    @cached_property
    def compiled(self) -> Compiled:
        """The integers that every solver and the checker work on."""
        from planner.compiled import compile_instance

        return compile_instance(self)

    @cached_property
    def sha256(self) -> str:
        """Digest of the content; the same whatever file format or key order it was written in."""
        content: dict[str, Any] = {
            "name": self.name,
            "machine_types": [m.model_dump(exclude=m.without_factor) for m in self.machine_types],
            "models": [m.model_dump() for m in self.models],
            "rules": self.rules.model_dump(),
            "pinned": [p.model_dump(exclude=p.without_arrivals) for p in self.pinned],
            "objective": self.objective if isinstance(self.objective, str) else self.objective.model_dump(),
        }
        if self.slo_probability is not None:  # else nothing depends on the upper ends
            content["slo_probability"] = self.slo_probability
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
        digest.update((self.degradation + 0.0).tobytes())  # + 0.0 turns -0.0 into 0.0
        if self.slo_probability is not None and self.upper is not None:
            digest.update((self.upper + 0.0).tobytes())
        return digest.hexdigest()

    def runs_on(self) -> NDArray[np.bool_]:
        """Return a (K, T) mask: model t has a latency on type k and no rule keeps it away."""
        mask = np.zeros((len(self.machine_types), len(self.models)), dtype=bool)
        for t, model in enumerate(self.models):
            allowed = set(self.rules.allow.get(model.name, model.latency_ms))
            allowed -= set(self.rules.forbid.get(model.name, ()))
            for k, machine_type in enumerate(self.machine_types):
                mask[k, t] = machine_type.name in model.latency_ms and machine_type.name in allowed
        return mask

    def _repr_html_(self) -> str:
        from planner.notebook import instance_html

        return instance_html(self)
