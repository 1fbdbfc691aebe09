"""Properties of the statistics: intervals cover, scale and shift as they must; exact tests are exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.stats.estimates import (
    fit_line,
    geometric,
    inverse,
    sign_flip_p,
    t_interval,
)

values = st.lists(st.floats(-5, 5), min_size=2, max_size=12).map(np.array)


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


@given(st.lists(st.floats(0.1, 5), min_size=2, max_size=9))
def test_sign_flips_of_equal_signs_give_the_smallest_p(sizes: list[float]) -> None:
    assert sign_flip_p(np.array(sizes)) == pytest.approx(2 / 2 ** len(sizes))


@given(values)
def test_sign_flip_p_does_not_know_which_way_is_up(sample: np.ndarray) -> None:
    assert sign_flip_p(sample) == pytest.approx(sign_flip_p(-sample))
    assert 0 < sign_flip_p(sample) <= 1


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
