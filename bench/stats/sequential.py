"""Stopping as soon as a comparison is decided, without deciding wrongly more often.

Looking at the data again and again and stopping at the first interval that pleases raises the error
rate. Here each look spends a part of it, given by a spending function of the budget used so far (Lan &
DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983; the function is the
power of Kim & DeMets, Biometrika 74, 1987), and the interval at a look has the confidence of one minus that
part. By the union bound the chance that any of these repeated intervals misses the truth (Jennison &
Turnbull, Journal of the Royal Statistical Society B 51, 1989) is below ``alpha``, whatever the number and
the times of the looks, so long as the times do not depend on the effects. No correlation between looks
is used, so that nothing rests on a distribution but the interval of a look itself: that of a weighted mean
(:class:`bench.stats.ratios.Effects`), which takes the noise of units for symmetric. Identical code has that
by construction; for code that differs it is an assumption.

Several benchmarks share one ``alpha`` by Holm's step-down, looks included: a benchmark is decided at
``alpha / m``; those still open then share the whole among fewer (Ye, Li, Liu & Yao, "A group sequential
Holm procedure with multiple primary endpoints", Statistics in Medicine 32, 2013). An interval that misses
nothing gives no wrong direction either, so the rate is that of any wrong verdict at the first step; that
directions keep it at the later steps too is known for independent tests only (Shaffer, Annals of
Statistics 8, 1980), which benchmarks in processes of their own nearly are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from bench.records.run import Estimate, Verdict
from bench.stats.estimates import LARGEST_LOG, Mean, detectable, times_to_decide
from bench.stats.ratios import Effects
from bench.stats.rest import AtRest
from bench.stats.verdict import ALPHA, judge

FIRST_LOOK = 5  # units; fewer have an interval too wide to be worth a share of alpha
# Of times at rest, which take eight effective units for any verdict: an earlier look only costs the last one.
FIRST_AT_REST = 10
GROWTH = 1.5  # of the number of units from look to look
# Effective set-ups that a verdict on code at rest takes: in a restless hour few of many are calm, and an
# interval of so few says less than Student's t believes.
LEAST_CALM = 8
NOW_AND_THEN = 0.2  # of each look's share of the error rate, for what happens now and then
POWER = 1.5  # of the share of the budget: between early decisions (1) and late ones (3, O'Brien & Fleming)


class Look(NamedTuple):
    """When the data were looked at: after how many units, and what share of the budget was spent."""

    n: int
    share: float


class Stream(NamedTuple):
    """What one benchmark gave: log ratios of shape (units, set-ups), in order, and the looks at them."""

    effects: Effects | AtRest
    looks: tuple[Look, ...]
    tolerance: float


Cause = Literal["at rest", "now and then"]


class Decision(NamedTuple):
    """The verdict at the look that made it, or at the last, on what was known of the log ratio then."""

    verdict: Verdict
    mean: Mean
    error_rate: float  # of the interval of the mean
    totals: Mean | None = None  # of the sums of the rounds, where the medians are what is judged
    held_back: bool = False  # two numbers contradict each other: more units would not change that
    now_and_then: Mean | None = None  # beside a time at rest: the share that is taken on top of it
    cause: Cause = "at rest"  # which of the two made the verdict
    calm: bool = True  # whether rounds enough were calm for a rest to be known at all

    @property
    def few_slow_rounds(self) -> bool:
        """Whether the sums of the rounds changed beyond what their medians show."""
        if self.totals is None:
            return False
        both = [mean.interval() for mean in (self.totals, self.mean)]
        return bool(both[0].low > both[1].high or both[0].high < both[1].low)

    @property
    def few_calm(self) -> bool:
        """Whether too few set-ups were calm for a verdict on code at rest."""
        return self.totals is None and (not self.calm or self.mean.freedom + 1.0 < LEAST_CALM)

    def leans(self, tolerance: float) -> bool:
        """Whether the likelier guess is that it is slower now and then, though that is not clear."""
        return self.now_and_then is not None and self.now_and_then.value > math.log1p(tolerance)

    @property
    def excess(self) -> Estimate | None:
        """The repeated interval of what happens now and then, at its own part of the error rate."""
        if self.now_and_then is None:
            return None
        return self.now_and_then.interval(1.0 - self.error_rate * NOW_AND_THEN / (1.0 - NOW_AND_THEN))

    @property
    def estimate(self) -> Estimate:
        """The repeated interval of the look."""
        return self.mean.interval(1.0 - self.error_rate)


def grid(at_rest: bool) -> Iterator[int]:
    """After how many units to look: 10, 15, 22 ... of times at rest, 5, 8, 12, 18, 27 ... of others."""
    n = FIRST_AT_REST if at_rest else FIRST_LOOK
    while True:
        yield n
        n = max(n + 1, round(n * GROWTH))


def spent(share: float, alpha: float) -> float:
    """How much of alpha may be spent when this share of the budget is."""
    return float(alpha * min(1.0, max(0.0, share)) ** POWER)


def levels(looks: Sequence[Look], alpha: float) -> list[float]:
    """What each look spends; together at most alpha."""
    totals = [0.0, *(spent(look.share, alpha) for look in looks)]
    return [max(0.0, after - before) for before, after in pairwise(totals)]


def at_look(effects: Effects | AtRest, error_rate: float, tolerance: float) -> Decision:
    """The repeated interval of one look, and the verdict on it."""
    if isinstance(effects, AtRest):
        return _at_rest(effects, error_rate, tolerance)
    mean, totals = effects.mean(), effects.mean_of_totals()
    verdict = _judged(mean, error_rate, tolerance)
    if verdict == "same" and _judged(totals, ALPHA, tolerance) in ("slower", "faster"):
        return Decision(
            "undecided", mean, error_rate, totals, held_back=True
        )  # medians see nothing of few rounds
    return Decision(verdict, mean, error_rate, totals)


def _at_rest(effects: AtRest, error_rate: float, tolerance: float) -> Decision:
    """Two numbers, one error rate: the time at rest, and what is taken on top of it now and then.

    =========  =====================  =====================================
    at rest    now and then           called
    =========  =====================  =====================================
    slower     anything               slower
    same       clearly more           slower, now and then
    undecided  clearly more           slower, now and then
    faster     clearly more           undecided: the two contradict
    faster     otherwise              faster
    same       otherwise              same
    undecided  otherwise              undecided
    =========  =====================  =====================================
    """
    at_rest, beside = (1.0 - NOW_AND_THEN) * error_rate, NOW_AND_THEN * error_rate
    mean, excess = effects.mean(), effects.now_and_then()
    enough_calm = effects.calm and mean.freedom + 1.0 >= LEAST_CALM
    verdict = _judged(mean, at_rest, tolerance) if enough_calm else "undecided"
    more = effects.calm and excess is not None and excess.freedom + 1.0 >= LEAST_CALM
    more = more and excess is not None and excess.interval(1.0 - beside).low > math.log1p(tolerance)
    decision = Decision(verdict, mean, at_rest, now_and_then=excess, calm=effects.calm)
    if more and verdict == "faster":
        return decision._replace(verdict="undecided", held_back=True)
    if more and verdict != "slower":
        return decision._replace(verdict="slower", cause="now and then")
    return decision


def _judged(mean: Mean, error_rate: float, tolerance: float) -> Verdict:
    estimate = mean.interval(1.0 - error_rate)
    low, high = math.exp(estimate.low), math.exp(min(estimate.high, LARGEST_LOG))
    return judge(low, high, tolerance)


def _undecided(stream: Stream, alpha: float) -> Decision:
    """Before any look."""
    totals = None if isinstance(stream.effects, AtRest) else stream.effects.mean_of_totals()
    return Decision("undecided", stream.effects.mean(), alpha, totals)


def decide(stream: Stream, alpha: float) -> Decision:
    """The decision of the first look that makes one; undecided with the last look's interval.

    What is the same at rest but looks slower now and then is not done with while there is budget: occasional
    work needs more units than a time at rest.
    """
    decision = _undecided(stream, alpha)
    for look, error_rate in zip(stream.looks, levels(stream.looks, alpha), strict=True):
        decision = at_look(stream.effects.part(0, look.n), error_rate, stream.tolerance)
        if decision.verdict == "same" and look.share < 1.0 and decision.leans(stream.tolerance):
            decision = decision._replace(verdict="undecided")
        if decision.verdict != "undecided":
            return decision
    return decision


def holm(streams: Mapping[str, Stream], alpha: float) -> dict[str, Decision]:
    """One error rate for all benchmarks; each decision as if it had been made while measuring."""
    made: dict[str, Decision] = {}
    while len(made) < len(streams):
        share = alpha / (len(streams) - len(made))
        tried = {name: decide(stream, share) for name, stream in streams.items() if name not in made}
        clear = {name: decision for name, decision in tried.items() if decision.verdict != "undecided"}
        if not clear:
            return {**made, **tried}
        made.update(clear)
    return made


def seen(decision: Decision, tolerance: float) -> float:
    """The smallest slow-down that so many units of such spread would call slower, with power 0.8."""
    return detectable(decision.mean, decision.error_rate, tolerance)


def times_the_budget(decision: Decision, tolerance: float) -> float | None:
    """How many times as many units would decide, were the estimate right; None beyond a hundred times.

    None too where the sums hold "same" back: the interval of the medians is narrow enough already.
    """
    return None if decision.held_back else times_to_decide(decision.mean, decision.error_rate, tolerance)


def relative_spread(mean: Mean) -> float:
    """Standard deviation of a unit of full weight; log ratios are relative differences."""
    return mean.error * math.sqrt(mean.freedom + 1.0)
