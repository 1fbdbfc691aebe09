"""Pages of what is no run: whatever has sentences, tables and ratios is read in the same order.

A comparison of runs, a comparison of two revisions, a history, a profile: each hands over what it has
to say, and gets the same page in every format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.records import Estimate
from reports.charts import Axis, Chart, Interval, Intervals, Line, Lines, Point
from reports.page import Answered, Page, Raw, Section
from reports.tables import Table


def told_page(
    kind: str,
    title: str,
    verdict: str,
    *,
    sentences: Sequence[str] = (),
    tables: Sequence[Table] = (),
    charts: Sequence[Chart] = (),
    warnings: Sequence[str] = (),
    figure: str = "",
    method: Sequence[str] = (),
    reproduce: Sequence[str] = (),
    raw: Raw | None = None,
) -> Page:
    """A page of these sentences, then the plots, then the tables under their own titles.

    ``figure`` is markup of our own making that is shown as it is, such as a flame graph.
    """
    first = Section(title, charts=tuple(charts), tables=tuple(tables), figure=figure)
    return Page(
        title=title,
        kind=kind,
        verdict=verdict,
        answers=(Answered(title, tuple(sentences), title),) if sentences else (),
        warnings=tuple(warnings),
        sections=(first,) if charts or tables or figure else (),
        method=tuple(method),
        reproduce=tuple(reproduce),
        raw=raw,
    )


def ratios(
    title: str, found: Iterable[tuple[str, str, Estimate | None, str | None]], tolerance: float
) -> tuple[Intervals, ...]:
    """One chart of ratios, each with its part, name, estimate and verdict; none where there is no ratio."""
    rows = tuple(
        Interval(part, name, ratio, verdict) for part, name, ratio, verdict in found if ratio is not None
    )
    if not rows:
        return ()
    count = f"{len(rows)} ratio{'s' * (len(rows) > 1)} of time"
    return (Intervals(title, f"{count} with intervals; left of 1 is faster.", rows, tolerance),)


def courses(
    title: str, lines: Iterable[tuple[str, Sequence[Estimate]]], x: str, y: Axis
) -> tuple[Lines, ...]:
    """Estimates over their number, a line each: a history over its runs."""
    drawn = tuple(
        Line(name, tuple(Point(number + 1, value) for number, value in enumerate(values)))
        for name, values in lines
        if values
    )
    if not drawn:
        return ()
    longest = max(len(line.points) for line in drawn)
    said = f"{len(drawn)} line{'s' * (len(drawn) > 1)} of up to {longest} values with their intervals."
    return (Lines(title, said, Axis(x), y, drawn),)
