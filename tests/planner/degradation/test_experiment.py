"""What is committed of the experiment fits together: measurements, predictor and quick-start instance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from planner.degradation.build import MEASURED, build, read_spec
from planner.degradation.predictor import Predictor
from planner.degradation.table import read_table
from planner.files import load_instance

ROOT = Path(__file__).parents[3]


def test_the_quickstart_instance_is_what_the_measurements_and_the_predictor_say() -> None:
    table = read_table(ROOT / "models/zoo/measurements.csv")
    predictor = Predictor.load(ROOT / "models/zoo/predictor")
    built = build(read_spec(ROOT / "instances/quickstart.spec.yaml"), predictor, table)
    committed = load_instance(ROOT / "instances/quickstart.yaml")
    assert np.allclose(built.instance.degradation, committed.degradation, atol=1e-4, equal_nan=True)
    assert built.instance.models == committed.models
    assert built.instance.machine_types == committed.machine_types
    assert built.count(MEASURED) > 0.9 * len(built.numbers)


def test_nothing_foreign_ran_while_it_was_measured() -> None:
    """Runs that did not settle are there and do not count; nothing else is flagged."""
    for name in ("models/zoo/measurements.csv", "reports/paper/fresh.csv"):
        flags = {flag for row in read_table(ROOT / name).rows for flag in row.flags}
        assert flags == {"unstable"}, name
