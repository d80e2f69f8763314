"""What replicas ask for in the resources of Kubernetes."""

from __future__ import annotations

from fractions import Fraction

import pytest

from planner.errors import InputError
from planner.fleet.requests import requests
from planner.instance import Instance, MachineType
from tests import tiny


def asking(**demand: float) -> Instance:
    """Return an instance whose model a asks for this much; ``__`` stands for a slash."""
    names = {name.replace("__", "/"): amount for name, amount in demand.items()}
    base = tiny.pair()
    kind = MachineType(**{**vars(base.machine_types[0]), "resources": dict.fromkeys(names, 1e6)})
    models = [m.model_copy(update={"demand": names if m.name == "a" else {}}) for m in base.models]
    return base.replace(machine_types=(kind,), models=tuple(models))


def asked(instance: Instance, *named: str) -> dict[str, Fraction]:
    return requests(instance, named).of(instance.models[0], "gpu")


def test_names_that_say_their_unit() -> None:
    instance = asking(cores=0.3333, memory_gb=1.5, nvidia__gpu=2.0)
    assert asked(instance) == {"cpu": Fraction(334, 1000), "memory": 1_500_000_000, "nvidia/gpu": 2}
    assert asked(asking(memory_gib=0.5, cpu=2.0)) == {"memory": 2**29, "cpu": 2}


def test_bytes_are_rounded_up_from_the_decimal_that_was_written() -> None:
    assert asked(asking(memory_mb=17179.869184)) == {"memory": 2**34}
    assert asked(asking(memory_mb=0.0000011)) == {"memory": 2}


def test_others_are_left_out_until_somebody_says_what_they_are() -> None:
    instance = asking(memory=4.0, watts=9.0)
    assert requests(instance).left_out == ("memory", "watts")
    told = requests(instance, ["memory=memory:Gi", "watts=example.com/watts"])
    assert told.left_out == ()
    assert told.of(instance.models[0], "gpu") == {"memory": 4 * 2**30, "example.com/watts": 9}


def test_a_part_of_a_device_cannot_be_asked_for() -> None:
    assert requests(asking(nvidia__gpu=0.5)).left_out == ("nvidia/gpu",)


def test_a_demand_that_differs_on_a_machine_type() -> None:
    instance = asking(cpu=1.0)
    instance = tiny.with_model(instance, "a", demand_on={"gpu": {"cpu": 3.0}})
    assert asked(instance) == {"cpu": 3}


@pytest.mark.parametrize(
    ("named", "rule"),
    [
        ("memory", "must be NAME=RESOURCE"),
        ("memory=", "must be NAME=RESOURCE"),
        ("memory=memory:", "must be NAME=RESOURCE"),
        ("memory=memory:XB", "must be NAME=RESOURCE"),
        ("memory=Mem ory", "must be NAME=RESOURCE"),
        ("disk=memory:Gi", "must name a resource of the instance"),
        ("memory=cpu", "must not make two resources the same"),
    ],
)
def test_what_cannot_be_meant_is_refused(named: str, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as caught:
        requests(asking(memory=4.0, cores=1.0), [named])
    assert caught.value.field == "resource"
