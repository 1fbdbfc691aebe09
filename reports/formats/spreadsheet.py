"""The table model as comma-separated values: numbers as they are, in base units."""

from __future__ import annotations

import csv
import io
from math import isfinite

from bench.records.run import Estimate
from reports.formats.csv import inert
from reports.model.page import Page
from reports.model.tables import Cell, Column, Table


def page(model: Page) -> str:
    """Every table of the sections, one under another, each row led by the title of its table."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    before: list[str] = []
    for table in (table for section in model.sections for table in section.tables):
        heading = ["table", *(name for column in range(len(table.columns)) for name in _names(table, column))]
        if heading != before:
            writer.writerow(heading)
            before = heading
        writer.writerows([inert(table.title), *row] for row in _rows(table))
    return file.getvalue()


def _ranged(table: Table, column: int) -> bool:
    return any(isinstance(row[column], Estimate) for row in table.rows)


def _names(table: Table, number: int) -> list[str]:
    column: Column = table.columns[number]
    name = inert(" ".join(part for part in (column.title, column.unit) if part))
    return [name, f"{name} low", f"{name} high", f"{name} n"] if _ranged(table, number) else [name]


def _rows(table: Table) -> list[list[str | int | float | None]]:
    ranged = [_ranged(table, number) for number in range(len(table.columns))]
    return [
        [value for cell, wide in zip(row, ranged, strict=True) for value in _values(cell, wide)]
        for row in table.rows
    ]


def _values(cell: Cell, wide: bool) -> list[str | int | float | None]:
    if isinstance(cell, Estimate):
        return [*(_number(x) for x in (cell.value, cell.low, cell.high)), cell.n]
    told = inert(cell) if isinstance(cell, str) else _number(cell) if isinstance(cell, float) else cell
    return [told, None, None, None] if wide else [told]


def _number(value: float) -> str:
    """With all digits that mean something; an endless end is empty."""
    return f"{value:.7g}" if isfinite(value) else ""
