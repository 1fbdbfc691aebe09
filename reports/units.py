"""SI numbers as people read them: one unit a column, digits as the interval justifies."""

from __future__ import annotations

import math

from bench.records import Estimate

# Each unit that is scaled, as (its size in the base unit, its name), largest first.
UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "images/s": ((1e6, "M images/s"), (1e3, "k images/s"), (1.0, "images/s")),
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "flop": ((1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"), (1.0, "FLOP")),
}


def scale_for(unit: str, values: list[float]) -> tuple[float, str]:
    """The size and name of the unit that suits the smallest of a column."""
    smallest = min((value for value in values if value > 0), default=1.0)
    return next((u for u in UNITS[unit] if smallest >= u[0]), UNITS[unit][-1])


def decimals(number: float) -> int:
    """Decimals that leave a bare number three digits, 0 to 3."""
    if number == 0 or not math.isfinite(number):
        return 0
    return min(3, max(0, 2 - math.floor(math.log10(abs(number)))))


def decimals_of(estimate: Estimate, scale: float = 1.0) -> int:
    """Decimals at which the last digit is of the size of a fifth of the interval, 0 to 3."""
    width = (estimate.high - estimate.low) / scale
    if not math.isfinite(width) or width <= 0:
        return decimals(estimate.value / scale)
    return min(3, max(0, math.ceil(-math.log10(width / 5))))


def ranged(estimate: Estimate, scale: float = 1.0) -> str:
    """``1.234 (1.21 to 1.26)`` in the column's unit; no interval from one set-up."""
    places = decimals_of(estimate, scale)
    value, low, high = (f"{x / scale:,.{places}f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})" if math.isfinite(estimate.high) else value
