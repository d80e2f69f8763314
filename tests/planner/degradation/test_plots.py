"""The plots show every value where it belongs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.patches import Rectangle

from planner.degradation.evaluation import Held
from planner.degradation.plots import error_by_model, heat_map, predicted_against_measured, save
from planner.degradation.table import Pairs

PAIRS = Pairs(
    ("cpu", "gpu"),
    ("a", "b$x$"),
    np.array([0, 0, 1]),
    np.array([0, 1, 0]),
    np.array([1, 0, 1]),
    np.array([0.5, -0.1, 2.0]),
    np.zeros(3, dtype=np.bool_),
)
HELD = Held(np.array([0, 1, 2]), np.array([0.4, 0.0, 2.5]))


def test_points_are_measured_and_predicted_per_cent() -> None:
    figure = predicted_against_measured(PAIRS, HELD, "title")
    assert [axes.get_title() for axes in figure.axes] == ["cpu", "gpu"]
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    np.testing.assert_allclose(points, [[50, 40], [-10, 0]])


def test_bars_are_errors_by_victim() -> None:
    """a: (0.1 + 0.5) / 2 = 30 points, b: 10 points."""
    figure = error_by_model(PAIRS, {"one": HELD, "two": HELD}, "title")
    heights = [bar.get_height() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    np.testing.assert_allclose(heights, [30, 10, 30, 10])


def test_cells_are_victims_by_aggressors() -> None:
    figure = heat_map(PAIRS, PAIRS.degradation, "title")
    cpu = np.asarray(figure.axes[0].images[0].get_array(), dtype=float)
    assert cpu[0, 1] == 50
    assert cpu[1, 0] == 0, "a negative degradation shows as none"
    shown = figure.axes[0].images[0].get_array()
    assert shown is not None
    assert np.ma.getmaskarray(np.ma.masked_invalid(shown))[0, 0], "what was not measured stays white"


def test_files_are_images_and_the_same_each_time(tmp_path: Path) -> None:
    figures = {"one": heat_map(PAIRS, PAIRS.degradation, "title")}
    paths = save(figures, tmp_path)
    assert sorted(path.name for path in paths) == ["one.png", "one.svg"]
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "one.svg").read_bytes()
