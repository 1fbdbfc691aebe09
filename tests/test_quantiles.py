"""Quantiles of calls: what a set-up tells, and how often the interval over set-ups holds the truth."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.records.calls import Calls, calls_of, rounded, tallied
from bench.records.run import SetUp
from bench.stats.estimates import Floats
from bench.stats.quantiles import LEVELS, facts_over_set_ups, median_interval, quantile_s, quantiles
from tests.made_up_calls import as_calls, call_times_s

TRIALS, SET_UPS, CALLS = 200, 9, 1000


@given(st.integers(1, 10**15))
def test_a_time_keeps_three_digits(ns: int) -> None:
    assert abs(rounded(ns) - ns) <= 0.0051 * ns
    assert len(str(rounded(ns)).rstrip("0")) <= 3
    assert rounded(rounded(ns)) == rounded(ns)


def test_a_tally_is_told_in_order_of_time() -> None:
    tally = tallied([2_004, 1_000, 2_001, 30])
    assert calls_of(tally) == Calls(ns=[30, 1_000, 2_000], counts=[1, 1, 2])
    assert calls_of(Counter()) is None


@given(st.lists(st.integers(1, 999), min_size=1, max_size=60), st.sampled_from([0.5, 0.9]))
def test_a_set_ups_quantile_is_numpys_median_unbiased_one(times: list[int], level: float) -> None:
    calls = calls_of(tallied(times))
    assert calls is not None
    quantile = quantile_s(calls, level)
    if len(times) * (1.0 - level) < 1.0 - 1e-9:
        assert quantile is None
    else:
        expected = float(np.quantile(times, level, method="median_unbiased")) / 1e9
        assert quantile == pytest.approx(expected)


def test_a_quantile_needs_a_call_beyond_it() -> None:
    assert quantile_s(Calls(ns=[100], counts=[999]), 0.999) is None
    assert quantile_s(Calls(ns=[100], counts=[1000]), 0.999) == pytest.approx(1e-7)


@pytest.mark.parametrize(("n", "low", "high"), [(6, 1, 6), (8, 1, 8), (9, 2, 8), (12, 3, 10), (25, 8, 18)])
def test_the_interval_is_between_order_statistics(n: int, low: int, high: int) -> None:
    """The ranks stand in tables of the sign test."""
    interval = median_interval([float(k) for k in range(n, 0, -1)])
    assert (interval.low, interval.high, interval.n) == (low, high, n)
    assert interval.value == (n + 1) / 2
    assert interval.confidence == pytest.approx(1 - 2 * stats.binom.cdf(low - 1, n, 0.5))
    assert interval.confidence >= 0.95


def test_five_set_ups_have_no_interval() -> None:
    interval = median_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (interval.value, interval.low, interval.high) == (3.0, 0.0, math.inf)


def set_up(calls: Calls | None, **facts: float) -> SetUp:
    return SetUp(
        case="latency/batch_1/static",
        images=1,
        set_up_s=1.0,
        first_call_s=1.0,
        warm_up=[],
        rounds=[],
        steady=True,
        facts=facts,
        calls=calls,
    )


def test_a_level_is_told_where_every_set_up_has_calls_enough() -> None:
    few, many = Calls(ns=[100, 200], counts=[50, 50]), Calls(ns=[100, 200], counts=[500, 500])
    assert list(quantiles([set_up(many)] * 2)) == list(LEVELS)
    assert list(quantiles([set_up(many), set_up(few)])) == ["p50", "p90", "p99"]
    assert quantiles([set_up(many), set_up(None)]) == {}
    assert quantiles([]) == {}


def test_facts_have_an_interval_over_set_ups() -> None:
    set_ups = [set_up(None, import_s=float(n), **({"odd": 1.0} if n else {})) for n in range(6)]
    interval = facts_over_set_ups(set_ups)
    assert list(interval) == ["import_s"]
    assert (interval["import_s"].low, interval["import_s"].value, interval["import_s"].high) == (
        0.0,
        2.5,
        5.0,
    )


def _coverage(times: Floats, truth: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """How often the interval over set-ups holds each quantile, and the one over all calls pooled does."""
    ours, pooled = Counter[str](), Counter[str]()
    for trial in times:
        interval = quantiles([set_up(as_calls(process)) for process in trial])
        every = np.sort(trial.ravel())
        for name, level in LEVELS.items():
            ours[name] += interval[name].low <= truth[name] <= interval[name].high
            ranks = stats.binom.ppf([0.025, 0.975], every.size, level).astype(int)
            pooled[name] += every[ranks[0] - 1] <= truth[name] <= every[min(ranks[1], every.size - 1)]
    return tuple({name: count[name] / len(times) for name in LEVELS} for count in (ours, pooled))  # type: ignore[return-value]


def test_the_interval_holds_the_truth_as_often_as_it_says_and_one_of_pooled_calls_does_not() -> None:
    """Processes differ by 6 % and are slowed in spells: more calls of one average neither away."""
    rng = np.random.default_rng(1)
    long = call_times_s(rng, 200, 20_000)  # a process's own quantiles, nearly without chance
    truth = {name: float(np.median(np.quantile(long, level, axis=1))) for name, level in LEVELS.items()}
    times = call_times_s(rng, TRIALS * SET_UPS, CALLS).reshape(TRIALS, SET_UPS, CALLS)
    ours, pooled = _coverage(times, truth)
    three_errors = 3 * math.sqrt(0.95 * 0.05 / TRIALS)
    assert all(share >= 0.95 - three_errors for share in ours.values()), ours
    assert all(share < 0.5 for share in pooled.values()), pooled
