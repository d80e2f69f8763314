"""A few characters that show how a number has changed."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(times: Sequence[float], values: Sequence[float], until: float, width: int) -> str:
    """Return a bar for each of ``width`` equal spans of time since the number is known.

    Parameters
    ----------
    times, values
        When the number changed, ascending, and what it became; never negative.
    until
        When the last span ends.
    width
        Characters.

    Returns
    -------
    str
        The height of a bar is the logarithm of the value at the end of its span, from the least of them to
        the largest; zero is as high as the least that is not. Empty if there is no value.
    """
    if not times:
        return ""
    span = max(0.0, until - times[0]) / width
    shown = [values[bisect_right(times, times[0] + span * (i + 1)) - 1] for i in range(width)]
    least = min((v for v in values if v > 0), default=1.0)
    heights = [math.log(max(v, least)) for v in shown]
    low = min(heights)
    step = (max(heights) - low) / (len(_BARS) - 1) or 1.0
    return "".join(_BARS[round((h - low) / step)] for h in heights)
