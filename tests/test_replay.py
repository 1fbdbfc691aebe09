"""The decision rule over made-up recordings: counts, disjoint pieces, the exact interval, the advice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.questions.gate import GATE
from bench.stats.proportions import clopper_pearson
from bench.stats.verdict import ALPHA
from bench.trust.recorder import Head
from bench.trust.replay import (
    Unit,
    best_set_ups,
    comparisons,
    components,
    rate,
    recommended,
)
from bench.trust.study import summary

SET_UPS = 4
SLOW_DOWNS = ("0", "0.01", "0.02", "0.03", "0.05", "0.1")


def recording(
    units: int, set_up: float = 0.015, invocation: float = 0.003, seconds: float = 4.0, seed: int = 0
) -> list[Unit]:
    """Units whose noise has two levels, and whose slow-downs are what they say."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(units):
        noise = rng.normal(0.0, invocation) + rng.normal(0.0, set_up, size=SET_UPS)
        effects = {name: list(math.log1p(float(name)) + noise) for name in SLOW_DOWNS}
        errors: dict[str, list[float | None]] = {name: [None] * SET_UPS for name in SLOW_DOWNS}
        times = {"seconds": seconds, "start_s": seconds / 2, "step_s": 0.0013}
        unit = Unit(effects=effects, errors=errors, totals=effects, **times)
        made.append(unit)
    return made


def test_the_share_of_no_hits_has_the_known_exact_bound() -> None:
    """The rule of three, exactly: 1 - 0.025 ** (1 / n)."""
    none = clopper_pearson(0, 100)
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert clopper_pearson(100, 100).low == pytest.approx(0.025 ** (1 / 100))


@given(st.integers(1, 300), st.data())
def test_the_exact_interval_holds_the_share(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    found = clopper_pearson(hits, trials)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


def test_nothing_tried_tells_nothing() -> None:
    assert math.isnan(clopper_pearson(0, 0).value)
    assert rate(recording(1), "0", 60.0, 0.02).comparisons == 0


def taken(units: Sequence[Unit], slow_down: str, budget_s: float) -> list[int]:
    return [made.units for made in comparisons(units, slow_down, budget_s, 0.02)]


def test_the_pieces_are_disjoint_and_within_the_budget() -> None:
    units = recording(200)
    pieces = taken(units, "0.02", 60.0)
    assert sum(pieces) <= len(units)
    assert all(made.seconds <= 60.0 for made in comparisons(units, "0.02", 60.0, 0.02))
    assert max(pieces) == 15  # of 4 s each


def test_a_piece_cut_off_by_the_end_is_left_out() -> None:
    whole = taken(recording(200), "0.02", 60.0)
    cut = taken(recording(200)[:-1], "0.02", 60.0)
    assert cut == whole[: len(cut)]


def test_identical_code_is_the_same_and_slow_code_is_slower() -> None:
    units = recording(600)
    none, five = rate(units, "0", 60.0, 0.02), rate(units, "0.05", 60.0, 0.02)
    assert none.changed.value == 0.0
    assert none.verdicts["same"] / none.comparisons > 0.9
    assert five.slower.value > 0.95
    assert five.measured == pytest.approx(0.05)
    assert rate(units, "0.03", 120.0, 0.02).slower.value > 0.9


def test_on_the_edge_it_errs_as_seldom_as_promised() -> None:
    on_edge = rate(recording(6000), "0.02", 60.0, 0.02)
    assert on_edge.comparisons > 300
    assert on_edge.slower.value + on_edge.verdicts["same"] / on_edge.comparisons <= 0.05 + 0.03


def test_more_noise_asks_for_a_larger_tolerance() -> None:
    calm, wild = recommended(recording(600, 0.005), 60.0), recommended(recording(600, 0.05), 60.0)
    assert calm is not None
    assert wild is not None
    assert calm < wild
    assert recommended(recording(600, 0.5), 60.0) is None


def test_a_short_recording_recommends_nothing() -> None:
    assert recommended(recording(40, 0.005), 60.0) is None


def test_the_levels_of_noise_are_told_apart() -> None:
    set_up, invocation = components(recording(4000, 0.015, 0.008))
    assert set_up == pytest.approx(0.015, rel=0.05)
    assert invocation == pytest.approx(0.008, rel=0.1)
    assert components(recording(500, 0.015, 0.0))[1] < 0.004


def test_effort_goes_to_the_level_that_varies() -> None:
    """Half of a unit's 4 s is for starting, so that a set-up costs 0.5 s: sqrt(2 / 0.5) times the spreads."""
    assert best_set_ups(recording(4000, 0.01, 0.01)) == pytest.approx(2.0, rel=0.1)
    assert best_set_ups(recording(4000, 0.02, 0.01)) == pytest.approx(4.0, rel=0.1)
    assert best_set_ups(recording(4000, 0.01, 0.0001)) > 20.0


def test_the_whole_gate_is_judged_more_strictly_than_the_step_alone() -> None:
    """``regress`` without a name shares its 5 % among five, so that less is decided in the same time."""
    head = Head(machine="m", revision="r", busy_cores=0, rounds=4, set_ups=SET_UPS)
    alone, together = summary(head, recording(600, 0.03), [60.0], 0.02).studies
    assert (alone.benchmarks, alone.alpha) == (1, ALPHA)
    assert (together.benchmarks, together.alpha) == (len(GATE), ALPHA / len(GATE))
    undecided = [sum(r.verdicts["undecided"] for r in study.rates) for study in (alone, together)]
    assert undecided[0] < undecided[1]
    assert alone.recommended is not None and together.recommended is not None
    assert alone.recommended <= together.recommended


def test_the_summary_has_every_slow_down_at_every_budget() -> None:
    head = Head(machine="m", revision="r", busy_cores=1, rounds=4, set_ups=SET_UPS)
    told = summary(head, recording(100), [60.0, 120.0], 0.02)
    for study in told.studies:
        assert [(r.budget_s, r.slow_down) for r in study.rates] == [
            (budget, float(name)) for budget in (60.0, 120.0) for name in SLOW_DOWNS
        ]
    assert told.conditions == "1 core kept busy"
    assert told.recorded_s == pytest.approx(400.0)
