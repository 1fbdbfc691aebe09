"""One table model for every format: columns with units, cells as numbers, text only when laid out.

``Table`` holds what is known; :func:`laid_out` scales each column by one unit, gives each number the
digits that its interval justifies, and returns text that a format only has to arrange.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.records import Estimate, Measured
from reports.units import UNITS, decimals, ranged, scale_for

Cell = str | int | float | Estimate | None


@dataclass(frozen=True)
class Column:
    """A heading, the unit its cells are in, and how they are set."""

    title: str
    unit: str = ""  # "s", "images/s", "bytes", "flop" are scaled; any other is shown as it is
    align: Literal["left", "right"] = "right"
    note: str = ""  # said beside the unit, such as which way is better


@dataclass(frozen=True)
class Table:
    """Rows of cells in the units of their columns; None is an empty cell."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Laid:
    """A table as text, ready for any format."""

    title: str
    headings: tuple[str, ...]
    aligns: tuple[Literal["left", "right"], ...]
    rows: tuple[tuple[str, ...], ...]


def laid_out(table: Table) -> Laid:
    """Every cell as text: one scale a column, digits as the interval of each number justifies."""
    by_column = [[row[number] for row in table.rows] for number in range(len(table.columns))]
    scaled = [_column(column, cells) for column, cells in zip(table.columns, by_column, strict=True)]
    return Laid(
        title=table.title,
        headings=tuple(heading for heading, _ in scaled),
        aligns=tuple(column.align for column in table.columns),
        rows=tuple(zip(*(cells for _, cells in scaled), strict=True)) if table.rows else (),
    )


def _column(column: Column, cells: list[Cell]) -> tuple[str, list[str]]:
    numbers = [cell.value if isinstance(cell, Estimate) else cell for cell in cells]
    scale, unit = 1.0, column.unit
    if unit in UNITS:
        scale, unit = scale_for(column.unit, [abs(n) for n in numbers if isinstance(n, (int, float))])
    beside = "; ".join(part for part in (column.note,) if part)
    heading = ", ".join(part for part in (column.title, unit) if part)
    return f"{heading} ({beside})" if beside else heading, [_text(cell, scale) for cell in cells]


def _text(cell: Cell, scale: float) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Estimate):
        return ranged(cell, scale)
    if isinstance(cell, int) and scale == 1.0:
        return f"{cell:,}"
    return f"{cell / scale:,.{decimals(cell / scale)}f}"


def variants_table(title: str, known: dict[str, Measured]) -> Table:
    """Time, throughput and the ratio to the baseline of each variant of one part of a question."""
    columns = (
        Column("variant", align="left"),
        Column("time", "s"),
        Column("throughput", "images/s"),
        Column("time ratio", note="below 1 is faster"),
        Column("verdict", align="left"),
    )
    return Table(title, columns, tuple(_row(name, m) for name, m in known.items()))


def _row(name: str, known: Measured) -> tuple[Cell, ...]:
    effect = known.effect
    return (
        name,
        known.iteration_s,
        known.images_per_s.value,
        "baseline" if effect is None else effect.estimate,
        None if effect is None else effect.verdict,
    )
