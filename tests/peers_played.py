"""Peers that are the reference, right or wrong on purpose, in a framework's place."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from bench.workloads.peers.numpy_step import NumPyStep
from bench.workloads.peers.problem import Problem, draw
from bench.workloads.peers.rule import RULES, RuleName, wrong_rules
from bench.workloads.peers.workload import PeerWorkload

RIGHT = "nothing"
FEWER = "one step fewer"


@cache
def problem() -> Problem:
    """A small one: few images, few steps."""
    return draw(8, steps=(1, 8), between=(2,))


class OneFewer(NumPyStep):
    """Leaves out the last step of each call."""

    def run(self, first: int, count: int) -> None:
        super().run(first, count - 1)
        if not self.last:
            self.last = self.step.forward(*self.problem.batch(first)).losses


class Clock:
    """Goes on as work is done, and by itself."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1e-6
        return self.seconds


class Timed(NumPyStep):
    """Takes a millisecond of a played clock a step; what is not waited for is done as parameters are read."""

    def __init__(self, clock: Clock, waits: bool = True, most: int = 10**6) -> None:
        super().__init__(problem())
        self.clock, self.waits, self.most = clock, waits, most
        self.started = 0
        self.disturbed: list[float] = []

    def run(self, first: int, count: int) -> None:
        self.started += min(count, self.most)
        self.clock.seconds += 1e-5 * count + (self.disturbed.pop(0) if self.disturbed else 0.0)

    def wait(self) -> None:
        if self.waits:
            self._finish()

    def parameters(self) -> list[object]:  # type: ignore[override]
        self._finish()
        self.clock.seconds += 1e-4
        return []

    def _finish(self) -> None:
        self.clock.seconds += 1e-3 * self.started
        self.started = 0


def step(wrong: str = RIGHT, rule: RuleName = "epsilon before") -> NumPyStep:
    """The reference in float32 with this wrong."""
    right = RULES[rule]
    if wrong == FEWER:
        return OneFewer(problem(), rule=right)
    made = NumPyStep(problem(), rule={RIGHT: right, **wrong_rules(right)}[wrong])
    made.rule = rule  # as which it passes itself off
    return made


def peer(*, wrong: str = RIGHT, rule: RuleName = "epsilon before") -> PeerWorkload:
    """A workload as a worker builds it."""
    return PeerWorkload(step(wrong, rule), replace(problem()))
