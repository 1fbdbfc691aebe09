"""From raw blocks to what is known of each case, and from that to sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.effects import against_baseline, log_effects, log_times
from bench.questions import Group, Question, Results
from bench.records import (
    CONTROL,
    EPOCH,
    Answer,
    Block,
    Case,
    Estimate,
    Failure,
    Level,
    Measured,
    Ratio,
    Round,
    SetUp,
    Verdict,
)
from bench.stats import (
    Floats,
    Mean,
    detectable,
    exponential,
    first_call_differences,
    geometric,
    inverse,
    level_of,
    sign_flip_p,
    t_interval,
    times_to_decide,
)
from bench.verdict import ALPHA, TOLERANCE, verdicts
from bench.words import interval, verdict_of

MOST_DENORMALS = 1e-3  # of the optimizer's state; single ones come and go
ENOUGH_FOR_SIGNS = 8  # set-ups: 2 / 2**8 is below the next
CONTROL_ALPHA = 0.01  # a control that is off more clearly than this is told


def _facts(set_ups: list[SetUp]) -> dict[str, float]:
    """The median of each fact over the set-ups."""
    names = sorted({name for set_up in set_ups for name in set_up.facts})
    return {name: float(np.median([s.facts[name] for s in set_ups if name in s.facts])) for name in names}


def _log_rounds(set_ups: list[SetUp], count: int) -> Floats:
    """log(seconds an iteration) of the first so many rounds: (set-ups, rounds)."""
    return np.log([[r.iteration_s for r in s.rounds[:count]] for s in set_ups])


def _stages(rounds: list[Round]) -> list[list[int]]:
    """The rounds of each epoch where they tell theirs, else each by itself."""
    stages: dict[float, list[int]] = {}
    for number, told in enumerate(rounds):
        stages.setdefault(told.facts.get(EPOCH, number), []).append(number)
    return list(stages.values())


def _by_stage(rows: Floats, stages: list[list[int]]) -> Floats:
    """The medians over the rounds of each stage: (set-ups, stages)."""
    return np.stack([np.median(rows[:, stage], axis=1) for stage in stages], axis=1)


def _against_first(blocks: list[Block], name: str, baseline: str) -> Floats | None:
    """log(time / time of the first epoch beside it): (set-ups, epochs), so that the machine's moods cancel.

    None where no epoch of several rounds is told, or for the baseline itself.
    """
    both = [block.set_ups for block in blocks if {name, baseline} <= block.set_ups.keys()]
    if name == baseline or not both:
        return None
    rounds = both[0][name].rounds
    stages = _stages(rounds)
    if len(stages) == len(rounds):
        return None
    times, beside = (_log_rounds([b[which] for b in both], len(rounds)) for which in (name, baseline))
    return _by_stage(times - beside, stages)


def _level(blocks: list[Block], name: str, baseline: str) -> Level | None:
    """Where epochs of several rounds end up; None where there are none."""
    course = _against_first(blocks, name, baseline)
    if course is None:
        return None
    since, ratio = level_of(course)
    return Level(since=since + 1, ratio=ratio, first=geometric(course[:, 0]))


def _round_facts(set_ups: list[SetUp]) -> dict[str, Estimate]:
    """What every round tells: over the set-ups, of the medians over their rounds."""
    rounds = [r for s in set_ups for r in s.rounds]
    names = sorted(set.intersection(*(set(r.facts) for r in rounds))) if rounds else []
    return {
        name: t_interval(np.array([np.median([r.facts[name] for r in s.rounds]) for s in set_ups]))
        for name in names
    }


def _course(set_ups: list[SetUp]) -> tuple[list[Estimate], list[dict[str, float]]]:
    """Stage by stage: the time, and the medians of its facts."""
    count = min(len(s.rounds) for s in set_ups)
    stages = _stages(set_ups[0].rounds[:count])
    times = _by_stage(_log_rounds(set_ups, count), stages)
    names = sorted({name for s in set_ups for r in s.rounds for name in r.facts})
    facts = [
        {name: float(np.median([s.rounds[stage[-1]].facts[name] for s in set_ups])) for name in names}
        for stage in stages
    ]
    return [geometric(column) for column in times.T], facts


def _ratio(case: Case, baseline: Case, mean: Mean, verdict: Verdict, family: int = 1) -> Ratio:
    """One of a ``family`` of so many that share the error rate."""
    return Ratio(
        case=case.name,
        baseline=baseline.name,
        estimate=exponential(mean.interval()),
        verdict=verdict,
        detectable=detectable(mean, ALPHA / family, TOLERANCE),
        times=times_to_decide(mean, ALPHA / family, TOLERANCE),
    )


def _beside(
    cases: dict[str, Case], name: str, blocks: list[Block], also: Sequence[tuple[str, str]]
) -> dict[str, Ratio]:
    """Ratios to other variants than the baseline, each judged by itself."""
    means = {
        other: log_effects(blocks, name, other).mean()
        for variant, other in also
        if variant == name and any({name, other} <= block.set_ups.keys() for block in blocks)
    }
    return {
        other: _ratio(cases[name], cases[other], mean, verdicts({other: mean})[other])
        for other, mean in means.items()
    }


def measured(
    cases: dict[str, Case], baseline: str, blocks: list[Block], also: Sequence[tuple[str, str]] = ()
) -> dict[str, Measured]:
    """What is known of each case of a group that was measured at all, against its baseline.

    ``also`` names pairs whose ratio is asked for as well: (variant, against which).
    """
    present = [name for name in cases if any(name in block.set_ups for block in blocks)]
    found = {name: against_baseline(blocks, name, baseline) for name in present if name != baseline}
    effects = {name: effect.mean() for name, effect in found.items() if len(effect)}
    family = {name: mean for name, mean in effects.items() if name != CONTROL}
    decided = verdicts(family) | verdicts({n: m for n, m in effects.items() if n == CONTROL})
    known = {}
    for name in present:
        set_ups = [block.set_ups[name] for block in blocks if name in block.set_ups]
        times = log_times(blocks, name)
        iteration = exponential(times.mean().interval())
        ratio = extra = None
        if name in effects:
            extra = t_interval(first_call_differences(blocks, name, baseline))
            of = 1 if name == CONTROL else len(family)
            ratio = _ratio(cases[name], cases[baseline], effects[name], decided[name], of)
        course_s, course_facts = _course(set_ups)
        known[name] = Measured(
            case=cases[name],
            images=set_ups[0].images,
            iteration_s=iteration,
            images_per_s=inverse(iteration, set_ups[0].images),
            first_call_s=geometric(np.log([s.first_call_s for s in set_ups])),
            facts=_facts(set_ups),
            effect=ratio,
            extra_first_call_s=extra,
            times_s=[float(t) for t in np.exp(times.values)],
            course_facts=course_facts,
            course_s=course_s,
            level=_level(blocks, name, baseline),
            round_facts=_round_facts(set_ups),
            beside=_beside(cases, name, blocks, also),
        )
    return known


def first_epoch_warning(group: Group, blocks: list[Block]) -> str | None:
    """The control of a course: its first epoch is the baseline's, where both have one environment."""
    alike = group.cases[group.baseline].environment
    for name, case in group.cases.items():
        course = _against_first(blocks, name, group.baseline) if case.environment == alike else None
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


def warnings_for(question: Question, groups: list[Group], blocks: dict[str, list[Block]]) -> list[str]:
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


def answer(groups: list[Group], blocks: dict[str, list[Block]], failures: dict[str, Failure]) -> Answer:
    """The sentences and warnings of one question, from the blocks of all its groups."""
    question = groups[0].question
    chosen = [group for group in groups if group.name in blocks]
    missing = [group.part for group in groups if group.name not in blocks]
    results = Selected({g.part: measured(g.cases, g.baseline, blocks[g.name], question.also) for g in chosen})
    lost = [f for name, f in failures.items() if name.startswith(question.name + "/")]
    fits: dict[str, Estimate] = {}
    if any(group.baseline not in results[group.part] for group in chosen):
        sentences = ["Not answered: the baseline could not be measured."]
    else:
        sentences, fits = _said(question, results, missing)
    warned = warnings_for(question, groups, blocks)
    warned += [f.told for f in lost]
    return Answer(question=question.name, asks=question.asks, sentences=sentences, warnings=warned, fits=fits)
