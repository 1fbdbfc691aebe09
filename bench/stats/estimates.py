"""From samples to estimates: pure functions on arrays.

The unit of observation is the set-up, never the round: rounds of one set-up share where its memory
happened to land, and an interval computed from them is far too narrow (Kalibera & Jones, "Rigorous
Benchmarking in Reasonable Time", ISMM 2013).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.records.run import Block, Estimate

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
EXACT_UP_TO = 16  # set-ups for which all sign flips are counted
MOST_TIMES = 100  # as many units are nothing that anybody would wait for
LARGEST_LOG = 700.0  # above it a double overflows


@dataclass(frozen=True)
class Mean:
    """A mean of independent values, or a sum of such means: what Student's t needs to know of it.

    ``bias`` is how far the value may be off however many values there are; an interval reaches as far as the
    root of the sum of the squares of both.
    """

    value: float
    error: float  # standard error; endless for one value alone
    freedom: float  # degrees of freedom of the error
    n: int  # independent values; of several means the fewest
    bias: float = 0.0  # no number of values lowers it

    def interval(self, confidence: float = CONFIDENCE) -> Estimate:
        """Student's t interval; endless where the error is not known."""
        reach = math.inf
        if math.isfinite(self.error):
            reach = math.hypot(student(confidence, self.freedom) * self.error, self.bias)
        ends = {"low": self.value - reach, "high": self.value + reach}
        return Estimate(value=self.value, **ends, confidence=confidence, n=self.n)

    def p_beyond(self, distance: float) -> float:
        """Two-sided p of a true value that lies ``distance`` away from this one."""
        if not math.isfinite(self.error) or distance <= self.bias:
            return 1.0
        if self.error == 0.0:
            return 0.0
        beyond = math.sqrt(distance**2 - self.bias**2)
        return min(1.0, 2.0 * float(special.stdtr(self.freedom, -beyond / self.error)))


def mean_of(values: Floats) -> Mean:
    """The mean of independent values and its standard error."""
    n = len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return Mean(float(np.mean(values)), error, max(1, n - 1), n)


def combined(means: Sequence[Mean], weights: Sequence[float]) -> Mean:
    """A weighted sum of independent means that need not vary alike.

    Degrees of freedom after Welch (Biometrika 34, 1947) and Satterthwaite (Biometrics Bulletin 2,
    1946): a difference of two means, weights 1 and -1, is Welch's t.
    """
    value = sum(weight * mean.value for mean, weight in zip(means, weights, strict=True))
    shares = [(weight * mean.error) ** 2 for mean, weight in zip(means, weights, strict=True)]
    total, n = sum(shares), min(mean.n for mean in means)
    bias = math.hypot(*(weight * mean.bias for mean, weight in zip(means, weights, strict=True)))
    if not math.isfinite(total):
        return Mean(value, math.inf, 1, n, bias)
    weighed = sum((share / total) ** 2 / m.freedom for share, m in zip(shares, means, strict=True) if total)
    return Mean(value, math.sqrt(total), 1 / weighed if weighed else min(m.freedom for m in means), n, bias)


def t_interval(values: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """Mean of independent values and Student's t interval; without two values the interval is endless."""
    return mean_of(values).interval(confidence)


def student(confidence: float, degrees: float) -> float:
    """How many standard errors a two-sided interval of Student's t reaches."""
    return float(special.stdtrit(degrees, 0.5 + confidence / 2))  # as scipy.stats.t.ppf, fifty times as quick


def geometric(log_values: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """The geometric mean and its interval, from logarithms."""
    return exponential(t_interval(log_values, confidence))


def exponential(estimate: Estimate) -> Estimate:
    """An estimate of a logarithm as one of the number itself."""
    with np.errstate(over="ignore"):  # an end beyond all numbers is endless
        value, low, high = (float(np.exp(x)) for x in (estimate.value, estimate.low, estimate.high))
    return Estimate(value=value, low=low, high=high, confidence=estimate.confidence, n=estimate.n)


def inverse(estimate: Estimate, scale: float = 1.0) -> Estimate:
    """``scale / estimate``, such as images/s from seconds an iteration."""
    low, high = (scale / x if x > 0 else np.inf for x in (estimate.high, estimate.low))
    return Estimate(
        value=scale / estimate.value, low=low, high=high, confidence=estimate.confidence, n=estimate.n
    )


def level_of(course: Floats) -> tuple[int, Estimate]:
    """From which epoch on a course has left its first level, and its level since: a ratio.

    ``course`` is (set-ups, epochs) of log(time / time of the first epoch, beside it). The epoch is where a
    level of 0 before and one level after fit the mean course best, by least squares, after the first epoch
    at the earliest; the level is the mean since then, a number a set-up, with Student's t over them.
    """
    means = course.mean(axis=0)
    fits = [
        float(np.sum(means[:k] ** 2) + np.sum((means[k:] - means[k:].mean()) ** 2))
        for k in range(1, len(means))
    ]
    since = 1 + int(np.argmin(fits)) if fits else 0
    return since, geometric(course[:, since:].mean(axis=1))


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
        mean = mean_of(effects)
        return mean.p_beyond(abs(mean.value))
    signs = np.array(list(product((1.0, -1.0), repeat=n)))
    sums = np.abs(signs @ effects)
    return float(np.mean(sums >= abs(effects.sum()) * (1 - 1e-12)))


def detectable(mean: Mean, level: float, tolerance: float, power: float = 0.8) -> float:
    """The smallest slow-down that a ratio so well known would be called slower for, with this power."""
    if not math.isfinite(mean.error):
        return math.inf
    half_width = math.hypot(student(1.0 - level, mean.freedom) * mean.error, mean.bias)
    reach = math.log1p(tolerance) + half_width + student(2.0 * power - 1.0, mean.freedom) * mean.error
    return math.expm1(reach) if reach < LARGEST_LOG else math.inf


def times_to_decide(mean: Mean, level: float, tolerance: float) -> float | None:
    """As many times the units would decide, were the estimate right; None beyond a hundred times."""
    if not math.isfinite(mean.error):
        return None
    distance = abs(abs(mean.value) - math.log1p(tolerance))  # to the nearer edge
    times = np.arange(mean.n, MOST_TIMES * mean.n + 1) / mean.n
    freedom = np.maximum((mean.freedom + 1.0) * times - 1.0, 0.5)
    reach = np.hypot(special.stdtrit(freedom, 1.0 - level / 2) * mean.error / np.sqrt(times), mean.bias)
    enough = times[reach < distance]
    return float(enough[0]) if len(enough) else None


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
