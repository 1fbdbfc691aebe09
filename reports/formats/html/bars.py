"""Bars as Plotly figures: parts end to end, or one bar a row with its interval."""

from __future__ import annotations

import html
from typing import Any

from reports.formats.html.plot_parts import (
    SERIES,
    Figure,
    axis_of,
    errors_of,
    in_lines,
    label,
    layout_of,
    short,
    unit_of,
)
from reports.model.charts import Bars
from reports.model.units import ranged, scaled

PATTERNS = ("", "/", "x", ".", "-", "+")


def bars(chart: Bars) -> Figure:
    """One bar a row, its parts end to end, which differ in pattern and colour."""
    totals = [sum(values) for values in zip(*chart.parts.values(), strict=True)]
    size, title = unit_of(chart.y, totals)
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": label(name),
            "x": [short(value / size) for value in values],
            "y": list(range(len(chart.rows))),
            "marker": _filled(n),
            "text": _bar_texts(chart, name, totals),
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }
        for n, (name, values) in enumerate(chart.parts.items())
    ]
    if chart.ends:
        traces[-1]["error_x"] = errors_of(list(chart.ends), size, "@ink")
    alone = len(traces) == 1
    layout = layout_of(
        (60 if alone else 110) + (34 if alone else 46) * len(chart.rows),
        barmode="stack",
        bargap=0.35,
        showlegend=not alone,
        xaxis=axis_of(html.escape(title), rangemode="tozero"),
        yaxis=axis_of(
            tickvals=list(range(len(chart.rows))),
            ticktext=[in_lines(row) for row in chart.rows],
            autorange="reversed",
            showgrid=False,
            fixedrange=True,
        ),
    )
    layout["legend"]["traceorder"] = "normal"
    return {"data": traces, "layout": layout}


def _filled(n: int) -> dict[str, Any]:
    """How the bars of the n-th part are filled: mostly in its own colour, with marks in the page's.

    Both colours of the pattern are named: with the marks' colour alone plotly.js leaves what is between them
    clear, and a bar is drawn in the page's colour on the page.
    """
    role = f"@{n % SERIES + 1}"
    pattern = {
        "shape": PATTERNS[n % SERIES],
        "bgcolor": role,
        "fgcolor": "@paper",
        "size": 8,
        "solidity": 0.15,
    }
    return {"color": role, "line": {"color": "@paper", "width": 1}, "pattern": pattern}


def _bar_texts(chart: Bars, name: str, totals: list[float]) -> list[str]:
    """What hovering over each bar of a part shows: its value, and its interval or its share of the bar."""
    if chart.ends:
        unit = html.escape(chart.y.unit)
        return [
            f"{label(row, 80)}: {ranged(end)} {unit}" for row, end in zip(chart.rows, chart.ends, strict=True)
        ]
    return [
        f"{label(row, 80)}, {label(name)}: {scaled(value, chart.y.unit)}"
        + (f", {value / (total or 1):.0%}" if len(chart.parts) > 1 else "")
        for row, value, total in zip(chart.rows, chart.parts[name], totals, strict=True)
    ]
