"""The pages of a comparison, a history, two revisions and a profile: whole, bounded, fit to paste from."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace as with_fields

import pytest
from msgspec.structs import replace

from bench.comparison.history import history
from bench.comparison.runs import compare
from bench.records.profile import MemorySample, Profile
from bench.records.regression import Comparison, Regression
from bench.records.run import Estimate
from reports.formats.html import page as html
from reports.formats.html.plot_parts import log_ticks
from reports.formats.html.plots import figures, lines
from reports.formats.markdown import escaped
from reports.formats.terminal.page import continued
from reports.model import download
from reports.model.charts import Axis, Line, Lines, Point
from reports.model.page import LONGEST_TEXT, Page
from reports.model.tables import Column, Table, laid_out
from reports.pages.comparison import comparison_page
from reports.pages.history import history_page
from reports.pages.profile import profile_page
from reports.pages.regression import regression_page
from tests.reported import as_html, as_json, as_markdown, fewer
from tests.reported import in_terminal as shown
from tests.test_profiles import PROFILE

# Longer than a screen of bars, its peak between two samples that thinning would keep.
PEAK, COUNT = 701, 900
LONG_WATCH = replace(
    PROFILE,
    memory=[
        MemorySample(
            at_s=n / 20, rss_bytes=(900 if n == PEAK else 300) << 20, pss_bytes=None, processes=1 + n % 3
        )
        for n in range(COUNT)
    ],
)


def regression() -> Regression:
    effect = Estimate(value=1.05, low=1.03, high=1.07, confidence=0.95, n=8)
    found = Comparison(
        benchmark="second_head/step/both",
        asks="a step",
        effect=effect,
        verdict="slower",
        tolerance=0.02,
        seconds=3.0,
    )
    return Regression(base="main", head="branch", budget_s=60, confidence=0.95, comparisons=[found])


def other_pages() -> dict[str, Page]:
    """One page of each kind that is not a run's."""
    first = fewer()
    runs = [
        first,
        *(replace(first, name=f"{n}.json", measured_at=f"2026-11-{24 + n}T05:00:00+00:00") for n in (1, 2)),
    ]
    return {
        "comparison": comparison_page(compare(runs[:2])),
        "history": history_page(history(runs)),
        "regress": regression_page(regression()),
        "profile": profile_page(LONG_WATCH, ""),
    }


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    return other_pages()


def test_every_page_tells_its_method_and_offers_its_data(pages: dict[str, Page]) -> None:
    for kind, page in pages.items():
        assert page.method, kind
        assert page.record is not None, kind
        assert page.record.name == kind
        assert isinstance(json.loads(as_json(page)), dict)
        assert f"Download {kind}.json" in as_html(page)
        told = as_markdown(page)
        assert "<summary>Method</summary>" in told
        assert "Method" in shown(page)


def test_data_that_are_too_much_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    page = regression_page(regression())
    assert "Download regress.json" in as_html(page)
    monkeypatch.setattr(download, "LARGEST_PACKED", 100)
    assert "Download" not in as_html(page)


def memory() -> Lines:
    chart = profile_page(LONG_WATCH, "").sections[0].charts[-1]
    assert isinstance(chart, Lines)
    return chart


def test_memory_over_time_is_thinned_and_keeps_its_peak() -> None:
    points = memory().lines[0].points
    assert 30 <= len(points) <= 60
    assert (PEAK / 20, 900 << 20) in [(point.x, point.y) for point in points]


def test_memory_over_time_has_ticks_a_unit_numbers_and_bars() -> None:
    chart = memory()
    layout = lines(chart)["layout"]
    assert layout["xaxis"]["title"]["text"] == "time, s"
    assert layout["xaxis"].get("tickvals") != []
    assert {trace["mode"] for trace in lines(chart)["data"]} == {"lines"}
    laid = laid_out(chart.table())
    assert laid.headings == ("time, s", "memory: RSS, MiB")
    assert len(laid.rows) == len(chart.lines[0].points)
    bars = [line for line in shown(profile_page(LONG_WATCH, "")).splitlines() if line.startswith("  time ")]
    assert 8 <= len(bars) <= 16
    assert any(line.rstrip().endswith(" 900") for line in bars)


def test_marks_down_a_plot_do_not_lie_on_one_another() -> None:
    texts = lines(memory())["layout"]["annotations"]
    assert len(texts) == len({text["y"] for text in texts}) == len(PROFILE.phases)


def named(name: str) -> Profile:
    return replace(PROFILE, case=replace(PROFILE.case, variant=name))


def test_a_profiles_command_is_quoted() -> None:
    page = profile_page(named("x; rm -rf ~"), "")
    assert page.reproduce == ("python -m bench profile 'q/epoch/x; rm -rf ~'",)


@pytest.mark.parametrize("name", ["x " * 1500, "line\nbreak; id"], ids=["long", "broken"])
def test_a_command_that_cannot_be_shown_whole_is_left_out(name: str) -> None:
    page = profile_page(named(name), "")
    told = re.search(r"<pre[^>]*>(.*?)</pre>", as_html(page), re.DOTALL)
    assert told is not None
    assert told[1].startswith("# a command of ")
    assert "profile" not in told[1]
    assert len(told[1]) < LONGEST_TEXT
    assert "\n    # a command of " in as_markdown(page)


def test_a_long_command_goes_on_in_the_next_line_as_a_shell_reads_it() -> None:
    command = "python -m bench run batch_size 'two words' hybridize second_head --budget 5m --json run.json"
    told = continued(command, 40)
    assert max(map(len, told)) <= 40
    assert len(told) > 2
    assert all(line.endswith(" \\") for line in told[:-1])
    assert shlex.split("\n".join(told).replace("\\\n", "")) == shlex.split(command)
    assert continued(command, 200) == [command]


def flames(size: int, height: str = 'height="860"') -> str:
    return f'<svg width="1200" {height} onload="init(evt)"><text>{"x" * size}</text></svg>'


def test_a_flame_graph_without_room_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = as_html(profile_page(PROFILE, ""))
    monkeypatch.setattr(html, "LARGEST_PAGE", len(bare) + 100_000)
    fits, not_so = (as_html(profile_page(PROFILE, flames(size))) for size in (10_000, 200_000))
    assert "<iframe" in fits and "is left out" not in fits
    assert "<iframe" not in not_so
    assert "is left out, since the page would outgrow" in not_so
    assert len(not_so.encode()) <= html.LARGEST_PAGE


def test_of_two_flame_graphs_the_first_has_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    one = profile_page(PROFILE, flames(100_000))
    both = with_fields(one, sections=one.sections * 2)
    monkeypatch.setattr(html, "LARGEST_PAGE", len(as_html(profile_page(PROFILE, ""))) + 240_000)
    told = as_html(both)
    assert told.count("<iframe") == 1
    assert told.count("is left out, since the page would outgrow") == 1


@pytest.mark.parametrize(
    ("height", "frame"),
    [('height="860"', 880), ('height="9"', 80), ('height="99999"', 4020), ("", 640), ('height="x"', 640)],
)
def test_a_flame_graphs_frame_is_as_high_as_it_says(height: str, frame: int) -> None:
    assert f'style="height: {frame}px"' in as_html(profile_page(PROFILE, flames(10, height)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mail @octocat now", "mail @&#8203;octocat now"),
        ("fixes #12", r"fixes \#&#8203;12"),
        ("$x$ costs 3 $", "&#36;x&#36; costs 3 &#36;"),
        ("at https://example.org/a", "at https&#58;//example.org/a"),
        ("at www.example.org", "at www&#46;example.org"),
        ("a:b @ c", "a:b @ c"),
    ],
)
def test_markdown_calls_nobody_and_links_nowhere(text: str, told: str) -> None:
    assert escaped(text) == told


def test_the_title_of_a_fold_calls_nobody_either() -> None:
    page = regression_page(regression())
    section = with_fields(page.sections[0], title="<b> @octocat & #1")
    told = as_markdown(with_fields(page, sections=(section,)))
    assert "<summary>&lt;b&gt; @&#8203;octocat &amp; #&#8203;1</summary>" in told


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1.0, 20.0], ["1", "2", "5", "10", "20"]),
        ([0.3, 7.0], ["0.5", "1", "2", "5"]),
        ([1.0, 5e5], ["1", "10", "100", "1000", "10000", "100000"]),
        ([30.0, 40.0], ["30", "35", "40"]),
        ([7.0, 7.0], None),
        ([0.0, 0.0], None),
    ],
)
def test_a_logarithmic_axis_names_every_tick_whole(values: list[float], names: list[str] | None) -> None:
    found = log_ticks(values, lambda tick: f"{tick:.10g}")
    assert [float(name) for name in found["ticktext"]] == found["tickvals"]
    assert len(found["tickvals"]) >= 2
    assert names is None or found["ticktext"] == names


def test_thousands_are_named_so() -> None:
    chart = Lines(
        "t",
        "s",
        Axis("size"),
        Axis("throughput", "images/s", log=True),
        (Line("a", (Point(1, 500.0), Point(2, 60_000.0))),),
    )
    axis = figures(chart)[0][1]["layout"]["yaxis"]
    assert axis["ticktext"] == ["500", "1k", "2k", "5k", "10k", "20k", "50k"]
    assert axis["type"] == "log" and "dtick" not in axis


def test_a_name_in_the_contents_breaks_after_its_slashes() -> None:
    told = as_html(profile_page(named("a<b"), ""))
    assert "Profile of q/<wbr>epoch/<wbr>a&lt;b</a>" in told


def test_a_table_of_a_profile_fits_its_terminal() -> None:
    wide = replace(PROFILE.operators[0], name="an_operator_of_a_long_name_" * 3)
    hostile = replace(
        PROFILE,
        operators=[wide],
        notes=["\x1b[31mred"],
        files={"flame\x1b[2J": ["\u202eevil.svg"]},
    )
    told = shown(profile_page(hostile, ""), 60)
    assert not re.search(r"[\x1b\u202e]", told)
    assert max(map(len, told.splitlines())) <= 60


def test_digits_end_where_the_interval_says_left_of_the_point_too() -> None:
    found = Estimate(value=186_968, low=170_578, high=204_933, confidence=0.95, n=5)
    assert (found.decimals(), found.last_place()) == (0, -3)
    laid = laid_out(Table("t", (Column("throughput"),), ((found,),)))
    assert laid.rows[0][0] == "187,000 (171,000 to 205,000)"
