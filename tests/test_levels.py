"""Changes of level are found where they are, and noise is marked no more often than stated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats.change_points import ALPHA, LEAST_RUNS, clarity, level_changes


def noise(seed: int, runs: int = 14, spread: float = 0.01) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, spread, runs)


def step(start: int, size: float, runs: int = 14) -> np.ndarray:
    return np.where(np.arange(runs) >= start, math.log1p(size), 0.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(4, 10), st.sampled_from([-0.05, 0.05, 0.10]))
def test_a_step_of_five_percent_in_noise_of_one_is_found(seed: int, start: int, size: float) -> None:
    """Five standard deviations; the place may be off by a run where its noise says so."""
    found = level_changes({"s": noise(seed) + step(start, size)})["s"]
    assert found
    nearest = min(found, key=lambda change: abs(change.start - start))
    assert abs(nearest.start - start) <= 1
    assert math.copysign(1, nearest.difference.value) == math.copysign(1, size)


def test_noise_is_marked_no_more_often_than_stated() -> None:
    """200 stores of 5 series without a change: any mark in at most 5 %, up to the binomial error."""
    marked = 0
    for number in range(200):
        store = {str(i): noise(1000 * number + i, runs=16) for i in range(5)}
        marked += any(level_changes(store, seed=number).values())
    assert marked / 200 <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / 200)
    assert marked > 0  # a test that never rejects holds no error rate, it is blind


def test_wild_values_do_not_make_marks() -> None:
    """Heavy tails (Student's t with two degrees of freedom), of which no formula of F would hold."""
    rng, marked = np.random.default_rng(9), 0
    for number in range(200):
        marked += any(level_changes({"s": 0.01 * rng.standard_t(2, 14)}, seed=number).values())
    assert marked / 200 <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / 200)


def test_a_change_is_found_among_many_quiet_series() -> None:
    store = {str(i): noise(i) for i in range(60)}
    store["changed"] = noise(99) + step(8, 0.06)
    change = level_changes(store)["changed"][0]
    assert (change.start, change.before, change.after) == (8, 8, 6)
    assert change.p <= ALPHA


def test_two_changes_are_found_and_each_is_held_against_its_neighbours() -> None:
    values = noise(1, runs=36) + step(12, 0.10, 36) + step(24, -0.08, 36)
    found = level_changes({"s": values})["s"]
    assert [(c.start, c.before, c.after) for c in found] == [(12, 12, 12), (24, 12, 12)]
    assert found[0].difference.value > 0 > found[1].difference.value


def test_too_few_runs_say_nothing_however_clear() -> None:
    clear = step(5, 1.0, LEAST_RUNS - 1) + noise(0, LEAST_RUNS - 1, 1e-6)
    assert level_changes({"s": clear}) == {"s": []}
    assert level_changes({}) == {}


def test_runs_without_a_value_are_stepped_over() -> None:
    values = noise(3, 20) + step(10, 0.1, 20)
    values[[2, 10, 17]] = np.nan
    found = level_changes({"s": values, "none": np.full(20, np.nan)})
    assert [(c.start, c.before, c.after) for c in found["s"]] == [(11, 9, 8)]
    assert found["none"] == []


def test_a_constant_series_has_no_change_and_a_step_without_noise_one() -> None:
    found = level_changes({"flat": np.zeros(14), "step": step(7, 0.1)})
    assert found["flat"] == []
    assert [c.start for c in found["step"]] == [7]


@given(
    st.lists(st.floats(-1, 1), min_size=8, max_size=20).map(np.array), st.floats(0.1, 10), st.floats(-5, 5)
)
def test_clarity_knows_no_unit_and_no_direction(values: np.ndarray, scale: float, shift: float) -> None:
    if np.ptp(values) < 1e-3:
        return
    both = np.stack([values, scale * values + shift, -values, values[::-1]])
    found = clarity(both)
    assert found == pytest.approx(np.full(4, found[0]), rel=1e-5, abs=1e-8)
