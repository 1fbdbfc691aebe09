"""The exact rule for "faster", "slower", "same" and "undecided".

A ratio (time of variant over time of baseline) is held, as a whole interval, against a band of
tolerance around 1. Many ratios share one error rate by Holm's step-down: the ratio that is decided
most clearly of m must be decided at 1 - alpha/m, the next at 1 - alpha/(m-1), and from the first
that is not, all others are undecided (Holm, Scandinavian Journal of Statistics 6, 1979).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from bench.records.run import CONTROL, Case, Estimate, Verdict
from bench.stats.estimates import CONFIDENCE, Mean, exponential

ALPHA = 0.05
TOLERANCE = 0.02


def family_of(case: Case) -> str:
    """Whose ratios share one error rate: the control has its own, and numbers of threads theirs."""
    if case.variant == CONTROL:
        return CONTROL
    return "threads" if case.settings.get("thread_pool") else "variants"


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


def judge_level(level: Estimate, whole: Estimate) -> Verdict:
    """The verdict on the level that a training ends at, held against its first epoch.

    From which epoch on that is was chosen as the data fit best, so that the last ones alone claim no
    slow-down: the whole training must be slower, too.
    """
    verdict = judge(level.low, level.high)
    return "undecided" if verdict == "slower" and not whole.low > 1.0 else verdict


def least_alpha(effect: Mean, tolerance: float = TOLERANCE) -> float:
    """The smallest error rate at which this log ratio is decided: a p-value of the verdict."""
    return effect.p_beyond(abs(abs(effect.value) - math.log1p(tolerance)))  # to the nearer edge of the band


def verdicts(
    effects: Mapping[str, Mean], tolerance: float | Mapping[str, float] = TOLERANCE
) -> dict[str, Verdict]:
    """The verdict on each log ratio, one error rate for all of them (Holm), whatever their tolerances."""
    bands = tolerance if isinstance(tolerance, Mapping) else dict.fromkeys(effects, tolerance)
    clarity = {name: least_alpha(effect, bands[name]) for name, effect in effects.items()}
    decided: dict[str, Verdict] = {}
    for rank, name in enumerate(sorted(clarity, key=lambda name: clarity[name])):
        share = ALPHA / (len(clarity) - rank)
        if clarity[name] > share:
            break
        ends = exponential(effects[name].interval(1.0 - share))
        decided[name] = judge(ends.low, ends.high, bands[name])
    return {name: decided.get(name, "undecided") for name in effects}


def shown_at(effects: Mapping[str, Mean], decided: Mapping[str, Verdict]) -> dict[str, float]:
    """The confidence of the interval that stands beside each verdict of a family (at the usual tolerance).

    It is the usual one, but where that interval alone would decide what the family leaves undecided: there it
    is the family's, at the share of the error rate at which Holm's step-down stopped.
    """
    left = sum(decided[name] == "undecided" for name in effects)
    levels = {}
    for name, effect in effects.items():
        own = exponential(effect.interval())
        seems = judge(own.low, own.high)
        contradicted = decided[name] == "undecided" and seems != "undecided"
        levels[name] = 1.0 - ALPHA / left if contradicted else CONFIDENCE
    return levels
