"""What is undecided, in words: what would have been called, and what it would take to decide it."""

from __future__ import annotations

import math

from bench.records.regression import Comparison
from bench.records.run import Estimate, Ratio

LARGEST_SLOW_DOWN = 1.0  # that a sentence gives a number for: twice the time
LEAST_FACTOR = 1.1  # less than that more would not be worth another run


def factor(times: float) -> float:
    """How many times as much it takes, as it is said."""
    return max(LEAST_FACTOR, times)


def in_short(sentence: str) -> str:
    """The sentence without what :func:`of_ratio` said in it: that it is undecided is enough for a screen."""
    said, undecided, why = sentence.partition(": undecided, ")
    return f"{said}: undecided." if undecided and why.startswith(("this run ", "since ")) else sentence


def of_ratio(ratio: Ratio, tolerance: float) -> str:
    """Not knowing, with the smallest slow-down that a run would have called and what would decide it."""
    if ratio.estimate.n < 2:
        return "undecided, since one set-up has no interval; a larger --budget decides"
    could = f"undecided, this run would have called a slow-down of {ratio.detectable:.1%} or more"
    if not ratio.detectable < LARGEST_SLOW_DOWN:
        could = "undecided, this run could not even have called twice the time"
    if ratio.times is None:
        return f"{could}; {_hopeless(ratio.estimate, tolerance)}"
    return f"{could}; about {factor(ratio.times):.1f} times as many set-ups decide (a larger --budget)"


def of_comparison(comparison: Comparison) -> str:
    """The smallest slow-down that comparing would have called, and what it would take to decide."""
    c = comparison
    if c.sums is not None:
        return _now_and_then(c.sums)
    if c.effect is None or c.effect.n < 2 or c.detectable is None:
        return "Too few invocations for an interval; a larger --budget gives one."
    if c.detectable > LARGEST_SLOW_DOWN:
        could = "It could not have told even a slow-down to twice the time from the tolerance"
    else:
        could = f"It could have told a slow-down of {100 * c.detectable:.1f} % or more from the tolerance"
    if c.times_the_budget is None:
        return f"{could}; {_hopeless(c.effect, c.tolerance)}."
    return f"{could}; about {factor(c.times_the_budget):.1f} times the budget would decide it."


def _hopeless(ratio: Estimate, tolerance: float) -> str:
    """Why no number of set-ups would decide: what lies far from the edge is held up by noise alone."""
    clear = abs(math.log(ratio.value)) > 2.0 * math.log1p(tolerance) if ratio.value > 0.0 else False
    if clear:
        return "no --budget decides while the machine is so restless: repeat in a quieter hour"
    return f"no reasonable --budget decides at this noise, so near the edge of {tolerance:.0%}"


def _now_and_then(sums: Estimate) -> str:
    """Why what is usually the same is not called so; more of the same rounds would not change that."""
    what = "few slow rounds make the whole slower" if sums.value > 1.0 else "few rounds make the whole faster"
    return (
        f"The usual round is the same, but {what} (sums {sums.value:.3f}x, {sums.low:.3f} to "
        f"{sums.high:.3f}); look at what happens now and then, e.g. with python -m bench profile."
    )
