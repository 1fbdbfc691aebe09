"""A comparison of revisions in every format: golden text, escaping, and what is said of each outcome."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.gate import revisions as regress
from bench.gate.revisions import BenchmarkTrial
from bench.questions.gate import GATE
from bench.records.regression import Comparison, Regression
from bench.records.run import Block, Estimate, Round, SetUp
from bench.stats.estimates import mean_of
from bench.stats.sequential import Decision, Stream
from reports.formats import text as page_as
from reports.pages import regression as report
from tests.made_up import alike
from tests.reported import as_json, as_markdown, in_terminal

GOLDEN = Path(__file__).parent / "golden"


def estimate(value: float, low: float, high: float, n: int = 9) -> Estimate:
    return Estimate(value=value, low=low, high=high, confidence=0.95, n=n)


def comparison(name: str, **more: object) -> Comparison:
    known: dict[str, object] = {
        "asks": "one training step",
        "effect": None,
        "verdict": "undecided",
        "tolerance": 0.02,
        "seconds": 12.5,
        **more,
    }
    return Comparison(benchmark=name, **known)  # type: ignore[arg-type]


TIMES = {"base_s": estimate(1.3e-3, 1.2e-3, 1.4e-3), "head_s": estimate(1.4e-3, 1.3e-3, 1.5e-3)}
ALL = Regression(
    base="main (0123456789ab)",
    head="working tree (ba9876543210+dirty)",
    budget_s=60.0,
    confidence=0.95,
    comparisons=[
        comparison("step", effect=estimate(1.061, 1.045, 1.077), verdict="slower", **TIMES),
        comparison("forward", effect=estimate(0.9, 0.88, 0.92), verdict="faster", **TIMES),
        comparison("loader", effect=estimate(1.001, 0.99, 1.012), verdict="same", **TIMES),
        comparison(
            "epoch",
            effect=estimate(1.02, 0.98, 1.06, 5),
            detectable=0.081,
            times_the_budget=3.4,
            notes=["declared differently"],
            **TIMES,
        ),
        comparison("first_call", missing="head"),
        comparison("broken", failure="head crashed: signal SIGSEGV: `rm` | <script>"),
        comparison("added", missing="base"),
        comparison("other", missing="stored"),
    ],
    notes=["head is the working tree with changes that are not committed"],
)


def test_markdown_is_what_it_was() -> None:
    assert as_markdown(report.regression_page(ALL)) == (GOLDEN / "regression.md").read_text(encoding="utf-8")


def test_the_terminal_is_80_columns_wide_and_says_every_sentence() -> None:
    text = in_terminal(report.regression_page(ALL))
    assert max(map(len, text.splitlines())) <= 80
    for found in ALL.comparisons:
        assert report.sentence(found) in " ".join(text.split())


def test_json_has_the_agreed_keys_and_no_endless_number() -> None:
    endless = msgspec.structs.replace(
        ALL, comparisons=[comparison("step", effect=estimate(1.0, 0.0, math.inf, 1), detectable=math.inf)]
    )
    told = json.loads(as_json(report.regression_page(endless)), parse_constant=pytest.fail)
    (found,) = told["comparisons"]
    assert told["schema"] == 1
    assert list(found["effect"]) == ["ratio", "low", "high", "confidence", "n"]
    assert (found["benchmark"], found["verdict"], found["seconds"]) == ("step", "undecided", 12.5)
    assert found["effect"]["high"] is None


def test_the_summary_begins_with_what_is_wrong() -> None:
    assert report.summary(ALL).startswith(
        "slower: step; failed: broken; vanished: first_call; not in the stored run: other; undecided"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("step", "1.061x the time (1.045 to 1.077): slower, by more than 2 %."),
        ("forward", "0.900x the time (0.880 to 0.920): faster, by more than 2 %."),
        ("loader", "same, within 2 %."),
        ("epoch", "undecided. It could have told a slow-down of 8.1 %"),
        ("epoch", "about 3.4 times the budget would decide it."),
        ("first_call", "vanished"),
        ("broken", "could not be measured: head crashed"),
        ("added", "is new"),
        ("other", "is not in the stored run"),
    ],
)
def test_every_outcome_in_words(name: str, said: str) -> None:
    (found,) = [c for c in ALL.comparisons if c.benchmark == name]
    assert said in report.sentence(found)


@pytest.mark.parametrize(
    ("sums", "said"),
    [
        (estimate(1.2, 1.15, 1.25), "few slow rounds make the whole slower (sums 1.200x, 1.150 to 1.250)"),
        (estimate(0.8, 0.75, 0.85), "few rounds make the whole faster (sums 0.800x, 0.750 to 0.850)"),
    ],
)
def test_what_the_sums_hold_back_gets_no_advice_that_would_not_help(sums: Estimate, said: str) -> None:
    found = comparison("step", effect=estimate(1.0, 0.995, 1.005), detectable=0.025, sums=sums)
    told = report.sentence(found)
    assert f"undecided. The usual round is the same, but {said}; look at what happens now and then" in told
    assert "budget" not in told


def test_the_sums_are_told_once() -> None:
    """In the sentence where they decide, in a note where they only stand beside the verdict."""
    usual, slow = (mean_of(np.array(values)) for values in ([0.0, 0.001, 0.002], [0.1, 0.101, 0.102]))
    rounds = [Round(seconds=0.02, iterations=10)]
    sides = {
        side: SetUp(
            case=side, images=1, set_up_s=0.1, first_call_s=0.1, warm_up=[], rounds=rounds, steady=True
        )
        for side in ("base", "head")
    }
    block = Block(group="step/gate", invocation=0, index=0, seconds=1.0, set_ups=sides)
    known = BenchmarkTrial(GATE[0], Stream(alike([0.0] * 3), (), 0.02), 1.0, [block])
    beside, held = (
        regress.comparison(known, decision)
        for decision in (
            Decision("slower", usual, 0.05, slow),
            Decision("undecided", usual, 0.05, slow, held_back=True),
        )
    )
    assert (beside.sums, len(beside.notes)) == (None, 1)
    assert held.sums is not None and held.sums.value == pytest.approx(math.exp(0.101))
    assert (held.notes, held.times_the_budget) == ([], None)
    told = json.loads(as_json(report.regression_page(msgspec.structs.replace(ALL, comparisons=[held]))))
    assert told["comparisons"][0]["sums"]["value"] == held.sums.value


def test_markup_in_what_a_worker_said_is_shown_and_not_obeyed() -> None:
    text = as_markdown(report.regression_page(ALL))
    assert "<script>" not in text
    assert r"\<script\>" in text


def test_a_text_from_elsewhere_moves_no_cursor() -> None:
    evil = comparison("step", failure="head said \x1b[2J\u202e")
    told = msgspec.structs.replace(ALL, comparisons=[evil], head="\x1b[1A", notes=["\x1b]0;x"])
    page = report.regression_page(told)
    for text in (in_terminal(page), as_markdown(page)):
        assert "\x1b" not in text and "\u202e" not in text
        assert r"x1b\[2J" in text or r"x1b[2J" in text


def test_a_long_sentence_is_not_cut() -> None:
    (found,) = [c for c in ALL.comparisons if c.benchmark == "epoch"]
    long = msgspec.structs.replace(found, asks="a pass " * 30)
    text = as_markdown(report.regression_page(msgspec.structs.replace(ALL, comparisons=[long])))
    assert "times the budget would decide it" in text


def test_annotations_stand_on_the_declaration_and_survive_any_text() -> None:
    lines = page_as(report.regression_page(ALL, {"step": 30}), "github").splitlines()
    assert lines[0].startswith("::error file=bench/questions/gate.py,line=30,title=slower%3A step::")
    assert "%25" in lines[0]
    levels = [line.split(" ", 1)[0] for line in lines]
    assert levels == [
        "::error",
        "::notice",
        "::notice",
        "::warning",
        "::error",
        "::error",
        "::warning",
        "::error",
    ]
    assert all("\n" not in line for line in lines)


def test_github_drops_no_annotation_unseen() -> None:
    """It shows ten errors, ten warnings and ten notices of a step."""
    many = [comparison(f"gone{i}", missing="head") for i in range(12)]
    kept = [comparison(f"new{i}", missing="base") for i in range(10)]
    told = msgspec.structs.replace(ALL, comparisons=[*many, *kept])
    lines = page_as(report.regression_page(told, {"gone9": 7}), "github").splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10
    assert lines[9] == "::error file=bench/questions/gate.py,line=7,title=3 more::3 more in the summary"
    assert "new9" in lines[-1]


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("step", False),
        ("forward", True),
        ("loader", True),
        ("epoch", True),
        ("first_call", False),
        ("broken", False),
        ("added", True),
        ("other", False),
    ],
)
def test_what_is_slower_gone_or_broken_does_not_pass(name: str, passes: bool) -> None:
    (found,) = [c for c in ALL.comparisons if c.benchmark == name]
    assert found.passes is passes
