"""Quantiles of single calls, with intervals over set-ups.

Calls of one process share its memory, its threads and the spells of its machine: they are not independent,
and an interval from all calls pooled is far too narrow. So a set-up, which has a process of its own, gives
one number, its own quantile, and the interval is that of the median of these numbers: between two of their
order statistics, whatever their distribution (David & Nagaraja, Order Statistics, 3rd ed., 2003, ch. 7.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from bench.records.calls import Calls
from bench.records.run import Estimate, SetUp
from bench.stats.estimates import CONFIDENCE, Floats

LEVELS = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
LEAST_BEYOND = (
    1.0  # calls of a set-up that a quantile leaves above it, in the mean; with fewer it is not told
)


def quantile_s(calls: Calls, quantile: float) -> float | None:
    """The quantile of one set-up's calls in seconds; None where too few calls lie beyond it.

    Between two order statistics at (n + 1/3) quantile + 1/3, which is about median-unbiased whatever the
    distribution (Hyndman & Fan, The American Statistician 50, 1996, definition 8).
    """
    n = calls.total
    if n * (1.0 - quantile) < LEAST_BEYOND - 1e-9:
        return None
    place = min(max((n + 1 / 3) * quantile + 1 / 3, 1.0), float(n))
    lower = math.floor(place)
    reached = np.cumsum(calls.counts)
    first, second = (calls.ns[int(np.searchsorted(reached, rank))] for rank in (lower, min(lower + 1, n)))
    return (first + (place - lower) * (second - first)) / 1e9


def median_interval(values: Sequence[float] | Floats, confidence: float = CONFIDENCE) -> Estimate:
    """The median of independent positive numbers, between the narrowest pair of order statistics that holds
    it with ``confidence`` at least; ``Estimate.confidence`` is how often that pair does, exactly.

    Fewer than six numbers have no such pair at 95 %: the interval is endless then.
    """
    ordered = sorted(map(float, values))
    n, middle = len(ordered), float(np.median(ordered))
    for rank in range(n // 2, 0, -1):
        holds = 1.0 - 2.0 * float(special.bdtr(rank - 1, n, 0.5))
        if holds >= confidence:
            ends = {"low": ordered[rank - 1], "high": ordered[n - rank]}
            return Estimate(value=middle, **ends, confidence=holds, n=n)
    return Estimate(value=middle, low=0.0, high=math.inf, confidence=confidence, n=n)


def quantiles(set_ups: Sequence[SetUp]) -> dict[str, Estimate]:
    """Each quantile's quantile of a call: over set-ups, the median of theirs; seconds.

    Empty where calls were not timed one by one; without the levels for which any set-up has too few calls.
    """
    tallies = [set_up.calls for set_up in set_ups if set_up.calls is not None]
    if not tallies or len(tallies) < len(set_ups):
        return {}
    estimates: dict[str, Estimate] = {}
    for name, quantile in LEVELS.items():
        values = [value for value in (quantile_s(calls, quantile) for calls in tallies) if value is not None]
        if len(values) == len(tallies):
            estimates[name] = median_interval(values)
    return estimates


def facts_over_set_ups(set_ups: Sequence[SetUp]) -> dict[str, Estimate]:
    """Each fact that every set-up tells: the median over them, with its interval."""
    names = set.intersection(*(set(set_up.facts) for set_up in set_ups)) if set_ups else set()
    return {name: median_interval([set_up.facts[name] for set_up in set_ups]) for name in sorted(names)}
