"""Shares of independent trials, with exact intervals."""

from __future__ import annotations

import math

from scipy import special

from bench.records.run import Estimate
from bench.stats.estimates import CONFIDENCE


def clopper_pearson(hits: int, trials: int, confidence: float = CONFIDENCE) -> Estimate:
    """A share with its exact interval (Clopper & Pearson, Biometrika 26, 1934)."""
    tail = (1.0 - confidence) / 2
    low = float(special.betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, trials - hits, 1.0 - tail)) if hits < trials else 1.0
    value = hits / trials if trials else math.nan
    return Estimate(value=value, low=low, high=high, confidence=confidence, n=trials)
