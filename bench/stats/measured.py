"""From raw blocks to what is known of each case: computed once a run, from the raw rounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.records.run import (
    CONTROL,
    EPOCH,
    Block,
    Case,
    Estimate,
    Level,
    Measured,
    Ratio,
    Round,
    SetUp,
    Verdict,
)
from bench.stats.estimates import (
    CONFIDENCE,
    Floats,
    Mean,
    detectable,
    exponential,
    first_call_differences,
    geometric,
    inverse,
    level_of,
    t_interval,
    times_to_decide,
)
from bench.stats.quantiles import facts_over_set_ups, quantiles
from bench.stats.ratios import against_baseline, log_effects, log_times, rule_of, typical, typical_times
from bench.stats.verdict import ALPHA, TOLERANCE, family_of, shown_at, verdicts


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
    for number, timed in enumerate(rounds):
        stages.setdefault(timed.facts.get(EPOCH, number), []).append(number)
    return list(stages.values())


def _by_stage(rows: Floats, stages: list[list[int]]) -> Floats:
    """The medians over the rounds of each stage: (set-ups, stages)."""
    return np.stack([np.median(rows[:, stage], axis=1) for stage in stages], axis=1)


def against_first(blocks: list[Block], name: str, baseline: str) -> Floats | None:
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
    course = against_first(blocks, name, baseline)
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


def _ratio(
    case: Case,
    baseline: Case,
    mean: Mean,
    verdict: Verdict,
    family: int = 1,
    typical: Estimate | None = None,
    confidence: float = CONFIDENCE,
) -> Ratio:
    """One of a ``family`` of so many that share the error rate, with its interval at this confidence."""
    return Ratio(
        case=case.name,
        baseline=baseline.name,
        estimate=exponential(mean.interval(confidence)),
        verdict=verdict,
        detectable=detectable(mean, ALPHA / family, TOLERANCE),
        times=times_to_decide(mean, ALPHA / family, TOLERANCE),
        typical=typical,
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


def _by_family(
    cases: dict[str, Case], effects: dict[str, Mean]
) -> tuple[dict[str, Verdict], dict[str, float], dict[str, int]]:
    """By variant: its verdict, the confidence that its interval is shown at, the size of its family."""
    decided: dict[str, Verdict] = {}
    confidence: dict[str, float] = {}
    sizes: dict[str, int] = {}
    for kind in dict.fromkeys(family_of(cases[name]) for name in effects):
        family = {name: mean for name, mean in effects.items() if family_of(cases[name]) == kind}
        judged = verdicts(family)
        decided |= judged
        confidence |= dict.fromkeys(family, CONFIDENCE) if kind == CONTROL else shown_at(family, judged)
        sizes |= dict.fromkeys(family, len(family))
    return decided, confidence, sizes


def measured(
    cases: dict[str, Case], baseline: str, blocks: list[Block], also: Sequence[tuple[str, str]] = ()
) -> dict[str, Measured]:
    """What is known of each case of a group that was measured at all, against its baseline.

    ``also`` names pairs whose ratio is asked for as well: (variant, against which).
    """
    present = [name for name in cases if any(name in block.set_ups for block in blocks)]
    ratios = {name: against_baseline(blocks, name, baseline) for name in present if name != baseline}
    effects = {name: effect.mean() for name, effect in ratios.items() if len(effect)}
    decided, confidence, sizes = _by_family(cases, effects)
    by_variant = {}
    for name in present:
        set_ups = [block.set_ups[name] for block in blocks if name in block.set_ups]
        times = log_times(blocks, name)
        iteration = exponential(times.mean().interval())
        ratio = extra = None
        if name in effects:
            extra = t_interval(first_call_differences(blocks, name, baseline))
            usual = exponential(typical(blocks, name, baseline).interval())
            of, at = sizes[name], confidence[name]
            ratio = _ratio(cases[name], cases[baseline], effects[name], decided[name], of, usual, at)
        course_s, course_facts = _course(set_ups)
        by_variant[name] = Measured(
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
            typical_s=exponential(typical_times(blocks, name).interval()),
            rule=rule_of(blocks, name),
            quantiles=quantiles(set_ups),
            fact_medians=facts_over_set_ups(set_ups) if any(s.calls for s in set_ups) else {},
        )
    return by_variant
