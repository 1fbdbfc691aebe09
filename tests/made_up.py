"""Made-up log ratios for tests of what is computed from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bench.stats import Effects, Floats, own_error


def alike(values: ArrayLike) -> Effects:
    """Set-ups whose own errors are not known: each counts as much as the others."""
    told = np.asarray(values, dtype=np.float64)
    return Effects(told, np.full_like(told, np.nan))


def from_rounds(rounds: Floats) -> Effects:
    """Set-ups of the shape given, by the rounds along the last axis."""
    return Effects(np.median(rounds, axis=-1), np.apply_along_axis(lambda r: own_error(list(r)), -1, rounds))
