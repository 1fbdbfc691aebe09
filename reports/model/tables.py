"""One table model for every format: columns with units, cells as numbers, text only when laid out.

``Table`` holds the numbers; :func:`laid_out` scales each column by one unit, gives each number the
digits that its interval justifies, and returns text that a format only has to arrange.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.records.run import Estimate, Measured
from bench.stats.verdict import judge_level
from reports.model import units
from reports.model.courses import WIDEST, Course, drawing
from reports.model.text import shortened
from reports.model.units import UNITS, scale_for

Cell = str | int | float | Estimate | Course | None
LONGEST_CELL = 120  # characters
DENORMALS, A_FEW = "denormal_share", 1e-3  # single ones come and go and mean nothing
A_TRIFLE = 1e-5  # below it a number without a unit would be read by counting zeros
FACT_UNITS = {"s": "s", "bytes": "bytes", "flop": "flop"}  # the ending of a fact's name, and its unit


@dataclass(frozen=True)
class Column:
    """A heading, the unit its cells are in, and how they are set."""

    title: str
    unit: str = ""  # "s", "images/s", "bytes", "flop" are scaled; any other is shown as it is
    align: Literal["left", "right"] = "right"
    note: str = ""  # said beside the unit, such as which way is better
    ends: bool = True  # the interval is shown beside an estimate; its digits follow it anyhow
    whole: bool = False  # text that is never cut, such as a drawing
    signs: bool = False  # verdicts with a sign before them, where a format has some


@dataclass(frozen=True)
class Table:
    """Rows of cells in the units of their columns; None is an empty cell."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Written(str):
    """Text of a heading or a cell, and what stands in its brackets by itself, for formats that set it apart.

    ``1.234 (1.21 to 1.26)`` is the number 1.234 and its interval, ``time, ms (below 1 is faster)`` a
    heading and its note.
    """

    __slots__ = ("aside", "main")
    main: str
    aside: str

    def __new__(cls, main: str, aside: str = "") -> Written:
        written = super().__new__(cls, f"{main} ({aside})" if aside else main)
        written.main, written.aside = main, aside
        return written


@dataclass(frozen=True)
class Laid:
    """A table as text, ready for any format."""

    title: str
    headings: tuple[Written, ...]
    aligns: tuple[Literal["left", "right"], ...]
    rows: tuple[tuple[Written, ...], ...]


def laid_out(table: Table, widest: int = WIDEST, ascii_only: bool = False) -> Laid:
    """Every cell as text: one scale a column, digits as the interval of each number justifies.

    A course is drawn in ``widest`` characters, of ASCII alone if asked to.
    """
    by_column = [[row[number] for row in table.rows] for number in range(len(table.columns))]
    drawn = [[_drawn(cell, widest, ascii_only) for cell in cells] for cells in by_column]
    scaled = [_column(column, cells) for column, cells in zip(table.columns, drawn, strict=True)]
    return Laid(
        title=shortened(table.title, LONGEST_CELL),
        headings=tuple(heading for heading, _ in scaled),
        aligns=tuple(column.align for column in table.columns),
        rows=tuple(zip(*(cells for _, cells in scaled), strict=True)) if table.rows else (),
    )


def _drawn(cell: Cell, widest: int, ascii_only: bool) -> Cell:
    return drawing(cell, ascii_only, widest) if isinstance(cell, Course) else cell


def _column(column: Column, cells: list[Cell]) -> tuple[Written, list[Written]]:
    numbers = [cell.value if isinstance(cell, Estimate) else cell for cell in cells]
    scale, unit = 1.0, column.unit
    if unit in UNITS:
        scale, unit = scale_for(column.unit, [abs(n) for n in numbers if isinstance(n, (int, float))])
    title = shortened(column.title, LONGEST_CELL)
    heading = Written(", ".join(part for part in (title, unit) if part), column.note)
    return heading, [_written(cell, scale, column.ends) for cell in cells]


def _written(cell: Cell, scale: float, ends: bool) -> Written:
    if cell is None:
        return Written("")
    if isinstance(cell, str):
        return Written(shortened(cell, LONGEST_CELL))
    if isinstance(cell, Course):
        return Written(drawing(cell))
    if isinstance(cell, Estimate):
        value = units.number(cell.value, scale, units.decimals_of(cell, scale))
        return Written(value, units.interval(cell, scale) if ends else "")
    if isinstance(cell, int) and scale == 1.0:
        return Written(f"{cell:,}")
    return Written(units.number(cell, scale))


RATIO = "time ratio"  # the heading of ratios to a baseline
FACT_WORDS = {"pss": "memory"}  # shared pages divided among the processes that have them
# What was typical in the hour, beside the time at rest; without intervals, which are those of the hour.
TYPICAL = (Column("typical time", "s", ends=False), Column("typical ratio", ends=False))


def same_work(variants: dict[str, Measured]) -> bool:
    """Whether an iteration of every variant does the same work: else no ratio of times decides."""
    return len({measured.images for measured in variants.values()}) == 1


def counted_in(variants: dict[str, Measured]) -> str:
    """What throughput counts: images, or samples of a declared network."""
    return next((measured.case.counts for measured in variants.values()), "images")


def variants_table(title: str, variants: dict[str, Measured]) -> Table:
    """Time, throughput and the ratio to the baseline of each variant of one part of a question.

    Where the variants' iterations are of different sizes, a ratio of times would decide nothing, and
    throughput has the interval in its place. Without images there is none, and without set-ups no ratio.
    A course over epochs has a row more: its own is over all epochs, and the sentences tell where it ends.
    """
    alike = same_work(variants)
    columns = (
        Column("variant", align="left"),
        Column("time", "s"),
        Column("throughput", f"{counted_in(variants)}/s", ends=not alike),
        Column(RATIO, note="below 1 is faster"),
        Column("verdict", align="left"),
    )
    shown = len(columns) if alike else 3
    if not any(measured.tells_images for measured in variants.values()):
        shown = 2  # a file of pytest-benchmark alone
    rows = [_row(name, measured)[:shown] for name, measured in variants.items()]
    if any(measured.level for measured in variants.values()):
        title = f"{title}: medians over all epochs, then where each ends"
    more = [*_beside(variants), *_levels(variants)] if alike else []
    return Table(title, columns[:shown], (*rows, *more))


def _levels(variants: dict[str, Measured]) -> list[tuple[Cell, ...]]:
    """Where a course ends up, as the sentences say it; the variant's own row is a median of it all."""
    return [
        (
            f"{name} from epoch {measured.level.since} on",
            None,
            None,
            measured.level.ratio,
            judge_level(measured.level.ratio, measured.effect.estimate),
        )
        for name, measured in variants.items()
        if measured.level is not None and measured.effect is not None
    ]


def _beside(variants: dict[str, Measured]) -> list[tuple[Cell, ...]]:
    """Ratios to another variant than the baseline, where the question asks for them."""
    return [
        (f"{name} / {other}", None, None, ratio.estimate, ratio.verdict)
        for name, measured in variants.items()
        for other, ratio in measured.beside.items()
    ]


def _row(name: str, measured: Measured) -> tuple[Cell, ...]:
    effect = measured.effect
    return (
        name,
        measured.iteration_s,
        measured.images_per_s,
        "baseline" if effect is None else effect.estimate,
        measured.case.something_else or (None if effect is None else effect.verdict),
    )


def quantiles_table(title: str, variants: dict[str, Measured]) -> Table | None:
    """How long single calls take, by quantile; None where calls were not timed one by one.

    The title tells the exact coverage of the intervals, where the set-ups are as many for all.
    """
    names = list(dict.fromkeys(name for measured in variants.values() for name in measured.quantiles))
    if not names:
        return None
    columns = (Column("variant", align="left"), *(Column(name, "s") for name in names))
    rows = tuple((variant, *map(m.quantiles.get, names)) for variant, m in variants.items())
    estimates = [estimate for m in variants.values() for estimate in m.quantiles.values()]
    alike = {(estimate.n, estimate.confidence) for estimate in estimates if units.bounded(estimate)}
    if len(alike) == 1 and all(map(units.bounded, estimates)):
        ((n, confidence),) = alike
        title = f"{title}, intervals of {confidence:.1%} over {n} set-ups"
    return Table(title, columns, rows)


def facts_table(title: str, variants: dict[str, Measured]) -> Table | None:
    """The facts of each variant beside its time, where the variants differ in them; None without any.

    A fact's name ends in its unit: ``first_batch_s``, ``pss_bytes``.
    """
    names = sorted({name for measured in variants.values() for name in measured.facts})
    shown = [name for name in names if len({m.facts.get(name) for m in variants.values()}) > 1]
    if all(measured.facts.get(DENORMALS, 0.0) <= A_FEW for measured in variants.values()):
        shown = [name for name in shown if name != DENORMALS]
    typical = all(m.rule == "at rest" and m.typical_s is not None for m in variants.values())
    if not shown and not typical:
        return None
    columns = [Column("variant", align="left"), *(TYPICAL if typical else ())]
    columns += [_fact_column(name) for name in shown]
    rows = tuple(
        (
            variant,
            *(_typical(measured) if typical else ()),
            *(_fact_cell(measured, name) for name in shown),
        )
        for variant, measured in variants.items()
    )
    return Table(title, tuple(columns), rows)


def _typical(measured: Measured) -> tuple[Cell, ...]:
    """What to expect in an hour like that one: medians of rounds, beside what the code takes at rest."""
    ratio = measured.effect.typical if measured.effect else None
    return measured.typical_s, "baseline" if measured.effect is None else ratio


def _fact_cell(measured: Measured, name: str) -> Cell:
    """With its interval over set-ups where that is known of something with a unit."""
    if name in measured.fact_medians and name.rpartition("_")[2] in FACT_UNITS:
        return measured.fact_medians[name]
    return _fact(name, measured.facts.get(name))


def _fact(name: str, value: float | None) -> Cell:
    """A count, which is a whole number without a unit, has no decimals; a trifle has its power of ten."""
    if value is not None and 0 < abs(value) < A_TRIFLE:
        return f"{value:.1e}"
    if value is not None and value.is_integer() and name.rpartition("_")[2] not in FACT_UNITS:
        return int(value)
    return value


def _fact_column(name: str) -> Column:
    words, _, last = name.rpartition("_")
    if last in FACT_UNITS:
        return Column(FACT_WORDS.get(words, words).replace("_", " "), FACT_UNITS[last])
    return Column(name.replace("_", " "))
