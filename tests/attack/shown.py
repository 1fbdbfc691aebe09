"""A page in every format, and what is wrong with one: markup alive, characters that act, broken JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

from reports.formats import names, text
from reports.model.page import Page
from tests.attack.damage import ELEMENT

ACTING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"  # on a terminal
)
OF_MARKDOWN = re.compile(r"(?<!\\)<(?!/?details>|/?summary>|!-- )")


def complaints(page: Page) -> list[str]:
    """In words, what is wrong with this page in any format; empty when nothing is."""
    return [f"{form}: {why}" for form in names() for why in _wrong(form, text(page, form))]


def _wrong(form: str, told: str) -> Iterator[str]:
    if not told.strip() and form != "csv":  # which has no row where nothing was compared
        yield "it is empty"
    acting = ACTING.search(told)
    if acting:
        yield f"{acting[0]!r} acts on what shows it"
    if form == "html" and (f"<{ELEMENT}" in told or f'" {ELEMENT}="' in told):
        yield "markup of a file's is alive"
    if form == "markdown":
        shown = "\n".join(line for line in told.splitlines() if not line.startswith("    "))  # no code
        if OF_MARKDOWN.search(shown) or re.search(r"(?<!\\)\]\(", shown):
            yield "markup of a file's is alive"
    if form == "json":
        json.loads(told, parse_constant=_no_constant)
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(told)) for cell in row]
        if any(cell.startswith(("=", "+", "@")) for cell in cells):
            yield "a cell is a formula"
    if form == "github" and not all(line.startswith("::") for line in told.splitlines()):
        yield "a line is no command"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
