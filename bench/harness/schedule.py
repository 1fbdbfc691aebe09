"""Spends one budget over all questions: first on every one, then where the answer is least certain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from bench.questions.question import Group
from bench.records.run import Block, Failure
from bench.stats.ratios import against_baseline, log_effects

RENEW_AT = (0, 1 / 2)  # of what is left when all groups had their least: an invocation begins
LEAST_TO_RENEW_S = 120.0  # a budget below it would go into starting processes


@dataclass
class Progress:
    """What the person sees while it runs."""

    group: str
    spent_s: float
    budget_s: float
    blocks: int


def uncertainty(group: Group, blocks: list[Block]) -> float:
    """The widest half-width of the group's ratios over what the question needs; at most 1 is enough.

    Without the part that no number of set-ups would narrow: time is not spent on what cannot help.
    """
    variants = [variant for variant in group.cases if variant != group.baseline]
    found = [against_baseline(blocks, variant, group.baseline) for variant in variants]
    found += [log_effects(blocks, *pair) for pair in group.question.also]
    widths = []
    for effects in found:
        if len(effects):
            interval = replace(effects.mean(), bias=0.0).interval()
            widths.append((interval.high - interval.low) / 2)
    return max(widths, default=0.0) / group.target


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
    renew_at: list[float] = field(default_factory=list, init=False)  # seconds spent

    def run(self) -> dict[str, list[Block]]:
        """Every group its least number of blocks, then the neediest until the budget is spent."""
        self.start = self.clock()
        for group in self.groups:
            self.blocks.setdefault(group.name, [])
        for rounds in range(max((g.question.least_blocks for g in self.groups), default=0)):
            self._pass(g for g in self.groups if len(self.blocks[g.name]) <= rounds < g.question.least_blocks)
        if self.budget_s >= LEAST_TO_RENEW_S:  # only now: most groups, and so most workers, are done with
            spent = self.spent_s()
            self.renew_at = [spent + share * (self.budget_s - spent) for share in RENEW_AT]
        self._spend_the_rest()
        return self.blocks

    def spent_s(self) -> float:
        return self.spent_before_s + self.clock() - self.start

    def _pass(self, groups: Iterable[Group]) -> None:
        """One block each; past the budget only groups with nothing at all are still measured."""
        for group in groups:
            if self.spent_s() < self.budget_s or not self.blocks[group.name]:
                self._one(group)

    def _one(self, group: Group) -> None:
        if self.renew_at and self.spent_s() >= self.renew_at[0]:
            self.renew_at.pop(0)
            self.next_invocation()
        blocks = self.blocks[group.name]
        self.show(Progress(group.name, self.spent_s(), self.budget_s, len(blocks)))
        block = self.measure(group)
        blocks.append(block)
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

    def _measurable(self, group: Group) -> bool:
        return any(case.name not in self.failures for case in group.cases.values())

    def _need(self, group: Group) -> float:
        return uncertainty(group, self.blocks[group.name])

    def _cost(self, group: Group) -> float:
        return float(np.mean([block.seconds for block in self.blocks[group.name]] or [0.0]))
