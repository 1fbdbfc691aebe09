"""Measures blocks: every variant of a group set up anew, their rounds interleaved in random order."""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from bench.harness.pool import NotAllStartedError, WorkerFailedError, WorkerHandle, WorkerPool
from bench.questions.plan import Group
from bench.records.calls import calls_of, tallied
from bench.records.run import STEPS, Block, Case, Failure, Round, SetUp

ROUND_S = 0.012  # the least work in a round: short, so that many rounds escape a burst
# Iterations of a round, at least, where that takes no longer than this: the queue drains at a round's ends,
# which costs unlike code unlike much (two heads 3 % more at five steps a round, nothing seen at ten).
LEAST_ITERATIONS, LONGEST_ROUND_S = 10, 0.060
MARGIN = 1.1  # more iterations than the last warm-up round asks for, since the next may be quicker
# Of a round's iterations, untimed before it. A round after another worker's is slower than one after its own,
# since the caches hold the other's data: by 5 % of 20 ms on the reference machine, by 0.4 % after four steps.
LEAD_IN = 0.25
COMMON_WITHIN = 4.0  # variants whose times differ by no more share one iteration count


def iterations_for(iteration_s: dict[str, float]) -> dict[str, int]:
    """Iterations a round, by variant: 12 ms and ten or more; one common count where the times allow it."""
    counts = {name: _iterations(max(seconds, 1e-9)) for name, seconds in iteration_s.items()}
    if max(counts.values()) <= COMMON_WITHIN * min(counts.values()):
        return dict.fromkeys(counts, max(counts.values()))
    return counts


def _iterations(iteration_s: float) -> int:
    """Enough for the least work in a round, and ten where they fit into the longest."""
    enough = math.ceil(MARGIN * ROUND_S / iteration_s)
    return max(1, enough, min(LEAST_ITERATIONS, math.floor(LONGEST_ROUND_S / iteration_s)))


def timed_round(
    worker: WorkerHandle, iterations: int, lead_in: float = 0.0, calls: Counter[int] | None = None
) -> Round:
    """One round in a worker, after a lead-in of so many times its iterations.

    Calls that were timed one by one are added to ``calls``, where that is given.

    A workload that cuts its rounds itself, such as a piece of an epoch, tells how many steps one had.
    """
    more = {"lead_in": math.floor(lead_in * iterations)} if lead_in else {}
    answer = worker.ask("round", iterations=iterations, **more)
    facts: dict[str, float] = answer["facts"]
    if calls is not None:
        calls.update(tallied(answer.get("calls_ns", [])))
    iterations = int(facts.pop(STEPS, iterations))
    return Round(seconds=answer["ns"] / 1e9, iterations=iterations, facts=facts)


class SettingUp:
    """One variant of a block while its samples come in."""

    def __init__(self, case: Case, worker: WorkerHandle, seed: int, first_call: bool = True) -> None:
        self.case = case
        self.worker = worker
        more = {} if first_call else {"first_call": False}
        self.answer: dict[str, Any] = worker.ask(
            "set_up", workload=case.workload, settings=case.settings, seed=seed, **more
        )
        if "refused" in self.answer:
            raise WorkerFailedError(self.answer["refused"], [])
        self.warm_up: list[Round] = []
        self.rounds: list[Round] = []
        self.calls: Counter[int] = Counter()  # of the timed rounds, by nanoseconds
        self.steady = True

    def estimate(self) -> float:
        """Seconds an iteration, roughly, from growing rounds; they count as warm-up."""
        iterations = 1
        while True:
            self.warm_up.append(timed_round(self.worker, iterations))
            last = self.warm_up[-1]
            if last.seconds >= ROUND_S / 4 or iterations >= 1 << 20:
                return last.iteration_s
            iterations *= 4

    def become_steady(self, iterations: int, most: int, within: float) -> None:
        """Discard rounds until two in a row agree, or ``most`` are discarded: it never was steady then.

        A first call that takes longer than any round need be is as good as one: a whole epoch is not repeated
        to learn that it takes as long as the last.
        """
        first_s = self.answer["first_call_ns"] / 1e9
        times = [*([first_s] * (first_s >= LONGEST_ROUND_S)), *(r.iteration_s for r in self.warm_up)][-2:]
        discarded = 0
        while len(times) < 2 or abs(times[1] - times[0]) > within * times[0]:
            if discarded == most:
                self.steady = False
                return
            self.warm_up.append(timed_round(self.worker, iterations))
            times = [times[-1], self.warm_up[-1].iteration_s]
            discarded += 1

    def finish(self, block: int, invocation: int) -> SetUp:
        first_ns = self.answer["first_call_ns"]
        return SetUp(
            case=self.case.name,
            images=self.answer["images"],
            set_up_s=self.answer["set_up_ns"] / 1e9,
            first_call_s=self.rounds[0].seconds if first_ns is None else first_ns / 1e9,
            warm_up=self.warm_up,
            rounds=self.rounds,
            steady=self.steady,
            facts=self.worker.ask("facts"),
            block=block,
            invocation=invocation,
            calls=calls_of(self.calls),
        )


def _work_of(case: Case) -> str:
    """What a case does, whatever it is called: a control does what its baseline does."""
    return json.dumps([case.workload, case.settings, case.environment], sort_keys=True, default=str)


class Harness:
    """Starts workers, warms up, interleaves; one worker runs at a time, the others wait.

    A variant whose worker fails is left out from then on and told in ``failures``; the others go on.
    """

    def __init__(
        self,
        seed: int,
        pool: Callable[[], WorkerPool] = WorkerPool,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[str], None] = lambda group: None,
        lead_in: float = 0.0,
    ) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.new_pool = pool
        self.pool = pool()
        self.clock = clock
        self.observe = observe  # called untimed while everything of a group is set up
        self.lead_in = lead_in
        self.invocation = 0
        self.failures: dict[str, Failure] = {}
        self.hung: dict[str, str] = {}  # by what a case does: the case that hung doing it
        self.blocks_of: dict[str, int] = {}

    def go_on_after(self, blocks: list[Block]) -> None:
        """Count on from what an interrupted run had finished, in an order of its own."""
        for block in blocks:
            self.blocks_of[block.group] = max(self.blocks_of.get(block.group, 0), block.index + 1)
            self.invocation = max(self.invocation, block.invocation + 1)
        self.rng = random.Random(f"{self.seed} after {len(blocks)} blocks")

    def next_invocation(self) -> None:
        """Go on in fresh processes."""
        self.pool.end()
        self.pool = self.new_pool()
        self.invocation += 1

    def close(self) -> None:
        self.pool.end()

    def measure(self, group: Group) -> Block:
        """One block, one observation of each ratio."""
        start = self.clock()
        running, counts = self.ready(group)
        self.observe(group.name)
        for _ in range(group.plan.rounds):
            self._guarded(running, lambda v: v.rounds.append(self.round(v, counts)))
        return self.finish(group, running, start)

    def ready(self, group: Group) -> tuple[dict[str, SettingUp], dict[str, int]]:
        """Every variant set up anew and warm, and the iterations of its rounds."""
        running = self._set_up(group)
        most = group.plan.warm_ups
        if not most:
            return running, dict.fromkeys(running, 1)
        self._guarded(running, lambda variant: variant.estimate())
        counts, within = self._counts(running), group.plan.steady_within
        self._guarded(running, lambda v: v.become_steady(counts[v.case.variant], most, within))
        return running, self._counts(running)  # a warm iteration takes less time: a round needs more of them

    def _counts(self, running: dict[str, SettingUp]) -> dict[str, int]:
        """By the quicker of the last two warm-up rounds: a burst in one would make every round too short."""
        times = {n: min(r.iteration_s for r in v.warm_up[-2:]) for n, v in running.items()}
        return iterations_for(times or {"": 1.0})

    def round(self, variant: SettingUp, counts: dict[str, int]) -> Round:
        """One round of a variant."""
        return timed_round(variant.worker, counts[variant.case.variant], self.lead_in, variant.calls)

    def finish(self, group: Group, running: dict[str, SettingUp], start: float) -> Block:
        """The block of what was measured; the workloads are torn down."""
        index = self.blocks_of.get(group.name, 0)
        self.blocks_of[group.name] = index + 1
        finished: dict[str, SetUp] = {}
        self._guarded(
            running, lambda v: finished.__setitem__(v.case.variant, v.finish(index, self.invocation))
        )
        self._guarded(running, lambda v: v.worker.ask("tear_down"))
        return Block(
            group=group.name,
            invocation=self.invocation,
            index=index,
            seconds=self.clock() - start,
            set_ups=finished,
        )

    def _set_up(self, group: Group) -> dict[str, SettingUp]:
        self._give_up_what_hung(group)
        cases = [case for case in group.cases.values() if case.name not in self.failures]
        self.rng.shuffle(cases)
        running: dict[str, SettingUp] = {}
        for case, worker in self._workers(cases):
            try:
                seed, warm = self.rng.randrange(2**31), bool(group.plan.warm_ups)
                running[case.variant] = SettingUp(case, worker, seed, warm)
            except WorkerFailedError as failure:
                self._fail(case, worker, failure)
        return running

    def _workers(self, cases: list[Case]) -> list[tuple[Case, WorkerHandle]]:
        """A worker for each case, drawn at random among those with its environment.

        Where a worker does not start, tried twice, its case fails and no other; all of an environment where
        none of its workers does.
        """
        alike: dict[tuple[tuple[str, str], ...], list[Case]] = {}
        for case in cases:
            alike.setdefault(tuple(sorted(case.environment.items())), []).append(case)
        workers: dict[str, WorkerHandle] = {}
        for members in alike.values():
            drawn: list[WorkerHandle] = []
            try:
                drawn += self.pool.workers_for(members[0].environment, len(members))
            except WorkerFailedError as failure:
                drawn += failure.started if isinstance(failure, NotAllStartedError) else []
                for case in members[len(drawn) :]:
                    self._note(case, failure)
            self.rng.shuffle(drawn)
            workers.update(zip((case.name for case in members), drawn, strict=False))
        return [(case, workers[case.name]) for case in cases if case.name in workers]

    def _give_up_what_hung(self, group: Group) -> None:
        """What does the same as a case that hung would hang as long: it is not tried."""
        for case in group.cases.values():
            other = self.hung.get(_work_of(case))
            if other is not None and case.name not in self.failures:
                reason = f"not tried: {other}, which does the same, hung"
                self.failures[case.name] = Failure(case=case.name, reason=reason, last_lines=[])

    def _guarded(self, running: dict[str, SettingUp], act: Callable[[SettingUp], object]) -> None:
        """Do it for each variant in random order; one that fails leaves the block."""
        for variant in self.rng.sample(list(running.values()), len(running)):
            try:
                act(variant)
            except WorkerFailedError as failure:
                del running[variant.case.variant]
                self._fail(variant.case, variant.worker, failure)

    def _fail(self, case: Case, worker: WorkerHandle, failure: WorkerFailedError) -> None:
        self.pool.discard(worker)
        self._note(case, failure)
        if failure.hung:
            self.hung.setdefault(_work_of(case), case.name)

    def _note(self, case: Case, failure: WorkerFailedError) -> None:
        self.failures[case.name] = Failure(
            case=case.name, reason=failure.reason, last_lines=failure.last_lines
        )
