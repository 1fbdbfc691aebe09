"""From samples to estimates: pure functions on arrays.

The unit of observation is the set-up, never the round: rounds of one set-up share where its memory
happened to land, and an interval computed from them is far too narrow (Kalibera & Jones, "Rigorous
Benchmarking in Reasonable Time", ISMM 2013).
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.records import Block, Estimate

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
EXACT_UP_TO = 16  # set-ups for which all sign flips are counted


def t_interval(values: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """Mean of independent values and Student's t interval; without two values the interval is endless."""
    n = len(values)
    mean = float(np.mean(values))
    if n < 2:
        return Estimate(value=mean, low=-np.inf, high=np.inf, confidence=confidence, n=n)
    error = float(np.std(values, ddof=1)) / np.sqrt(n)
    reach = float(stats.t.ppf(0.5 + confidence / 2, n - 1) * error)
    return Estimate(value=mean, low=mean - reach, high=mean + reach, confidence=confidence, n=n)


def geometric(log_values: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """The geometric mean and its interval, from logarithms: for ratios and for durations."""
    return exponential(t_interval(log_values, confidence))


def exponential(estimate: Estimate) -> Estimate:
    """An estimate of a logarithm as one of the number itself."""
    value, low, high = (float(np.exp(x)) for x in (estimate.value, estimate.low, estimate.high))
    return Estimate(value=value, low=low, high=high, confidence=estimate.confidence, n=estimate.n)


def inverse(estimate: Estimate, scale: float = 1.0) -> Estimate:
    """``scale / estimate``, such as images/s from seconds an iteration."""
    low, high = (scale / x if x > 0 else np.inf for x in (estimate.high, estimate.low))
    return Estimate(
        value=scale / estimate.value, low=low, high=high, confidence=estimate.confidence, n=estimate.n
    )


def log_effects(blocks: list[Block], variant: str, baseline: str) -> Floats:
    """One log(time of variant / time of baseline) a block: the median over its interleaved rounds."""
    effects = []
    for block in blocks:
        if variant in block.set_ups and baseline in block.set_ups:
            pairs = zip(block.set_ups[variant].rounds, block.set_ups[baseline].rounds, strict=True)
            effects.append(np.median([np.log(one.iteration_s / other.iteration_s) for one, other in pairs]))
    return np.array(effects, dtype=np.float64)


def log_times(blocks: list[Block], variant: str) -> Floats:
    """One log(seconds an iteration) a block: the median over the rounds."""
    set_ups = [block.set_ups[variant] for block in blocks if variant in block.set_ups]
    return np.array([np.log(np.median([r.iteration_s for r in s.rounds])) for s in set_ups], dtype=np.float64)


def first_call_differences(blocks: list[Block], variant: str, baseline: str) -> Floats:
    """Seconds that the first call of a set-up takes more than the baseline's, one number a block."""
    both = [block.set_ups for block in blocks if variant in block.set_ups and baseline in block.set_ups]
    return np.array([s[variant].first_call_s - s[baseline].first_call_s for s in both], dtype=np.float64)


def sign_flip_p(effects: Floats) -> float:
    """Two-sided p of no effect, by flipping the signs of the set-ups' effects in every way.

    Exact and free of assumptions about their shape but symmetry (Fisher's randomisation test);
    beyond 16 values Student's t stands in. Never below 2 / 2**n.
    """
    n = len(effects)
    if n < 2:
        return 1.0
    if n > EXACT_UP_TO:
        return float(stats.ttest_1samp(effects, 0.0).pvalue)
    signs = np.array(list(product((1.0, -1.0), repeat=n)))
    sums = np.abs(signs @ effects)
    return float(np.mean(sums >= abs(effects.sum()) * (1 - 1e-12)))


def detectable(log_values: Floats, confidence: float = CONFIDENCE, power: float = 0.8) -> float:
    """The smallest relative effect that so many values of such spread tell from none with this power."""
    n = len(log_values)
    if n < 2:
        return float("inf")
    error = float(np.std(log_values, ddof=1)) / np.sqrt(n)
    reach = stats.t.ppf(0.5 + confidence / 2, n - 1) + stats.t.ppf(power, n - 1)
    return float(np.expm1(reach * error))


def fit_line(x: Floats, times: Floats) -> tuple[Floats, float]:
    """``t = t0 + x * t1`` for each row of ``times`` (set-ups, sizes), by least squares of relative errors.

    Returns the coefficients (set-ups, 2) and the largest relative departure of the mean row from
    its own line, since noise is in proportion to the time and a straight line may not fit.
    """
    design = np.stack([np.ones_like(x), x], axis=1)  # (sizes, 2)
    fits = [np.linalg.lstsq(design / row[:, None], np.ones_like(row), rcond=None)[0] for row in times]
    coefficients = np.array(fits)
    mean_row = np.exp(np.mean(np.log(times), axis=0))
    mean_fit = np.linalg.lstsq(design / mean_row[:, None], np.ones_like(mean_row), rcond=None)[0]
    return coefficients, float(np.max(np.abs(design @ mean_fit / mean_row - 1.0)))
