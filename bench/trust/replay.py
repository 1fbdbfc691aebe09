"""How far comparisons can be trusted: the decision rule replayed over a recorded stream of invocations.

A stream holds, for every invocation, what code slowed by known shares measured against the same code as
it is. A comparison takes units from it one after the other, as ``regress`` would have met them but for
the rounds of the other slow-downs between them, and ends where it would have ended; the next one begins
where it stopped. The pieces are disjoint, so that their counts are binomial as far as the machine's moods
do not outlast a comparison.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from bench.gate.trial import Trial
from bench.records.run import VERDICTS
from bench.records.trust import Rate
from bench.stats.proportions import clopper_pearson
from bench.stats.ratios import Effects
from bench.stats.sequential import decide
from bench.stats.verdict import ALPHA

TOLERANCES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1)  # that may be recommended
OFTEN_ENOUGH = 0.95  # of the comparisons of identical code have to come to "same"
LEAST = 20  # comparisons, for a recommendation
ALARMS = 0.01  # of them at most may be called slower or faster


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One invocation: a log ratio a set-up for each slow-down, and what two sides alone would have cost."""

    seconds: float
    start_s: float  # of them for starting the processes
    effects: dict[str, list[float]]  # by slow-down as text ("0.03"), since JSON has no other keys
    errors: dict[str, list[float | None]]  # of each, as bench.stats.ratios.Effects has them; null: unknown
    totals: dict[str, list[float]]  # likewise, from the sums of the rounds
    step_s: float


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """One replayed comparison."""

    verdict: str
    seconds: float
    units: int


def effects(unit: Unit, slow_down: str) -> Effects:
    """What a unit says of a slow-down."""
    told = (unit.effects[slow_down], unit.errors[slow_down], unit.totals[slow_down])
    values, errors, totals = (np.array(each, dtype=np.float64) for each in told)
    return Effects(values, errors, totals)


class _Stream:
    """Units one after the other, with a clock that shows what they cost."""

    def __init__(self, units: Sequence[Unit], slow_down: str) -> None:
        self.units, self.slow_down = units, slow_down
        self.taken, self.now = 0, 0.0

    def clock(self) -> float:
        return self.now

    def next(self) -> Effects | None:
        """The next unit's log ratios; None at the end of the stream."""
        if self.taken == len(self.units):
            return None
        unit = self.units[self.taken]
        self.taken += 1
        self.now += unit.seconds
        return effects(unit, self.slow_down)


def comparisons(
    units: Sequence[Unit], slow_down: str, budget_s: float, tolerance: float, alpha: float = ALPHA
) -> Iterator[Verdicts]:
    """The comparisons that fit into the stream; one cut off by its end is left out."""
    stream = _Stream(units, slow_down)
    while True:
        before = stream.taken
        trial = Trial(stream.next, budget_s, alpha, tolerance, clock=stream.clock)
        found = trial.run()
        if trial.failed:
            return
        yield Verdicts(
            verdict=decide(found, alpha).verdict, seconds=trial.spent_s, units=stream.taken - before
        )


def rate(
    units: Sequence[Unit], slow_down: str, budget_s: float, tolerance: float, alpha: float = ALPHA
) -> Rate:
    """How often each verdict came out."""
    made = list(comparisons(units, slow_down, budget_s, tolerance, alpha))
    counts = {verdict: sum(m.verdict == verdict for m in made) for verdict in VERDICTS}
    whole = [np.mean(unit.effects[slow_down]) - np.mean(unit.effects["0"]) for unit in units]
    return Rate(
        slow_down=float(slow_down),
        tolerance=tolerance,
        budget_s=budget_s,
        comparisons=len(made),
        verdicts=counts,
        slower=clopper_pearson(counts["slower"], len(made)),
        changed=clopper_pearson(counts["slower"] + counts["faster"], len(made)),
        seconds=float(np.median([m.seconds for m in made])) if made else math.nan,
        measured=math.expm1(float(np.mean(whole))),
    )


def recommended(units: Sequence[Unit], budget_s: float, alpha: float = ALPHA) -> float | None:
    """The smallest tolerance at which identical code is nearly always called same, and hardly ever else."""
    for tolerance in TOLERANCES:
        found = rate(units, "0", budget_s, tolerance, alpha)
        if found.comparisons < LEAST:
            continue
        same = found.verdicts["same"] / found.comparisons
        if same >= OFTEN_ENOUGH and found.changed.value <= ALARMS:
            return tolerance
    return None


def components(units: Sequence[Unit]) -> tuple[float, float]:
    """Standard deviations of identical code: from set-up to set-up, and of what an invocation shares.

    One-way analysis of variance; a negative component is zero.
    """
    table = np.array([unit.effects["0"] for unit in units])  # (invocations, set-ups)
    within = float(np.mean(np.var(table, axis=1, ddof=1))) if table.shape[1] > 1 else math.nan
    between = float(np.var(table.mean(axis=1), ddof=1)) - within / table.shape[1]
    return math.sqrt(within), math.sqrt(max(0.0, between))


def best_set_ups(units: Sequence[Unit]) -> float:
    """How many set-ups an invocation pay best, after Kalibera & Jones: costs against variances.

    It minimises the variance of the mean for a given time; endless where invocations do not differ.
    """
    set_up, invocation = components(units)
    invocation_s = float(np.mean([unit.start_s for unit in units]))
    set_up_s = float(np.mean([(unit.seconds - unit.start_s) / len(unit.effects["0"]) for unit in units]))
    return math.sqrt(invocation_s / set_up_s) * set_up / invocation if invocation > 0.0 else math.inf
