"""SI numbers as people read them: one unit a column, digits as the interval justifies."""

from __future__ import annotations

import math
from statistics import median_low

from bench.records.run import Estimate

LEAST_SHOWN = 1e-3  # of a unit: below it a column would be read by counting zeros
# Each unit that is scaled, as (its size in the base unit, its name), largest first.
UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "images/s": ((1e6, "M images/s"), (1e3, "k images/s"), (1.0, "images/s")),
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "flop": ((1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"), (1.0, "FLOP")),
}


def scale_for(unit: str, values: list[float]) -> tuple[float, str]:
    """The size and name of the unit that suits the middle of a column, and leaves its smallest digits."""
    positive = [value for value in values if value > 0] or [1.0]
    middle, smallest = median_low(positive), min(positive)
    suiting = (u for u in UNITS[unit] if middle >= u[0] and smallest >= LEAST_SHOWN * u[0])
    return next(suiting, UNITS[unit][-1])


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


def scaled(value: float, unit: str) -> str:
    """One number alone with the unit that suits it: ``1.23 ms``."""
    if unit not in UNITS:
        return f"{number(value)} {unit}".rstrip()
    size, name = scale_for(unit, [abs(value)])
    return f"{number(value, size)} {name}"


def counted(number: int, name: str) -> str:
    """``1 thread`` or ``3 threads``."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
