"""Plots draw the numbers of the checker on the axes that they are given."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from planner import extras, plots
from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Plan
from planner.plots import plot_degradation, plot_history, plot_latencies
from planner.result import Progress, Result, Status, Stop
from tests import tiny


@pytest.fixture
def ax() -> Axes:
    return Figure().add_subplot()


def result(*history: Progress) -> Result:
    return Result(Status.FEASIBLE, Stop.FINISHED, "any", 0, seconds=9.0, history=history)


def test_lines_end_with_the_solve(ax: Axes) -> None:
    seen = (
        Progress(1.0, None, 500_000),
        Progress(2.0, 3_000_000, 500_000),
        Progress(4.0, 2_000_000, 500_000),
    )
    assert plot_history(result(*seen), ax) is ax
    objective, bound = ax.lines
    np.testing.assert_array_equal(np.asarray(objective.get_xydata()), [[2, 3], [4, 2], [9, 2]])
    np.testing.assert_array_equal(np.asarray(bound.get_xydata()), [[1, 0.5], [2, 0.5], [4, 0.5], [9, 0.5]])
    assert objective.get_drawstyle() == "steps-post"


def test_a_solve_without_history_is_an_empty_plot(ax: Axes) -> None:
    assert not plot_history(result(), ax).lines


def test_cells_are_victims_by_aggressors_in_per_cent(ax: Axes, two_types: Instance) -> None:
    plot_degradation(two_types, "cpu", ax)
    shown = np.asarray(ax.images[0].get_array(), dtype=float)
    np.testing.assert_allclose(shown, [[20, 50], [60, 80]])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert (ax.get_ylabel(), ax.get_title()) == ("victim", "cpu")


def test_an_unknown_machine_type_is_refused(ax: Axes, pair: Instance) -> None:
    with pytest.raises(InputError, match="machine_type: must be one of gpu, found 'tpu'"):
        plot_degradation(pair, "tpu", ax)


def test_latencies_go_from_alone_to_predicted(ax: Axes, pair: Instance, mixed: Plan) -> None:
    """a: 10 to 12.5 ms; b: 10 to 13 ms over its SLO of 12 ms."""
    instance = tiny.with_model(pair, "b", slo_ms=12.0, miss_price=0.0)
    plot_latencies(instance, mixed, ax)
    lines, alone, predicted, limits = ax.collections
    assert [np.asarray(path.vertices).tolist() for path in lines.get_paths()] == [
        [[10, 0], [12.5, 0]],
        [[10, 1], [13, 1]],
    ]
    np.testing.assert_allclose(np.asarray(alone.get_offsets()), [[10, 0], [10, 1]])
    np.testing.assert_allclose(np.asarray(predicted.get_offsets()), [[12.5, 0.0], [13.0, 1.0]])
    np.testing.assert_allclose(np.asarray(limits.get_offsets()), [[12, 1]])
    blue, red = np.asarray(predicted.get_facecolor())
    assert blue[2] > blue[0]
    assert red[0] > red[2], "a model that misses its SLO is red"


def test_a_model_that_is_not_placed_has_no_mark(ax: Axes, pair: Instance) -> None:
    plot_latencies(pair, tiny.plan(pair, "gpu: 2 b"), ax)
    np.testing.assert_allclose(np.asarray(ax.collections[1].get_offsets()), [[10, 1]])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_a_plan_of_another_instance_is_refused(ax: Axes, pair: Instance) -> None:
    with pytest.raises(InputError, match="is not a plan of 'pair'"):
        plot_latencies(pair, Plan.from_patterns([(0, 1, {7: 1})]), ax)


def test_without_axes_a_figure_is_made(pair: Instance) -> None:
    mpl.use("agg")
    axes = plot_degradation(pair, "gpu")
    from matplotlib import pyplot

    assert [pyplot.figure(n) for n in pyplot.get_fignums()] == [axes.figure]
    axes.figure.canvas.draw()
    pyplot.close("all")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, pair: Instance) -> None:
    monkeypatch.setattr(plots, "needed", lambda library, extra: extras.needed(f"no.{library}", extra))
    with pytest.raises(ModuleNotFoundError, match=r"interference-planner\[notebook\]"):
        plot_degradation(pair, "gpu")
