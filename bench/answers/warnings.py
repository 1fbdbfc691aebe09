"""What to mind about an answer: each a line with advice."""

from __future__ import annotations

from collections.abc import Mapping

from bench.questions.plan import Group
from bench.questions.question import Question
from bench.records.repeated import FEW_SET_UPS, UNSTEADY
from bench.records.run import CONTROL, Block
from bench.stats.estimates import exponential, geometric, sign_flip_p
from bench.stats.measured import against_first
from bench.stats.ratios import log_effects

MOST_DENORMALS = 1e-3  # of the optimizer's state; single ones come and go
ENOUGH_FOR_SIGNS = 8  # set-ups: 2 / 2**8 is below the next
CONTROL_ALPHA = 0.01  # a control that is off more clearly than this is told


def first_epoch_warning(group: Group, blocks: list[Block]) -> str | None:
    """The control of a course: its first epoch is the baseline's, where both have one environment."""
    if group.baseline not in group.cases:  # it failed, and the rounds of a file tell no more of it
        return None
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
    if not question.plan.warm_ups:
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
    few = {part: n for part, n in counts.items() if 0 < n < question.plan.least_blocks}
    if not few:
        return None
    return FEW_SET_UPS.format(", ".join(f"{n} of {question.name}/{part}" for part, n in few.items()))


def unsteady_warning(blocks: list[Block]) -> str | None:
    """One line on what was timed while it still became quicker or slower."""
    unsteady = {s.case for block in blocks for s in block.set_ups.values() if not s.steady}
    if not unsteady:
        return None
    return UNSTEADY.format(", ".join(sorted(unsteady)))


def warnings_for(question: Question, groups: list[Group], blocks: Mapping[str, list[Block]]) -> list[str]:
    """What to mind about this question's answer; empty when nothing was wrong."""
    of_parts = {group.part: blocks.get(group.name, []) for group in groups}
    lines = [few_set_ups_warning(question, {part: len(mine) for part, mine in of_parts.items()})]
    for group in groups:
        mine = of_parts[group.part]
        lines += [control_warning(group, mine), first_epoch_warning(group, mine)]
        lines.append(denormal_warning(question, group, mine))
    lines.append(unsteady_warning([block for mine in of_parts.values() for block in mine]))
    return [line for line in lines if line]
