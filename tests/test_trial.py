"""A trial with a clock that is played: when it looks, when it stops, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gate.trial import Trial
from bench.stats.ratios import Effects
from bench.stats.rest import AtRest
from bench.stats.sequential import decide
from tests.made_up import alike, at_rest_pairs
from tests.scenarios import CALM


class Played:
    """Units that cost a known time and come to known values."""

    def __init__(self, values: Iterator[float | None], cost_s: Callable[[int], float]) -> None:
        self.values, self.cost_s, self.now, self.taken = values, cost_s, 0.0, 0

    def clock(self) -> float:
        return self.now

    def unit(self) -> Effects | None:
        self.now += self.cost_s(self.taken)
        self.taken += 1
        value = next(self.values)
        return None if value is None else alike([value, value])


def trial(played: Played, budget_s: float) -> Trial:
    return Trial(played.unit, budget_s, 0.05, 0.02, clock=played.clock)


def noise(effect: float, spread: float) -> Iterator[float | None]:
    rng = np.random.default_rng(5)
    while True:
        yield float(rng.normal(effect, spread))


@given(st.floats(0.5, 300.0), st.floats(0.1, 20.0))
def test_it_keeps_to_the_budget_but_for_the_first_unit(budget_s: float, cost_s: float) -> None:
    played = Played(noise(0.0198, 0.05), lambda taken: cost_s)
    ours = trial(played, budget_s)
    ours.run()
    assert ours.spent_s <= max(budget_s, cost_s) * (1 + 1e-9)
    assert ours.looks[-1].n == len(ours.units)


def test_it_stops_when_it_is_decided() -> None:
    played = Played(noise(0.2, 0.01), lambda taken: 1.0)
    ours = trial(played, 60.0)
    stream = ours.run()
    assert decide(stream, 0.05).verdict == "slower"
    assert played.taken < 8


def test_undecided_it_spends_the_budget_and_the_whole_of_alpha() -> None:
    played = Played(noise(0.0198, 0.05), lambda taken: 1.0)
    ours = trial(played, 60.0)
    ours.run()
    assert played.taken == 60
    assert ours.looks[-1] == (60, 1.0)
    assert [look.n for look in ours.looks[:3]] == [5, 8, 12]


def test_a_unit_that_took_longer_makes_room_for_fewer() -> None:
    played = Played(noise(0.0198, 0.05), lambda taken: 10.0 if taken == 0 else 1.0)
    ours = trial(played, 20.0)
    ours.run()
    assert ours.spent_s <= 20.0


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_side_that_fails_ends_it(bad: float | None) -> None:
    played = Played(iter([0.0, 0.0, bad]), lambda taken: 1.0)
    ours = trial(played, 60.0)
    stream = ours.run()
    assert ours.failed
    assert len(stream.effects.values) == 2


def test_the_reader_is_told_before_each_unit() -> None:
    told: list[tuple[int, float]] = []
    played = Played(noise(0.0198, 0.05), lambda taken: 2.0)
    Trial(played.unit, 7.0, 0.05, 0.02, lambda n, s: told.append((n, s)), played.clock).run()
    assert told == [(0, 0.0), (1, 2.0), (2, 4.0)]


def test_no_look_is_spent_just_before_the_last() -> None:
    """13 units fit: a look at 12 would leave the last one hardly any of the error rate."""
    ours = trial(Played(noise(0.0198, 0.05), lambda taken: 1.0), 13.0)
    ours.run()
    assert [look.n for look in ours.looks] == [5, 8, 13]


def test_times_at_rest_are_first_looked_at_when_a_verdict_can_be_had() -> None:
    """Eight effective units at the least: an earlier look would only take from the last one."""
    rng = np.random.default_rng(3)
    pairs = iter(at_rest_pairs(rng, CALM, effect=0.2, set_ups=40))
    clock = iter(range(1000))
    ours = Trial(lambda: AtRest((next(pairs),)), 60.0, 0.05, 0.02, clock=lambda: float(next(clock)))
    assert decide(ours.run(), 0.05).verdict == "slower"
    assert [look.n for look in ours.looks] == [10]
