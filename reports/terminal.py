"""The answers in a terminal: a sentence, a table, and warnings only where something was wrong."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from bench.records import Answer, Measured
from reports.tables import Table, laid_out, variants_table

COLOURS = {"faster": "green", "slower": "red", "same": "cyan", "undecided": "yellow"}


def table(model: Table) -> RichTable:
    """The table model in Rich; verdicts in words, colour only beside them."""
    laid = laid_out(model)
    rich = RichTable(title=escape(laid.title), title_justify="left", expand=False)
    for heading, align in zip(laid.headings, laid.aligns, strict=True):
        rich.add_column(escape(heading), justify=align, overflow="fold")
    for row in laid.rows:
        rich.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    return rich


def question(answer: Answer, parts: dict[str, dict[str, Measured]]) -> RenderableType:
    """One question: asked, answered in words, the variants, what to mind."""
    lines: list[RenderableType] = [Text(f"\n{answer.asks}", style="bold")]
    lines += [Text(sentence) for sentence in answer.sentences]
    lines += [table(variants_table(f"{answer.question}/{part}", known)) for part, known in parts.items()]
    lines += [Text(f"! {warning}", style="yellow") for warning in answer.warnings]
    return Group(*lines)


def show(console: Console, answers: list[Answer], measured: dict[str, dict[str, Measured]]) -> None:
    """All questions, in the order asked."""
    for answer in answers:
        own = {
            group.split("/", 1)[1]: known
            for group, known in measured.items()
            if group.split("/", 1)[0] == answer.question
        }
        console.print(question(answer, own))
