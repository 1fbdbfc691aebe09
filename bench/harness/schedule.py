"""Spends one budget over all questions: first on every one, then where the answer is least certain."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from bench.harness.least import Least, least, without, without_starting
from bench.questions.plan import Group
from bench.records.run import CONTROL, Block, Failure
from bench.stats.estimates import Mean, student
from bench.stats.ratios import against_baseline, log_effects
from bench.stats.verdict import ALPHA, TOLERANCE, family_of

RENEW_AT = (0, 1 / 2)  # of what is left when all groups had their least: an invocation begins
# A stop because all is decided is a look, and so is each before it: a verdict while measuring takes a part of
# the error rate that the verdict in the end has.
LOOKS = 2.0
NEAR_THE_EDGE = 3.0  # times as narrow at most is asked for
LEAST_TO_RENEW_S = 120.0  # a budget below it would go into starting processes


@dataclass
class Progress:
    """What the person sees while it runs."""

    group: str
    spent_s: float
    budget_s: float
    blocks: int
    open_parts: int = 0  # of all parts of all questions: not decided yet, or not measured
    parts: int = 1
    decided: dict[str, tuple[int, int]] = field(default_factory=dict)  # by question: parts, of how many


def need(group: Group, blocks: list[Block]) -> float:
    """How far the group is from what its question needs; at most 1 is enough, and nothing more is spent.

    Of ratios of the same work that is the half-width over the distance from the nearer edge of the
    tolerance, at the share of the error rate that each has: what is decided needs nothing more. The
    headline's are to be narrow besides. Of unlike work no ratio decides, and only widths count. What no
    number of set-ups would narrow is left out, and what lies next to the edge asks for a few times as much.
    """
    means = _means(group, blocks)
    if not means:
        return 0.0
    widths = [_reach(mean, ALPHA) / group.plan.target for mean in means.values()]
    if not _same_work(blocks):
        return max(widths)
    narrow = max(widths) if group.plan.narrow else 0.0
    families = {name: family_of(group.cases[name.split(" / ")[0]]) for name in means}
    sizes = Counter(families.values())
    judged = [name for name in means if families[name] != CONTROL]
    return max([narrow, *(_to_decide(means[n], ALPHA / LOOKS / sizes[families[n]]) for n in judged)])


def _means(group: Group, blocks: list[Block]) -> dict[str, Mean]:
    """The log ratios still measured: to the baseline, then those that are asked for beside it.

    What failed is in no further block, and no time makes more of it known.
    """
    if not blocks:
        return {}
    there = blocks[-1].set_ups.keys()
    pairs = {v: against_baseline(blocks, v, group.baseline) for v in group.cases if v != group.baseline}
    pairs = {v: ratios for v, ratios in pairs.items() if {v, group.baseline} <= there}
    beside = [pair for pair in group.also if there >= set(pair)]
    pairs |= {f"{one} / {other}": log_effects(blocks, one, other) for one, other in beside}
    return {name: ratios.mean() for name, ratios in pairs.items() if len(ratios)}


def _reach(mean: Mean, error_rate: float) -> float:
    """Half the interval, without what no number of set-ups narrows."""
    return student(1.0 - error_rate, mean.freedom) * mean.error if math.isfinite(mean.error) else math.inf


def _to_decide(mean: Mean, error_rate: float) -> float:
    """Half the interval over the distance from the nearer edge of the tolerance, within bounds."""
    distance = math.sqrt(max((abs(mean.value) - math.log1p(TOLERANCE)) ** 2 - mean.bias**2, 0.0))
    reach = _reach(mean, error_rate)
    if math.isinf(reach):
        return math.inf
    return min(NEAR_THE_EDGE, reach / distance if distance else math.inf)


def _same_work(blocks: list[Block]) -> bool:
    """Whether an iteration of every variant does the same work, so that a ratio of times decides."""
    return len({set_up.images for block in blocks for set_up in block.set_ups.values()}) <= 1


@dataclass
class Schedule:
    """Chooses what to measure next; knows nothing of how it is measured."""

    groups: list[Group]
    budget_s: float
    measure: Callable[[Group], Block]
    next_invocation: Callable[[], None]
    failures: dict[str, Failure]
    finished: Callable[[Block], None] = lambda block: None  # called with each block as it ends
    show: Callable[[Progress], None] = lambda progress: None
    clock: Callable[[], float] = time.monotonic
    spent_before_s: float = 0.0
    blocks: dict[str, list[Block]] = field(default_factory=dict)
    cost_s: Mapping[str, float] = field(default_factory=dict)  # of a set-up in earlier runs, by group
    leaves_out: Callable[[Least], None] = lambda least: None  # called when the budget cannot hold the least
    renew_at: list[float] = field(default_factory=list, init=False)  # seconds spent
    latest: int = field(default=0, init=False)  # invocation, of the block measured last

    def run(self) -> dict[str, list[Block]]:
        """Every group its least number of blocks, then the neediest until the budget is spent."""
        self.start = self.clock()
        for group in self.groups:
            self.blocks.setdefault(group.name, [])
        self._choose(self.cost_s)
        for rounds in range(max((g.plan.least_blocks for g in self.groups), default=0)):
            self._pass(g for g in self.groups if len(self.blocks[g.name]) <= rounds < g.plan.least_blocks)
            if rounds == 0:  # what a set-up costs here is known now, if it was not before
                last = {g.name: self.blocks[g.name][-1] for g in self.groups if self.blocks[g.name]}
                self._choose({name: without_starting(block) for name, block in last.items()})
        if self.budget_s >= LEAST_TO_RENEW_S:  # only now: most groups, and so most workers, are done with
            spent = self.spent_s()
            self.renew_at = [spent + share * (self.budget_s - spent) for share in RENEW_AT]
        self._spend_the_rest()
        return self.blocks

    def spent_s(self) -> float:
        return self.spent_before_s + self.clock() - self.start

    def _choose(self, cost_s: Mapping[str, float]) -> None:
        """Leave out what the budget cannot hold with the set-ups that an interval needs, and tell it."""
        done = {group.name: len(self.blocks[group.name]) for group in self.groups}
        lacking = least(self.groups, cost_s, done, self.spent_s(), self.budget_s)
        if lacking is not None:
            self.groups = without(self.groups, lacking.left_out)
            self.leaves_out(lacking)

    def _pass(self, groups: Iterable[Group]) -> None:
        """One block each; past the budget only parts of the first question that have nothing at all."""
        for group in groups:
            bare = not self.blocks[group.name] and group.question == self.groups[0].question
            if self.spent_s() < self.budget_s or bare:
                self._one(group)

    def _one(self, group: Group) -> None:
        if self.renew_at and self.spent_s() >= self.renew_at[0]:
            self.renew_at.pop(0)
            self.next_invocation()
        blocks = self.blocks[group.name]
        if group.plan.fresh and blocks and blocks[-1].invocation >= self.latest:
            self.next_invocation()  # no two set-ups of the part in one process
        decided = self._decided()
        parts, closed = len(self.groups), sum(count for count, _ in decided.values())
        self.show(
            Progress(group.name, self.spent_s(), self.budget_s, len(blocks), parts - closed, parts, decided)
        )
        block = self.measure(group)
        blocks.append(block)
        self.latest = block.invocation
        self.finished(block)

    def _spend_the_rest(self) -> None:
        while True:
            spent = self.spent_s()
            affordable = [g for g in self._open() if spent + self._cost(g) <= self.budget_s]
            if not affordable:
                return
            neediest = max(affordable, key=lambda g: self._need(g))
            self._one(neediest)

    def _open(self) -> list[Group]:
        return [g for g in self.groups if self._measurable(g) and self._need(g) > 1.0]

    def _decided(self) -> dict[str, tuple[int, int]]:
        """By question, how many parts want no more, of how many; those that were not begun want all."""
        closed = Counter(g.question for g in self.groups if self.blocks.get(g.name) and self._need(g) <= 1.0)
        return {name: (closed[name], of) for name, of in Counter(g.question for g in self.groups).items()}

    def _measurable(self, group: Group) -> bool:
        return any(case.name not in self.failures for case in group.cases.values())

    def _need(self, group: Group) -> float:
        return need(group, self.blocks[group.name])

    def _cost(self, group: Group) -> float:
        return float(np.mean([block.seconds for block in self.blocks[group.name]] or [0.0]))
