"""Comma-separated values: numbers in base units, the rows of the record or else the tables.

Nothing in it is a formula to a spreadsheet, and an unknown or endless number is an empty cell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from math import isfinite

from bench.records.infinities import finite
from bench.records.run import Estimate
from reports.model.courses import Course
from reports.model.page import Page, Row
from reports.model.screen import Screen
from reports.model.tables import Cell, Column, Table
from reports.model.text import harmless

Value = str | int | float | None
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would take for one


def text(page: Page, _screen: Screen) -> str:
    """The record's rows where it has some, else every table of the sections, one under another."""
    if page.record and page.record.rows:
        return _of_rows(page.record.rows())
    return _of_tables(table for section in page.sections for table in section.tables)


def _of_rows(rows: Iterable[Row]) -> str:
    """Rows with the same names, under a heading. They are data, which nobody has made harmless yet."""
    file = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return file.getvalue()


def _cell(value: Value) -> Value:
    if isinstance(value, str):
        return inert(harmless(value))
    cell: Value = finite(value)
    return cell


def inert(words: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{words}" if words.startswith(FORMULA) else words


def _of_tables(tables: Iterable[Table]) -> str:
    """Each row led by the title of its table; a heading wherever the columns are others."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    before: list[str] = []
    for table in tables:
        heading = ["table", *(name for column in range(len(table.columns)) for name in _names(table, column))]
        if heading != before:
            writer.writerow(heading)
            before = heading
        writer.writerows([inert(table.title), *row] for row in _rows(table))
    return file.getvalue()


def _has_intervals(table: Table, column: int) -> bool:
    return any(isinstance(row[column], Estimate) for row in table.rows)


def _names(table: Table, number: int) -> list[str]:
    column: Column = table.columns[number]
    name = inert(" ".join(part for part in (column.title, column.unit) if part))
    wide = _has_intervals(table, number)
    return [name, f"{name} low", f"{name} high", f"{name} n"] if wide else [name]


def _rows(table: Table) -> list[list[Value]]:
    wide = [_has_intervals(table, number) for number in range(len(table.columns))]
    return [
        [value for cell, four in zip(row, wide, strict=True) for value in _values(cell, four)]
        for row in table.rows
    ]


def _values(cell: Cell, four: bool) -> list[Value]:
    """One value, or four in a column with intervals; a drawing is left out, its values are no cell."""
    if isinstance(cell, Estimate):
        return [*(_number(x) for x in (cell.value, cell.low, cell.high)), cell.n]
    value: Value
    if isinstance(cell, Course):
        value = None
    elif isinstance(cell, str):
        value = inert(cell)
    else:
        value = _number(cell) if isinstance(cell, float) else cell
    return [value, None, None, None] if four else [value]


def _number(value: float) -> str:
    """With all digits that mean something; an endless end is empty."""
    return f"{value:.7g}" if isfinite(value) else ""
