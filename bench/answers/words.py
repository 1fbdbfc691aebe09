"""Numbers and ratios as the sentences say them, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.records.numbers import bounded, times
from bench.records.run import Estimate, Measured, Ratio
from bench.records.undecided import of_ratio
from bench.stats.estimates import Floats, exponential, mean_of
from bench.stats.verdict import TOLERANCE, verdicts

# Facts of a workload that tell its work, and what they are called.
WORK = {"operators": "operators a step", "parameters": "parameters", "training_flop": "FLOP an image"}


def interval(ratio: Estimate) -> str:
    """``1.07x (1.05 to 1.09)``; says so where there is no interval."""
    if bounded(ratio):
        return times(ratio)
    why = "one set-up: no interval" if ratio.n < 2 else "no interval"
    return f"{ratio.value:.{2 if ratio.value < 10 else 0}f}x ({why})"


def takes(subject: str, measured: Measured) -> str:
    """``Hybridized, the step takes 0.93x (0.91 to 0.95) the time: faster.``; says so when it is undecided."""
    assert measured.effect is not None
    return f"{subject} takes {interval(measured.effect.estimate)} the time: {verdict_of(measured.effect)}."


def ratio_of(one: Measured, other: Measured) -> Ratio | None:
    """Time of one variant over time of another: the declared effect, or what the question asked for also.

    None where the two never were in one set-up, since one of them failed.
    """
    if one.effect is not None and one.effect.baseline == other.case.name:
        return one.effect
    return one.beside.get(other.case.variant)


def verdict_of(ratio: Ratio) -> str:
    """The verdict's word; for undecided with what it takes to decide."""
    return of_ratio(ratio, TOLERANCE) if ratio.verdict == "undecided" else ratio.verdict


def held_against(
    variants: dict[str, Measured], one: str, subject: str, other: str, other_is: str, work: str
) -> list[str]:
    """``Both heads take 1.17x (1.11 to 1.22) the time of digits alone: slower.``, and what work differs.

    Nothing where the two were not measured together.
    """
    ratio = ratio_of(variants[one], variants[other]) if {one, other} <= variants.keys() else None
    if ratio is None:
        return []
    return [
        f"{subject} take {interval(ratio.estimate)} the time of {other_is}: {verdict_of(ratio)}.",
        f"{work} {difference(variants[other], variants[one])}.",
    ]


def difference(one: Measured, other: Measured) -> str:
    """``28 operators a step (59, not 31) and 11 parameters (109,507, not 109,496)``: exact, no interval."""
    facts = [fact for fact in WORK if fact in one.facts and fact in other.facts]
    differences = [_from_to(round(one.facts[fact]), round(other.facts[fact]), WORK[fact]) for fact in facts]
    return " and ".join(part for part in (", ".join(differences[:-1]), *differences[-1:]) if part)


def _from_to(before: int, after: int, what: str) -> str:
    apart = f" ({after:,}, not {before:,})" if after != before else ""
    return f"{abs(after - before):,} {what}{apart}"


def milliseconds(estimate: Estimate) -> str:
    """``1.2 ms (0.9 to 1.5)``."""
    value, low, high = (f"{1e3 * x:.1f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ms ({low} to {high})" if estimate.n > 1 else f"{value} ms (one set-up: no interval)"


def price(subject: str, plain: Measured, graph: Measured) -> str:
    """What the first call costs more than the baseline's, and after how many steps that is paid."""
    extra, effect = graph.extra_first_call_s, graph.effect
    assert extra is not None and effect is not None
    if not extra.low > 0:
        return f"{subject}: the first call differs by {milliseconds(extra)}; no extra cost was seen."
    least, most = (
        plain.iteration_s.value * (1.0 - ratio) for ratio in (effect.estimate.high, effect.estimate.low)
    )
    saved = plain.iteration_s.value * (1.0 - effect.estimate.value)
    longer = f"{subject} makes the first call {milliseconds(extra)} longer"
    if saved <= 0:
        return f"{longer}: not paid back here."
    slowest = f"{math.ceil(extra.high / least):,}" if least > 0 else "never"
    quickest, typical = (f"{math.ceil(x):,}" for x in (extra.low / most, extra.value / saved))
    return f"{longer}: paid after {typical} steps ({quickest} to {slowest})."


def quickest(candidates: Sequence[Measured]) -> tuple[Measured, list[Measured]]:
    """The one with the most images a second, and the others that may be as quick for all this run tells.

    A rival is found to be slower neither by the ratio that the table shows, where it has one, nor set-up by
    set-up, with one error rate for all; and its own interval reaches that of the best. With three set-ups the
    second alone would name what lies far below. The third errs in 1 of 40 equals at most, each by itself.
    """
    best = max(candidates, key=lambda m: m.images_per_s.value)
    others = {m.case.variant: m for m in candidates if m is not best}
    decided = verdicts({name: mean_of(_per_image(m, best)) for name, m in others.items()})
    rivals = [m for name, m in others.items() if decided[name] != "slower"]
    return best, [m for m in rivals if not _judged_slower(m, best) and not _far_below(m, best)]


def time_against(one: Measured, other: Measured) -> Estimate:
    """The time an image of one over that of the other: the table's ratio, or else over set-ups of both."""
    ratio = ratio_of(one, other) if one.images == other.images else None
    if ratio is not None:
        return ratio.estimate
    return exponential(mean_of(_per_image(one, other)).interval())


def _judged_slower(one: Measured, best: Measured) -> bool:
    """Whether a ratio of theirs was judged so: it pairs their rounds, and knows more than set-ups do."""
    if one.images != best.images:
        return False
    quicker, slower = ratio_of(best, one), ratio_of(one, best)
    judged = quicker is not None and quicker.verdict == "faster"
    return judged or (slower is not None and slower.verdict == "slower")


def _far_below(one: Measured, best: Measured) -> bool:
    """Whether its interval ends below the best's, over as many set-ups: one that failed saw other hours."""
    alike = len(one.times_s) == len(best.times_s)
    return alike and one.images_per_s.high < best.images_per_s.low


def _per_image(one: Measured, other: Measured) -> Floats:
    """log(time an image / time an image of the other), a number for each set-up that both had."""
    both = zip(one.times_s, other.times_s, strict=False)  # one that failed has the first few only
    return np.array([math.log(a / one.images * other.images / b) for a, b in both])


def either(candidates: Sequence[Measured], word: str = "or") -> str:
    """``1, 2 or 5``: their numbers of workers, or else of images, in order."""
    numbers = [str(n) for n in sorted(int(str(m.case.settings.get("workers", m.images))) for m in candidates)]
    return f" {word} ".join(part for part in (", ".join(numbers[:-1]), *numbers[-1:]) if part)


def percent(share: Estimate) -> str:
    """``62% (55 to 69)``, within what a share can be."""
    value, low, high = (100 * min(1.0, max(0.0, x)) for x in (share.value, share.low, share.high))
    return f"{value:.0f}%" + (f" ({low:.0f} to {high:.0f})" if share.n > 1 else "")
