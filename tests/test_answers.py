"""From blocks to what is known: the course of a training, held against the first epoch repeated."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from bench.answers.warnings import warnings_for
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Variant
from bench.records.run import Block, Case, Measured, Round, SetUp
from bench.stats.estimates import level_of
from bench.stats.measured import measured

EPOCHS, PIECES = 4, 5
SLOWER = np.repeat([1.0, 1.0, 1.5, 1.6], PIECES)  # from the third epoch on


def set_up(variant: str, times: np.ndarray, told: bool) -> SetUp:
    rounds = [
        Round(seconds=time, iterations=1, facts={"epoch": 1.0 + number // PIECES} if told else {})
        for number, time in enumerate(times.tolist())
    ]
    return SetUp(
        case=f"drift/epoch/{variant}",
        images=640,
        set_up_s=0.1,
        first_call_s=0.1,
        warm_up=[],
        rounds=rounds,
        steady=True,
    )


def training(set_ups: int = 4, told: bool = True) -> dict[str, Measured]:
    """A training that slows down, on a machine whose own speed wanders by more than that."""
    rng = np.random.default_rng(2)
    blocks = []
    for index in range(set_ups):
        mood = np.exp(np.cumsum(rng.normal(0.0, 0.3, EPOCHS * PIECES)))
        times = {"first_epoch": mood, "keep": mood * SLOWER * np.exp(rng.normal(0.0, 0.002, mood.size))}
        made = {name: set_up(name, t, told) for name, t in times.items()}
        blocks.append(Block(group="drift/epoch", invocation=0, index=index, seconds=1.0, set_ups=made))
    cases = {
        name: Case(question="drift", part="epoch", variant=name, workload="", settings={}, environment={})
        for name in times
    }
    return measured(cases, "first_epoch", blocks)


def test_a_machine_that_wanders_does_not_hide_that_training_slows_down() -> None:
    level = training()["keep"].level
    assert level is not None
    assert level.since == 3
    assert level.ratio.value == pytest.approx(np.sqrt(1.5 * 1.6), rel=0.01)
    assert level.ratio.high - level.ratio.low < 0.02


def warned(blocks: dict[str, int], **changes: object) -> list[str]:
    """What is said of a question of two parts with so many set-ups each, all alike but for these changes."""
    parts = {name: Part() for name in blocks}
    question = Question(
        name="q",
        asks="?",
        workload="m:W",
        variants={"a": Variant()},
        baseline="a",
        answer=lambda results: [],
        parts=parts,
        control=False,
    )
    one = msgspec.structs.replace(set_up("a", np.ones(EPOCHS * PIECES), told=False), **changes)
    made = {
        f"q/{part}": [
            Block(group="", invocation=0, index=number, seconds=1.0, set_ups={"a": one})
            for number in range(count)
        ]
        for part, count in blocks.items()
    }
    return warnings_for(question, question.groups(), made)


def test_few_set_ups_are_told_once_for_all_parts() -> None:
    assert warned({"p": 4, "r": 5}) == []
    assert warned({"p": 1, "r": 2}) == [
        "few set-ups (1 of q/p, 2 of q/r); a larger --budget narrows the intervals"
    ]


def test_what_never_became_steady_and_what_was_denormal_come_with_advice() -> None:
    (unsteady,) = warned({"p": 4, "r": 4}, steady=False)
    assert unsteady.endswith("drift/epoch/a; repeat on a quieter machine or with a larger --budget")
    (denormal,) = warned({"p": 4}, facts={"denormal_share": 0.1})
    assert denormal.endswith("repeat with MTL_DENORMALS=flush to see by how much")


def test_what_all_is_held_against_has_no_level_of_its_own() -> None:
    assert training()["first_epoch"].level is None


def test_the_course_has_an_epoch_a_stage_and_the_facts_of_its_end() -> None:
    known = training()["keep"]
    assert len(known.course_s) == EPOCHS
    assert [facts["epoch"] for facts in known.course_facts] == [1.0, 2.0, 3.0, 4.0]


def test_rounds_that_tell_no_epoch_are_stages_by_themselves() -> None:
    known = training(told=False)["keep"]
    assert (len(known.course_s), known.level) == (EPOCHS * PIECES, None)


@pytest.mark.parametrize("since", range(1, 4))
def test_the_epoch_is_found_from_which_on_it_is_slower(since: int) -> None:
    """From the second on, or from any later one; a training that stays as it is has a level of 1."""
    course = np.zeros((3, 4))
    course[:, since:] = 0.2
    course += np.random.default_rng(since).normal(0.0, 0.005, course.shape)
    found, ratio = level_of(course)
    assert found == since
    assert ratio.value == pytest.approx(np.exp(0.2), rel=0.01)


def test_what_is_slower_from_the_first_epoch_on_is_no_change_of_level() -> None:
    """It is the measurement that is off then: the first epoch does what is done beside it."""
    course = 0.2 + np.random.default_rng(7).normal(0.0, 0.005, (3, 4))
    since, ratio = level_of(course)
    assert since == 1  # the earliest that is one; the first epoch is the control, which tells of it
    assert ratio.value == pytest.approx(np.exp(0.2), rel=0.01)
    assert level_of(course[:, :1])[0] == 0  # a single epoch has nothing after it


def test_a_training_that_stays_as_it_began_has_its_first_level() -> None:
    _, ratio = level_of(np.random.default_rng(9).normal(0.0, 0.002, (5, 8)))
    assert ratio.value == pytest.approx(1.0, abs=0.01)


def test_a_first_epoch_unlike_the_one_beside_it_is_a_control_that_is_off() -> None:
    off = np.repeat([1.2, 1.2, 1.2, 1.2], PIECES)
    question, blocks = drifting(off)
    (said,) = warnings_for(question, question.groups(), blocks)
    assert said.startswith("control off: the first epoch of keep takes 1.2")
    question, blocks = drifting(SLOWER)
    assert warnings_for(question, question.groups(), blocks) == []


def drifting(slower: np.ndarray) -> tuple[Question, dict[str, list[Block]]]:
    """A training of this course beside its first epoch, and one in another environment."""
    rng = np.random.default_rng(4)
    question = Question(
        name="drift",
        asks="?",
        workload="m:W",
        variants={
            "first_epoch": Variant(),
            "keep": Variant(),
            "flush": Variant(environment={"MTL_DENORMALS": "flush"}),
        },
        baseline="first_epoch",
        answer=lambda results: [],
        parts={"epoch": Part()},
        control=False,
        plan=Plan(warm_ups=0, least_blocks=3),
    )
    blocks = []
    for index in range(4):
        plain = np.exp(rng.normal(0.0, 0.002, slower.size))
        times = {"first_epoch": plain, "keep": plain * slower * np.exp(rng.normal(0.0, 0.002, plain.size))}
        times["flush"] = 0.7 * plain  # may differ from the start: it computes otherwise
        made = {name: set_up(name, t, told=True) for name, t in times.items()}
        blocks.append(Block(group="drift/epoch", invocation=0, index=index, seconds=1.0, set_ups=made))
    return question, {"drift/epoch": blocks}


def test_what_rounds_tell_is_known_over_set_ups() -> None:
    known = training()["keep"]
    assert known.round_facts["epoch"].value == pytest.approx(2.5)
    assert known.round_facts["epoch"].n == 4
    assert training(told=False)["keep"].round_facts == {}
