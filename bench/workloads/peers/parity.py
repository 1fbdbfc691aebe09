"""Whether a peer does the same work: the numbers of its reference, and time for every step that it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from bench.questions.workload import NotTheSameWorkError
from bench.workloads.peers.problem import Array, Check, Departure, Problem, State, departure
from bench.workloads.peers.rule import RuleName

FEW, MANY = 10, 40  # steps that are timed
TRIES, MOST_TRIES = 3, 12  # at least, and where it looks wrong
LEAST_GROWTH = 2.0  # times as long for four times the steps, at least
LEFT_OVER = 0.1  # of the steps' time, at most, may reading the parameters still wait for


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

    Raises NotTheSameWorkError where four times the steps do not even take twice as long, or where reading the
    parameters afterwards takes the time of work that was still going on. Of several tries the quickest
    counts, since a disturbance only adds; what fails is tried some times more.
    """
    tries = [_timed(step, clock) for _ in range(TRIES)]
    while _trouble_in(tries) and len(tries) < MOST_TRIES:
        tries.append(_timed(step, clock))
    trouble = _trouble_in(tries)
    if trouble:
        raise NotTheSameWorkError(trouble)


def _trouble_in(tries: list[tuple[float, float, float]]) -> str | None:
    few, many, left = (min(each) for each in zip(*tries, strict=True))
    if many < LEAST_GROWTH * few:
        times = many / few if few else 1.0
        return f"{MANY} steps take {times:.2g} times as long as {FEW}: its time does not grow with its work"
    if left > LEFT_OVER:
        return f"{left:.0%} of the steps' time came after it was waited for: it does not wait for its work"
    return None


def _timed(step: PeerStep, clock: Callable[[], float]) -> tuple[float, float, float]:
    """Seconds of few and of many steps, and the share of the latter that reading waits for beyond itself."""
    spent = []
    for count in (FEW, MANY):
        step.wait()
        step.parameters()
        begun = clock()
        step.run(0, count)
        step.wait()
        spent.append(clock() - begun)
    moments = [clock()]
    for _ in range(2):  # the second read has nothing left to wait for
        step.parameters()
        moments.append(clock())
    waited = (moments[1] - moments[0]) - (moments[2] - moments[1])
    return spent[0], spent[1], waited / spent[1]
