"""Degradations that are not certain, and SLOs that hold all the same.

An instance may say of each degradation d the upper end of its 95 % interval. Read as normal, its standard
deviation is s = (upper - d) / z(0.975). A replica with neighbours u suffers ``sum_u c_u d_u`` with a standard
deviation of at most ``sum_u c_u s_u``, whatever the correlations (Minkowski), and just that if the errors
rise and fall together, as those of a predictor do that is wrong about a victim or an aggressor. So

    sum_u c_u (d_u + z(p) s_u)  <=  slack

keeps its SLO with probability p at least. It is as linear as before: each degradation is replaced by its
p-quantile where SLOs are concerned, and every solver solves it. Where errors are independent it is on the
safe side, the more so the more neighbours there are. Costs stay those of the expected degradations.

Source: A. Charnes, W. W. Cooper, "Chance-Constrained Programming", Management Science 6, 1959; for sets with
all coefficients at their ends A. L. Soyster, Operations Research 21, 1973.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_UPPER = NormalDist().inv_cdf(0.975)


def deviation(degradation: Floats, upper: Floats) -> Floats:
    """Return the standard deviation of each degradation, from the upper end of its 95 % interval."""
    result: Floats = np.maximum(upper - degradation, 0.0) / _UPPER
    return result


def quantile(degradation: Floats, upper: Floats, probability: float) -> Floats:
    """Return what each degradation exceeds with a probability of ``1 - probability``."""
    result: Floats = degradation + NormalDist().inv_cdf(probability) * deviation(degradation, upper)
    return result
