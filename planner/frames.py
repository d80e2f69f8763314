"""Plans, evaluations and histories as pandas data frames, for notebooks and scripts.

Degradations, objectives and bounds are in their own units here, not in ppm: 0.25 is a latency that is 25 %
higher. What is absent is NaN. Needs the extra ``notebook``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from planner.compiled import UNLIMITED
from planner.errors import InputError
from planner.evaluate import evaluate, suffered
from planner.extras import needed
from planner.integers import PPM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pandas import DataFrame

    from planner.evaluate import Evaluation, ModelOutcome
    from planner.instance import Instance
    from planner.plan import Ints, Plan
    from planner.result import Result


def plan_frame(instance: Instance, plan: Plan) -> DataFrame:
    """Return one row for each model of each group of machines that carry the same pattern.

    Returns
    -------
    DataFrame
        ``group``, ``machine_type``, ``pinned`` (absent on free ones), ``machines`` that carry the pattern,
        ``model``, ``replicas`` of it on each machine, ``degradation`` of each of them, ``latency_ms`` that is
        predicted, ``slo_ms``, and ``slack``: by how much the degradation may still rise before the SLO is
        missed; negative where it is missed.

    Raises
    ------
    InputError
        If ``plan`` has pools or models that ``instance`` does not have, or cannot be counted.
    ModuleNotFoundError
        Without pandas.
    """
    found = evaluate(instance, plan)
    if found.objective is None:
        rule = f"is not a plan of {instance.name!r}: {found.violations[0].message}"
        raise InputError(rule, field="plan")
    c = instance.compiled
    group = np.repeat(np.arange(len(plan)), np.diff(plan.start))
    pool, kind = plan.pool[group], c.type_of[plan.pool][group]
    felt, limit = suffered(instance, plan), c.slack[kind, plan.model]
    return _frame(
        {
            "group": group,
            "machine_type": _named([kind for kind, _ in c.pool_names], pool),
            "pinned": _named([pinned for _, pinned in c.pool_names], pool),
            "machines": plan.machines[group],
            "model": _named([m.name for m in instance.models], plan.model),
            "replicas": plan.count,
            "degradation": felt / PPM,
            "latency_ms": _alone(instance)[kind, plan.model] * (1 + felt / PPM),
            "slo_ms": np.array([_real(m.slo_ms) for m in instance.models])[plan.model],
            "slack": np.where(limit == UNLIMITED, np.nan, (limit - felt) / PPM),
        }
    )


def evaluation_frame(evaluation: Evaluation) -> DataFrame:
    """Return one row for each model; see :class:`planner.evaluate.ModelOutcome`.

    Returns
    -------
    DataFrame
        ``model``, ``replicas``, ``mean_degradation``, ``worst_degradation``, the highest ``latency_ms`` and
        the ``machine_type`` where, ``slo_ms``, ``misses``, and the ``worst_aggressor`` with its ``share`` of
        the model's degradation.

    Raises
    ------
    ModuleNotFoundError
        Without pandas.
    """
    rows = [_outcome(m) for m in evaluation.models]
    columns = ("model", "replicas", "mean_degradation", "worst_degradation", "latency_ms", "machine_type")
    return _frame(rows, [*columns, "slo_ms", "misses", "worst_aggressor", "share"])


def history_frame(result: Result) -> DataFrame:
    """Return one row for each improvement of objective or bound.

    Returns
    -------
    DataFrame
        ``seconds`` since the start of the solve, ``objective``, ``bound``, ``gap`` and the solver's ``note``.

    Raises
    ------
    ModuleNotFoundError
        Without pandas.
    """
    rows = [
        (p.seconds, _own_unit(p.objective), _own_unit(p.bound), _real(p.gap), p.note) for p in result.history
    ]
    return _frame(rows, ["seconds", "objective", "bound", "gap", "note"])


def _frame(data: Any, columns: list[str] | None = None) -> DataFrame:
    frame: DataFrame = needed("pandas", "notebook").DataFrame(data, columns=columns)
    return frame


def _named(names: Sequence[str | None], at: Ints) -> NDArray[np.object_]:
    return np.array(names, dtype=object)[at]


def _alone(instance: Instance) -> NDArray[np.float64]:
    """Return latencies alone in ms, shape (K, T); NaN where a model cannot run."""
    types = [m.name for m in instance.machine_types]
    return np.array([[_real(m.latency_ms.get(name)) for m in instance.models] for name in types])


def _outcome(m: ModelOutcome) -> tuple[str | float | None, ...]:
    degradation = (m.mean_degradation / PPM, m.worst_degradation / PPM)
    worst = m.hurt_by[0] if m.hurt_by else (None, np.nan)
    place = (_real(m.latency_ms), m.machine_type, _real(m.slo_ms), m.misses)
    return (m.name, m.replicas, *degradation, *place, *worst)


def _own_unit(ppm: int | None) -> float:
    return np.nan if ppm is None else ppm / PPM


def _real(value: float | None) -> float:
    return np.nan if value is None else value
