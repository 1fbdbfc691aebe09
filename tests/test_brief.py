"""The short page of a run: what fits on one screen, and that nothing on it is another than in full."""

from __future__ import annotations

from dataclasses import replace

from bench.records.repeated import FEW_SET_UPS, NAMED, UNSTEADY, together
from bench.records.run import Estimate, Ratio
from bench.records.undecided import in_short, of_ratio
from reports.model.page import Answered, Recommendation
from reports.pages.brief import SENTENCES, WARNINGS, brief
from reports.pages.run import run_page
from tests.reported import in_terminal, kept


def test_it_fits_a_screen_and_says_what_the_full_page_says() -> None:
    full = run_page(kept())
    short = brief(full)
    lines = in_terminal(short, 80, "utf-8").splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 80
    assert "\nsecond_head " in "\n".join(lines)
    for answered, whole in zip(short.answers, full.answers, strict=True):
        for sentence, in_full in zip(answered.sentences, whole.sentences[:SENTENCES], strict=True):
            assert sentence == in_full or in_full.startswith(sentence.removesuffix(".") + ", ")
    assert (short.sections, short.facts, short.method) == ((), (), ())


def test_warnings_of_the_run_come_before_those_of_an_answer_and_are_counted() -> None:
    full = replace(run_page(kept()), warnings=tuple(f"warning {number}" for number in range(9)))
    warnings = brief(full).warnings
    assert warnings[:WARNINGS] == full.warnings[:WARNINGS]
    assert len(warnings) == WARNINGS + 1
    assert "more warnings: see the full report" in warnings[-1]


def test_warnings_that_only_name_other_parts_are_one() -> None:
    lines = [
        "load",
        FEW_SET_UPS.format("2 of a/b"),
        UNSTEADY.format("x/y/z"),
        FEW_SET_UPS.format("1 of c/d"),
    ]
    assert together([*lines, "load"]) == [
        "load",
        "few set-ups (2 of a/b, 1 of c/d); a larger --budget narrows the intervals",
        UNSTEADY.format("x/y/z"),
    ]


def test_one_warning_for_many_parts_names_the_first_and_counts_the_others() -> None:
    (line,) = together(UNSTEADY.format(f"part {number}") for number in range(NAMED + 3))
    assert f"part {NAMED - 1} and 3 more; repeat" in line and f"part {NAMED}" not in line


def test_an_answer_that_is_the_recommendation_is_said_once() -> None:
    said = ("An epoch then takes half the time.", "Each change alone: nothing.", "To set it: do.")
    page = replace(
        run_page(kept()),
        recommendation=Recommendation("What to set", said[:2]),
        answers=(
            Answered("What?", said, "What?", measured=True),
            Answered("Who?", ("We.",), "Who?", measured=True),
        ),
    )
    assert [answered.asks for answered in brief(page).answers] == ["Who?"]


def test_what_would_decide_is_left_to_the_whole_report() -> None:
    ratio = Ratio(
        case="a/b/c",
        baseline="a/b/d",
        estimate=Estimate(value=1.1, low=0.9, high=1.3, confidence=0.95, n=4),
        verdict="undecided",
        detectable=0.25,
        times=1.34,
    )
    said = f"With static memory the step takes 1.1x the time: {of_ratio(ratio, 0.02)}."
    assert in_short(said) == "With static memory the step takes 1.1x the time: undecided."
    for as_it_is in (
        "It takes 0.9x the time: faster.",
        "Undecided how many workers are enough: 5 take 0.9x.",
    ):
        assert in_short(as_it_is) == as_it_is
