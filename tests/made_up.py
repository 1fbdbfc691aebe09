"""A made-up machine, and made-up log ratios for tests of what is computed from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bench.records.run import Machine
from bench.stats.estimates import Floats
from bench.stats.ratios import Effects, Pair, effects_of
from bench.stats.rest import Pair as RestPair

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


class Hour(NamedTuple):
    """How a made-up machine is disturbed."""

    name: str
    calm: float  # the share of spells that are calm
    spell: float  # how much longer a round takes in a spell, in the mean
    sensitivity: float  # how much more of a spell the variant takes than its baseline


def at_rest_pairs(
    rng: np.random.Generator,
    hour: Hour,
    *,
    effect: float = 0.0,
    set_ups: int = 20,
    rounds: int = 40,
    slow_layouts: float = 0.0,
    period: int = 0,
    at_random: bool = False,
) -> tuple[RestPair, ...]:
    """Set-ups of a variant whose log ratio at rest is ``effect``; without one it is identical code.

    Spells last for some rounds and run on from set-up to set-up. ``slow_layouts``: so much slower are half of
    the variant's set-ups. One step of ``period`` takes twice as long in the variant, or at random one of
    twenty; a round has ten steps.
    """
    calm = np.repeat(rng.random(set_ups * rounds) < hour.calm, rng.integers(1, 40, set_ups * rounds))
    calm = calm[: set_ups * rounds].reshape(set_ups, rounds)
    depth = rng.gamma(2.0, hour.spell / 2.0, (set_ups, rounds)) * ~calm
    sensitivity = hour.sensitivity if effect else 0.0

    def side(log_level: float, loses: float, steps: Floats) -> Floats:
        jitter = np.abs(rng.normal(0.0, 0.01, (set_ups, rounds))) + rng.normal(0.0, 0.003, (set_ups, 1))
        disturbed = depth * rng.uniform(0.5, 1.5, (set_ups, rounds))
        times: Floats = np.exp(log_level + jitter) * (1.0 + loses * disturbed) * steps
        return times

    layouts = np.where(np.arange(set_ups) % 2 == 0, slow_layouts, 0.0)[:, None]
    variant = side(effect, 1.0 + sensitivity, _steps(rng, set_ups, rounds, period, at_random)) * np.exp(
        layouts
    )
    baseline = side(0.0, 1.0, np.ones((set_ups, rounds)))
    return tuple(RestPair(one, (other,)) for one, other in zip(variant, baseline, strict=True))


def _steps(rng: np.random.Generator, set_ups: int, rounds: int, period: int, at_random: bool) -> Floats:
    """How much longer each round of ten steps takes for steps that are done twice."""
    if at_random:
        return 1.0 + rng.binomial(10, 1.0 / 20.0, (set_ups, rounds)) / 10.0
    if not period:
        return np.ones((set_ups, rounds))
    starts = rng.integers(0, period, (set_ups, 1)) + 10 * np.arange(rounds)
    counts: Floats = (starts + 10) // period - starts // period
    return 1.0 + counts / 10.0
