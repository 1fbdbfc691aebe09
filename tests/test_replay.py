"""The decision rule over made-up recordings: counts, disjoint pieces, exact intervals, moods, the advice."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records.trust import Trust
from bench.results.recording_file import SCHEMA, Head, Unit
from bench.stats.proportions import clopper_pearson
from bench.stats.verdict import ALPHA
from bench.trust.replay import (
    against_base,
    calls,
    calm_value,
    comparisons,
    held,
    holds,
    is_right,
    met,
    stretches,
)
from bench.trust.study import recommended, study, summary
from bench.trust.variants import BASE, BY_NAME, USUAL, VARIANTS
from mtl_core.errors import UserError
from reports.formats import text
from reports.model.screen import Screen
from reports.pages.trust import trust_page
from tests.recordings import HEAD, ROUNDS, START, kept_in, units
from tests.scenarios import BURSTY, NEVER_CALM, RESTLESS

CALM_HOUR = units(120)


def test_the_share_of_no_hits_has_the_known_exact_bound() -> None:
    """The rule of three, exactly: 1 - 0.025 ** (1 / n)."""
    none = clopper_pearson(0, 100)
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert clopper_pearson(100, 100).low == pytest.approx(0.025 ** (1 / 100))


@given(st.integers(1, 300), st.data())
def test_the_exact_interval_holds_the_share(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    share = clopper_pearson(hits, trials)
    assert 0.0 <= share.low <= share.value <= share.high <= 1.0


def test_nothing_tried_tells_nothing() -> None:
    none = clopper_pearson(0, 0)
    assert math.isnan(none.value)
    assert (none.low, none.high) == (0.0, 1.0)
    assert calls([CALM_HOUR[:1]], BY_NAME["identical"], 60.0, 0.02).comparisons == 0


def test_the_pieces_are_disjoint_and_within_the_budget() -> None:
    made = list(comparisons(met(CALM_HOUR, "part_operator"), 60.0, 0.02))
    assert sum(each.units for each in made) <= len(CALM_HOUR)
    assert all(each.seconds == 4.0 * each.units <= 60.0 for each in made)
    assert max(each.units for each in made) == 15


def test_a_piece_cut_off_by_the_end_is_left_out() -> None:
    whole = [each.units for each in comparisons(met(CALM_HOUR, "identical"), 60.0, 0.02)]
    cut = CALM_HOUR[: sum(whole) - 1]
    assert [each.units for each in comparisons(met(cut, "identical"), 60.0, 0.02)] == whole[:-1]


def test_a_replayed_comparison_decides_as_regress_would_on_the_same_rounds() -> None:
    """The same code: a decision on the pairs of its units, with the looks that they had."""
    first = next(comparisons(met(CALM_HOUR, "operator"), 60.0, 0.02))
    again = against_base(CALM_HOUR[: first.units], "operator")
    assert first.decision.mean == again.mean()
    assert first.decision.verdict == "slower"
    assert first.decision.cause == "at rest"


def test_each_kind_of_code_is_called_what_it_is() -> None:
    expected = {"identical": 0.0, "operator": 1.0, "every_20": 1.0, "one_head": 1.0}
    for name, share in expected.items():
        made = calls([CALM_HOUR], BY_NAME[name], 120.0, 0.02)
        assert made.comparisons >= 4
        assert made.right.share.value == share, name
    assert calls([CALM_HOUR], BY_NAME["every_20"], 120.0, 0.02).now_and_then > 0
    assert calls([CALM_HOUR], BY_NAME["one_head"], 120.0, 0.02).verdicts["faster"] > 0


def test_slower_at_rest_is_not_right_for_what_happens_now_and_then() -> None:
    slower = next(comparisons(met(CALM_HOUR, "operator"), 60.0, 0.02)).decision
    assert is_right(BY_NAME["operator"], slower)
    assert not is_right(BY_NAME["every_20"], slower)
    assert is_right(BY_NAME["identical"], slower)  # counts as an alarm
    assert not is_right(BY_NAME["identical"], slower._replace(verdict="same"))


def test_drawn_comparisons_are_as_many_as_asked_for_and_reproducible() -> None:
    once, again = (calls([CALM_HOUR], BY_NAME["operator"], 60.0, 0.02, draws=8) for _ in range(2))
    assert once == again
    assert once.drawn.comparisons == 8
    assert once.drawn.hits == 1.0
    assert calls([CALM_HOUR[:8]], BY_NAME["operator"], 60.0, 0.02, draws=20).drawn.comparisons == 0


def test_intervals_hold_the_calm_value_of_the_whole_recording() -> None:
    calm = calm_value(CALM_HOUR, "one_head")
    assert calm is not None and calm.value == pytest.approx(-0.11, abs=0.005)
    counted = held([CALM_HOUR], BY_NAME["one_head"], calm, 60.0, draws=40)
    assert (counted.units, counted.held.share.n, counted.drawn.comparisons) == (15, 8, 40)
    assert counted.held.hits >= 7
    assert counted.half_width is not None and counted.wide is not None
    assert 0.0 < counted.half_width <= counted.wide < 0.02
    far = calm_value(CALM_HOUR, "operator")
    assert far is not None
    assert held([CALM_HOUR], BY_NAME["one_head"], far, 60.0).held.hits == 0
    assert holds(calm, calm)


def recording() -> list[Unit]:
    """Two hours alone of different mood, and one beside bursts in between."""
    later = [START + timedelta(hours=hours) for hours in (0, 1, 2)]
    return [
        *units(30, start=later[0]),
        *units(30, BURSTY, condition="bursts", start=later[1], seed=1),
        *units(30, RESTLESS, start=later[2], seed=2),
    ]


def test_hours_are_cut_by_condition_and_told_apart_by_their_mood() -> None:
    cut = stretches(recording())
    assert [(each.condition, len(each.units)) for each in cut] == [
        ("alone", 30),
        ("alone", 30),
        ("bursts", 30),
    ]
    assert cut[0].mood == "calm"
    assert cut[1].calm_share < cut[0].calm_share
    long = units(400)  # ten seconds each
    assert [len(each.units) for each in stretches(long)] == [360, 40]


@pytest.fixture(scope="module")
def replayed() -> Trust:
    return summary(HEAD, recording(), [30.0, 60.0], 0.02, draws=0)


def test_the_summary_has_each_condition_and_its_moods_apart(replayed: Trust) -> None:
    trust = replayed
    found = [(cell.condition, cell.hours) for cell in trust.cells]
    assert found[0] == ("as the hour is", 2)
    assert {cell.mood for cell in trust.cells[:3]} >= {"all hours", "calm"}
    assert found[-1] == ("bursts on one core", 1)
    names = [name for name in HEAD.variants if name != "base"]
    for cell in trust.cells:
        assert [(c.budget_s, c.variant) for c in cell.calls] == [(b, n) for b in (30.0, 60.0) for n in names]
        by_name = {c.variant: c.tolerance for c in cell.calls}
        assert (by_name["part_operator"], by_name["operator"]) == (0.005, 0.02)
        assert [h.variant for h in cell.held] == ["identical", "operator", "part_operator", "one_head"]
    together = trust.cells[0].calls
    parts = [cell.calls for cell in trust.cells[1:-1]]
    for number, whole in enumerate(together):
        assert whole.comparisons == sum(part[number].comparisons for part in parts)
    assert trust.step_s == pytest.approx(1.3e-3, rel=0.02)


def test_a_calm_machine_is_recommended_a_small_tolerance_and_a_short_recording_none() -> None:
    many = units(360, effects={"identical": 0.0}, pair_s=2.0)
    tolerance = recommended([many], 30.0)
    assert tolerance is not None
    assert tolerance <= 0.03
    strict = recommended([many], 30.0, ALPHA / 5)
    assert strict is None or strict >= tolerance
    assert recommended([CALM_HOUR[:40]], 60.0) is None


def test_the_page_tells_counts_limits_and_moods_in_80_columns(replayed: Trust) -> None:
    page = trust_page(replayed)
    shown = text(page, "terminal", Screen(80))
    assert max(map(len, shown.splitlines())) <= 80
    plain = " ".join(shown.split())
    assert "Identical code within 60 s: called slower or faster in 0 of" in plain
    assert "as few as that still allow" in plain
    assert "bursts on one core" in plain
    assert '"half_width"' in text(page, "json")
    assert "an operator more in every step, 784 x 128" in text(page, "markdown")


def test_every_variant_is_declared_once_and_the_usual_ones_begin_with_the_base() -> None:
    assert len(BY_NAME) == len(VARIANTS)
    assert USUAL[0] == "base"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"variants": ["base", "--../../<b>"]}, "--../../<b>"),
        ({"variants": ["operator", "identical"]}, "operator, identical"),
        ({"variants": ["base"]}, "are base"),
        ({"variants": ["base", "operator", "operator"]}, "base, operator, operator"),
        ({"variants": []}, "are none"),
        ({"rounds": 0}, "rounds"),
    ],
)
def test_a_recording_of_other_variants_than_there_are_costs_one_line(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    head = {"trust": SCHEMA, "machine": "m", "rounds": 20, "variants": ["base", "operator"], **changes}
    (tmp_path / "trust.jsonl").write_text(json.dumps(head) + "\n")
    with pytest.raises(UserError, match=re.escape(named)) as caught:
        study([tmp_path / "trust.jsonl"], [60.0], 0.02, 0)
    assert "\n" not in str(caught.value) and str(tmp_path / "trust.jsonl") in str(caught.value)


def made(path: Path, recorded: Sequence[Unit], **head: Any) -> Path:
    """A recording of these units in a file."""
    variants = tuple(name for name in BY_NAME if name in recorded[0].us)
    kept_in(path, Head(**{"machine": "m", "rounds": ROUNDS, "variants": variants, **head}), recorded)
    return path


def test_recordings_of_other_kinds_of_code_are_replayed_as_one(tmp_path: Path) -> None:
    """Each kind is judged by the invocations that have it, and what all have by all of them."""
    later = START + timedelta(hours=3)
    first = units(24, effects={"identical": 0.0, "operator": 0.045})
    second = units(24, effects={"identical": 0.0, "one_head": -0.11}, seed=1, start=later)
    paths = [made(tmp_path / f"{number}.jsonl", each) for number, each in enumerate((first, second))]
    both = study(paths, [60.0], 0.02, 0)
    alone = [study([path], [60.0], 0.02, 0) for path in paths]
    assert both is not None and both.units == 48
    (cell, *_) = both.cells
    assert [calls.variant for calls in cell.calls] == ["identical", "operator", "one_head"]
    counted = {calls.variant: calls.comparisons for calls in cell.calls}
    parts = [{c.variant: c.comparisons for c in each.cells[0].calls} for each in alone if each]
    assert counted["identical"] == parts[0]["identical"] + parts[1]["identical"]
    assert counted["operator"] == parts[0]["operator"] and counted["one_head"] == parts[1]["one_head"]
    calm = {held.variant: held.calm.value for held in cell.held}
    assert calm["one_head"] == pytest.approx(math.exp(-0.11), abs=0.01)
    assert "24 invocations" not in text(trust_page(both), "markdown")


def test_recordings_that_are_not_of_one_machine_are_not_replayed_as_one(tmp_path: Path) -> None:
    recorded = units(4)
    here = made(tmp_path / "here.jsonl", recorded)
    for name, other in (("machine", "other"), ("network", "acme:net"), ("workers", "3.12")):
        there = made(tmp_path / f"{name}.jsonl", recorded, **{name: other})
        with pytest.raises(UserError, match=f"cannot replay .*{name}.jsonl with .*: {name} is {other}"):
            study([here, there], [60.0], 0.02, 0)
    with pytest.raises(UserError, match="the same file twice"):
        study([here, tmp_path / ".." / tmp_path.name / "here.jsonl"], [60.0], 0.02, 0)


def test_a_kind_of_code_that_was_never_at_rest_has_no_calm_value() -> None:
    """Intervals of such hours are held by anything: none is counted as holding it."""
    never, effects = units(30, NEVER_CALM, effects={"identical": 0.0, "operator": 0.045}), ("operator",)
    assert calm_value(never, "operator") is None
    assert calm_value(CALM_HOUR, "every_7") is None  # which was not recorded
    (cell,) = summary(
        Head(machine="m", rounds=ROUNDS, variants=(BASE, *effects)), never, [60.0], 0.02, 0
    ).cells
    assert cell.held == [] and [calls.variant for calls in cell.calls] == ["operator"]
