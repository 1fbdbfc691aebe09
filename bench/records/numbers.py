"""Numbers and their intervals as sentences and tables write them: with the digits that are justified."""

from __future__ import annotations

import math

from bench.records.run import Estimate


def decimals(number: float) -> int:
    """Decimals that leave a bare number three digits, 0 to 6."""
    if number == 0 or not math.isfinite(number):
        return 0
    return min(6, max(0, 2 - math.floor(math.log10(abs(number)))))


def decimals_of(estimate: Estimate, scale: float = 1.0) -> int:
    """Decimals that the interval justifies, below 0 for tens and more; three digits without an interval."""
    place = estimate.last_place(scale)
    return decimals(estimate.value / scale) if place is None else place


def number(value: float, scale: float = 1.0, places: int | None = None) -> str:
    """A number in the column's unit, with three digits or to ``places``; -3 places: in thousands."""
    scaled = value / scale
    last = decimals(scaled) if places is None else places
    return f"{round(scaled, last) + 0.0:,.{max(0, last)}f}"  # 0.0: nothing is shown as -0


def bounded(estimate: Estimate) -> bool:
    """Whether there is an interval: one set-up alone gives an endless one."""
    return math.isfinite(estimate.low) and math.isfinite(estimate.high)


def interval(estimate: Estimate, scale: float = 1.0) -> str:
    """``1.21 to 1.26`` in the column's unit; empty where one set-up gave no interval."""
    if not bounded(estimate):
        return ""
    places = estimate.places(scale)
    _, of_low, of_high = places or (0, *(2 * [decimals_of(estimate, scale)]))
    return f"{number(estimate.low, scale, of_low)} to {number(estimate.high, scale, of_high)}"


def ranged(estimate: Estimate, scale: float = 1.0) -> str:
    """``1.234 (1.21 to 1.26)`` in the column's unit; no interval from one set-up."""
    value, ends = number(estimate.value, scale, decimals_of(estimate, scale)), interval(estimate, scale)
    return f"{value} ({ends})" if ends else value


def times(ratio: Estimate) -> str:
    """``1.003x (0.994 to 1.012)``."""
    ends = interval(ratio)
    return f"{number(ratio.value, places=decimals_of(ratio))}x" + (f" ({ends})" if ends else "")


def counted(number: int, what: str) -> str:
    """``1 part``, ``2 parts``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
