"""A report as Markdown for a pull request: a screen that decides, the rest folded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reports.formats.markdown_parts import apart, table
from reports.formats.markdown_parts import escaped as text
from reports.model.page import Page, Section, shown_harmlessly
from reports.model.tables import Table

FIRST_ROWS = 8  # of what was decided


def page(model: Page) -> str:
    """The verdict, what was decided, the answers, what to mind; machine, sections and method folded."""
    return "\n".join(_lines(shown_harmlessly(model))).rstrip() + "\n"


def _lines(model: Page) -> Iterator[str]:
    yield f"## {text(model.kind)}: {text(model.verdict)}\n"
    if model.decided is not None:
        yield from _decided(model.decided)
    for answered in model.answers:
        yield f"**{text(answered.asks)}** {' '.join(map(text, answered.sentences))}\n"
    if model.facts:
        yield from _folded("Where it was measured", [_facts(model)])
    yield from _warnings(model.warnings)
    for section in model.sections:
        yield from _folded(section.title, _section(section))
    if model.method:
        yield from _folded("Method", [f"{text(paragraph)}\n" for paragraph in model.method])
    if model.reproduce:
        yield "Measure it again:\n"
        yield _code(model.reproduce)


def _decided(found: Table) -> Iterator[str]:
    """The table, or its first rows with the rest folded: the answers shall be on the first screen too."""
    if not found.rows:
        yield f"{text(found.title)}: nothing.\n"
        return
    yield table(replace(found, rows=found.rows[:FIRST_ROWS]))
    rest = found.rows[FIRST_ROWS:]
    if rest:
        yield from _folded(f"{len(rest)} more", [table(replace(found, rows=rest))])


def _warnings(found: tuple[str, ...]) -> Iterator[str]:
    if found:
        yield "\n".join(f"> \N{WARNING SIGN} {text(warning)}" for warning in found) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from (f"{text(sentence)}\n" for sentence in section.sentences)
    yield from _warnings(section.warnings)
    yield from (f"{text(chart.title)}: {text(chart.said)}\n" for chart in section.charts)
    yield from (table(each) for each in section.tables)


def _facts(model: Page) -> str:
    return "\n".join(f"- {text(name)}: {text(value)}" for name, value in model.facts) + "\n"


def _folded(title: str, lines: Iterator[str] | list[str]) -> Iterator[str]:
    # In a block of HTML Markdown's own escapes are not read.
    shown = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield f"<details>\n<summary>{apart(shown)}</summary>\n"
    yield from lines
    yield "</details>\n"


def _code(lines: tuple[str, ...]) -> str:
    """A block of code that none of its lines can end."""
    return "\n".join(f"    {line}" for line in lines) + "\n"
