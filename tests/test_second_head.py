"""The answer on the second head, from made-up set-ups whose times and work are known."""

from __future__ import annotations

import pytest

from bench.answers.words import ratio_of
from bench.benchmarks.test_second_head import QUESTION
from bench.records.run import Block, Measured, Round, Run, SetUp
from bench.results.run_file import entry
from bench.stats.measured import measured
from reports.model.tables import facts_table, laid_out, variants_table

SECONDS = {"digits": 1.0, "odd_even": 1.0, "both": 1.2, "separate": 2.0, "control": 1.0}
OPERATORS = {"digits": 31, "odd_even": 40, "both": 59, "separate": 71, "control": 31}
SPREAD = (0.99, 1.0, 1.01, 1.0, 0.995)  # of both alone, set-up by set-up; what all share is added by DRIFT
DRIFT = (1.0, 1.3, 0.8, 1.1, 1.0)


def set_up(variant: str, block: int, seconds: float) -> SetUp:
    rounds = [Round(seconds=seconds, iterations=1)] * 3
    return SetUp(
        case=f"second_head/step/{variant}",
        images=128,
        set_up_s=0.1,
        first_call_s=0.1,
        warm_up=rounds,
        rounds=rounds,
        steady=True,
        facts={"operators": OPERATORS[variant], "parameters": 109_496.0, "training_flop": 455_424.0},
        block=block,
    )


def known(blocks: int = len(SPREAD), without: tuple[str, int] = ("", 0)) -> dict[str, Measured]:
    """What is known of the step; one variant may be missing from some block on."""
    group = QUESTION.groups()[-1]
    made = []
    for number in range(blocks):
        times = {v: s * DRIFT[number] * (SPREAD[number] if v == "both" else 1.0) for v, s in SECONDS.items()}
        there = {v: t for v, t in times.items() if v != without[0] or number < without[1]}
        set_ups = {v: set_up(v, number, t) for v, t in there.items()}
        made.append(Block(group=group.name, invocation=0, index=number, seconds=1.0, set_ups=set_ups))
    return measured(group.cases, group.baseline, made, QUESTION.also)


def test_the_answer_tells_time_operators_parameters_flop_and_what_sharing_saves() -> None:
    said = QUESTION.answer({"step": known()})
    assert [sentence.partition(" (")[0] for sentence in said] == [
        "Both heads take 1.199x",
        "Both heads take 0.599x",
        "The second head adds 28 operators a step",
        "Sharing the trunk saves 12 operators a step",
    ]
    assert said[0].endswith("the time of digits alone: slower.")
    assert said[1].endswith("the time of two separate networks: faster.")
    assert said[2].startswith("The second head adds 28 operators a step (59, not 31), 0 parameters")
    assert "(59, not 71)" in said[3]


def test_what_is_shared_by_all_in_a_set_up_is_no_uncertainty_of_the_ratio() -> None:
    step = known()
    ratio = ratio_of(step["both"], step["separate"])
    assert ratio is not None
    assert ratio.estimate.n == len(SPREAD)
    assert ratio.estimate.low < 0.6 < ratio.estimate.high
    assert ratio.estimate.half_width < 0.02  # DRIFT alone would be 20 %
    assert (ratio.case, ratio.baseline) == ("second_head/step/both", "second_head/step/separate")


def test_against_the_baseline_the_ratio_is_the_declared_effect() -> None:
    step = known()
    assert ratio_of(step["both"], step["digits"]) is step["both"].effect


def test_the_ratio_to_two_networks_is_in_the_table_beside_those_to_the_baseline() -> None:
    rows = {row[0]: row[1:] for row in laid_out(variants_table("second_head/step", known())).rows}
    assert list(rows) == [*SECONDS, "both / separate"]
    time, throughput, ratio, verdict = rows["both / separate"]
    assert (time, throughput, verdict) == ("", "", "faster")
    assert ratio.startswith("0.599 (")


def test_counts_have_no_decimals() -> None:
    table = facts_table("beside", known())
    assert table is not None
    assert [row[1] for row in laid_out(table).rows] == [str(n) for n in OPERATORS.values()]


def test_a_file_keeps_the_ratio_to_two_networks() -> None:
    told = entry(
        Run(
            name="",
            measured={"second_head/step": known()},
            blocks={"second_head/step": []},
            baselines={"second_head/step": "digits"},
        ),
        "second_head/step",
        "both",
    )
    ratio = known()["both"].beside["separate"]
    assert told["beside"]["separate"]["ratio"] == ratio.estimate.value
    assert told["beside"]["separate"]["verdict"] == "faster"


def test_set_ups_are_paired_up_to_where_a_variant_failed() -> None:
    step = known(without=("separate", 3))
    ratio = ratio_of(step["both"], step["separate"])
    assert ratio is not None
    assert ratio.estimate.n == 3
    assert ratio.estimate.value == pytest.approx(0.6, rel=1e-3)


def test_one_set_up_decides_nothing_and_a_variant_that_failed_is_left_out() -> None:
    assert "one set-up: no interval" in QUESTION.answer({"step": known(blocks=1)})[1]
    without = known(without=("separate", 0))
    assert [s.split(" ", 3)[:2] for s in QUESTION.answer({"step": without})] == [
        ["Both", "heads"],
        ["The", "second"],
    ]
    assert QUESTION.answer({"step": known(without=("both", 0))}) == []
