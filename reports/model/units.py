"""The unit that suits a number or a column, and numbers as :mod:`bench.records.numbers` writes them."""

from __future__ import annotations

from statistics import median_low

from bench.records.numbers import bounded, counted, decimals, decimals_of, interval, number, ranged, times

__all__ = ["bounded", "counted", "decimals", "decimals_of", "interval", "number", "ranged", "scale_for"]
__all__ += ["scaled", "times"]
LEAST_SHOWN = 1e-3  # of a unit: below it a column would be read by counting zeros
# Each unit that is scaled, as (its size in the base unit, its name), largest first.
UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "\N{MICRO SIGN}s"), (1e-9, "ns")),
    "images/s": ((1e6, "M images/s"), (1e3, "k images/s"), (1.0, "images/s")),
    "samples/s": ((1e6, "M samples/s"), (1e3, "k samples/s"), (1.0, "samples/s")),
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "flop": ((1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"), (1.0, "FLOP")),
}


def scale_for(unit: str, values: list[float]) -> tuple[float, str]:
    """The size and name of the unit that suits the middle of a column, and leaves its smallest digits."""
    positive = [value for value in values if value > 0] or [1.0]
    middle, smallest = median_low(positive), min(positive)
    suiting = (u for u in UNITS[unit] if middle >= u[0] and smallest >= LEAST_SHOWN * u[0])
    return next(suiting, UNITS[unit][-1])


def scaled(value: float, unit: str) -> str:
    """One number alone with the unit that suits it: ``1.23 ms``."""
    if unit not in UNITS:
        return f"{number(value)} {unit}".rstrip()
    size, name = scale_for(unit, [abs(value)])
    return f"{number(value, size)} {name}"
