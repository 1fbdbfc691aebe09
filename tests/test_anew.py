"""What a file is said to say comes from its raw rounds, whatever sentences it carries."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bench.answers.renewal import NO_ROUNDS, with_answers_anew
from bench.benchmarks.test_hybridize import QUESTION as HYBRIDIZE
from bench.commands.run import declared_questions
from bench.records.numbers import times
from bench.records.run import Answer, Run
from tests.reported import kept

STALE = Answer(
    question="hybridize", asks="What does hybridizing buy?", sentences=["It takes a millionth of the time."]
)


def with_stale_answer(run: Run) -> Run:
    others = [answer for answer in run.answers if answer.question != "hybridize"]
    return msgspec.structs.replace(run, answers=[STALE, *others])


def said(run: Run, question: str) -> list[str]:
    return next(answer.sentences for answer in run.answers if answer.question == question)


def test_a_file_s_own_sentences_are_never_shown() -> None:
    anew = with_answers_anew(with_stale_answer(kept()), declared_questions())
    sentences = said(anew, "hybridize")
    assert sentences and STALE.sentences[0] not in sentences
    assert any("Hybridized, the step takes" in sentence for sentence in sentences)


def test_sentences_and_tables_have_the_same_numbers() -> None:
    run = with_answers_anew(kept(), declared_questions())
    effect = run.measured["hybridize/step"]["hybridized"].effect
    assert effect is not None
    assert any(times(effect.estimate) in sentence for sentence in said(run, "hybridize"))


def test_a_question_of_another_version_is_answered_by_its_ratios() -> None:
    run = with_answers_anew(with_stale_answer(kept()), [])
    assert all("takes" in sentence and "the time of" in sentence for sentence in said(run, "hybridize"))


def test_variants_of_another_version_do_not_stop_the_rest() -> None:
    def of_today(_results: object) -> list[str]:
        raise KeyError("a variant that was added later")

    run = with_answers_anew(kept(), [replace(HYBRIDIZE, answer=of_today)])
    assert all("the time of" in sentence for sentence in said(run, "hybridize"))


def test_why_nothing_was_measured_stays() -> None:
    reason = Answer(question="device", asks="What does a GPU buy?", sentences=["Not measured here: no GPU."])
    run = kept()
    others = [answer for answer in run.answers if answer.question != "device"]
    without = {group: m for group, m in run.measured.items() if not group.startswith("device/")}
    skipped = msgspec.structs.replace(run, answers=[reason, *others], measured=without)
    assert said(with_answers_anew(skipped, declared_questions()), "device") == reason.sentences


def test_a_file_of_another_tool_says_what_it_cannot_tell() -> None:
    foreign = msgspec.structs.replace(kept(), schema=None, answers=[])
    anew = with_answers_anew(foreign, declared_questions())
    assert NO_ROUNDS in anew.warnings
    assert anew.answers == []


@pytest.mark.parametrize("cores", [1.0, 64.0])
def test_answers_are_given_the_cores_of_the_machine_that_measured(cores: float) -> None:
    run = kept()
    assert run.machine is not None
    moved = msgspec.structs.replace(run, machine=msgspec.structs.replace(run.machine, cores_granted=cores))
    telling = replace(HYBRIDIZE, answer=lambda results: [f"{getattr(results, 'cores', None)} cores"])
    assert said(with_answers_anew(moved, [telling]), "hybridize") == [f"{cores:.0f} cores"]
