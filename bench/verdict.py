"""The exact rule for "faster", "slower", "same" and "undecided".

A ratio (time of variant over time of baseline) is held, as a whole interval, against a band of
tolerance around 1. Many ratios share one error rate by Holm's step-down: the ratio that is decided
most clearly of m must be decided at 1 - alpha/m, the next at 1 - alpha/(m-1), and from the first
that is not, all others are undecided (Holm, Scandinavian Journal of Statistics 6, 1979).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from bench.records import Verdict
from bench.stats import Floats, t_interval

ALPHA = 0.05
TOLERANCE = 0.02


def judge(low: float, high: float, tolerance: float = TOLERANCE) -> Verdict:
    """The verdict on one interval of a ratio; the band is (1/(1+tolerance), 1+tolerance)."""
    edge = 1.0 + tolerance
    if high < 1.0 / edge:
        return "faster"
    if low > edge:
        return "slower"
    if low > 1.0 / edge and high < edge:
        return "same"
    return "undecided"


def least_alpha(effects: Floats, tolerance: float = TOLERANCE) -> float:
    """The smallest error rate at which these log ratios are decided: a p-value of the verdict."""
    n, edge = len(effects), math.log1p(tolerance)
    if n < 2:
        return 1.0
    error = float(np.std(effects, ddof=1)) / math.sqrt(n)
    distance = abs(abs(float(np.mean(effects))) - edge)  # to the nearer edge of the band
    if error == 0.0:
        return 0.0 if distance > 0.0 else 1.0
    return min(1.0, 2.0 * float(stats.t.sf(distance / error, n - 1)))


def verdicts(effects: dict[str, Floats], tolerance: float = TOLERANCE) -> dict[str, Verdict]:
    """The verdict on each set of log ratios, one error rate for all of them (Holm)."""
    by_clarity = sorted(effects, key=lambda name: least_alpha(effects[name], tolerance))
    decided: dict[str, Verdict] = {}
    for rank, name in enumerate(by_clarity):
        share = ALPHA / (len(by_clarity) - rank)
        if least_alpha(effects[name], tolerance) > share:
            break
        interval = t_interval(effects[name], 1.0 - share)
        decided[name] = judge(math.exp(interval.low), math.exp(interval.high), tolerance)
    return {name: decided.get(name, "undecided") for name in effects}
