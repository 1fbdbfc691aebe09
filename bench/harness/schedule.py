"""Spends one budget over all questions: first on every one, then where the answer is least certain."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from bench.harness.least import LEADING, Least, at_first, least, seconds_of_next, without, without_starting
from bench.harness.needs import Comparison, comparisons, need, still_open
from bench.questions.plan import Group
from bench.records.run import Block, Failure

RENEW_AT = (0, 1 / 2)  # of what is left when all groups have an interval: an invocation begins
LEAST_TO_RENEW_S = 120.0  # a budget below it would go into starting processes
WORTH_RENEWING_S = 60.0  # what is left of the budget
# Of what is left: where processes take longer to start, as those that compile do, the ones there are serve.
MOST_STARTING = 0.25


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
    judged: dict[str, tuple[int, list[Comparison]]] = field(default_factory=dict, init=False)

    def run(self) -> dict[str, list[Block]]:
        """The first set-ups of every group, then what decides soonest, until the budget is spent."""
        self.start = self.clock()
        for group in self.groups:
            self.blocks.setdefault(group.name, [])
        self._choose(self.cost_s)
        for rounds in range(max((at_first(g) for g in self.groups), default=0)):
            self._pass(g for g in self.groups if len(self.blocks[g.name]) <= rounds < at_first(g))
            if rounds == 0:  # what a set-up costs here is known now, if it was not before
                last = {g.name: self.blocks[g.name][-1] for g in self.groups if self.blocks[g.name]}
                self._choose({name: without_starting(block) for name, block in last.items()})
        if self.budget_s >= LEAST_TO_RENEW_S:  # only now: most groups, and so most workers, are done with
            spent = self.spent_s()
            left = self.budget_s - spent
            worth_s = max(WORTH_RENEWING_S, self._starting_s() / MOST_STARTING)
            self.renew_at = [spent + at * left for at in RENEW_AT if (1 - at) * left >= worth_s]
        self._spend_the_rest()
        return self.blocks

    def spent_s(self) -> float:
        return self.spent_before_s + self.clock() - self.start

    def _starting_s(self) -> float:
        """What new processes take, with all that is compiled in them.

        So much longer each group's first set-up took than its second, or else than what is timed in it.
        """
        return sum(
            max(0.0, first.seconds - (again[0].seconds if again else without_starting(first)))
            for first, *again in filter(None, self.blocks.values())
        )

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
        block = self.measure(self._open_part(group))
        blocks.append(block)
        self.latest = block.invocation
        self.finished(block)

    def _open_part(self, group: Group) -> Group:
        """The group without the variants that are decided, once all of it has its least."""
        blocks = self.blocks[group.name]
        if len(blocks) < group.plan.least_blocks:
            return group
        names = still_open(group, blocks, self._comparisons(group))
        return replace(group, cases={name: group.cases[name] for name in names})

    def _spend_the_rest(self) -> None:
        while True:
            left = self.budget_s - self.spent_s()
            affordable = [g for g in self._open() if self._cost(g) <= left]
            if not affordable:
                return
            self._one(self._next(affordable, left))

    def _next(self, groups: list[Group], left_s: float) -> Group:
        """Up to its least what leads, then all others, what stands beside a headline last; then what decides
        soonest, and in that order too.

        Where nothing more can be decided, the rest of the budget narrows what is widest for its purpose.
        """
        few = [g for g in groups if self._has_few(g)]
        if few:
            return min(few, key=self._turn)
        soonest = min(groups, key=self._seconds_to_decide)
        if self._seconds_to_decide(soonest) <= left_s:
            return soonest
        return max(groups, key=self._need)

    def _turn(self, group: Group) -> tuple[bool, bool, float, float]:
        """Its place among those that have fewer set-ups than their least."""
        return group.question != LEADING, group.beside, self._seconds_to_decide(group), self._cost(group)

    def _seconds_to_decide(self, group: Group) -> float:
        """Until the next of its comparisons has what it needs, if what is to come scatters as what was."""
        missing = (one.set_ups_missing for one in self._comparisons(group) if one.need > 1.0)
        return min(missing, default=0.0) * self._cost(group)

    def _open(self) -> list[Group]:
        """What is to be measured further: to its least, or until all of it is known."""
        return [g for g in self.groups if self._measurable(g) and (self._has_few(g) or self._need(g) > 1.0)]

    def _has_few(self, group: Group) -> bool:
        return len(self.blocks[group.name]) < group.plan.least_blocks

    def _decided(self) -> dict[str, tuple[int, int]]:
        """By question, how many parts want no more, of how many; those that were not begun want all."""
        closed = Counter(g.question for g in self.groups if self.blocks.get(g.name) and self._need(g) <= 1.0)
        return {name: (closed[name], of) for name, of in Counter(g.question for g in self.groups).items()}

    def _measurable(self, group: Group) -> bool:
        return any(case.name not in self.failures for case in group.cases.values())

    def _need(self, group: Group) -> float:
        return need(self._comparisons(group))

    def _comparisons(self, group: Group) -> list[Comparison]:
        """Of all its set-ups so far, which are asked for several times between two."""
        blocks = self.blocks[group.name]
        count, made = self.judged.get(group.name, (-1, []))
        if count != len(blocks):
            made = comparisons(group, blocks)
            self.judged[group.name] = len(blocks), made
        return made

    def _cost(self, group: Group) -> float:
        """Seconds that a further set-up of what is open in it takes."""
        return seconds_of_next(self.blocks[group.name], self._open_part(group).cases)
