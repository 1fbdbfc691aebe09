"""What every peer is given, and what it has to arrive at: weights, batches, references and bounds.

Written once into a file that all of them read, so that no framework draws its own. References are computed
in float64 by the peer's own rule. A bound is a tenth of what the smallest wrong peer departs by, computed
from the wrong peers themselves. After many steps float32 alone departs by more than that, since a training
amplifies what rounding leaves in gradients near zero. So it is tried: a training that is disturbed after its
first step, by a tenth of what is allowed there. Where that grows beyond what is allowed after so many steps,
the last of them alone is compared, from the reference's state before it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.workloads.peers.rule import RULES, Rule, RuledStep, RuleName, wrong_rules
from mtl_core.config import HEAD_UNITS, NetworkConfig
from mtl_core.data.synthetic import draw_digits

Array = NDArray[Any]
SEED = 42
BATCHES = 20  # that rotate, as in bench.workloads.steps
MOST_IMAGES = 16_384
STEPS = (1, 10, 100)  # after which a peer is compared
BETWEEN = (2, 3, 5)  # and these, where float32 lets all steps be compared
ALLOWED = 0.1  # of what the smallest wrong peer departs by
FEWER = "one step fewer"
DISTURBED = 3  # trainings, to see what rounding grows to


@dataclass(frozen=True)
class State:
    """Where a training is: arrays shaped and ordered as the network's parameters."""

    parameters: list[Array]
    means: list[Array]
    variances: list[Array]
    updates: int


@dataclass(frozen=True)
class Point:
    """A state, and each head's mean loss over the last step's batch, before its update."""

    state: State
    losses: Array  # (heads,) float64


@dataclass(frozen=True)
class Departure:
    """How far a peer is from its reference."""

    parameters: float  # norm of the difference over the norm of what the reference moved
    losses: float  # the largest difference of a head's mean loss over the batch


@dataclass(frozen=True)
class Check:
    """What a peer has to arrive at after so many steps, and how far it may be from it."""

    steps: int
    start: State | None  # from which the last step alone is taken; None: all steps, from the first weights
    arrived: Point  # float64
    allowed: Departure
    nearest: str  # the wrong peer that departs least, by its parameters


@dataclass(frozen=True)
class Problem:
    """Batches, first weights, and the checks by rule."""

    images: Array  # (batches, B, 784) float32, 0 to 1
    labels: Array  # (heads, batches, B) float32: digits, then 1 for an odd one
    parameters: list[Array]  # float32
    checks: dict[RuleName, list[Check]]

    def origin(self, check: Check) -> State:
        """Where the steps of a check begin."""
        return check.start or self.start

    @property
    def start(self) -> State:
        """The first weights, and Adam's state before its first step."""
        zeros = [np.zeros_like(array) for array in self.parameters]
        return State(self.parameters, zeros, zeros, 0)

    def batch(self, step: int) -> tuple[Array, ...]:
        """Images and labels of a step, counted from 0."""
        number = step % len(self.images)
        return self.images[number], *self.labels[:, number]


def shapes() -> list[tuple[int, ...]]:
    """Of the parameters: weight (units, inputs) and bias (units,) of each layer, in the network's order."""
    config = NetworkConfig()
    widths = [config.inputs, *config.trunk]
    layers = [(above, below) for below, above in zip(widths, config.trunk, strict=False)]
    layers += [(HEAD_UNITS[head], widths[-1]) for head in config.heads]
    return [shape for units, inputs in layers for shape in ((units, inputs), (units,))]


def first_weights() -> list[Array]:
    """Drawn after Glorot & Bengio, uniformly; biases are 0. float32."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for shape in shapes():
        bound = sqrt(6.0 / sum(shape)) if len(shape) == 2 else 0.0
        drawn.append(rng.uniform(-bound, bound, shape).astype(np.float32))
    return drawn


def departure(origin: State, arrived: Point, parameters: list[Array], losses: Array) -> Departure:
    """How far parameters and losses are from where they should have arrived; NaN where they hold one."""
    apart = _norm([one - other for one, other in zip(parameters, arrived.state.parameters, strict=True)])
    moved = _norm(
        [one - other for one, other in zip(arrived.state.parameters, origin.parameters, strict=True)]
    )
    return Departure(apart / moved, float(np.max(np.abs(losses - arrived.losses))))


def _norm(arrays: list[Array]) -> float:
    return sqrt(sum(float(np.sum(np.square(array, dtype=np.float64))) for array in arrays))


def train(
    problem: Problem, rule: Rule, precision: type, start: State, counts: Collection[int]
) -> dict[int, Point]:
    """Where a training in NumPy is after each of these numbers of steps since the first weights."""
    step = RuledStep([array.astype(precision) for array in start.parameters], rule)
    step.means = [array.astype(precision) for array in start.means]
    step.variances = [array.astype(precision) for array in start.variances]
    step.updates = start.updates
    points = {}
    for number in range(start.updates, max(counts)):
        images, *labels = problem.batch(number)
        forward = step(images.astype(precision), *labels)
        if step.updates in counts:
            points[step.updates] = Point(_copy(step), mean_losses(forward.losses))
    return points


def mean_losses(losses: Sequence[Array]) -> Array:
    """(heads,) float64 from one array (B,) a head."""
    return np.array([float(np.mean(each, dtype=np.float64)) for each in losses])


def _copy(step: RuledStep) -> State:
    parameters, means, variances = (
        [array.copy() for array in arrays] for arrays in (step.parameters, step.means, step.variances)
    )
    return State(parameters, means, variances, step.updates)


def batches(batch_size: int) -> int:
    """How many of this size there are."""
    return max(2, min(BATCHES, MOST_IMAGES // batch_size))


def draw(batch_size: int, steps: tuple[int, ...] = STEPS, between: tuple[int, ...] = BETWEEN) -> Problem:
    """Batches, weights, references and bounds: the same for the same arguments."""
    count = batches(batch_size)
    split = draw_digits(count * batch_size)
    images = split.images.reshape(count, batch_size, -1).astype(np.float32) / np.float32(255)
    labels = np.stack([split.labels, split.labels % 2]).astype(np.float32).reshape(2, count, batch_size)
    problem = Problem(images, labels, first_weights(), {})
    for name, rule in RULES.items():
        problem.checks[name] = _checks(problem, rule, steps, between)
    return problem


def _checks(problem: Problem, rule: Rule, steps: tuple[int, ...], between: tuple[int, ...]) -> list[Check]:
    """Free runs as far as a peer that is good in its first step stays good in them, then single steps."""
    start, counts = problem.start, tuple(sorted({1, *steps, *between}))
    reference = {0: Point(start, np.zeros(len(problem.labels)))}
    reference |= train(problem, rule, np.float64, start, {*counts, *(count - 1 for count in counts[1:])})
    first = _free(problem, rule, reference, [1])[1]
    grown = _grown(problem, rule, reference, first, counts)
    # What one step fewer departs by is there already, and the smallest departure is no larger.
    fewer = {count: _between(start, reference[count], reference[count - 1]).parameters for count in counts}
    hopeful = [count for count in counts if grown[count].parameters <= ALLOWED * fewer[count]]
    free = _free(problem, rule, reference, hopeful)
    checks = [check for count, check in free.items() if count == 1 or _within(grown[count], check.allowed)]
    single = sorted(set(steps) - {check.steps for check in checks})
    return checks + [_last_step(problem, rule, reference[count - 1]) for count in single]


def _free(problem: Problem, rule: Rule, reference: dict[int, Point], counts: list[int]) -> dict[int, Check]:
    """Checks of all steps from the first weights on, by their number."""
    start = problem.start
    courses = {
        name: train(problem, wrong, np.float64, start, counts) if counts else {}
        for name, wrong in wrong_rules(rule).items()
    }
    checks = {}
    for count in counts:
        points = {name: course[count] for name, course in courses.items()}
        points[FEWER] = reference[count - 1]
        checks[count] = _check(count, None, start, reference[count], points)
    return checks


def _grown(
    problem: Problem, rule: Rule, reference: dict[int, Point], first: Check, steps: tuple[int, ...]
) -> dict[int, Departure]:
    """What a tenth of the departure that is allowed in the first step has grown to, by the number of steps.

    The largest of several: float32 from parameters that are disturbed at random by so much.
    """
    start, rng = problem.start, np.random.default_rng(SEED)
    state = train(problem, rule, np.float32, start, [1])[1].state
    moved = _norm([one - other for one, other in zip(state.parameters, start.parameters, strict=True)])
    grown: dict[int, list[Departure]] = {count: [Departure(0.0, 0.0)] for count in steps}
    later = [count for count in steps if count > 1]
    for _ in range(DISTURBED if later else 0):
        noise = [rng.normal(size=array.shape) for array in state.parameters]
        scale = ALLOWED * first.allowed.parameters * moved / _norm(noise)
        parameters = [
            (array + scale * each).astype(np.float32)
            for array, each in zip(state.parameters, noise, strict=True)
        ]
        course = train(problem, rule, np.float32, replace(state, parameters=parameters), later)
        for count, point in course.items():
            grown[count].append(_between(start, reference[count], point))
    return {
        count: Departure(max(e.parameters for e in each), max(e.losses for e in each))
        for count, each in grown.items()
    }


def _within(reached: Departure, allowed: Departure) -> bool:
    return reached.parameters <= allowed.parameters and reached.losses <= allowed.losses


def _between(origin: State, arrived: Point, other: Point) -> Departure:
    return departure(origin, arrived, other.state.parameters, other.losses)


def _last_step(problem: Problem, rule: Rule, before: Point) -> Check:
    """One step from where the reference was before it, rounded to float32 as a peer is given it."""
    start = rounded(before.state)
    count = start.updates + 1
    arrived = train(problem, rule, np.float64, start, [count])[count]
    points = {
        name: train(problem, wrong, np.float64, start, [count])[count]
        for name, wrong in wrong_rules(rule).items()
    }
    points[FEWER] = Point(start, arrived.losses)  # it has none of its own
    return _check(count, start, start, arrived, points)


def rounded(state: State) -> State:
    """The state in float32."""
    parameters, means, variances = (
        [array.astype(np.float32) for array in arrays]
        for arrays in (state.parameters, state.means, state.variances)
    )
    return State(parameters, means, variances, state.updates)


def _check(count: int, start: State | None, origin: State, arrived: Point, points: dict[str, Point]) -> Check:
    """The bounds from what each wrong peer departs by; one whose losses do not depart sets none."""
    departures = {name: _between(origin, arrived, point) for name, point in points.items()}
    nearest = min(departures, key=lambda name: departures[name].parameters)
    losses = min(each.losses for each in departures.values() if each.losses > 0)
    allowed = Departure(ALLOWED * departures[nearest].parameters, ALLOWED * losses)
    return Check(count, start, arrived, allowed, nearest)
