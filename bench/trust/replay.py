"""How far comparisons can be trusted: the decision rule replayed over recorded rounds.

A comparison takes units one after the other, as ``regress`` would have met them but for the rounds of the
other variants between them, and ends where it would have ended; the next one begins where it stopped. The
pieces are disjoint, so that their counts are binomial as far as the machine's moods do not outlast a
comparison. The code that decides is that of ``regress``: Trial, sequential.decide, AtRest.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from bench.gate.trial import Trial
from bench.records.run import VERDICTS, Estimate
from bench.records.trust import Counted, Drawn, Held, Tally
from bench.results.recording_file import Unit, seconds
from bench.stats.estimates import CONFIDENCE, exponential
from bench.stats.proportions import clopper_pearson
from bench.stats.ratios import stacked
from bench.stats.rest import AtRest, Pair, calm_share
from bench.stats.sequential import Decision, decide
from bench.stats.verdict import ALPHA
from bench.trust.variants import BASE, IDENTICAL, Variant

HOUR_S = 3600.0  # a stretch lasts no longer
MOODS = (("restless", 0.25), ("usual", 0.5), ("calm", math.inf))  # by the share of calm rounds, below which
MORE = 1.3  # times the units of a budget are drawn, since some are cheaper than the median


class Stretch(NamedTuple):
    """Units of one condition within an hour; no comparison reaches from one into the next."""

    condition: str
    units: tuple[Unit, ...]

    @property
    def calm_share(self) -> float:
        """Of the rounds of the base and of the same code."""
        return calm_share_of(self.units)

    @property
    def mood(self) -> str:
        """What the hour was like."""
        share = self.calm_share
        return next(mood for mood, below in MOODS if share < below)


class Met(NamedTuple):
    """A unit as a comparison meets it: what it costs, and the rounds of its two sides."""

    pair_s: float
    effects: AtRest


class Made(NamedTuple):
    """One replayed comparison."""

    decision: Decision
    seconds: float
    units: int


def calm_share_of(units: Sequence[Unit]) -> float:
    """The share of calm rounds of the base and, where it was recorded, of the same code."""
    sides = [[seconds(unit, name) for unit in having(units, name)] for name in (BASE, IDENTICAL)]
    return calm_share([side for side in sides if side])


def having(units: Sequence[Unit], variant: str) -> list[Unit]:
    """The units in which this variant was recorded: recordings need not have the same ones."""
    return [unit for unit in units if variant in unit.us]


def stretches(units: Sequence[Unit]) -> list[Stretch]:
    """The recording in hours, a list for each condition in turn."""
    cut: list[Stretch] = []
    for condition in dict.fromkeys(unit.condition for unit in units):
        of_it = sorted((unit for unit in units if unit.condition == condition), key=lambda unit: unit.at)
        hour: list[Unit] = []
        for unit in of_it:
            if hour and _between_s(hour[0], unit) >= HOUR_S:
                cut.append(Stretch(condition, tuple(hour)))
                hour = []
            hour.append(unit)
        cut.append(Stretch(condition, tuple(hour)))
    return cut


def _between_s(first: Unit, later: Unit) -> float:
    return (datetime.fromisoformat(later.at) - datetime.fromisoformat(first.at)).total_seconds()


def against_base(units: Sequence[Unit], variant: str) -> AtRest:
    """The variant's rounds against the base's, a pair a unit."""
    return AtRest(tuple(Pair(seconds(unit, variant), (seconds(unit, BASE),)) for unit in units))


def met(units: Sequence[Unit], variant: str) -> list[Met]:
    """The units as comparisons of this variant with the base meet them."""
    return [Met(unit.pair_s, against_base([unit], variant)) for unit in units]


class _Stream:
    """Units one after the other, with a clock that shows what they cost."""

    def __init__(self, units: Sequence[Met]) -> None:
        self.units = units
        self.taken, self.now = 0, 0.0

    def clock(self) -> float:
        return self.now

    def next(self) -> AtRest | None:
        """The next unit's rounds; None at the end of the stream."""
        if self.taken == len(self.units):
            return None
        unit = self.units[self.taken]
        self.taken += 1
        self.now += unit.pair_s
        return unit.effects


def comparisons(
    units: Sequence[Met], budget_s: float, tolerance: float, alpha: float = ALPHA
) -> Iterator[Made]:
    """The comparisons that fit into the stream; one cut off by its end is left out."""
    stream = _Stream(units)
    while True:
        before = stream.taken
        trial = Trial(stream.next, budget_s, alpha, tolerance, clock=stream.clock)
        measured = trial.run()
        if trial.failed:
            return
        yield Made(decide(measured, alpha), trial.spent_s, stream.taken - before)


def is_right(variant: Variant, decision: Decision) -> bool:
    """Whether it is called as it ought to be; of identical code, whether it is called at all."""
    if variant.expected == "nothing":
        return decision.verdict in ("slower", "faster")
    if variant.expected == "other code":
        return decision.verdict in ("slower", "faster") and decision.cause == "at rest"
    return decision.verdict == "slower" and decision.cause == variant.expected


def counted(hits: int, trials: int) -> Counted:
    """A count with its exact interval."""
    return Counted(hits=hits, share=clopper_pearson(hits, trials))


def half_width(estimate: Estimate) -> float:
    """Half of an interval of logarithms, relative."""
    return (estimate.high - estimate.low) / 2


def drawn_orders(units: Sequence[Met], budget_s: float, draws: int) -> Iterator[list[Met]]:
    """So many times as many units as a budget holds, drawn without putting back; none where too few are."""
    if not units:
        return
    each_s = float(np.median([unit.pair_s for unit in units]))
    size = math.ceil(MORE * budget_s / each_s) + 1
    rng = random.Random(0)
    for _ in range(draws if size <= len(units) else 0):
        yield rng.sample(units, size)


def calls(
    pieces: Sequence[Sequence[Unit]],
    variant: Variant,
    budget_s: float,
    tolerance: float,
    draws: int = 0,
    alpha: float = ALPHA,
) -> Tally:
    """How often each verdict came out, over disjoint comparisons and over drawn ones."""
    streams = [met(piece, variant.name) for piece in pieces]
    made = [each for stream in streams for each in comparisons(stream, budget_s, tolerance, alpha)]
    every = [unit for stream in streams for unit in stream]
    drawn = [
        is_right(variant, each.decision)
        for order in drawn_orders(every, budget_s, draws)
        for each in [next(comparisons(order, budget_s, tolerance, alpha), None)]
        if each is not None
    ]
    decisions = [each.decision for each in made]
    return Tally(
        variant=variant.name,
        says=variant.says,
        expected=variant.expected,
        tolerance=tolerance,
        budget_s=budget_s,
        verdicts={verdict: sum(d.verdict == verdict for d in decisions) for verdict in VERDICTS},
        right=counted(sum(is_right(variant, d) for d in decisions), len(decisions)),
        now_and_then=sum(d.verdict == "slower" and d.cause == "now and then" for d in decisions),
        drawn=_shared(drawn),
        half_width=_median([half_width(d.estimate) for d in decisions]),
        seconds=_median([each.seconds for each in made]),
    )


def _shared(drawn: Sequence[bool]) -> Drawn:
    return Drawn(comparisons=len(drawn), hits=float(np.mean(drawn)) if drawn else math.nan)


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def calm_value(units: Sequence[Unit], variant: str) -> Estimate | None:
    """The log ratio at rest by all units that have it, with its 95 % interval.

    None where hardly a round was calm: an interval that reaches anywhere is held by anything.
    """
    those = having(units, variant)
    together = against_base(those, variant)
    return together.mean().interval() if those and together.calm else None


def held(
    pieces: Sequence[Sequence[Unit]], variant: Variant, calm: Estimate, budget_s: float, draws: int = 0
) -> Held:
    """How often the interval of as many units as fit a budget holds the calm value, its own error added."""
    streams = [met(piece, variant.name) for piece in pieces]
    every = [unit for stream in streams for unit in stream]
    size = max(2, int(budget_s / float(np.median([unit.pair_s for unit in every]))))
    disjoint = [
        _interval(stream[start : start + size])
        for stream in streams
        for start in range(0, len(stream) - size + 1, size)
    ]
    rng = random.Random(0)
    drawn = [_interval(rng.sample(every, size)) for _ in range(draws if size <= len(every) else 0)]
    widths = [half_width(interval) for interval in disjoint]
    return Held(
        variant=variant.name,
        says=variant.says,
        units=size,
        calm=exponential(calm),
        held=counted(sum(holds(interval, calm) for interval in disjoint), len(disjoint)),
        drawn=_shared([holds(interval, calm) for interval in drawn]),
        half_width=_median(widths),
        wide=float(np.quantile(widths, 0.9)) if widths else None,
    )


def _interval(units: Sequence[Met]) -> Estimate:
    together = stacked([unit.effects for unit in units])
    return together.mean().interval(CONFIDENCE)


def holds(interval: Estimate, calm: Estimate) -> bool:
    """Whether an interval holds the calm value within the error that this itself has."""
    return abs(interval.value - calm.value) <= math.hypot(half_width(interval), half_width(calm))
