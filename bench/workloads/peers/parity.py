"""Whether a peer does the same work: the numbers of its reference, and time for every step that it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Protocol

from bench.questions.workload import NotTheSameWorkError
from bench.workloads.peers.problem import Array, Check, Departure, Problem, State, departure
from bench.workloads.peers.rule import RuleName

FEW, MANY = 10, 40  # steps that are timed
TRIES, MOST_TRIES = 3, 12  # at least, and where it looks wrong
LEAST_GROWTH = 3.0  # times as long for four times the steps, at least
# Of a single step's time, at most, may reading the parameters still wait for: after more steps a lag of one
# or two would be too small a share to be seen.
LEFT_OVER = 0.1
READS = 25  # single steps for it; no more where it looks wrong, or one that does not wait would slip through


class PeerStep(Protocol):
    """The tutorial's training step in one framework, on one problem's batches."""

    rule: RuleName
    version: str

    def run(self, first: int, count: int) -> None:
        """So many steps, on the batches from this number on; may return before they are done."""

    def wait(self) -> None:
        """Until everything that was started is done."""

    def restore(self, state: State) -> None:
        """Go on from a state."""

    def parameters(self) -> list[Array]:
        """Copies on the host, in the network's order."""

    def losses(self) -> Array:
        """(heads,) float64: mean losses of the last step's batch."""

    def threads(self) -> int | None:
        """How many the framework says that it computes with; None where it does not tell."""


def check_numbers(step: PeerStep, problem: Problem) -> float:
    """The largest departure from the reference, as a share of what is allowed.

    Raises NotTheSameWorkError where that is above 1, with what departs and by how much.
    """
    largest = 0.0
    for check in problem.checks[step.rule]:
        origin = problem.origin(check)
        step.restore(origin)
        step.run(origin.updates, check.steps - origin.updates)
        step.wait()
        reached = departure(origin, check.arrived, step.parameters(), step.losses())
        trouble = _trouble(check, reached)
        if trouble:
            raise NotTheSameWorkError(trouble)
        shares = (
            reached.parameters / check.allowed.parameters,
            reached.losses / check.allowed.losses,
        )
        largest = max(largest, *shares)
    return largest


def _trouble(check: Check, reached: Departure) -> str | None:
    """What departs by more than is allowed; None where nothing does. What is no number departs."""
    when = f"after {check.steps} steps" if check.start is None else f"in step {check.steps}"
    when = when.replace("1 steps", "1 step") if check.steps == 1 else when
    for what, off, allowed in (
        ("parameters are off by {:.2g} of their way", reached.parameters, check.allowed.parameters),
        ("losses are off by {:.2g}", reached.losses, check.allowed.losses),
    ):
        if not off <= allowed:
            return f"{when} {what.format(off)}, {off / allowed:.2g} times what is allowed"
    return None


def check_time(step: PeerStep, clock: Callable[[], float] = time.perf_counter) -> None:
    """That all steps take their time, and that waiting waits for them.

    Raises NotTheSameWorkError where four times the steps do not even take three times as long, or where
    reading the parameters after a step takes the time of work that was still going on. Of several tries of
    many steps the quickest count, since a disturbance only adds, and what fails is tried some times more.
    What is left of a step is a difference, to which a disturbance adds or takes away: its median counts.
    """
    tries = [_timed(step, clock) for _ in range(TRIES)]
    while _growth(tries) < LEAST_GROWTH and len(tries) < MOST_TRIES:
        tries.append(_timed(step, clock))
    if _growth(tries) < LEAST_GROWTH:
        raise NotTheSameWorkError(
            f"{MANY} steps take {_growth(tries):.2g} times as long as {FEW}: "
            "its time does not grow with its work"
        )
    left = median(_left_over(step, clock) for _ in range(READS))
    if left > LEFT_OVER:
        raise NotTheSameWorkError(
            f"{left:.0%} of a step's time came after it was waited for: it does not wait for its work"
        )


def _growth(tries: list[tuple[float, float]]) -> float:
    """How many times as long many steps take as few, by the quickest of each."""
    few, many = (min(each) for each in zip(*tries, strict=True))
    return many / few if few else 1.0


def _timed(step: PeerStep, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds of few and of many steps, waited for."""
    few, many = (_spent(step, count, clock) for count in (FEW, MANY))
    return few, many


def _spent(step: PeerStep, count: int, clock: Callable[[], float]) -> float:
    step.wait()
    step.parameters()
    begun = clock()
    step.run(0, count)
    step.wait()
    return clock() - begun


def _left_over(step: PeerStep, clock: Callable[[], float]) -> float:
    """The share of a single step's time that reading the parameters waits for, beyond what reading takes."""
    spent = _spent(step, 1, clock)
    moments = [clock()]
    for _ in range(2):  # the second read has nothing left to wait for
        step.parameters()
        moments.append(clock())
    waited = (moments[1] - moments[0]) - (moments[2] - moments[1])
    return waited / (spent + max(waited, 0.0))
