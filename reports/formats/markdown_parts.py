"""The table model in Markdown, as GitHub and GitLab show it."""

from __future__ import annotations

import re

from reports.model.tables import Table, laid_out
from reports.model.text import harmless

NO_WIDTH = "&#8203;"
APART = (
    (re.compile(r"#(?=[0-9])"), f"#{NO_WIDTH}"),  # first: the others bring numbers of characters
    (re.compile(r"@(?=\w)"), f"@{NO_WIDTH}"),
    (re.compile(r"\$"), "&#36;"),
    (re.compile(r":(?=//)"), "&#58;"),
    (re.compile(r"(?<=www)\."), "&#46;"),
)


def text(words: object) -> str:
    """Words in which nothing is taken for markup, made harmless and short."""
    return escaped(harmless(words))


def escaped(shown: str) -> str:
    """Harmless words in which nothing is taken for markup, a link, a formula or somebody's name."""
    return apart(re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", shown))


def apart(marked: str) -> str:
    """Markup or HTML in which no name is called, no issue linked, no address made a link.

    GitHub looks for ``@name`` and ``#1`` in what was made of the markup, where an escape is gone already: a
    character without width keeps them apart. ``$`` begins a formula, and ``://`` makes a link.
    """
    for found, told in APART:
        marked = found.sub(told, marked)
    return marked


def table(model: Table) -> str:
    """A heading and a table."""
    laid = laid_out(model)
    rows = [[text(cell) for cell in row] for row in (laid.headings, *laid.rows)]
    rows.insert(1, ["---:" if align == "right" else "---" for align in laid.aligns])
    lines = [f"### {text(laid.title)}", "", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines) + "\n"
