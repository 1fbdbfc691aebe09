"""Shares of two profiles held against each other; the set-ups of the two are independent."""

from __future__ import annotations

import math

from bench.records.run import Estimate
from bench.stats.estimates import Mean, combined, student


def difference(share: Estimate, first: Estimate) -> Mean:
    """How much larger a share is than the first, by Welch's t."""
    return combined((mean_behind(share), mean_behind(first)), (1.0, -1.0))


def mean_behind(estimate: Estimate) -> Mean:
    """The mean and standard error that Student's t interval was made from; endless without an interval."""
    if estimate.n < 2 or not math.isfinite(estimate.high - estimate.low):
        return Mean(estimate.value, math.inf, 1, estimate.n)
    reach = student(estimate.confidence, estimate.n - 1)
    if reach == 0.0:  # an interval of no confidence tells nothing of the error
        return Mean(estimate.value, math.inf, 1, estimate.n)
    return Mean(estimate.value, (estimate.high - estimate.low) / 2 / reach, estimate.n - 1, estimate.n)
