"""A run's page as it fits one screen."""

from __future__ import annotations

from dataclasses import replace

from bench.records.numbers import counted
from bench.records.repeated import together
from bench.records.undecided import in_short
from reports.model.page import Page

SENTENCES, WARNINGS = 2, 2  # of an answer, of the run


def brief(page: Page) -> Page:
    """What fits on a screen: what to set, at most two sentences an answer, what to mind.

    An answer that is the recommendation is not said twice, and what would decide what is undecided is left
    to the whole report.
    """
    said = set(page.recommendation.sentences if page.recommendation else ())
    shortened = (
        replace(each, sentences=tuple(map(in_short, each.sentences[:SENTENCES]))) for each in page.answers
    )
    answers = tuple(each for each in shortened if not set(each.sentences) <= said)
    warnings = together([*page.warnings, *(w for s in page.sections for w in s.warnings)])
    more = len(warnings) - WARNINGS
    left_out = (f"{counted(more, 'more warning')}: see the full report",) if more > 0 else ()
    return Page(
        title=page.title,
        kind=page.kind,
        verdict="",
        recommendation=page.recommendation,
        answers=answers,
        warnings=(*warnings[:WARNINGS], *left_out),
        in_rows=True,
    )
