"""From raw blocks to what is known of each case, and from that to sentences."""

from __future__ import annotations

from collections.abc import Mapping

from bench.answers.words import interval, verdict_of
from bench.questions.question import Group, Question, Results
from bench.records.run import (
    CONTROL,
    Answer,
    Block,
    Estimate,
    Failure,
    Measured,
)
from bench.stats.estimates import (
    exponential,
    geometric,
    sign_flip_p,
)
from bench.stats.measured import against_first
from bench.stats.ratios import log_effects

MOST_DENORMALS = 1e-3  # of the optimizer's state; single ones come and go
ENOUGH_FOR_SIGNS = 8  # set-ups: 2 / 2**8 is below the next
CONTROL_ALPHA = 0.01  # a control that is off more clearly than this is told


def first_epoch_warning(group: Group, blocks: list[Block]) -> str | None:
    """The control of a course: its first epoch is the baseline's, where both have one environment."""
    alike = group.cases[group.baseline].environment
    for name, case in group.cases.items():
        course = against_first(blocks, name, group.baseline) if case.environment == alike else None
        if course is None or len(course) < 2:
            continue
        first = geometric(course[:, 0], 1.0 - CONTROL_ALPHA)
        if not first.low <= 1.0 <= first.high:
            return (
                f"control off: the first epoch of {name} takes {first.value:.3f}x ({first.low:.3f} to "
                f"{first.high:.3f} at {first.confidence:.0%}) the time of the same beside it; "
                "repeat the run on a quieter machine"
            )
    return None


def control_warning(group: Group, blocks: list[Block]) -> str | None:
    """One line when the baseline differs from itself: this run's intervals cannot be trusted."""
    effects = log_effects(blocks, CONTROL, group.baseline)
    if len(effects) < 2:
        return None
    if len(effects) >= ENOUGH_FOR_SIGNS:
        off = sign_flip_p(effects.values * effects.weights()) < CONTROL_ALPHA
    else:  # so few have no sign-flip p that small
        interval = effects.mean().interval(1.0 - CONTROL_ALPHA)
        off = not interval.low <= 0.0 <= interval.high
    if not off:
        return None
    estimate = exponential(effects.mean().interval())
    return (
        f"control off: {group.baseline} against itself in {group.part} is {estimate.value:.3f}x "
        f"({estimate.low:.3f} to {estimate.high:.3f}); repeat the run on a quieter machine"
    )


def denormal_warning(question: Question, group: Group, blocks: list[Block]) -> str | None:
    """One line when denormal values may have slowed what was to be stationary work."""
    if not question.warm_ups:
        return None
    shares = [s.facts.get("denormal_share", 0.0) for block in blocks for s in block.set_ups.values()]
    if max(shares, default=0.0) <= MOST_DENORMALS:
        return None
    return (
        f"{group.part}: up to {max(shares):.1%} of Adam's state was denormal, which may have slowed it; "
        "repeat with MTL_DENORMALS=flush to see by how much"
    )


def few_set_ups_warning(question: Question, counts: dict[str, int]) -> str | None:
    """One line for all parts that have fewer set-ups than a narrow interval needs."""
    few = {part: n for part, n in counts.items() if 0 < n < question.least_blocks}
    if not few:
        return None
    told = ", ".join(f"{n} of {part}" for part, n in few.items())
    return f"few set-ups ({told}); a larger --budget narrows the intervals"


def unsteady_warning(blocks: list[Block]) -> str | None:
    """One line on what was timed while it still became quicker or slower."""
    unsteady = {s.case for block in blocks for s in block.set_ups.values() if not s.steady}
    if not unsteady:
        return None
    return (
        f"never became steady in some set-up: {', '.join(sorted(unsteady))}; "
        "repeat on a quieter machine or with a larger --budget"
    )


def warnings_for(question: Question, groups: list[Group], blocks: Mapping[str, list[Block]]) -> list[str]:
    """What to mind about this question's answer; empty when nothing was wrong."""
    of_parts = {group.part: blocks.get(group.name, []) for group in groups}
    found = [few_set_ups_warning(question, {part: len(mine) for part, mine in of_parts.items()})]
    for group in groups:
        mine = of_parts[group.part]
        found += [control_warning(group, mine), first_epoch_warning(group, mine)]
        found.append(denormal_warning(question, group, mine))
    found.append(unsteady_warning([block for mine in of_parts.values() for block in mine]))
    return [line for line in found if line]


class NotSelectedError(Exception):
    """A sentence needs a part of the question that was not selected."""


class Selected(dict[str, dict[str, Measured]]):
    """The results of the parts that were selected; asked for another, it says so."""

    cores: int | None = None  # of the machine that measured; None: of this one

    def __missing__(self, part: str) -> dict[str, Measured]:
        raise NotSelectedError(part)


def ratios_in_words(results: Results) -> list[str]:
    """Every ratio that was measured, with its interval and verdict, by part."""
    return [
        f"{part}: {name} takes {interval(m.effect.estimate)} the time of "
        f"{m.effect.baseline.rsplit('/', 1)[-1]}: {verdict_of(m.effect)}."
        for part, known in results.items()
        for name, m in known.items()
        if m.effect is not None and name != CONTROL
    ]


def _said(question: Question, results: Selected, missing: list[str]) -> tuple[list[str], dict[str, Estimate]]:
    """The question's own sentences and fits; the bare ratios where those need a part that is missing."""
    try:
        return question.answer(results), question.fits(results)
    except NotSelectedError:
        why = f"Answered in part only; not selected: {', '.join(missing)}."
        return [why, *ratios_in_words(results)], {}


def answer(
    groups: list[Group],
    results_of: Mapping[str, dict[str, Measured]],
    blocks: Mapping[str, list[Block]],
    failures: Mapping[str, Failure],
    cores: int | None = None,
) -> Answer:
    """The sentences and warnings of one question.

    ``groups`` are all parts of the question; ``results_of`` and ``blocks``, by group, hold those that were
    measured. ``cores`` are those of the machine that measured, where it was another.
    """
    question = groups[0].question
    chosen = [group for group in groups if group.name in results_of]
    missing = [group.part for group in groups if group.name not in results_of]
    results = Selected({group.part: results_of[group.name] for group in chosen})
    results.cores = cores
    lost = [f for name, f in failures.items() if name.startswith(question.name + "/")]
    fits: dict[str, Estimate] = {}
    without = [group for group in chosen if group.baseline not in results[group.part]]
    if without:  # the rest is told, since the tables show it
        lost_parts = ", ".join(group.part for group in without)
        sentences = [f"Answered in part only; the baseline of {lost_parts} could not be measured."]
        if len(without) == len(chosen):
            sentences = ["Not answered: the baseline could not be measured."]
        sentences += ratios_in_words(results)
    else:
        sentences, fits = _said(question, results, missing)
    warned = warnings_for(question, groups, blocks)
    warned += [f.told for f in lost]
    return Answer(question=question.name, asks=question.asks, sentences=sentences, warnings=warned, fits=fits)
