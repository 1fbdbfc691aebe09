"""From blocks to what is known: the course of a training, held against the first epoch repeated."""

from __future__ import annotations

import numpy as np
import pytest

from bench.answers import measured
from bench.records import Block, Case, Measured, Round, SetUp

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
    course = training()["keep"].course
    assert [level.value for level in course] == pytest.approx([1.0, 1.0, 1.5, 1.6], rel=0.01)
    assert all(level.high - level.low < 0.02 for level in course)


def test_the_course_has_an_epoch_a_stage_and_the_facts_of_its_end() -> None:
    known = training()["keep"]
    assert len(known.course) == len(known.course_s) == EPOCHS
    assert [facts["epoch"] for facts in known.course_facts] == [1.0, 2.0, 3.0, 4.0]


def test_what_all_is_held_against_has_the_machines_own_course() -> None:
    """Its course is unpaired, and wide: nothing is claimed of it."""
    course = training()["first_epoch"].course
    assert course[-1].low < 1.0 < course[-1].high
    assert course[-1].high - course[-1].low > 0.5


def test_rounds_that_tell_no_epoch_are_stages_by_themselves() -> None:
    assert len(training(told=False)["keep"].course) == EPOCHS * PIECES
