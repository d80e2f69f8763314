"""Questions that vary one number of an instance over a range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from planner.errors import InputError
from planner.instance import InferenceModel, Instance
from planner.whatif.inference import Inference, Nested, Prices, rising, thins
from planner.whatif.point import Point
from planner.whatif.ranges import label

_Item = TypeVar("_Item", bound=BaseModel)
Vary = Callable[[Instance, Fraction], Instance]

_DISORDERED = (
    "a co-location factor falls as a machine fills, so more replicas may cost less: no point proves anything "
    "of another"
)


@dataclass(frozen=True)
class Sweep:
    """A question with a point for each value.

    Attributes
    ----------
    flag, what
        The flag it was asked with, and what varies, in words.
    per
        What one more of is a unit of the value; empty where that says nothing.
    edge
        Whether the ``smallest`` or the ``largest`` value that has a plan is of interest; empty for none.
    points
        In the order that ``inference`` wants.
    falls, rises
        Whether it is proven that the optimum never rises, or never falls, with the value.
    notes
        What must be said with it.
    """

    flag: str
    what: str
    per: str
    edge: str
    points: list[Point]
    inference: Inference
    falls: bool = False
    rises: bool = False
    notes: tuple[str, ...] = ()

    @property
    def ascending(self) -> list[Point]:
        """The points in the order of their values."""
        return sorted(self.points, key=lambda point: point.value)


def machines(instance: Instance, name: str, values: Sequence[Fraction]) -> Sweep:
    """Return the sweep over the count of a machine type; more machines are looser."""
    kind = _known(name, instance.type_index, "machines", "machine type")
    pinned = sum(p.machines for p in instance.pinned if p.machine_type == name)
    if values[0] < pinned:
        rule = f"must have a LOW of at least {pinned}, the machines that are pinned"
        raise InputError(rule, field="machines", value=int(values[0]))

    def vary(base: Instance, value: Fraction) -> Instance:
        return base.replace(machine_types=_with(base.machine_types, kind, count=int(value)))

    points = _points(instance, "machines", f"machines of {name}", values[::-1], vary)
    chain = [range(i) for i in range(len(points))]
    return Sweep("machines", f"machines of {name}", "machine", "smallest", points, Nested(chain), falls=True)


def slo(instance: Instance, values: Sequence[Fraction]) -> Sweep:
    """Return the sweep over a factor on every SLO; later ones are looser."""
    if all(model.slo_ms is None for model in instance.models):
        raise InputError("must be asked of an instance with an SLO, none of its models has one", field="slo")

    def vary(base: Instance, value: Fraction) -> Instance:
        return base.replace(models=tuple(_with_slo(model, value) for model in base.models))

    points = _points(instance, "slo", "SLO factor", values[::-1], vary)
    chain = [range(i) for i in range(len(points))]
    return Sweep("slo", "SLO factor", "", "smallest", points, Nested(chain), falls=True)


def _with_slo(model: InferenceModel, factor: Fraction) -> InferenceModel:
    if model.slo_ms is None:
        return model
    return _amended(model, slo_ms=float(Fraction(repr(model.slo_ms)) * factor))


def growth(instance: Instance, values: Sequence[Fraction]) -> Sweep:
    """Return the sweep over a factor on the replicas of every model, rounded up; fewer are looser."""

    def vary(base: Instance, value: Fraction) -> Instance:
        grown = (_amended(model, replicas=-(-model.replicas * value // 1)) for model in base.models)
        return base.replace(models=tuple(grown))

    return _growing("growth", "growth of all models", "", _points(instance, "growth", "growth", values, vary))


def growth_of(instance: Instance, name: str, values: Sequence[Fraction]) -> Sweep:
    """Return the sweep over the replicas of one model; fewer are looser."""
    t = _known(name, instance.model_index, "growth_of", "model")
    if values[0] < 1:
        raise InputError("must have a LOW of at least 1 replica", field="growth_of", value=int(values[0]))

    def vary(base: Instance, value: Fraction) -> Instance:
        return base.replace(models=_with(base.models, t, replicas=int(value)))

    points = _points(instance, "growth_of", f"replicas of {name}", values, vary)
    return _growing("growth_of", f"replicas of {name}", "replica", points)


def _growing(flag: str, what: str, per: str, points: list[Point]) -> Sweep:
    ordered = rising(points[0].instance.compiled)
    lending = [i for i, p in enumerate(points) if ordered and thins(p.instance.compiled)]
    looser = [[j for j in lending if j < i] for i in range(len(points))]
    notes = () if ordered else (_DISORDERED,)
    return Sweep(flag, what, per, "largest", points, Nested(looser, thins=True), rises=ordered, notes=notes)


def price(instance: Instance, name: str, values: Sequence[Fraction]) -> Sweep:
    """Return the sweep over the price of a machine type."""
    kind = _known(name, instance.type_index, "price", "machine type")

    def vary(base: Instance, value: Fraction) -> Instance:
        return base.replace(machine_types=_with(base.machine_types, kind, price=float(value)))

    points = _points(instance, "price", f"price of {name}", values, vary)
    pool = instance.compiled.type_of.tolist().index(kind)
    prices = [int(p.instance.compiled.price[pool]) for p in points]
    counted = instance.weights is not None and instance.weights.price > 0
    notes = () if counted else ("the objective ignores prices: the optimum is the same at each of them",)
    inference = Prices(prices, instance.machine_types[kind].count)
    return Sweep("price", f"price of {name}", "", "", points, inference, rises=True, notes=notes)


def _points(instance: Instance, flag: str, what: str, values: Sequence[Fraction], vary: Vary) -> list[Point]:
    """Return a point for each value; an instance that is what was asked keeps its name."""
    points = []
    for value in values:
        try:
            varied = vary(instance, value)
            if varied.sha256 != instance.sha256:
                varied = varied.replace(name=f"{instance.name[:100]}, {what[:60]} {label(value)}")
        except InputError as error:
            raise InputError(f"at {label(value)}, {error}", field=flag) from None
        points.append(Point(label(value), value, varied))
    return points


def _known(name: str, index: dict[str, int], flag: str, what: str) -> int:
    if name not in index:
        raise InputError(f"must name a {what} of the instance", field=flag, value=name)
    return index[name]


def _with(items: tuple[_Item, ...], at: int, **changes: object) -> tuple[_Item, ...]:
    return (*items[:at], _amended(items[at], **changes), *items[at + 1 :])


def _amended(item: _Item, **changes: object) -> _Item:
    """Return a model or machine type with fields changed, checked as if it were read from a file."""
    try:
        return type(item)(**{**vars(item), **changes})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = f"{getattr(item, 'name', '')}.{first['loc'][0]}"
        raise InputError(first["msg"].lower(), field=field, value=first["input"]) from None
