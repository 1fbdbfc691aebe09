"""The rule of the verdicts, and its one error rate over many comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats import mean_of
from bench.verdict import ALPHA, judge, least_alpha, verdicts


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
