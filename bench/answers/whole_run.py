"""What to mind about a run as a whole: the time it took, and how restless the machine was meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from bench.questions.plan import Group
from bench.records.run import CONTROL, Block
from bench.stats import rest
from bench.stats.estimates import Floats
from bench.stats.ratios import AT_REST, having, rule_of

# A budget counts as overrun above both; a last block that took longer than the ones before is no news.
OVERRUN, OVERRUN_S = 1.2, 5.0
# Of fourteen runs on a shared machine of two cores, five without other work had 0 to 5 % of their set-ups
# that far above rest, four beside some work 10 to 22 %, five beside much of it 50 to 100 %.
SLOWED, SLOWED_SET_UPS = 1.25, 0.25


def warnings_about_run(
    groups: Iterable[Group], blocks: Mapping[str, list[Block]], spent_s: float, budget_s: float
) -> list[str]:
    """One line each; empty where the budget was kept and the machine was calm."""
    return [line for line in (overrun(spent_s, budget_s), restless(groups, blocks)) if line]


def overrun(spent_s: float, budget_s: float) -> str | None:
    """One line where the set-ups that an answer cannot do without took clearly more than was asked."""
    if spent_s <= max(OVERRUN * budget_s, budget_s + OVERRUN_S):
        return None
    return (
        f"the least that answers took {spent_s:.0f} s, not the {budget_s:g} s asked: "
        "for a shorter run choose fewer questions or smaller batches"
    )


def restless(groups: Iterable[Group], blocks: Mapping[str, list[Block]]) -> str | None:
    """One line where many set-ups of the baselines took far longer than the same work took at rest.

    Some always do on a shared machine, and rounds are weighed for it; but it leaves few that count.
    """
    groups = list(groups)
    levels = [level for group in groups for level in above_rest(blocks.get(group.name, []), group.baseline)]
    slowed = sum(level > SLOWED for level in levels)
    if not levels or slowed < SLOWED_SET_UPS * len(levels):
        return None
    share = calm_share(groups, blocks)
    calm = "" if share is None else f" and {share:.0%} of all rounds were calm"
    return (
        f"the machine was restless: in {slowed} of {len(levels)} set-ups the baseline took more than "
        f"{SLOWED:g}x its time at rest{calm}, so that intervals are wide; "
        "stop other work, or repeat when the machine is quieter"
    )


def calm_share(groups: Iterable[Group], blocks: Mapping[str, list[Block]]) -> float | None:
    """The share of rounds within 5 % of their variant's rest, over all that is read at rest.

    None where nothing is. The width of the intervals follows from it.
    """
    sides = [
        [np.array([r.iteration_s for r in block.set_ups[name].rounds]) for block in having(mine, name)]
        for group in groups
        for mine in [blocks.get(group.name, [])]
        for name in group.cases
        if rule_of(having(mine, name), name) == "at rest"
    ]
    return rest.calm_share(sides) if sides else None


def above_rest(blocks: list[Block], baseline: str) -> list[float]:
    """By set-up, the median time of the baseline and its control over their time at rest."""
    times = [_times(block, baseline) for block in having(blocks, baseline)]
    if not times:
        return []
    rest = np.quantile(np.concatenate(times), AT_REST)
    return [float(np.median(each) / rest) for each in times]


def _times(block: Block, baseline: str) -> Floats:
    """Seconds an iteration of each round."""
    names = [name for name in (baseline, CONTROL) if name in block.set_ups]
    return np.array([r.iteration_s for name in names for r in block.set_ups[name].rounds])
