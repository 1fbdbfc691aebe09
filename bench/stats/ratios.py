"""From interleaved rounds to log ratios: at rest where set-ups have rounds enough, else of medians.

Which of the two rules reads a comparison is told by :func:`rule_of`: code at rest (:mod:`bench.stats.rest`)
where every set-up has 20 rounds and more and time itself is not what is measured, and the rule below
otherwise: of loaders and epochs, whose rounds are long, and of older files.

A machine that others use too is restless in spells. A spell slows all that runs in it, but not all alike:
what keeps two cores busy loses more. A ratio is to be that of a calm machine, so a round counts the less, the
slower the *other* variants were beside it. What is compared never weighs itself, lest code be measured as
quick because its slow rounds count little.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median  # of few values twenty times as quick as NumPy's
from typing import Literal, NamedTuple, Protocol

import numpy as np
from msgspec.structs import replace
from scipy import special

from bench.records.run import CONTROL, EPOCH, Block
from bench.stats import rest
from bench.stats.estimates import Floats, Mean, mean_of

SCATTER_FROM = 6  # rounds a set-up; how fewer scatter or lie says little
OTHERS_FROM = 2  # variants that tell how restless it was; the bursts of a single one would count too much
AT_REST = 0.1  # quantile of a variant's rounds over the run: its time on a calm machine
NORMAL_QUARTILE = float(special.ndtri(0.75))  # standard deviations
# So much above its time at rest a variant may lie on a calm machine: what one does to the caches of the
# next is of this size, too, and is no spell.
CALM_WITHIN = 0.03
MOST_OF_CALM = 2.0  # times the median set-up's weight: a long or calm one counts more, within bounds
WEIGHED_FROM = 5  # units; of fewer each is needed for the degrees of freedom
LEAST_ERROR = 1e-9  # so that set-ups without any noise, as a fake clock has them, count alike


Rule = Literal["at rest", "medians"]


class Ratios(Protocol):
    """Log ratios or log times, a set-up each, whichever rule made them."""

    def __len__(self) -> int: ...

    @property
    def values(self) -> Floats:
        """One a set-up."""

    def weights(self) -> Floats:
        """How much each counts."""

    def mean(self) -> Mean:
        """The weighted mean and what its interval needs."""


def rule_of(blocks: list[Block], *names: str) -> Rule:
    """By which rule these variants are read: at rest where each set-up has rounds enough."""
    set_ups = [block.set_ups[name] for block in blocks for name in names if name in block.set_ups]
    enough = all(len(set_up.rounds) >= rest.LEAST_ROUNDS for set_up in set_ups)
    course = any(EPOCH in set_up.rounds[0].facts for set_up in set_ups if set_up.rounds)
    return "at rest" if set_ups and enough and not course else "medians"


@dataclass(frozen=True)
class Effects:
    """Log ratios or log times, one a set-up, and how restless the machine was meanwhile.

    Each array is (units,), or (units, set-ups) where the set-ups of a unit may share something.
    """

    values: Floats  # the median over the rounds
    errors: Floats  # what weighs them, in any unit; NaN of too few rounds
    totals: Floats  # from the sums of the rounds instead: what few slow rounds do shows here alone
    bound: float = 1.0  # times the median set-up's weight, at most; 1 where errors are uncertain themselves

    def __len__(self) -> int:
        """How many units."""
        return len(self.values)

    def mean(self) -> Mean:
        """The weighted mean over units and its standard error, whatever the set-ups of a unit share.

        Each set-up counts by :meth:`weights`, a unit as its set-ups together. The error is that of a
        weighted mean of independent units that need not vary alike (White, Econometrica 48, 1980); its
        degrees of freedom are Kish's effective number of units (Survey Sampling, 1965) less one. With
        equal weights that is the mean and Student's t.
        """
        return self._mean_of(self.values)

    def mean_of_totals(self) -> Mean:
        """The same of the sums of the rounds."""
        return self._mean_of(self.totals)

    def _mean_of(self, numbers: Floats) -> Mean:
        shape = len(numbers), -1
        values, each = numbers.reshape(shape), self.weights().reshape(shape)
        of_units = each.sum(axis=1)
        units = (each * values).sum(axis=1) / of_units
        shares = of_units / of_units.sum()
        value = float(shares @ units)
        effective = 1.0 / float(shares @ shares)
        if len(units) < 2:
            return Mean(value, math.inf, 1, len(units))
        variance = float(shares**2 @ (units - value) ** 2) * effective / (effective - 1.0)
        return Mean(value, math.sqrt(variance), effective - 1.0, len(units))

    def weights(self) -> Floats:
        """How much each set-up counts: the inverse square of its error; a restless one tells less.

        None counts more than the median one by ``bound``, whatever the others are. Of fewer than five units,
        or where an error is not known, all are equal.
        """
        if len(self) < WEIGHED_FROM or not np.isfinite(self.errors).all():
            return np.ones_like(self.errors)
        least = max(float(np.median(self.errors)) / math.sqrt(self.bound), LEAST_ERROR)
        weights: Floats = 1.0 / np.maximum(self.errors, least) ** 2
        return weights

    def part(self, start: int, end: int) -> Effects:
        """The units from one to another."""
        arrays = (self.values, self.errors, self.totals)
        values, errors, totals = (array[start:end] for array in arrays)
        return Effects(values, errors, totals, self.bound)


class Pair(NamedTuple):
    """The rounds of one set-up, seconds an iteration, and how much each counts where that is known."""

    variant: Sequence[float]
    baseline: Sequence[float]
    calm: Floats | None = None


def stacked(units: Sequence[Effects | rest.AtRest]) -> Effects | rest.AtRest:
    """Units of the same number of set-ups, one after the other; a trial that failed has none."""
    at_rest = [unit for unit in units if isinstance(unit, rest.AtRest)]
    if at_rest:
        return rest.AtRest(tuple(pair for unit in at_rest for pair in unit.pairs))
    medians = [unit for unit in units if isinstance(unit, Effects)]
    values, errors, totals = (np.array(arrays, dtype=np.float64) for arrays in _arrays(medians))
    return Effects(values, errors, totals, min((unit.bound for unit in medians), default=1.0))


def of_invocation(blocks: list[Block], variant: str, baseline: str) -> Effects | rest.AtRest:
    """One unit of a comparison: the blocks of one invocation, whose processes they share.

    At rest their rounds are put together into one set-up, since what shares a process is not independent.
    """
    both = having(blocks, variant, baseline)
    if rule_of(both, variant, baseline) == "medians":
        return _effects(both, variant, baseline, calmness(both, variant, baseline))
    sides = (np.concatenate([_seconds(block, name) for block in both]) for name in (variant, baseline))
    of_variant, of_baseline = sides
    return rest.AtRest((rest.Pair(of_variant, (of_baseline,)),))


def averaged(several: Sequence[Ratios]) -> Ratios:
    """The mean of each set-up's log ratios, of several that were measured in the same set-ups."""
    medians = [each for each in several if isinstance(each, Effects)]
    at_rest = [each for each in several if isinstance(each, (rest.AtRest, rest.Weighed))]
    if at_rest and medians:  # what both rules have is a number a set-up
        values = np.mean([each.values for each in several], axis=0)
        return rest.Weighed(values, np.zeros_like(values), bias=0.0)
    if at_rest:
        return rest.averaged_at_rest(at_rest)
    values, errors, totals = (np.mean(arrays, axis=0) for arrays in _arrays(medians))
    return Effects(values, errors, totals, min(each.bound for each in medians))


def _arrays(several: Sequence[Effects]) -> list[list[Floats]]:
    """Their values, their errors, their totals."""
    return [[e.values for e in several], [e.errors for e in several], [e.totals for e in several]]


def against_baseline(blocks: list[Block], variant: str, baseline: str) -> Ratios:
    """Log ratios to the baseline, which the control is once more: the mean over both where both are."""
    both = having(blocks, variant, baseline)
    if rule_of(both, variant, baseline) == "at rest":
        again = variant != CONTROL and len(having(both, CONTROL)) == len(both)
        return at_rest(both, variant, baseline, *([CONTROL] if again else []))
    if variant == CONTROL or not both or len(having(both, CONTROL)) < len(both):
        return log_effects(both, variant, baseline)
    calm = calmness(both, variant, baseline, CONTROL)  # a slow control would lower ratio and weight at once
    return averaged([_effects(both, variant, baseline, calm), _effects(both, variant, CONTROL, calm)])


def at_rest(blocks: list[Block], variant: str, *baselines: str) -> rest.AtRest:
    """The rounds of a variant and of each of its baselines, paired by block."""
    return rest.AtRest(
        tuple(
            rest.Pair(_seconds(block, variant), tuple(_seconds(block, name) for name in baselines))
            for block in blocks
        )
    )


def _seconds(block: Block, name: str) -> Floats:
    return np.array(_times(block, name))


def log_times(blocks: list[Block], variant: str) -> Ratios:
    """One log(seconds an iteration) a block: at rest, or the median weighed by the other variants."""
    there = having(blocks, variant)
    if rule_of(there, variant) == "at rest":
        return rest.times_at_rest([_seconds(block, variant) for block in there], _above(there))
    calm = calmness(there, variant, CONTROL, least=OTHERS_FROM + 1)  # where a ratio in this group has two
    times = [_times(block, variant) for block in there]
    return effects_of([Pair(t, [1.0] * len(t), c) for t, c in zip(times, calm, strict=True)])  # over a second


def typical(blocks: list[Block], variant: str, baseline: str) -> Mean:
    """The log ratio of what was typical: over blocks, of the medians of the ratios of the same cycle."""
    both = having(blocks, variant, baseline)
    return mean_of(np.array([median(np.log(_seconds(b, variant) / _seconds(b, baseline))) for b in both]))


def typical_times(blocks: list[Block], variant: str) -> Mean:
    """log(seconds an iteration) that was typical: over blocks, of the medians of their rounds."""
    return mean_of(np.array([math.log(median(_times(b, variant))) for b in having(blocks, variant)]))


def only(blocks: list[Block], variants: Collection[str]) -> list[Block]:
    """The blocks as if nothing but these had been measured."""
    return [replace(b, set_ups={n: s for n, s in b.set_ups.items() if n in variants}) for b in blocks]


def having(blocks: list[Block], *variants: str) -> list[Block]:
    """The blocks in which all of these were measured."""
    return [block for block in blocks if set(variants) <= block.set_ups.keys()]


def _above(blocks: list[Block]) -> Floats:
    """How far above rest the variants of each block lay, in the mean over them."""
    sums, counts = np.zeros(len(blocks)), np.zeros(len(blocks))
    for name in sorted({name for block in blocks for name in block.set_ups}):
        at = [number for number, block in enumerate(blocks) if name in block.set_ups]
        sums[at] += rest.above_rest(rest.log_tails([_seconds(blocks[number], name) for number in at]))
        counts[at] += 1
    above: Floats = sums / counts
    return above


def log_effects(blocks: list[Block], variant: str, baseline: str) -> Ratios:
    """One log(time of variant / time of baseline) a block, without the control.

    At rest, or else the median over its interleaved rounds; then rounds and blocks are weighed by the other
    variants of the group, where there are two or more of them.
    """
    both = having(blocks, variant, baseline)
    if rule_of(both, variant, baseline) == "at rest":
        return at_rest(both, variant, baseline)
    return _effects(both, variant, baseline, calmness(both, variant, baseline))


def _effects(blocks: list[Block], variant: str, baseline: str, calm: list[Floats] | list[None]) -> Effects:
    """Of blocks that have both, and how much their rounds count."""
    return effects_of(
        [Pair(_times(b, variant), _times(b, baseline), c) for b, c in zip(blocks, calm, strict=True)]
    )


def effects_of(set_ups: Sequence[Pair]) -> Effects:
    """From the rounds of each set-up, the variant's and the baseline's beside them.

    Where nobody else tells how restless the machine was, it is read from the calmer of the two, lest a
    variant be weighed less for being restless itself.
    """
    values, errors, totals = [], [], []
    for variant, baseline, calm in set_ups:
        one, other = [math.log(s) for s in variant], [math.log(s) for s in baseline]
        ratios = [x - y for x, y in zip(one, other, strict=True)]
        values.append(median(ratios) if calm is None else weighted_median(np.array(ratios), calm))
        errors.append(_error(one, other) if calm is None else float(np.sum(calm)) ** -0.5)
        totals.append(math.log(math.fsum(variant) / math.fsum(baseline)))
    bound = 1.0 if any(pair.calm is None for pair in set_ups) else MOST_OF_CALM
    return Effects(np.array(values, float), np.array(errors, float), np.array(totals, float), bound)


def _error(one: Sequence[float], other: Sequence[float]) -> float:
    """Of a median of rounds that scatter as the calmer side's."""
    return min(scatter(one), scatter(other)) * math.sqrt(math.pi / 2 / len(one))


def _times(block: Block, name: str) -> list[float]:
    """Seconds an iteration, by round."""
    return [r.iteration_s for r in block.set_ups[name].rounds]


def calmness(blocks: list[Block], *compared: str, least: int = OTHERS_FROM) -> list[Floats] | list[None]:
    """How much each round of each block counts, by all variants but these; None where too few tell.

    A variant lies above its time at rest by some part in each round; the median of these over the variants is
    how restless a round of all was. Its weight is the inverse of that squared, beside the square of what is
    usual in this run: a Cauchy curve, by which a calm machine has all its rounds count nearly alike.
    """
    others = [[name for name in block.set_ups if name not in compared] for block in blocks]
    rounds = min((len(set_up.rounds) for block in blocks for set_up in block.set_ups.values()), default=0)
    if rounds < SCATTER_FROM or min(map(len, others), default=0) < least:
        return [None] * len(blocks)
    logs = [
        {name: np.log(_times(b, name)) for name in names} for b, names in zip(blocks, others, strict=True)
    ]
    every = {name for names in others for name in names}
    rest = {n: np.quantile(np.concatenate([of[n] for of in logs if n in of]), AT_REST) for n in every}
    above = [np.median([times - rest[name] for name, times in of.items()], axis=0) for of in logs]
    together = np.concatenate(above)
    usual = max(float(np.median(together) - np.quantile(together, AT_REST)), CALM_WITHIN)
    return [1.0 / (usual**2 + np.maximum(each, 0.0) ** 2) for each in above]


def weighted_median(values: Floats, each: Floats) -> float:
    """Half of the weight lies on either side; between two values in proportion. Equal weights: the median."""
    order = np.argsort(values)
    weight = each[order]
    return float(np.interp(weight.sum() / 2, np.cumsum(weight) - weight / 2, values[order]))


def scatter(values: Sequence[float]) -> float:
    """Standard deviation by the median absolute deviation, so that single bursts count little.

    NaN of too few.
    """
    if len(values) < SCATTER_FROM:
        return math.nan
    middle = median(values)
    return median([abs(value - middle) for value in values]) / NORMAL_QUARTILE
