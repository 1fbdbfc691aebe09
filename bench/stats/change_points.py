"""Where the level of a series changed: binary segmentation, each step tested by permutation.

The place is found by ``ruptures`` (binary segmentation with least squares; Bai, Econometric Theory 13,
1997; Truong, Oudre & Vayatis, Signal Processing 167, 2020). Whether there is a change at all is asked as
E-divisive does (Matteson & James, JASA 109, 2014): the order of the runs is drawn anew many times, which
destroys every change and keeps all else. Many series share one error rate by the largest statistic
among them, found on the same orders (Westfall & Young, "Resampling-Based Multiple Testing", 1993),
so series that move together because they stem from the same runs cost nothing.

What has to hold: without a change, any order of the runs is as likely as any other. A machine that
drifts breaks that, for throughput more than for ratios within a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

from bench.stats.estimates import Floats, Mean, combined, mean_of

LEAST_RUNS = 10  # of a series; fewer have too few orders to tell a change from chance
LEAST_LEVEL = 3  # runs of a level
ORDERS = 1999  # drawn; the smallest p is one in 2,000
ALPHA = 0.05


@dataclass(frozen=True)
class Change:
    """A series has another level from the run numbered ``start`` on."""

    start: int
    difference: Mean  # of the logarithms, new level less old
    before: int
    after: int
    p: float


@dataclass(frozen=True)
class Segment:
    """A stretch of a series in which a change is looked for: the runs it has values for."""

    name: str
    runs: tuple[int, ...]


def level_changes(series: dict[str, Floats], alpha: float = ALPHA, seed: int = 0) -> dict[str, list[Change]]:
    """The changes of each series of logarithms (runs,); NaN where a run has no value.

    Each round of splitting has the error rate ``alpha`` over all stretches together: the chance that
    any of them is split though its level never changed. Without any change only the first round
    happens, so that ``alpha`` holds for the whole; after a true split each further round may err anew.
    Series of less than ``LEAST_RUNS`` values are not looked at.
    """
    rng = np.random.default_rng(seed)
    present = {name: tuple(int(r) for r in np.flatnonzero(~np.isnan(v))) for name, v in series.items()}
    waiting = [Segment(name, runs) for name, runs in present.items() if len(runs) >= LEAST_RUNS]
    splits: dict[str, list[tuple[int, float]]] = {name: [] for name in series}
    while waiting:
        ps = _adjusted_ps([series[s.name][list(s.runs)] for s in waiting], waiting, rng)
        clear = [(s, p) for s, p in zip(waiting, ps, strict=True) if p <= alpha]
        waiting = []
        for segment, p in clear:
            place = _place(series[segment.name][list(segment.runs)])
            splits[segment.name].append((segment.runs[place], p))
            parts = (segment.runs[:place], segment.runs[place:])
            waiting += [Segment(segment.name, part) for part in parts if len(part) >= 2 * LEAST_LEVEL]
    return {name: _changes(series[name], present[name], sorted(places)) for name, places in splits.items()}


def _place(values: Floats) -> int:
    """Where the values are best cut in two."""
    import ruptures  # a second, which only a history needs

    search = ruptures.Binseg(model="l2", min_size=LEAST_LEVEL, jump=1)
    return int(search.fit(values[:, None]).predict(n_bkps=1)[0])


def _adjusted_ps(values: list[Floats], segments: list[Segment], rng: np.random.Generator) -> list[float]:
    """The p of each segment having no change, the family's error rate shared by step-down maxima."""
    runs = 1 + max(run for segment in segments for run in segment.runs)
    keys = rng.random((ORDERS, runs))  # each row orders all runs, and so the runs of every segment
    seen = np.array([clarity(own[None, :])[0] for own in values])
    drawn = np.array(
        [clarity(own[np.argsort(keys[:, list(s.runs)])]) for own, s in zip(values, segments, strict=True)]
    )
    order = np.argsort(seen)
    largest = np.maximum.accumulate(drawn[order], axis=0)  # of this segment and the less clear ones
    ps = (1 + np.sum(largest >= seen[order][:, None], axis=1)) / (ORDERS + 1)
    adjusted = np.empty(len(ps))
    adjusted[order] = np.maximum.accumulate(ps[::-1])[::-1]  # none smaller than a clearer one's
    return [float(p) for p in adjusted]


def clarity(orders: Floats) -> Floats:
    """For each row (orders, runs): minus log p of F of its best cut in two, the scale that lengths share."""
    runs = orders.shape[1]
    centred = orders - orders.mean(axis=1, keepdims=True)
    total = np.sum(centred**2, axis=1)
    first = np.arange(LEAST_LEVEL, runs - LEAST_LEVEL + 1)
    sums = np.cumsum(centred, axis=1)[:, first - 1]
    gain = np.max(sums**2 * runs / (first * (runs - first)), axis=1)
    left = np.maximum(total - gain, 1e-12 * total)  # a step without any noise is as clear as can be
    f = np.divide(gain * (runs - 2), left, out=np.zeros_like(gain), where=left > 0)
    with np.errstate(divide="ignore"):  # a p below all numbers is as clear as can be
        clear: Floats = -np.log(special.fdtrc(1, runs - 2, f))
    return clear


def _changes(values: Floats, runs: tuple[int, ...], splits: list[tuple[int, float]]) -> list[Change]:
    """Each change with the levels on both sides, up to the next change."""
    starts = [0, *(start for start, _ in splits), len(values)]
    levels = [values[[r for r in runs if low <= r < high]] for low, high in pairwise(starts)]
    return [
        Change(
            start=start,
            difference=combined((mean_of(new), mean_of(old)), (1.0, -1.0)),
            before=len(old),
            after=len(new),
            p=p,
        )
        for (start, p), (old, new) in zip(splits, pairwise(levels), strict=True)
    ]
