"""Properties of the statistics: intervals cover, scale and shift as they must; exact tests are exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.records import Block, Round, SetUp
from bench.stats import (
    effects_of,
    fit_line,
    geometric,
    inverse,
    log_effects,
    log_times,
    mean_of,
    scatter,
    sign_flip_p,
    t_interval,
    weights,
)
from tests.made_up import alike, from_rounds

values = st.lists(st.floats(-5, 5), min_size=2, max_size=12).map(np.array)


def set_up(case: str, iteration_s: list[float]) -> SetUp:
    rounds = [Round(seconds=10 * s, iterations=10) for s in iteration_s]
    return SetUp(
        case=case, images=128, set_up_s=0.1, first_call_s=0.01, warm_up=[], rounds=rounds, steady=True
    )


def block(**iteration_s: list[float]) -> Block:
    made = {name: set_up(f"q/p/{name}", times) for name, times in iteration_s.items()}
    return Block(group="q/p", invocation=0, index=0, seconds=1.0, set_ups=made)


@given(values)
def test_t_interval_agrees_with_scipy(sample: np.ndarray) -> None:
    estimate = t_interval(sample, 0.9)
    error = scipy_stats.sem(sample)
    if error == 0:
        assert estimate.low == estimate.value == estimate.high
        return
    low, high = scipy_stats.t.interval(0.9, len(sample) - 1, loc=np.mean(sample), scale=error)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=1e-9, abs=1e-12)


@given(values, st.floats(-3, 3))
def test_a_shift_moves_the_interval_and_keeps_its_width(sample: np.ndarray, shift: float) -> None:
    before, after = t_interval(sample), t_interval(sample + shift)
    assert after.low - before.low == pytest.approx(shift, abs=1e-9)
    assert after.high - before.high == pytest.approx(shift, abs=1e-9)


def test_one_value_has_no_end_to_its_interval() -> None:
    estimate = t_interval(np.array([1.0]))
    assert (estimate.low, estimate.high, estimate.n) == (-math.inf, math.inf, 1)


def test_the_interval_contains_the_truth_as_often_as_it_says() -> None:
    """2,000 experiments of 6 set-ups: 95 % within four standard errors of the binomial."""
    rng = np.random.default_rng(1)
    samples = rng.normal(0.3, 0.015, size=(2000, 6))
    held = np.mean([t_interval(s).low <= 0.3 <= t_interval(s).high for s in samples])
    assert abs(held - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_rounds_of_one_set_up_would_make_it_far_too_narrow() -> None:
    """Why the set-up is the unit: the same data, 30 rounds each, treated as independent, misses."""
    rng = np.random.default_rng(2)
    missed_rounds = missed_set_ups = 0
    for _ in range(300):
        set_ups = rng.normal(0.0, 0.014, 8)
        rounds = set_ups[:, None] + rng.normal(0.0, 0.01, (8, 30))
        pooled, proper = t_interval(rounds.ravel()), t_interval(np.median(rounds, axis=1))
        missed_rounds += not pooled.low <= 0.0 <= pooled.high
        missed_set_ups += not proper.low <= 0.0 <= proper.high
    assert missed_set_ups < 30 < 100 < missed_rounds


@given(values)
def test_geometric_is_the_exponential_of_the_mean_of_logs(sample: np.ndarray) -> None:
    assert geometric(sample).value == pytest.approx(math.exp(np.mean(sample)))


@given(st.floats(0.1, 10), st.floats(0.01, 0.09))
def test_inverse_swaps_the_ends(value: float, reach: float) -> None:
    estimate = geometric(np.log([value, value + reach, value + 2 * reach]))
    turned = inverse(estimate, 128)
    assert turned.low <= turned.value <= turned.high
    assert turned.low == pytest.approx(128 / estimate.high)
    assert inverse(turned, 128).value == pytest.approx(estimate.value)


def test_the_effect_of_a_block_is_the_median_over_its_pairs() -> None:
    blocks = [block(base=[1.0, 2.0, 4.0], other=[2.0, 4.0, 100.0])]
    assert log_effects(blocks, "other", "base").values == pytest.approx([math.log(2.0)])


def test_a_block_without_the_variant_counts_for_nothing() -> None:
    blocks = [block(base=[1.0], other=[2.0]), block(base=[1.0])]
    assert len(log_effects(blocks, "other", "base").values) == 1
    assert len(log_times(blocks, "base")) == 2


@given(st.lists(st.floats(0.1, 5), min_size=2, max_size=9))
def test_sign_flips_of_equal_signs_give_the_smallest_p(sizes: list[float]) -> None:
    assert sign_flip_p(np.array(sizes)) == pytest.approx(2 / 2 ** len(sizes))


@given(values)
def test_sign_flip_p_does_not_know_which_way_is_up(sample: np.ndarray) -> None:
    assert sign_flip_p(sample) == pytest.approx(sign_flip_p(-sample))
    assert 0 < sign_flip_p(sample) <= 1


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=12))
def test_equal_weights_are_students_t(sample: list[float]) -> None:
    weighed, plain = alike(sample).mean(), mean_of(np.array(sample))
    assert (weighed.value, weighed.freedom, weighed.n) == pytest.approx(
        (plain.value, plain.freedom, plain.n), abs=1e-12
    )
    assert weighed.error == pytest.approx(plain.error, abs=1e-12)


def test_set_ups_of_a_unit_count_as_one_observation() -> None:
    """Four set-ups that share everything tell no more than one."""
    values = np.array([0.01, -0.02, 0.015, 0.0, 0.003])
    shared = alike(np.tile(values[:, None], 4)).mean()
    assert (shared.error, shared.n) == (pytest.approx(mean_of(values).error), 5)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_at_least_half_of_the_set_ups_keep_their_full_weight(errors: list[float]) -> None:
    found = weights(np.array(errors))
    assert (found > 0).all()
    assert np.sum(found == found.max()) >= len(found) / 2


def test_the_scatter_is_the_standard_deviation_without_the_bursts() -> None:
    """Of normal rounds, by experiment; one wild round in sixteen changes little."""
    rng = np.random.default_rng(4)
    rounds = rng.normal(0.0, 0.05, (4000, 16))
    calm = np.mean([scatter(list(row)) for row in rounds])
    assert calm == pytest.approx(0.05, rel=0.1)
    rounds[:, 0] = 5.0
    assert np.mean([scatter(list(row)) for row in rounds]) < 1.3 * calm
    assert math.isnan(scatter([0.1] * 5))


def test_how_restless_it_was_does_not_depend_on_which_side_was() -> None:
    rng = np.random.default_rng(6)
    calm, wild = np.exp(0.01 * rng.normal(size=16)), np.exp(0.2 * rng.normal(size=16))
    one, other = effects_of([(list(wild), list(calm))]), effects_of([(list(calm), list(wild))])
    assert one.errors == pytest.approx(other.errors)
    assert one.errors[0] == pytest.approx(scatter(list(np.log(calm))) * math.sqrt(math.pi / 2 / 16))


def test_restless_set_ups_count_less_and_the_interval_still_holds() -> None:
    """10 set-ups of 12 rounds, a third of them on a machine six times as restless."""
    rng = np.random.default_rng(5)
    held, weighed, equal = 0, [], []
    for _ in range(1500):
        scale = 0.015 * rng.choice([1.0, 6.0], p=[0.7, 0.3], size=(10, 1))
        one, other = (scale * rng.standard_t(3, (10, 12)) for _ in range(2))
        effects = from_rounds(0.1 + 0.003 * rng.normal(size=(10, 1)) + one, other)
        interval = effects.mean().interval()
        held += interval.low <= 0.1 <= interval.high
        weighed.append(effects.mean().value)
        equal.append(alike(effects.values).mean().value)
    assert abs(held / 1500 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 1500)
    assert np.std(weighed) < 0.7 * np.std(equal)


@given(st.floats(1e-5, 1e-2), st.floats(1e-8, 1e-5))
def test_a_line_is_found_again(fixed: float, per_image: float) -> None:
    sizes = np.array([1.0, 8.0, 64.0, 512.0, 4096.0])
    coefficients, departure = fit_line(sizes, np.tile(fixed + per_image * sizes, (3, 1)))
    assert coefficients == pytest.approx(np.tile([fixed, per_image], (3, 1)), rel=1e-6)
    assert departure < 1e-6


def test_a_bend_shows_as_departure() -> None:
    sizes = np.array([1.0, 8.0, 64.0, 512.0, 4096.0])
    bent = 1e-3 + 1e-6 * sizes
    bent[-1] *= 2
    assert fit_line(sizes, bent[None, :])[1] > 0.1


def test_estimates_are_plain_floats_which_files_can_hold() -> None:
    for values in (np.array([0.1]), np.array([0.1, 0.2, 0.4])):
        estimate = geometric(values)
        for made in (t_interval(values), estimate, inverse(estimate)):
            assert {type(part) for part in (made.value, made.low, made.high)} == {float}
