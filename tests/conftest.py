"""Fixtures whose numbers a reader can check by hand; their arithmetic is in :mod:`tests.tiny`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from planner.instance import Instance
from planner.plan import Plan
from tests import tiny

#: Solvers that have about one half of the kernels each.
_HALVES = (("local_search", "least_loaded"), ("patterns",))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile before the workers of a distributed run start: each would compile what all of them need."""
    if session.config.getoption("numprocesses", None) and not hasattr(session.config, "workerinput"):
        code = "import sys; from solvers import load; [load(name) for name in sys.argv[1:]]"
        halves = [subprocess.Popen([sys.executable, "-c", code, *names]) for names in _HALVES]
        assert not any([half.wait() for half in halves]), "a solver does not compile"


@pytest.fixture
def pair() -> Instance:
    """Two machines, two models of two replicas; optimum 1,000,000 ppm."""
    return tiny.pair()


@pytest.fixture
def two_types() -> Instance:
    """One gpu, one cpu, two models of two replicas; optimum 1,200,000 ppm."""
    return tiny.two_types()


@pytest.fixture
def separate(pair: Instance) -> Plan:
    """Each model of ``pair`` on its own machine: 2 x 0.1 + 2 x 0.4 = 1.0."""
    return tiny.plan(pair, "gpu: 2 a", "gpu: 2 b")


@pytest.fixture
def mixed(pair: Instance) -> Plan:
    """Two machines of ``pair`` with one replica of each model: 2 x (0.25 + 0.3) = 1.1."""
    return tiny.plan(pair, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b")
