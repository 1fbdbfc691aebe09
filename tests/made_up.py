"""A made-up machine, and made-up log ratios for tests of what is computed from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bench.records.run import Machine
from bench.stats.estimates import Floats
from bench.stats.ratios import Effects, Pair, effects_of

MACHINE = Machine(
    cpu="Some CPU",
    architecture="x86_64",
    cores_granted=2.0,
    cores_there=2,
    memory_gib=8,
    system="Linux",
    accelerators=[],
    kernel="6",
    load=0.1,
    governor=None,
    mhz=None,
    huge_pages=None,
    environment={},
    python="3.11.7",
    source=None,
)


def alike(values: ArrayLike) -> Effects:
    """Set-ups of which nobody knows how restless the machine was: each counts as much as the others."""
    told = np.asarray(values, dtype=np.float64)
    return Effects(told, np.full_like(told, np.nan), told)


def from_rounds(variant: Floats, baseline: Floats) -> Effects:
    """Set-ups of the shape given, by the rounds along the last axis: log times of both sides."""
    shape = variant.shape[:-1]
    rows = zip(variant.reshape(-1, variant.shape[-1]), baseline.reshape(-1, baseline.shape[-1]), strict=True)
    found = effects_of([Pair(np.exp(one).tolist(), np.exp(other).tolist()) for one, other in rows])
    return Effects(*(array.reshape(shape) for array in (found.values, found.errors, found.totals)))
