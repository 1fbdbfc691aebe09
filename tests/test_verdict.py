"""The rule of the verdicts, and its one error rate over many comparisons."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.estimates import Mean, detectable, mean_of, times_to_decide
from bench.stats.verdict import ALPHA, TOLERANCE, judge, least_alpha, verdicts


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.90, 0.95, "faster"),
        (1.03, 1.10, "slower"),
        (0.99, 1.01, "same"),
        (0.97, 1.01, "undecided"),
        (1.01, 1.03, "undecided"),
        (0.50, 2.00, "undecided"),
    ],
)
def test_the_whole_interval_must_lie_on_one_side(low: float, high: float, expected: str) -> None:
    assert judge(low, high, tolerance=0.02) == expected


@given(st.floats(0.5, 2.0), st.floats(0.0, 0.5))
def test_turning_the_ratio_around_turns_the_verdict_around(low: float, width: float) -> None:
    turned = {"faster": "slower", "slower": "faster", "same": "same", "undecided": "undecided"}
    assert judge(1 / (low + width), 1 / low) == turned[judge(low, low + width)]


@given(st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=10))
def test_one_comparison_is_judged_by_its_own_interval(effects: list[float]) -> None:
    mean = mean_of(np.array(effects))
    decided = verdicts({"only": mean})["only"]
    assert (decided != "undecided") == (least_alpha(mean) <= ALPHA)


def test_one_set_up_decides_nothing() -> None:
    assert verdicts({"only": mean_of(np.array([0.5]))}) == {"only": "undecided"}


def test_the_same_data_are_harder_to_decide_in_company() -> None:
    borderline = mean_of(np.log(1.04) + np.array([-0.012, 0.012, -0.008, 0.008, 0.0]))
    assert verdicts({"a": borderline})["a"] == "slower"
    noise = {f"n{i}": mean_of(np.array([0.05, -0.05, 0.03])) for i in range(9)}
    assert verdicts({"a": borderline, **noise})["a"] == "undecided"


def test_among_identical_variants_a_false_alarm_is_rare_for_the_whole_family() -> None:
    """500 families of 6 identical variants at 5 %: the share with any alarm stays within its bound."""
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(500):
        family = {str(i): mean_of(rng.normal(0.0, 0.015, 6)) for i in range(6)}
        alarms += any(verdict in ("faster", "slower") for verdict in verdicts(family).values())
    assert alarms <= 500 * ALPHA


def called(mean: Mean) -> float:
    """The smallest slow-down that would be called at the usual error rate and tolerance."""
    return detectable(mean, ALPHA, TOLERANCE)


def test_more_set_ups_detect_less_and_never_what_the_tolerance_allows() -> None:
    few = np.array([0.0, 0.02, -0.02, 0.01])
    one, some, many = (mean_of(values) for values in (few[:1], few, np.tile(few, 8)))
    assert TOLERANCE < called(many) < called(some) < called(one) == math.inf
    assert called(some) < detectable(some, ALPHA / 4, TOLERANCE)


def test_what_is_detectable_is_called_in_four_of_five_runs() -> None:
    rng, spread, n = np.random.default_rng(3), 0.03, 12
    usual = called(mean_of(spread * np.resize([1.0, -1.0], n) * math.sqrt((n - 1) / n)))
    drawn = math.log1p(usual) + spread * rng.standard_normal((2000, n))
    share = np.mean([verdicts({"one": mean_of(row)})["one"] == "slower" for row in drawn])
    assert 0.75 < share < 0.85


@pytest.mark.parametrize("middle", [0.0, 0.01, 0.035, 0.1])
def test_as_many_times_the_set_ups_decide(middle: float) -> None:
    values = middle + 0.03 * np.resize([1.0, -1.0], 6)
    times = times_to_decide(mean_of(values), ALPHA, TOLERANCE)
    assert times is not None
    for factor, decides in ((times * 1.2, True), (times * 0.8, times <= 1.0)):
        more = middle + 0.03 * np.resize([1.0, -1.0], max(2, 2 * round(3 * factor)))
        assert (verdicts({"one": mean_of(more)})["one"] != "undecided") == decides


def test_on_the_edge_of_the_tolerance_nothing_decides() -> None:
    edge = math.log1p(TOLERANCE) + 0.03 * np.resize([1.0, -1.0], 6)
    assert times_to_decide(mean_of(edge), ALPHA, TOLERANCE) is None
    assert times_to_decide(mean_of(edge[:1]), ALPHA, TOLERANCE) is None
