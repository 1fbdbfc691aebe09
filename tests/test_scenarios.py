"""Coverage on made-up data, 300 runs a scenario with wide bounds; ``nox -s coverage`` has 2,000."""

from __future__ import annotations

import math

import pytest

from tests.scenarios import SCENARIOS, Scenario, outcome, table

RUNS = 300
SOME = [s for s in SCENARIOS if s.occasional or "layouts" in s.name or s.name.startswith("never")]


@pytest.mark.parametrize("scenario", SOME, ids=lambda scenario: scenario.name)
def test_intervals_hold_the_truth_and_calls_are_what_they_should(scenario: Scenario) -> None:
    """What tests/test_rest.py has not: layouts, occasional work, and what is called."""
    came = outcome(scenario, RUNS)
    margin = 3 * math.sqrt(scenario.least * (1 - scenario.least) / RUNS)
    assert came.held >= scenario.least - margin
    assert came.faster == 0.0
    if scenario.truth == 0.0:
        assert came.slower <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / RUNS)


def test_the_table_has_a_row_a_scenario() -> None:
    lines = table(2)
    assert len(lines) == 2 + len(SCENARIOS)
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    assert len({scenario.seed for scenario in SCENARIOS}) == len(SCENARIOS)
