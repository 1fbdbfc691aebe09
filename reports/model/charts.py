"""What a plot shows, for any format: numbers in SI with their names; no library, no colour.

``reports.formats.html.plots`` draws these in HTML and ``reports.formats.terminal.plots`` some of them as
bars. Every chart knows in words what it shows, and has its numbers as a table for those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.records.run import Estimate
from reports.model.tables import Column, Table

MOST_ROWS = 60  # of a table of set-ups


@dataclass(frozen=True)
class Axis:
    """What is counted along it, in which unit, and how."""

    title: str
    unit: str = ""
    log: bool = False

    @property
    def name(self) -> str:
        """Title and unit, where the unit is never scaled."""
        return ", ".join(part for part in (self.title, self.unit) if part)


@dataclass(frozen=True)
class Interval:
    """A ratio, the interval that holds it, and the verdict on it."""

    part: str
    name: str
    ratio: Estimate
    verdict: str | None  # a verdict on ratios, or another word for what came out


@dataclass(frozen=True)
class Intervals:
    """Ratios on one axis, with the band of tolerance around 1."""

    title: str
    said: str
    rows: tuple[Interval, ...]
    tolerance: float  # relative; the band is 1/(1+tolerance) to 1+tolerance

    def table(self) -> Table:
        columns = (
            Column("variant", align="left"),
            Column("time ratio", note="below 1 is faster"),
            Column("verdict", align="left"),
        )
        rows = tuple((r.name, r.ratio, r.verdict) for r in self.rows)
        if not any(row.part for row in self.rows):
            return Table(self.title, columns, rows)
        whole = tuple((r.part, *row) for r, row in zip(self.rows, rows, strict=True))
        return Table(self.title, (Column("part", align="left"), *columns), whole)


@dataclass(frozen=True)
class Point:
    """One place on a line; a plain number has no interval."""

    x: float
    y: Estimate | float


@dataclass(frozen=True)
class Line:
    """Points that belong together, and how they are drawn.

    "both" is a line with a sign at each point, "points" the signs alone. "course" is a line through too
    many points for signs. "line" is a curve that was computed: its points were never measured, and stand
    in no table.
    """

    name: str
    points: tuple[Point, ...]
    drawn: str = "both"  # "both", "points", "course" or "line"


@dataclass(frozen=True)
class Mark:
    """A place on one of the axes that has a name: a recommended size, a rate to compare with."""

    name: str
    at: float
    axis: str  # "x" or "y"


@dataclass(frozen=True)
class Lines:
    """Lines over a common axis; ``below`` is drawn under them, on the same axis across.

    ``in_table``: a table of the section draws the same, for formats that draw with characters.
    """

    title: str
    said: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()
    below: tuple[Line, ...] = ()
    below_y: Axis = field(default_factory=lambda: Axis(""))
    in_table: bool = False

    def table(self) -> Table:
        measured = [(line, self.y) for line in self.lines if line.drawn != "line"]
        measured += [(line, self.below_y) for line in self.below]
        columns = [Column(self.x.name)]
        columns += [Column(f"{axis.title}: {line.name}", axis.unit) for line, axis in measured]
        by_place = [{point.x: point.y for point in line.points} for line, _ in measured]
        places = sorted({x for points in by_place for x in points})
        rows = tuple((_whole(x), *(points.get(x) for points in by_place)) for x in places)
        return Table(self.title, tuple(columns), rows)


def _whole(x: float) -> float | int:
    return int(x) if x == int(x) else x


@dataclass(frozen=True)
class Bars:
    """One bar a row, its parts end to end; ``ends`` are the intervals of whole bars, where there are any.

    ``in_table``: a table of the section draws the same, for formats that draw with characters.
    """

    title: str
    said: str
    y: Axis
    rows: tuple[str, ...]
    parts: dict[str, tuple[float, ...]]
    ends: tuple[Estimate, ...] = ()
    in_table: bool = False

    def table(self) -> Table:
        columns = (Column("", align="left"), *(Column(name, self.y.unit) for name in self.parts))
        values: Iterable[tuple[Estimate | float, ...]] = zip(*self.parts.values(), strict=True)
        if self.ends and len(self.parts) == 1:
            values = ((end,) for end in self.ends)
        rows = tuple((row, *cells) for row, cells in zip(self.rows, values, strict=True))
        return Table(self.title, columns, rows)


@dataclass(frozen=True)
class RoundSeries:
    """The rounds of one variant in order of time, and in order of size; both thinned when many."""

    name: str
    order: tuple[int, ...]  # which round
    times_s: tuple[float, ...]
    set_ups: tuple[int, ...]  # which set-up it belongs to
    by_size_s: tuple[float, ...]
    count: int  # rounds there were


@dataclass(frozen=True)
class Rounds:
    """Every round in order of time, a series a variant, and how they are distributed."""

    title: str
    said: str
    series: tuple[RoundSeries, ...]
    set_ups: tuple[tuple[float, ...], ...]  # an iteration's time, one number a set-up, by variant

    def table(self) -> Table:
        columns = (Column("set-up"), *(Column(one.name, "s") for one in self.series))
        most = max((len(times) for times in self.set_ups), default=0)
        apart = -(-most // MOST_ROWS)
        rows = tuple(
            (n + 1, *(times[n] if n < len(times) else None for times in self.set_ups))
            for n in range(0, most, max(1, apart))
        )
        which = "each set-up" if apart <= 1 else f"every {apart}th set-up"
        return Table(f"{self.title}: time an iteration of {which}", columns, rows)


Chart = Intervals | Lines | Bars | Rounds
