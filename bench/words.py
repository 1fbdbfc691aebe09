"""Numbers as the sentences say them, with their intervals."""

from __future__ import annotations

from bench.records import Estimate, Measured
from bench.stats import inverse


def digits_for(estimate: Estimate) -> int:
    """Decimals that the interval justifies, for a number near 1."""
    width = estimate.high - estimate.low
    return 3 if width < 0.02 else 2 if width < 1.0 else 1


def interval(estimate: Estimate) -> str:
    """``1.07x (1.05 to 1.09)``."""
    places = digits_for(estimate)
    if estimate.n < 2:
        return f"{estimate.value:.{places}f}x (one set-up: no interval)"
    return f"{estimate.value:.{places}f}x ({estimate.low:.{places}f} to {estimate.high:.{places}f})"


def as_fast(subject: str, known: Measured) -> str:
    """``Hybridizing makes the step 1.07x as fast (1.05 to 1.09)``; says so when nothing was decided."""
    assert known.effect is not None
    sentence = f"{subject} {interval(inverse(known.effect.estimate))} as fast"
    if known.effect.verdict == "undecided":
        return f"{sentence}: undecided, this run could tell {known.effect.detectable:.1%} or more."
    return f"{sentence}: {known.effect.verdict}."


def level_change(known: Measured, tolerance: float = 0.05) -> str:
    """From which round on the time has left its first level for good, with the interval of the change."""
    if len(known.course) < 2 or known.course[-1].n < 2:
        return "one run only: no interval, so nothing is claimed; a larger --budget repeats it."
    share = known.course_facts[-1].get("denormal_share", 0.0)
    beside = f"denormal share of the optimizer's state at the end {share:.1%}"
    late = [number for number, level in enumerate(known.course) if level.low <= 1.0 + tolerance]
    start = (late[-1] if late else 0) + 1
    if start >= len(known.course):
        last = known.course[-1]
        steady = "at" if last.high < 1.0 + tolerance else "undecided:"
        return f"the last epoch runs {steady} {interval(inverse(last))} its first speed; {beside}."
    level = interval(inverse(known.course[-1]))
    return f"from epoch {start + 1} on training runs at {level} its first speed; {beside}."
