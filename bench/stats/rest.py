"""Time at rest: what code takes when nobody disturbs it, read from the quickest of many short rounds.

On a shared machine noise only adds, and how much it adds differs from hour to hour and from code to code:
what keeps both cores busy loses more. So the median of the rounds is no property of the code, and the low
tail is (Chen & Revels, "Robust benchmarking in noisy environments", IEEE HPEC 2016, who argue for the
minimum; the mean of a low share is less at the mercy of one lucky round).

Each set-up gives the mean of its quickest tenth, the two sides of a pair in the same set-up. Set-ups count by
how calm the machine was in them: many have no calm round at all, and their ratio is that of a restless
machine. ``docs/measuring.md`` has the study that chose this, and what was not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bench.stats.estimates import Floats, Mean, mean_of

SHARE = 0.1  # of a set-up's rounds, the quickest: their mean is its time
LEAST_ROUNDS = 20  # of a set-up; with fewer the quickest tenth is a single one
# So much above rest a set-up may lie and count nearly in full: where memory lies makes 1 to 1.5 %.
CALM_WITHIN = 0.02
REST = 0.1  # quantile of the set-ups' times: what counts as rest
WEIGHED_FROM = 5  # set-ups; of fewer each is needed for the degrees of freedom
SHARES = (0.05, 0.1, 0.2)  # of all rounds pooled; where they disagree, hardly any round was calm
# A round is calm within so much of its side's rest. Where fewer than the least share are, rest is nothing but
# the luckiest of disturbed rounds: restless hours in which the ratio at rest was right had 10 % and more,
# made-up machines without any calm round 8 %.
CALM_ROUND, LEAST_CALM_SHARE = 0.05, 0.1
# Of fewer set-ups than are weighed a larger share: so few rounds lie near their quickest tenth by chance.
LEAST_CALM_SHARE_OF_FEW = 0.12
# Now and then: rounds beside a calm round of the other side, which lies within so much of its own rest.
BESIDE_WITHIN = 0.1
MOST_EXCESS = 0.15  # of a round above rest that is counted; a neighbour's burst is longer
LEAST_BESIDE = 3  # set-ups with such rounds, for an interval


class Pair(NamedTuple):
    """The rounds of one set-up, seconds an iteration: the variant's, and those of each of its baselines.

    A baseline that was measured a second time, as the control, stands beside the first: their times at rest
    are averaged, since pooled rounds would be those of the luckier of the two.
    """

    variant: Floats
    baselines: tuple[Floats, ...]


def tail_mean(rounds: Floats, share: float) -> float:
    """The mean of the quickest share of the rounds, in proportion where it ends within one."""
    ordered = np.sort(rounds)
    count = share * len(ordered)
    whole = min(int(count), len(ordered))
    total = float(ordered[:whole].sum())
    if whole < len(ordered):
        total += (count - whole) * float(ordered[whole])
    return total / count


def log_tails(several: Sequence[Floats], share: float = SHARE) -> Floats:
    """log(seconds an iteration) at rest, one a set-up."""
    return np.array([math.log(tail_mean(rounds, share)) for rounds in several])


def above_rest(logs: Floats) -> Floats:
    """How far each set-up lies above what counts as rest over all of them; never below 0."""
    above: Floats = np.maximum(logs - np.quantile(logs, REST), 0.0)
    return above


def calm_weights(above: Floats) -> Floats:
    """How much each set-up counts: the inverse square of how far it lies above rest; together 1.

    Of fewer than five all count alike.
    """
    counted = above if len(above) >= WEIGHED_FROM else np.zeros_like(above)
    weights = 1.0 / (CALM_WITHIN**2 + counted**2)
    normalised: Floats = weights / weights.sum()
    return normalised


def weighted(values: Floats, weights: Floats, bias: float = 0.0) -> Mean:
    """A weighted mean of independent set-ups that need not vary alike.

    The standard error leaves each value out of the mean that it is held against (HC3 of MacKinnon & White,
    Journal of Econometrics 29, 1985), so that one heavy set-up does not vouch for itself; degrees of freedom
    are Kish's effective number of set-ups (Survey Sampling, 1965) less one.
    """
    value = float(weights @ values)
    effective = 1.0 / float(weights @ weights)
    if len(values) < 2 or effective <= 1.0 + 1e-9:
        return Mean(value, math.inf, 1, len(values), bias)
    departures = weights * (values - value) / (1.0 - weights)
    error = float(np.sqrt(departures @ departures))
    return Mean(value, error, max(effective - 1.0, 1.0), len(values), bias)


@dataclass(frozen=True)
class Weighed:
    """Numbers of set-ups, and how far the machine lay above rest in each."""

    values: Floats
    above: Floats
    bias: float

    def __len__(self) -> int:
        return len(self.values)

    def weights(self) -> Floats:
        return calm_weights(self.above)

    def mean(self) -> Mean:
        return weighted(self.values, self.weights(), self.bias)


@dataclass(frozen=True)
class AtRest:
    """Pairs of one comparison, a set-up each, in the order in which they were measured."""

    pairs: tuple[Pair, ...]

    def __len__(self) -> int:
        return len(self.pairs)

    @cached_property
    def variant_logs(self) -> Floats:
        return log_tails([pair.variant for pair in self.pairs])

    @cached_property
    def baseline_logs(self) -> Floats:
        """Of each set-up the mean over its baselines."""
        return np.array([float(np.mean(log_tails(pair.baselines))) for pair in self.pairs])

    @property
    def values(self) -> Floats:
        """log(time of variant / time of baseline) at rest, one a set-up."""
        ratios: Floats = self.variant_logs - self.baseline_logs
        return ratios

    def weights(self) -> Floats:
        """How much each set-up counts: by how calm both sides were in it, together 1.

        Each side by itself would let what makes one of them slow in some set-ups lower its own weight; the
        mean of both halves that.
        """
        return calm_weights(self.above)

    @property
    def above(self) -> Floats:
        """How far above rest the two sides of each set-up lay, in the mean."""
        above: Floats = (above_rest(self.variant_logs) + above_rest(self.baseline_logs)) / 2
        return above

    def mean(self) -> Mean:
        """The log ratio at rest, its bias what :attr:`bias` says."""
        return weighted(self.values, self.weights(), self.bias)

    @cached_property
    def sides(self) -> list[Floats]:
        """All rounds of the variant, then of each baseline, whatever their set-up."""
        baselines = zip(*(pair.baselines for pair in self.pairs), strict=True)
        return [np.concatenate([pair.variant for pair in self.pairs]), *map(np.concatenate, baselines)]

    @cached_property
    def bias(self) -> float:
        """How far the log ratio may be off, however many set-ups there are.

        That is how far it lies from the ratios by the quickest 5, 10 and 20 % of all rounds together. On a
        machine that had calm rounds they agree; where few were calm, the ratio moves on as the share grows.
        Where hardly any round was calm, it is how far the medians lie above rest: no more is known of it.
        """
        return max(self.disagreement, 0.0 if self.calm else max(map(_unrest, self.sides)))

    @property
    def disagreement(self) -> float:
        """How far the log ratio lies from those by the quickest 5, 10 and 20 % of all rounds together."""
        value = float(self.values @ self.weights())
        return max(abs(value - self._pooled(share)) for share in SHARES)

    @property
    def calm(self) -> bool:
        """Whether enough rounds of every side were calm for its rest to be known."""
        return _calm_enough(self.sides, len(self))

    def _pooled(self, share: float) -> float:
        variant, *baselines = (math.log(tail_mean(side, share)) for side in self.sides)
        return variant - float(np.mean(baselines))

    def typical(self) -> Mean:
        """The log ratio of what was typical: over set-ups, of the medians of ratios of the same cycle."""
        return mean_of(np.array([_typical(pair) for pair in self.pairs]))

    def now_and_then(self) -> Mean | None:
        """How much more of its time at rest the variant takes on top, now and then, than its baseline.

        Each side's rounds are looked at where the *other* side's round beside them was calm, so that what a
        neighbour does to both counts as little as it can. What is sensitive to neighbours still shows some.
        None where hardly any round was calm.
        """
        rest = [tail_mean(side, SHARE) for side in self.sides[:2]]
        excesses, counts = [], []
        for pair in self.pairs:
            variant, baseline = pair.variant / rest[0] - 1.0, pair.baselines[0] / rest[1] - 1.0
            beside_baseline, beside_variant = baseline <= BESIDE_WITHIN, variant <= BESIDE_WITHIN
            both = int(beside_baseline.sum()), int(beside_variant.sum())
            if min(both):
                excesses.append(
                    float(np.minimum(variant[beside_baseline], MOST_EXCESS).mean())
                    - float(np.minimum(baseline[beside_variant], MOST_EXCESS).mean())
                )
                counts.append(2.0 / (1.0 / both[0] + 1.0 / both[1]))
        if len(excesses) < LEAST_BESIDE:
            return None
        return weighted(np.array(excesses), np.array(counts) / sum(counts))

    def part(self, start: int, end: int) -> AtRest:
        """The set-ups from one to another."""
        return AtRest(self.pairs[start:end])


def times_at_rest(rounds: Sequence[Floats], above: Floats) -> Weighed:
    """log(seconds an iteration) at rest of one variant, weighed by how calm its set-ups were."""
    pooled, logs = np.concatenate(rounds), log_tails(rounds)
    value = float(calm_weights(above) @ logs)
    bias = max(abs(value - math.log(tail_mean(pooled, share))) for share in SHARES)
    return Weighed(logs, above, bias if _calm_enough([pooled], len(rounds)) else max(bias, _unrest(pooled)))


def averaged_at_rest(several: Sequence[AtRest | Weighed]) -> Weighed:
    """The mean of each set-up's numbers, of several that were measured in the same set-ups."""
    return Weighed(
        np.mean([each.values for each in several], axis=0),
        np.mean([each.above for each in several], axis=0),
        float(np.mean([each.bias for each in several])),
    )


def _typical(pair: Pair) -> float:
    """The median over the cycles of one set-up, the baselines averaged."""
    baseline = np.mean([np.log(rounds) for rounds in pair.baselines], axis=0)
    return float(np.median(np.log(pair.variant) - baseline))


def _unrest(rounds: Floats) -> float:
    """How far the median round lies above rest, as a logarithm."""
    return math.log(float(np.median(rounds)) / tail_mean(rounds, SHARE))


def _calm_enough(sides: Sequence[Floats], set_ups: int) -> bool:
    """Whether enough rounds of every side, of so many set-ups, were calm for its rest to be known."""
    least = LEAST_CALM_SHARE if set_ups >= WEIGHED_FROM else LEAST_CALM_SHARE_OF_FEW
    return min(map(calm_rounds, sides)) >= least


def calm_rounds(rounds: Floats) -> float:
    """The share of one side's rounds that lie within 5 % of its rest."""
    return float((rounds <= (1.0 + CALM_ROUND) * tail_mean(rounds, SHARE)).mean())


def calm_share(sides: Sequence[Sequence[Floats]]) -> float:
    """The share of calm rounds over several sides, by set-up; what a run tells of its hour."""
    pooled = [np.concatenate(side) for side in sides]
    counts = [len(rounds) for rounds in pooled]
    return (
        float(np.average([calm_rounds(rounds) for rounds in pooled], weights=counts)) if pooled else math.nan
    )
