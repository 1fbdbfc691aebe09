"""What is said of batch sizes: what a step costs, and which size to take."""

from __future__ import annotations

import numpy as np

from bench.answers.words import either, quickest
from bench.records.infinities import PLAIN_RANGE
from bench.records.numbers import ranged
from bench.records.run import CONTROL, Estimate, Measured
from bench.stats.estimates import fit_line, t_interval


def line(measured: list[Measured]) -> tuple[Estimate, Estimate, float]:
    """``t = t0 + n * t1`` over the sizes measured: both costs in seconds, and how far it misses a size."""
    set_ups = min(len(m.times_s) for m in measured)
    sizes = np.array([m.images for m in measured], dtype=np.float64)
    times = np.array([m.times_s[:set_ups] for m in measured]).T  # (set-ups, sizes)
    coefficients, departure = fit_line(sizes, times)
    fixed, each = (t_interval(column) for column in coefficients.T)
    return fixed, each, departure


def line_in_words(fixed: Estimate, each: Estimate, departure: float, of: str = "images") -> str:
    """``A step costs 700 µs (690 to 710) and 3.1 µs (3.0 to 3.2) an image``; how well the line fits."""
    return (
        f"A step costs {ranged(fixed, 1e-6)} \N{MICRO SIGN}s and "
        f"{ranged(each, 1e-6)} \N{MICRO SIGN}s {'an image' if of == 'images' else 'a sample'}; "
        f"the line misses a size by up to {departure:.0%}."
    )


def growth(variants: dict[str, Measured]) -> list[str]:
    """The best throughput, the sizes that come near it, and both costs of a step over the batch sizes."""
    sizes = _without_control(variants)
    of = sizes[0].case.counts
    best, rivals = quickest(sizes)
    also = f"; {either(rivals, 'and')} may give as much" if rivals else ""
    near = reaching(sizes, 0.9)
    if near.n < 2:
        also = ", by one set-up, which does not tell how near the others come"
    return [
        f"The best throughput is {ranged(best.images_per_s)} {of}/s at batch size {best.images}{also}.",
        f"Nine tenths of it are reached at {reaching_in_words(near)}{in_doubt(near, rivals)}.",
        f"Half of it is reached at {reaching_in_words(reaching(sizes, 0.5))}; larger batches need more "
        "memory and make fewer steps an epoch.",
        line_in_words(*line(sizes), of),
    ]


def in_doubt(near: Estimate, rivals: list[Measured]) -> str:
    """``, though 256 or 512 may be as quick``: smaller sizes that one cannot tell from the quickest.

    Those are rivals of the best which the set-ups put below nine tenths of it, but not beyond doubt.
    """
    if near.n < 2:
        return ", by one set-up, which settles no size"
    smaller = [m for m in rivals if m.images < near.value]
    return f", though {either(smaller)} may be as quick" if smaller else ""


def growth_fits(variants: dict[str, Measured]) -> dict[str, Estimate]:
    """The numbers of these sentences, for the plot."""
    sizes = _without_control(variants)
    fixed, each, _ = line(sizes)
    return {"fixed_s": fixed, "image_s": each, "recommended": reaching(sizes, 0.9)}


def _without_control(variants: dict[str, Measured]) -> list[Measured]:
    return [measured for name, measured in variants.items() if name != CONTROL]


def reaching(measured: list[Measured], share: float) -> Estimate:
    """The smallest size with this share of the best throughput, and its range over the set-ups.

    The range is the least and the largest over the set-ups, no confidence interval: sizes are few.
    """
    by_size = sorted(measured, key=lambda m: m.images)
    set_ups = min(len(m.times_s) for m in measured)
    rates = np.array([m.images / np.array(m.times_s[:set_ups]) for m in by_size])
    reached = [by_size[int(np.argmax(column >= share * column.max()))].images for column in rates.T]
    middle = np.exp(np.mean(np.log(rates), axis=1))
    value = by_size[int(np.argmax(middle >= share * middle.max()))].images
    return Estimate(value=value, low=min(reached), high=max(reached), confidence=PLAIN_RANGE, n=len(reached))


def reaching_in_words(size: Estimate) -> str:
    """``64``, or ``64 (32 to 128 over the set-ups)``."""
    if size.low == size.high:
        return f"{size.value:.0f}"
    return f"{size.value:.0f} ({size.low:.0f} to {size.high:.0f} over the set-ups)"
