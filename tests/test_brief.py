"""The short page of a run: what fits on one screen, and that nothing on it is another than in full."""

from __future__ import annotations

from dataclasses import replace

from reports.pages.run import SENTENCES, WARNINGS, brief, run_page
from tests.reported import in_terminal, kept


def test_it_fits_a_screen_and_says_what_the_full_page_says() -> None:
    full = run_page(kept())
    short = brief(full)
    lines = in_terminal(short, 80, "utf-8").splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 80
    for answered, whole in zip(short.answers, full.answers, strict=True):
        assert answered.sentences == whole.sentences[:SENTENCES]
    assert (short.sections, short.facts, short.method) == ((), (), ())


def test_warnings_of_the_run_come_before_those_of_an_answer_and_are_counted() -> None:
    full = replace(run_page(kept()), warnings=tuple(f"warning {number}" for number in range(9)))
    warnings = brief(full).warnings
    assert warnings[:WARNINGS] == full.warnings[:WARNINGS]
    assert len(warnings) == WARNINGS + 1
    assert "more warnings: see the full report" in warnings[-1]
