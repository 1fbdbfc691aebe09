"""SI numbers as people read them: one unit a column, digits as the interval justifies."""

from __future__ import annotations

import math

from bench.records import Estimate

TIME_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def time_unit(seconds: list[float]) -> tuple[float, str]:
    """The unit that suits the smallest of a column: (seconds a unit, its name)."""
    smallest = min((s for s in seconds if s > 0), default=1.0)
    return next((unit for unit in TIME_UNITS if smallest >= unit[0]), TIME_UNITS[-1])


def decimals(estimate: Estimate, scale: float = 1.0) -> int:
    """Decimals at which the last digit is of the size of a fifth of the interval, 0 to 3."""
    width = (estimate.high - estimate.low) / scale
    if not math.isfinite(width) or width <= 0:
        return 2
    return min(3, max(0, math.ceil(-math.log10(width / 5))))


def ranged(estimate: Estimate, scale: float = 1.0) -> str:
    """``1.234 (1.21 to 1.26)`` in the column's unit; no interval from one set-up."""
    places = decimals(estimate, scale)
    value, low, high = (f"{x / scale:,.{places}f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})" if math.isfinite(estimate.high) else value
