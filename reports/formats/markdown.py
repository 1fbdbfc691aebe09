"""A report as Markdown for a pull request: a screen that decides, the rest folded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from reports.model.page import Answered, Page, Recommendation, Section, tables_below
from reports.model.screen import Screen
from reports.model.tables import Column, Table, laid_out

FIRST_ROWS = 8  # of what was decided
SIGNS = {"slower": "🔴", "faster": "🟢", "same": "⚪", "undecided": "🟡"}
NO_WIDTH = "&#8203;"
# What GitHub would make of marked-up words, and what keeps it from that.
APART = (
    (re.compile(r"#(?=[0-9])"), f"#{NO_WIDTH}"),  # first: the others bring numbers of characters
    (re.compile(r"@(?=\w)"), f"@{NO_WIDTH}"),
    (re.compile(r"\$"), "&#36;"),
    (re.compile(r":(?=//)"), "&#58;"),
    (re.compile(r"(?<=www)\."), "&#46;"),
)


def text(page: Page, _screen: Screen) -> str:
    """The verdict, what was decided, the answers, what to mind; machine, sections and method folded."""
    return "\n".join(_lines(page)).rstrip() + "\n"


def escaped(words: str) -> str:
    """Harmless words in which nothing is taken for markup, a link, a formula or somebody's name."""
    return apart(re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", words))


def apart(marked: str) -> str:
    """Markup or HTML in which no name is called, no issue linked, no address made a link.

    GitHub looks for ``@name`` and ``#1`` in what was made of the markup, where an escape is gone already: a
    character without width keeps them apart. ``$`` begins a formula, and ``://`` makes a link.
    """
    for pattern, harmless in APART:
        marked = pattern.sub(harmless, marked)
    return marked


def _lines(page: Page) -> Iterator[str]:
    if page.marker:
        yield f"<!-- {page.marker} -->"
    yield f"## {escaped(page.kind)}: {escaped(page.verdict or page.title)}\n"
    if page.recommendation is not None:
        yield from _recommendation(page.recommendation)
    if page.decided is not None:
        yield from _decided(page.decided)
    for answered in page.answers:
        yield from _answer(answered)
    if page.facts:
        yield from _folded("Where it was measured", [_facts(page)])
    yield from _warnings(page.warnings)
    for section in page.sections:
        yield from _folded(section.title, _section(replace(section, tables=tables_below(page, section))))
    if page.method:
        yield from _folded("Method", [f"{escaped(paragraph)}\n" for paragraph in page.method])
    if page.reproduce:
        yield "Measure it again:\n"
        yield _code(page.reproduce)


def _recommendation(advice: Recommendation) -> Iterator[str]:
    if advice.commands:
        yield f"**{escaped(advice.title)}**\n"
        yield _code(advice.commands)
        yield f"{' '.join(map(escaped, advice.sentences))}\n"
    else:
        yield f"**{escaped(advice.title)}** {' '.join(map(escaped, advice.sentences))}\n"
    if advice.chart is not None:
        yield f"{escaped(advice.chart.title)}: {escaped(advice.chart.said)}\n"


def _answer(answered: Answered) -> Iterator[str]:
    if not answered.apart:
        yield f"**{escaped(answered.asks)}** {' '.join(map(escaped, answered.sentences))}\n"
        return
    yield f"**{escaped(answered.asks)}**\n"
    yield "\n".join(f"- {escaped(sentence)}" for sentence in answered.sentences) + "\n"


def _decided(decided: Table) -> Iterator[str]:
    """The table, or its first rows with the rest folded: the answers shall be on the first screen too."""
    if not decided.rows:
        yield f"{escaped(decided.title)}: nothing.\n"
        return
    yield table(replace(decided, rows=decided.rows[:FIRST_ROWS]))
    rest = decided.rows[FIRST_ROWS:]
    if rest:
        yield from _folded(f"{len(rest)} more", [table(replace(decided, rows=rest))])


def _warnings(warnings: tuple[str, ...]) -> Iterator[str]:
    if warnings:
        yield "\n".join(f"> \N{WARNING SIGN} {escaped(warning)}" for warning in warnings) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from (f"{escaped(sentence)}\n" for sentence in section.sentences)
    yield from _warnings(section.warnings)
    yield from (f"{escaped(chart.title)}: {escaped(chart.said)}\n" for chart in section.charts)
    yield from (table(each) for each in section.tables)


def _facts(page: Page) -> str:
    return "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in page.facts) + "\n"


def _folded(title: str, lines: Iterator[str] | list[str]) -> Iterator[str]:
    # In a block of HTML Markdown's own escapes are not read.
    shown = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield f"<details>\n<summary>{apart(shown)}</summary>\n"
    yield from lines
    yield "</details>\n"


def _code(lines: tuple[str, ...]) -> str:
    """A block of code that none of its lines can end."""
    return "\n".join(f"    {line}" for line in lines) + "\n"


def table(model: Table) -> str:
    """A heading and a table, as GitHub and GitLab show it."""
    laid = laid_out(model)
    cells = [
        [_cell(cell, column) for cell, column in zip(row, model.columns, strict=True)] for row in laid.rows
    ]
    rows = [[escaped(heading) for heading in laid.headings], *cells]
    rows.insert(1, ["---:" if align == "right" else "---" for align in laid.aligns])
    lines = [f"### {escaped(laid.title)}", "", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines) + "\n"


def _cell(cell: str, column: Column) -> str:
    sign = SIGNS.get(cell, "") if column.signs else ""
    return f"{sign} {escaped(cell)}".lstrip()
