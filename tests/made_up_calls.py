"""Made-up calls of many processes: a process has a level of its own, and spells slow calls in a row."""

from __future__ import annotations

import numpy as np

from bench.records.calls import DIGITS, Calls
from bench.stats.estimates import Floats

LEVEL, JITTER = 0.06, 0.03  # log standard deviation between processes, and of calls within one
CALM, SPELL = 400.0, 25.0  # calls in a row, in the mean
SLOWED = 1.8  # times as long in a spell


def call_times_s(rng: np.random.Generator, processes: int, calls: int, correlated: bool = True) -> Floats:
    """Seconds of each call: (processes, calls). Without correlation all calls are drawn alike."""
    share = SPELL / (CALM + SPELL)
    level = np.exp(rng.normal(0.0, LEVEL, (processes, 1))) if correlated else 1.0
    if correlated:
        pairs = 8 + calls // 100
        lengths = rng.geometric([1.0 / CALM, 1.0 / SPELL], (processes, pairs, 2)).reshape(processes, -1)
        ends, at = np.cumsum(lengths, axis=1), np.arange(calls) + rng.integers(0, 400, (processes, 1))
        slow = np.stack([np.searchsorted(e, a, side="right") % 2 == 1 for e, a in zip(ends, at, strict=True)])
    else:
        slow = rng.random((processes, calls)) < share
    times: Floats = 2e-4 * level * np.exp(rng.normal(0.0, JITTER, (processes, calls)))
    return times * np.where(slow, SLOWED, 1.0)


def as_calls(times_s: Floats) -> Calls:
    """The record of one set-up's calls."""
    ns = np.sort(1e9 * times_s)
    scale = 10.0 ** (np.floor(np.log10(ns)) + 1 - DIGITS)
    kept, counts = np.unique((np.round(ns / scale) * scale).astype(np.int64), return_counts=True)
    return Calls(ns=kept.tolist(), counts=counts.tolist())
