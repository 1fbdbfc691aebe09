"""What is seen first: a recommendation, a plot of the ratios that matter, answers of two sentences."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import msgspec
import pytest

from bench.records.run import CONTROL, Answer, Estimate
from reports.model.charts import Axis, Bars, Intervals
from reports.model.page import Answered, Page, Recommendation, Section
from reports.model.tables import Column, Table
from reports.pages.run import run_page
from reports.pages.run_charts import charts_of, headline
from tests.reported import as_html, as_json, as_markdown, in_terminal, kept

COMMAND = "python -m mtl_core train --loader fast --mode whole_graph --batch-size 512"
BARS = Bars(
    "An epoch",
    "238 ms, and 33 ms with these settings.",
    Axis("time", "s"),
    ("the tutorial's", "these"),
    {"time": (0.238, 0.033)},
)
ADVICE = Recommendation("What to set on this machine", ("An epoch takes 0.14x the time.",), (COMMAND,), BARS)


def advised(advice: Recommendation = ADVICE) -> Page:
    return replace(run_page(kept()), recommendation=advice)


def markup(page: str) -> str:
    return re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)


def words(page: str) -> str:
    """What of a page is read, below its heading and its contents."""
    return re.sub(r"<[^>]*>", "", markup(page).partition("<main")[2])


def test_the_recommendation_stands_before_every_answer_in_every_format() -> None:
    """First of it the line to paste, then what it gains."""
    page = advised()
    question = page.answers[0].asks
    for told in (in_terminal(page), as_markdown(page), words(as_html(page))):
        assert told.index(ADVICE.title) < told.index(COMMAND) < told.index(ADVICE.sentences[0].split(".")[0])
        assert told.index(ADVICE.sentences[0].split(".")[0]) < told.index(question)
    assert "0.238" not in in_terminal(page) and "238 ms" in in_terminal(page), "a bar each"
    assert json.loads(as_json(page))["recommendation"]["commands"] == [COMMAND]


def test_without_a_recommendation_nothing_is_shown_in_its_place() -> None:
    page = run_page(kept())
    assert page.recommendation is None
    assert "recommendation" not in markup(as_html(page)) and "recommendation" not in as_json(page)


def test_a_recommended_command_that_cannot_be_shown_whole_is_left_out() -> None:
    page = advised(replace(ADVICE, commands=("x" * 3000, "echo \x1b[31m")))
    for told in (in_terminal(page), as_markdown(page), words(as_html(page))):
        assert "x" * 100 not in told and "\x1b" not in told
        assert "a command of 3,000 characters is left out" in told


def test_warnings_stand_above_the_answers() -> None:
    told = markup(as_html(run_page(kept()))).partition("<main")[2]
    assert told.index("load 1.6 on 2 cores") < told.index('id="answers"')
    many = replace(run_page(kept()), warnings=tuple(f"warning {n}" for n in range(9)))
    assert "Warnings: 8 more" in as_html(many)


def test_in_a_terminal_warnings_stand_with_the_answers_and_no_plot_repeats_a_table() -> None:
    told = in_terminal(run_page(kept()), 120)
    assert told.index("load 1.6 on 2 cores") < told.index("Where it was measured")
    assert told.count("ratio, log scale") == 1, "the headline alone: each question's table has its ratios"
    assert told.index("What each choice does to the time") < told.index("Where it was measured")


def test_variants_that_are_meant_to_differ_are_not_counted_as_faster_and_slower() -> None:
    page = run_page(kept())
    assert page.verdict == "28 comparisons: 20 decided, 8 undecided."


def test_the_headline_has_ratios_of_whole_steps_and_epochs_alone() -> None:
    chart = run_page(kept()).headline
    assert isinstance(chart, Intervals)
    names = [row.name for row in chart.rows]
    assert "hybridize: whole_graph" in names and "loader_workers: fast" in names
    assert not [name for name in names if CONTROL in name or "unsplit" in name or "batch_size" in name]
    step = kept().measured["hybridize/step"]["whole_graph"].effect
    assert step is not None
    assert chart.rows[names.index("hybridize: whole_graph")].ratio == step.estimate
    assert "part" not in [column.title for column in chart.table().columns]


def test_one_ratio_alone_is_no_plot_of_its_own() -> None:
    assert headline({"drift": {"epoch": kept().measured["drift/epoch"]}}) is None


def cards(told: str) -> list[str]:
    return re.findall(r'<article class="card">.*?</article>', told, flags=re.DOTALL)


def test_a_card_has_two_sentences_and_the_section_the_others() -> None:
    table = Table("t", (Column("a", align="left"),), (("x",),))
    page = Page(
        title="",
        kind="k",
        verdict="v",
        answers=(Answered("How?", ("One.", "Two.", "Three."), "How?"), Answered("Why?", ("A.", "B.", "C."))),
        sections=(Section("How?", tables=(table,)),),
    )
    told = markup(as_html(page))
    how, why = cards(told)
    assert "One." in how and "Two." in how and "Three." not in how
    assert told.count("Three.") == 1 and told.index("Three.") > told.index('id="section-1"')
    assert "C." in why, "without a section there is no other place"


def test_a_question_that_was_not_measured_takes_a_line() -> None:
    run = kept()
    answer = Answer(question="device", asks="What does a GPU buy?", sentences=["Not measured: no GPU here."])
    page = run_page(msgspec.structs.replace(run, answers=[*run.answers, answer]))
    told = markup(as_html(page))
    assert not [card for card in cards(told) if "GPU" in card]
    assert "<li><b>What does a GPU buy?</b> Not measured: no GPU here.</li>" in told
    assert "What does a GPU buy? Not measured: no GPU here." in in_terminal(page)


def test_the_parts_of_an_epoch_are_drawn_as_the_answer_tells_them() -> None:
    """By the means of the rounds' shares, which the means of seconds need not agree with."""
    run = kept()
    measured = run.measured["loader_workers/epoch"]["tutorial"]
    shares = {"waiting": 0.5, "computing": 0.3, "synchronising": 0.2}
    facts = {
        f"{part}_share": Estimate(value=share, low=share, high=share, confidence=0.95, n=3)
        for part, share in shares.items()
    }
    measured = msgspec.structs.replace(measured, round_facts={**measured.round_facts, **facts})
    (chart,) = (c for c in charts_of({"epoch": {"tutorial": measured}}, {}, run) if isinstance(c, Bars))
    assert "tutorial: waiting 50%, computing 30%, synchronising 20%" in chart.said
    whole = measured.iteration_s.value
    drawn = {part: values[0] for part, values in chart.parts.items()}
    assert drawn == {part: pytest.approx(share * whole) for part, share in shares.items()}
