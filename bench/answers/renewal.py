"""The sentences of a run that was read from a file, made anew from its raw rounds.

A file's own sentences are of the version that wrote it, and its tables are computed by this one: what is said
beside them has to come from the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from bench.answers.answer import ALONE, Selected, answer, of_lost_baselines, ratios_in_words
from bench.answers.settings import advice_of
from bench.questions.plan import Group
from bench.questions.question import Question
from bench.records.run import Answer, Measured, Run

NO_ROUNDS = "The file has no rounds of ours, so that nothing can be said of it beside what was typical."


def with_answers_anew(run: Run, questions: Iterable[Question]) -> Run:
    """The same run with the answers that this version gives; what has no rounds keeps its reason.

    A question that this version does not know, or whose variants of then it does not know, is answered by the
    bare ratios.
    """
    if run.schema is None:
        return msgspec.structs.replace(run, warnings=[*run.warnings, NO_ROUNDS])
    by_name = {question.name: question for question in questions}
    names = dict.fromkeys([*(a.question for a in run.answers), *(g.partition("/")[0] for g in run.measured)])
    stored = {each.question: each for each in run.answers}
    answers = [_anew(name, by_name.get(name), stored.get(name), run) for name in names]
    made = [each for each in answers if each is not None]
    return msgspec.structs.replace(run, answers=made, advice=advice_of(run.measured))


def _anew(name: str, question: Question | None, stored: Answer | None, run: Run) -> Answer | None:
    parts = {group.partition("/")[2]: group for group in run.measured if group.partition("/")[0] == name}
    if not parts:
        return stored  # why nothing was measured, which no rounds tell
    if question is None:
        return _bare(name, stored, parts, run)
    groups = _groups(question, parts, run)
    failures = {failure.case: failure for failure in run.failures}
    failed: dict[str, dict[str, Measured]] = {
        failure.case.rpartition("/")[0]: {} for failure in run.failures
    }  # all of a part, it may be
    try:
        made = answer(question, groups, {**failed, **run.measured}, run.blocks, failures, _cores(run))
    except LookupError:  # a variant or a fact that sentences of today name and runs of then did not have
        return _bare(name, stored, parts, run)
    return made


def _groups(question: Question, parts: Mapping[str, str], run: Run) -> list[Group]:
    """Every part of the question as it was measured, and those that were not as they are declared."""
    declared = {group.part: group for group in question.groups()}
    of_file = {
        part: Group(
            question=question.name,
            part=part,
            baseline=run.baselines[group],
            cases={variant: measured.case for variant, measured in run.measured[group].items()},
        )
        for part, group in parts.items()
    }
    return list({**declared, **of_file}.values())


def _bare(name: str, stored: Answer | None, parts: Mapping[str, str], run: Run) -> Answer:
    results = Selected({part: run.measured[group] for part, group in parts.items()})
    baselines = {part: run.baselines[group] for part, group in parts.items()}
    sentences = [*of_lost_baselines(baselines, results), *ratios_in_words(results)]
    return Answer(question=name, asks=stored.asks if stored else name, sentences=sentences or [ALONE])


def _cores(run: Run) -> int | None:
    return None if run.machine is None else max(1, int(run.machine.cores_granted))
