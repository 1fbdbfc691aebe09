"""Time at rest: on made-up spells, layouts and effects whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.stats.estimates import Floats
from bench.stats.rest import AtRest, Pair, calm_share, calm_weights, tail_mean
from tests.made_up import Hour, at_rest_pairs
from tests.scenarios import BURSTY, CALM, RESTLESS
from tests.scenarios import HOURS as EVERY_HOUR

HOURS = pytest.mark.parametrize("hour", EVERY_HOUR, ids=lambda hour: hour.name)
RUNS = 300  # of a scenario; nox -s coverage has 2,000


def covered(hour: Hour, truth: float, seed: int, **made: float) -> tuple[float, Floats]:
    """The share of runs whose 95 % interval holds the truth, and their estimates."""
    rng = np.random.default_rng(seed)
    means = [AtRest(at_rest_pairs(rng, hour, effect=truth, **made)).mean() for _ in range(RUNS)]
    intervals = [mean.interval() for mean in means]
    held = float(np.mean([interval.low <= truth <= interval.high for interval in intervals]))
    return held, np.array([mean.value for mean in means])


@HOURS
@pytest.mark.parametrize("truth", [0.0, math.log(1.045), math.log(1.12)])
def test_intervals_hold_the_truth_in_any_hour(hour: Hour, truth: float) -> None:
    """At least 92 % of runs, less two standard errors of so many."""
    held, _ = covered(hour, truth, seed=11)
    assert held >= 0.92 - 2 * math.sqrt(0.92 * 0.08 / RUNS)


@HOURS
def test_an_effect_is_read_without_the_bias_of_medians(hour: Hour) -> None:
    """The variant loses more in a spell than its baseline: medians are off by that, the low tail is not."""
    truth = math.log(1.12)
    _, values = covered(hour, truth, seed=12)
    assert abs(float(np.median(values)) - truth) < 0.012
    rng = np.random.default_rng(13)
    medians = [AtRest(at_rest_pairs(rng, hour, effect=truth)).typical().value for _ in range(60)]
    if hour is not CALM:
        assert float(np.median(medians)) - truth > 0.02


@HOURS
def test_layouts_are_averaged_not_picked(hour: Hour) -> None:
    """Half of the variant's set-ups lie 1.5 % slower in memory, none of the baseline's: 0.75 % slower."""
    _, values = covered(hour, 0.0, seed=14, slow_layouts=0.015)
    assert abs(float(np.median(values)) - 0.0075) < 0.005


def test_a_machine_that_is_never_calm_gives_no_narrow_interval() -> None:
    """Every round is disturbed, by amounts of its own: nothing is known but how far the medians lie off."""
    effect = math.log(1.12)
    hour = Hour("never calm", calm=0.0, spell=0.5, sensitivity=0.8)
    rng = np.random.default_rng(15)
    runs = [AtRest(at_rest_pairs(rng, hour, effect=effect)) for _ in range(60)]
    intervals = [each.mean().interval() for each in runs if not each.calm]
    assert len(intervals) > 0.5 * len(runs)
    assert np.mean([interval.low <= effect <= interval.high for interval in intervals]) >= 0.95
    assert float(np.median([interval.high - interval.low for interval in intervals])) > 0.2


@pytest.mark.parametrize("period", [7, 20, 50, None])
def test_occasional_work_is_seen_beside_the_time_at_rest(period: int | None) -> None:
    """One step of so many takes twice as long (None: at random, one of twenty); rounds of ten steps."""
    rng = np.random.default_rng(16)
    excesses, at_rest = [], []
    for _ in range(80):
        pairs = AtRest(
            at_rest_pairs(rng, CALM, effect=0.0, set_ups=16, period=period or 0, at_random=period is None)
        )
        excess = pairs.now_and_then()
        assert excess is not None
        excesses.append(excess.value)
        at_rest.append(pairs.mean().value)
    together = float(np.median(excesses)) + float(np.median(at_rest))
    assert together == pytest.approx(1.0 / (period or 20), rel=0.35)
    if period != 7:  # rounds of ten steps are never free of it
        assert abs(float(np.median(at_rest))) < 0.01


def test_identical_code_has_nothing_now_and_then_of_its_own() -> None:
    """Whatever the hour: what a neighbour does falls on both sides alike."""
    rng = np.random.default_rng(17)
    for hour in (CALM, RESTLESS, BURSTY):
        pairs = [AtRest(at_rest_pairs(rng, hour, effect=0.0, set_ups=16)) for _ in range(80)]
        values = [excess.value for each in pairs if (excess := each.now_and_then()) is not None]
        error = float(np.std(values)) / math.sqrt(len(values))
        assert abs(float(np.mean(values))) < 4 * error + 1e-9


rounds = arrays(np.float64, st.integers(20, 60), elements=st.floats(1e-4, 1.0))


@given(rounds, st.floats(0.01, 0.99))
def test_a_tail_lies_between_the_least_and_the_mean(sample: Floats, share: float) -> None:
    value = tail_mean(sample, share)
    assert sample.min() * (1 - 1e-12) <= value <= sample.mean() * (1 + 1e-12)


@given(rounds)
def test_the_whole_tail_is_the_mean(sample: Floats) -> None:
    assert tail_mean(sample, 1.0) == pytest.approx(sample.mean())


@given(st.lists(rounds, min_size=2, max_size=6), st.floats(0.1, 10.0))
def test_a_common_factor_of_one_side_shifts_the_ratio_by_its_logarithm(
    sides: list[Floats], factor: float
) -> None:
    before = AtRest(tuple(Pair(each, (each,)) for each in sides))
    after = AtRest(tuple(Pair(factor * each, (each,)) for each in sides))
    assert before.mean().value == pytest.approx(0.0, abs=1e-9)
    assert after.mean().value == pytest.approx(math.log(factor), abs=1e-9)
    assert after.mean().bias == pytest.approx(before.mean().bias, abs=1e-9)


@given(st.lists(rounds, min_size=2, max_size=6))
def test_swapping_the_sides_turns_the_sign(sides: list[Floats]) -> None:
    pairs = [Pair(each, (each[::-1] * (1 + number / 10),)) for number, each in enumerate(sides)]
    swapped = [Pair(pair.baselines[0], (pair.variant,)) for pair in pairs]
    one, other = AtRest(tuple(pairs)).mean(), AtRest(tuple(swapped)).mean()
    assert one.value == pytest.approx(-other.value, abs=1e-9)
    assert one.error == pytest.approx(other.error, rel=1e-6, abs=1e-12)


def test_a_restless_set_up_counts_less_and_none_counts_nothing() -> None:
    weights = calm_weights(np.array([0.0, 0.02, 0.2, 0.0, 0.0]))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[0] == pytest.approx(2 * weights[1])
    assert 0.0 < weights[2] < weights[1] / 10


def test_of_few_set_ups_all_count_alike() -> None:
    assert calm_weights(np.array([0.0, 0.02, 0.2, 0.1])) == pytest.approx(np.full(4, 0.25))


def test_one_set_up_has_no_end_to_its_interval() -> None:
    interval = AtRest((Pair(np.ones(20), (np.ones(20),)),)).mean().interval()
    assert (interval.low, interval.high) == (-math.inf, math.inf)


def test_two_baselines_are_averaged_not_pooled() -> None:
    """The luckier of two layouts would make the variant look slower than either says."""
    pair = Pair(np.ones(20), (np.ones(20), np.full(20, 1.02)))
    assert AtRest((pair,)).values[0] == pytest.approx(-math.log(1.02) / 2)


def test_the_share_of_calm_rounds() -> None:
    side = [np.array([1.0] * 15 + [1.5] * 5)]
    assert calm_share([side]) == 0.75
    assert math.isnan(calm_share([]))
