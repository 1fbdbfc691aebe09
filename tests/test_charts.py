"""Digits, units, thinning and figures: what every plot and table rests on."""

from __future__ import annotations

import math
import warnings
from io import StringIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.records.numbers import ranged as in_words
from bench.records.run import Answer, Estimate, Level, Run
from reports.formats.html.plots import figures
from reports.formats.terminal.plots import plot
from reports.model.charts import Axis, Bars, Intervals, Line, Lines, Point
from reports.model.tables import Column, Table, laid_out, variants_table
from reports.model.thinning import by_size, in_time
from reports.model.units import decimals, ranged, scale_for, times
from reports.pages.run import run_page
from reports.pages.run_charts import charts_of, step_alone
from tests.reported import kept


def estimate(value: float, low: float, high: float, n: int = 5) -> Estimate:
    return Estimate(value=value, low=low, high=high, confidence=0.95, n=n)


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (1.46, 1.21, 1.71, "1.46 (1.21 to 1.71)"),  # half 0.25: two digits of it
        (1.46, 0.9, 2.02, "1.5 (0.9 to 2.0)"),  # half 0.56: one
        (1.0701, 1.0502, 1.0899, "1.070 (1.050 to 1.090)"),
        (0.0078123, 0.00681, 0.00881, "0.0078 (0.0068 to 0.0088)"),
        (93412.3, 91000.0, 95800.0, "93,400 (91,000 to 95,800)"),
        (186_968, 170_578, 204_933, "187,000 (171,000 to 205,000)"),
        (40.0, -400.0, 480.0, "40 (-400 to 480)"),
        (-0.04, -0.5, 0.42, "-0.040 (-0.50 to 0.42)"),
        (0.56, 0.00015, 2100.0, "0.56 (0 to 2,100)"),
        (60.0, 60.0, 3000.0, "60 (60 to 3,000)"),
        (1.46, 0.0, math.inf, "1.46"),
        (1.46, -math.inf, math.inf, "1.46"),
        (2.0, 2.0, 2.0, "2.00 (2.00 to 2.00)"),
        (0.0, -0.2, 0.2, "0.00 (-0.20 to 0.20)"),
    ],
)
def test_digits_are_those_that_the_interval_justifies(
    value: float, low: float, high: float, shown: str
) -> None:
    assert ranged(estimate(value, low, high)) == shown


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_rounding_moves_a_number_by_less_than_a_twentieth_of_its_interval(value: float, half: float) -> None:
    found = estimate(value, value - half, value + half)
    places = found.last_place()
    assert places is not None
    assert abs(round(value, places) - value) <= 0.15 * half
    assert 10.0 ** -(places + 2) < half, "more digits than mean anything"
    assert found.decimals() == max(0, places)


magnitudes = st.floats(1e-6, 1e6)


@given(magnitudes, st.floats(0, 1e12), st.floats(0, 1e12), st.sampled_from([-1, 1]))
def test_a_value_is_never_shown_as_0_however_wide_its_interval(
    value: float, below: float, above: float, sign: int
) -> None:
    wide = estimate(sign * value, sign * value - below, sign * value + above)
    for shown in (ranged(wide), in_words(wide), times(wide)):
        number = float(shown.partition(" ")[0].rstrip("x").replace(",", ""))
        assert number == pytest.approx(sign * value, rel=0.51), shown


@given(st.floats(1e-300, 1e300))
def test_a_bare_number_has_up_to_six_decimals(value: float) -> None:
    assert 0 <= decimals(value) <= 6


def test_one_scale_a_column_and_which_way_is_better() -> None:
    columns = (Column("time", "s"), Column("time ratio", note="below 1 is faster"))
    laid = laid_out(Table("t", columns, ((0.0012, 0.9), (1.5, None))))
    assert laid.headings == ("time, ms", "time ratio (below 1 is faster)")
    assert laid.rows == (("1.20", "0.900"), ("1,500", ""))


@pytest.mark.parametrize(
    ("seconds", "unit"),
    [
        ([0.0007, 0.072, 0.08], "ms"),  # one quick loader makes no microseconds of the others
        ([0.0012, 1.5], "ms"),
        ([1e-6, 2.0, 3.0], "ms"),  # in seconds the first would be all zeros
        ([], "s"),
    ],
)
def test_a_columns_unit_is_that_of_its_middle(seconds: list[float], unit: str) -> None:
    assert scale_for("s", seconds)[1] == unit


@given(st.lists(st.floats(0.001, 1000.0), max_size=300), st.integers(2, 60).map(lambda half: 2 * half))
def test_thinning_in_time_keeps_the_order_and_both_ends_of_the_range(times: list[float], most: int) -> None:
    places = in_time(times, most)
    assert places == sorted(set(places))
    assert len(places) <= most
    if times:
        kept_times = [times[place] for place in places]
        assert (min(kept_times), max(kept_times)) == (min(times), max(times))


@given(st.lists(st.floats(0.001, 1000.0), max_size=300), st.integers(2, 60))
def test_thinning_by_size_keeps_ranks_and_both_ends(times: list[float], most: int) -> None:
    found = by_size(times, most)
    assert len(found) == min(len(times), most)
    assert found == sorted(found)
    if times:
        assert (found[0], found[-1]) == (min(times), max(times))


def every_chart(run: Run) -> list[object]:
    sections = run_page(run).sections
    return [c for s in sections for c in (*s.charts, *(c for fold in s.folds for c in fold.charts))]


def test_every_figure_is_one_that_plotly_knows() -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for chart in every_chart(kept()):
            for _, figure in figures(chart):  # type: ignore[arg-type]
                graph_objects.Figure(coloured(figure))


def coloured(value: object) -> object:
    """A figure with a colour for each role, as the page's script fills them in."""
    if isinstance(value, dict):
        return {name: coloured(part) for name, part in value.items()}
    if isinstance(value, list):
        return [coloured(part) for part in value]
    return "#123456" if isinstance(value, str) and value.startswith("@") else value


def test_a_real_run_has_every_plot() -> None:
    titles = [chart.title for chart in every_chart(kept())]  # type: ignore[attr-defined]
    assert titles.count("Time against the baseline") == 4
    assert {
        "Throughput over the batch size",
        "Workers against throughput",
        "Where an epoch's time goes",
        "Every round of step",
        "Every round of epoch",
    } <= set(titles)
    assert any(title.startswith("Time ") and "over a long training" in title for title in titles)


def scaling(fits: dict[str, Estimate]) -> Lines:
    run = kept()
    found = charts_of({"step": run.measured["batch_size/step"]}, fits, run)
    assert len(found) == 1 and isinstance(found[0], Lines)
    return found[0]


def test_the_fitted_line_and_the_recommended_size_are_drawn_where_they_are_known() -> None:
    assert [line.name for line in scaling({}).lines] == ["measured"]
    assert scaling({}).marks == ()
    fits = {
        "fixed_s": estimate(1e-3, 0.9e-3, 1.1e-3),
        "image_s": estimate(4e-6, 3e-6, 5e-6),
        "recommended": estimate(512, 512, 512),
    }
    found = scaling(fits)
    curve = found.lines[1]
    assert curve.drawn == "line"
    assert curve.points[0].y == pytest.approx(1 / (1e-3 + 4e-6))
    assert [(mark.at, mark.axis) for mark in found.marks] == [(512, "x")]
    assert "Nine tenths of the best throughput are reached at 512" in found.said


@pytest.mark.parametrize(
    ("whole", "verdict"), [(estimate(1.004, 0.988, 1.02), "undecided"), (estimate(1.1, 1.05, 1.15), "slower")]
)
def test_the_table_of_a_course_has_where_it_ends_and_tells_what_its_medians_are(
    whole: Estimate, verdict: str
) -> None:
    """As the sentences have it: a late level alone claims nothing."""
    known = kept().measured["drift/epoch"]["flush"]
    assert known.effect is not None
    ends = estimate(1.15, 1.09, 1.2)
    effect = msgspec.structs.replace(known.effect, estimate=whole)
    ran = msgspec.structs.replace(known, level=Level(since=3, ratio=ends), effect=effect)
    table = variants_table("drift/epoch", {"keep": ran})
    assert table.title == "drift/epoch: medians over all epochs, then where each ends"
    assert [(row[0], row[3]) for row in table.rows] == [("keep", whole), ("keep from epoch 3 on", ends)]
    assert table.rows[1][4] == verdict


def test_bars_have_the_digits_of_the_table() -> None:
    rates = (estimate(91_619, 60_000, 150_000), estimate(191_934, 177_000, 208_000))
    line = Line("measured", tuple(Point(n, rate) for n, rate in zip((128, 4096), rates, strict=True)))
    chart = Lines("t", "s", Axis("batch size"), Axis("throughput", "images/s"), (line,))
    console = Console(width=80, record=True, file=StringIO())
    console.print(plot(chart, console))
    shown = [line.split()[-1] for line in console.export_text().splitlines() if "batch size" in line]
    assert shown == [row[1].main for row in laid_out(chart.table()).rows] == ["90", "192"]


def test_batch_sizes_are_not_compared_by_their_times() -> None:
    """4096 images take longer than 128; that decides nothing."""
    page = run_page(kept())
    assert page.decided is not None
    assert not [row for row in page.decided.rows if str(row[0]).startswith("batch_size")]
    table = next(t for s in page.sections for t in s.tables if t.title == "batch_size/step")
    assert [column.title for column in table.columns] == ["variant", "time", "throughput"]


def test_workers_are_held_against_the_steps_own_rate() -> None:
    run = kept()
    chart = next(c for c in every_chart(run) if getattr(c, "title", "") == "Workers against throughput")
    assert isinstance(chart, Lines)
    step = step_alone(run)
    assert step is not None
    assert ("the step alone", step.images_per_s.value) in [(mark.name, mark.at) for mark in chart.marks]


def test_epochs_with_one_number_of_workers_are_no_course_over_workers() -> None:
    epoch = {"epoch": kept().measured["loader_workers/epoch"]}
    assert "Workers against throughput" not in [chart.title for chart in charts_of(epoch, {}, kept())]


def test_an_epoch_is_told_apart_in_three_parts() -> None:
    chart = next(c for c in every_chart(kept()) if isinstance(c, Bars))
    assert list(chart.parts) == ["waiting", "computing", "synchronising"]


def test_ratios_have_the_tolerance_band_and_their_table_says_which_way_is_better() -> None:
    chart = next(c for c in every_chart(kept()) if isinstance(c, Intervals))
    figure = figures(chart)[0][1]
    band = figure["layout"]["shapes"][0]
    assert (band["x0"], band["x1"]) == (pytest.approx(1 / 1.02), pytest.approx(1.02))
    assert "below 1 is faster" in "".join(laid_out(chart.table()).headings)
    assert "faster" in figure["layout"]["xaxis"]["title"]["text"]


def test_as_many_set_ups_everywhere_are_one_number() -> None:
    alike = {"second_head/step": kept().measured["second_head/step"]}
    said = " ".join(run_page(msgspec.structs.replace(kept(), measured=alike)).method)
    assert "at 95%, 5 of them a comparison" in said


def test_a_question_of_which_parts_were_left_out_is_rendered() -> None:
    run = kept()
    few = {group: known for group, known in run.measured.items() if group == "hybridize/step"}
    answers = [Answer(question="hybridize", asks="What?", sentences=["Not answered."])]
    page = run_page(msgspec.structs.replace(run, measured=few, answers=answers))
    assert [section.title for section in page.sections] == ["What?"]
