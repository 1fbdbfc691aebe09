"""What the comparisons of a group still need: how many more set-ups would decide them."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.questions.plan import Group
from bench.records.run import CONTROL, Block
from bench.stats.estimates import Mean, student
from bench.stats.ratios import against_baseline, log_effects
from bench.stats.verdict import ALPHA, TOLERANCE, family_of

# Stopping because a ratio is decided is a look at it. Looks are few, and each takes half of what the looks
# before it left of the error rate, so that all together take no more than the verdict at the end does: a true
# ratio at an edge of the tolerance errs to one side alone, which is half of either.
FIRST_LOOK, GROWTH = 3, 1.5  # set-ups; 3, 5, 8, 12 ...
MOST_SET_UPS = 500  # looked ahead
NEAR_THE_EDGE = 3.0  # times as narrow at most is asked for: what lies next to an edge may never be decided


def _looks() -> Iterator[int]:
    look = FIRST_LOOK
    while look < MOST_SET_UPS:
        yield look
        look = math.ceil(GROWTH * look)


LOOKS = {look: 2.0 ** -(number + 1) for number, look in enumerate(_looks())}  # shares of the error rate


@dataclass(frozen=True)
class Comparison:
    """A ratio that is judged in a group, and what it still needs."""

    variants: frozenset[str]
    mean: Mean
    width: float | None = None  # half the interval at the usual confidence is to be no wider
    family: int | None = None  # how many share the error rate of its verdict; None where none is wanted
    at_look: Mean | None = None  # by the set-ups of the newest look

    @property
    def need(self) -> float:
        """How far it is from what its question needs; nothing more is spent on what needs at most 1."""
        return max(self._of_width, self._of_verdict)

    @property
    def set_ups_missing(self) -> float:
        """How many set-ups more do for the next that it needs, if they scatter as those that there are.

        0 where nothing is asked for, endless where it takes too many.
        """
        if self.need <= 1.0:
            return 0
        if math.isinf(self.mean.error):  # of one alone: the next will tell
            return 1
        return min(self._to_be_narrow(), self._to_be_decided()) - self.mean.n

    @property
    def _of_width(self) -> float:
        return 0.0 if self.width is None else _reach(self.mean, ALPHA, self.mean.n) / self.width

    @property
    def _of_verdict(self) -> float:
        """Half the interval over the distance from the edge, within bounds; above 1 until a look decides."""
        if self.family is None or self._decided(self.at_look):
            return 0.0
        reach, clear = _reach(self.mean, self._error_rate(self.mean.n), self.mean.n), _clearance(self.mean)
        if math.isinf(reach):
            return math.inf
        return min(NEAR_THE_EDGE, max(math.nextafter(1.0, 2.0), reach / clear if clear else math.inf))

    def _decided(self, mean: Mean | None) -> bool:
        return mean is not None and _reach(mean, self._error_rate(mean.n), mean.n) <= _clearance(mean)

    def _error_rate(self, count: int) -> float:
        """Of the look at so many set-ups, or the next one."""
        share = next((share for look, share in LOOKS.items() if look >= count), min(LOOKS.values()))
        return ALPHA * share / (self.family or 1)

    def _to_be_narrow(self) -> float:
        if self.width is None or self._of_width <= 1.0:
            return math.inf
        counts, wanted = range(self.mean.n + 1, MOST_SET_UPS), self.width
        first = bisect.bisect_left(counts, True, key=lambda n: _reach(self.mean, ALPHA, n) <= wanted)
        return counts[first] if first < len(counts) else math.inf

    def _to_be_decided(self) -> float:
        if self._of_verdict <= 1.0:
            return math.inf
        clear = _clearance(self.mean)
        coming = (look for look in LOOKS if look > self.mean.n)
        return next((n for n in coming if _reach(self.mean, self._error_rate(n), n) <= clear), math.inf)


def comparisons(group: Group, blocks: list[Block]) -> list[Comparison]:
    """Those of the group that can still be measured, in its order.

    Of the same work a ratio is decided where it lies clear of the edges of the tolerance; the headline's are
    to be narrow besides. Of unlike work no ratio decides, and only widths count. A control decides nothing:
    it is measured with what is to be known.
    """
    means = _means(group, blocks)
    looked = max((look for look in LOOKS if look <= len(blocks)), default=0)
    at_look = _means(group, blocks[:looked])
    families = {names: family_of(group.cases[names[0]]) for names in means}
    sizes = Counter(families.values())
    same = _same_work(blocks)
    judged = {names: mean for names, mean in means.items() if families[names] != CONTROL}
    if not judged:  # a baseline alone, known as well as it is alike to itself
        return [Comparison(frozenset(names), mean, width=group.plan.target) for names, mean in means.items()]
    return [
        Comparison(
            frozenset(names),
            mean,
            width=group.plan.target if group.plan.narrow or not same else None,
            family=sizes[families[names]] if same else None,
            at_look=at_look.get(names),
        )
        for names, mean in judged.items()
    ]


def need(of: Iterable[Comparison]) -> float:
    """How far a group of these is from what its question needs: as its neediest comparison."""
    return max((comparison.need for comparison in of), default=0.0)


def still_open(group: Group, blocks: list[Block], of: Iterable[Comparison]) -> list[str]:
    """The variants that a further set-up should have: what is decided is left out, and does not come back.

    A baseline and its control are in all. Unlike work stays together, since all of it is held against all.
    """
    if not blocks or not _same_work(blocks):
        return list(group.cases)
    wanted = {group.baseline, CONTROL}
    for comparison in of:
        if comparison.need > 1.0:
            wanted |= comparison.variants
    there = blocks[-1].set_ups.keys()
    return [name for name in group.cases if name in wanted and name in there]


def _means(group: Group, blocks: list[Block]) -> dict[tuple[str, str], Mean]:
    """The log ratios still measured: to the baseline, then those that are asked for beside it.

    What failed or was decided is in no further block, and no time makes more of it known.
    """
    if not blocks:
        return {}
    there = blocks[-1].set_ups.keys()
    base = group.baseline
    pairs = {(v, base): against_baseline(blocks, v, base) for v in group.cases if v != base and v in there}
    pairs |= {pair: log_effects(blocks, *pair) for pair in group.also if there >= set(pair)}
    return {names: ratios.mean() for names, ratios in pairs.items() if base in there and len(ratios)}


def _reach(mean: Mean, error_rate: float, n: int) -> float:
    """Half the interval of so many set-ups, without what no number of them narrows."""
    if math.isinf(mean.error):
        return math.inf
    freedom = mean.freedom * (n - 1) / (mean.n - 1) if mean.n > 1 else mean.freedom
    return student(1.0 - error_rate, freedom) * mean.error * math.sqrt(mean.n / n)


def _clearance(mean: Mean) -> float:
    """How far it lies from the nearer edge of the tolerance, less what no number of set-ups narrows."""
    return math.sqrt(max((abs(mean.value) - math.log1p(TOLERANCE)) ** 2 - mean.bias**2, 0.0))


def _same_work(blocks: list[Block]) -> bool:
    """Whether an iteration of every variant does the same work, so that a ratio of times decides."""
    return len({set_up.images for block in blocks for set_up in block.set_ups.values()}) <= 1
