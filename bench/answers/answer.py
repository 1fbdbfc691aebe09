"""From what is measured of each case to the sentences and warnings of a question."""

from __future__ import annotations

from collections.abc import Mapping

from bench.answers.warnings import warnings_for
from bench.answers.words import interval, verdict_of
from bench.questions.plan import Group
from bench.questions.question import Question, Results
from bench.records.run import (
    CONTROL,
    Answer,
    Block,
    Estimate,
    Failure,
    Measured,
)

ALONE = "Not answered: nothing was measured beside the baseline."


class NotSelectedError(Exception):
    """A sentence needs a part of the question that was not selected."""


class Selected(dict[str, dict[str, Measured]]):
    """The results of the parts that were selected; asked for another, it says so."""

    cores: int | None = None  # of the machine that measured; None: of this one

    def __missing__(self, part: str) -> dict[str, Measured]:
        raise NotSelectedError(part)


def ratios_in_words(results: Results) -> list[str]:
    """Every ratio that was measured, with its interval and verdict, by part."""
    return [
        f"{part}: {name} takes {interval(m.effect.estimate)} the time of "
        f"{m.effect.baseline.rsplit('/', 1)[-1]}: {verdict_of(m.effect)}."
        for part, variants in results.items()
        for name, m in variants.items()
        if m.effect is not None and name != CONTROL
    ]


def of_lost_baselines(baselines: Mapping[str, str], results: Results) -> list[str]:
    """That the baseline of some parts, or of all, was not measured; ``baselines`` are by part."""
    lost = [part for part, baseline in baselines.items() if baseline not in results[part]]
    if lost and len(lost) == len(baselines):
        return ["Not answered: the baseline could not be measured."]
    parts = ", ".join(lost)
    return [f"Answered in part only; the baseline of {parts} could not be measured."] if lost else []


def _said(question: Question, results: Selected, missing: list[str]) -> tuple[list[str], dict[str, Estimate]]:
    """The question's own sentences and fits; the bare ratios where those need a part that is missing."""
    try:
        return question.answer(results), question.fits(results)
    except NotSelectedError:
        why = f"Answered in part only; not selected: {', '.join(missing)}."
        return [why, *ratios_in_words(results)], {}


def answer(
    question: Question,
    groups: list[Group],
    results_of: Mapping[str, dict[str, Measured]],
    blocks: Mapping[str, list[Block]],
    failures: Mapping[str, Failure],
    cores: int | None = None,
) -> Answer:
    """The sentences and warnings of one question.

    ``groups`` are all parts of the question; ``results_of`` and ``blocks``, by group, hold those that were
    measured. ``cores`` are those of the machine that measured, where it was another.
    """
    chosen = [group for group in groups if group.name in results_of]
    missing = [group.part for group in groups if group.name not in results_of]
    results = Selected({group.part: results_of[group.name] for group in chosen})
    results.cores = cores
    lost = [f for name, f in failures.items() if name.startswith(question.name + "/")]
    fits: dict[str, Estimate] = {}
    sentences = of_lost_baselines({group.part: group.baseline for group in chosen}, results)
    if sentences:  # the rest is told, since the tables show it
        sentences += ratios_in_words(results)
    else:
        sentences, fits = _said(question, results, missing)
        sentences = sentences or ratios_in_words(results) or [ALONE]
    warned = warnings_for(question, groups, blocks)
    warned += [f.summary for f in lost]
    return Answer(question=question.name, asks=question.asks, sentences=sentences, warnings=warned, fits=fits)
