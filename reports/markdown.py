"""The table model in Markdown, as GitHub and GitLab show it."""

from __future__ import annotations

import re

from reports.tables import Table, laid_out
from reports.text import harmless


def text(words: object) -> str:
    """Words in which nothing is taken for markup, made harmless and short."""
    return escaped(harmless(words))


def escaped(shown: str) -> str:
    """Harmless words in which nothing is taken for markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!@])", r"\\\1", shown)


def table(model: Table) -> str:
    """A heading and a table."""
    laid = laid_out(model)
    rows = [[text(cell) for cell in row] for row in (laid.headings, *laid.rows)]
    rows.insert(1, ["---:" if align == "right" else "---" for align in laid.aligns])
    lines = [f"### {text(laid.title)}", "", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines) + "\n"
