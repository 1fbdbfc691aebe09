"""A page of one section: sentences, then plots, then tables, as most pages but a run's are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bench.records.run import Estimate
from reports.model.charts import Chart, Interval, Intervals
from reports.model.page import Annotation, Answered, Page, Record, Section
from reports.model.tables import Table


def one_section_page(
    kind: str,
    title: str,
    verdict: str,
    *,
    sentences: Sequence[str] = (),
    decided: Table | None = None,
    tables: Sequence[Table] = (),
    charts: Sequence[Chart] = (),
    warnings: Sequence[str] = (),
    flame_graph: str = "",
    method: Sequence[str] = (),
    record: Record | None = None,
    annotations: Sequence[Annotation] = (),
    marker: str = "",
) -> Page:
    """A page of these sentences, each of something else, then the plots and the tables.

    ``flame_graph`` is py-spy's SVG.
    """
    first = Section(title, charts=tuple(charts), tables=tuple(tables), flame_graph=flame_graph)
    return Page(
        title=title,
        kind=kind,
        verdict=verdict,
        answers=(Answered(title, tuple(sentences), title, apart=True),) if sentences else (),
        decided=decided,
        warnings=tuple(warnings),
        sections=(first,) if charts or tables or flame_graph else (),
        method=tuple(method),
        record=record,
        annotations=tuple(annotations),
        marker=marker,
    )


def ratios_charts(
    title: str, ratios: Iterable[tuple[str, str, Estimate | None, str | None]], tolerance: float
) -> tuple[Intervals, ...]:
    """One chart of ratios, each with its part, name, estimate and verdict; none where there is no ratio."""
    rows = tuple(
        Interval(part, name, ratio, verdict) for part, name, ratio, verdict in ratios if ratio is not None
    )
    if not rows:
        return ()
    count = f"{len(rows)} ratio{'s' * (len(rows) > 1)} of time"
    return (Intervals(title, f"{count} with intervals; left of 1 is faster.", rows, tolerance),)


def fields_of(record: msgspec.Struct, **before: Any) -> Mapping[str, Any]:
    """A record's fields by their names, after ``before``: the content of a page's record."""
    return {**before, **{name: getattr(record, name) for name in record.__struct_fields__}}


def four_columns(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """An estimate in four columns of a row of CSV."""
    values = (estimate.value, estimate.low, estimate.high, estimate.n) if estimate else (None,) * 4
    return dict(zip((name, f"{name}_low", f"{name}_high", f"{name}_n"), values, strict=True))
