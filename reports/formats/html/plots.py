"""Charts as Plotly figures: plain dictionaries, since what draws them is the script in the page.

Colours are roles (``@faster``, ``@1``) that the page's script fills in for the reader's light or dark
setting; shapes, dashes and patterns say the same as the colours. Plotly reads markup in its texts, so
every text is escaped here.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from math import log10
from typing import Any

from bench.records.run import VERDICTS, Estimate
from reports.formats.html.bars import bars
from reports.formats.html.plot_parts import (
    SERIES,
    Figure,
    axis_of,
    errors_of,
    label,
    layout_of,
    log_ticks,
    no_template,
    note,
    ratio_ticks,
    short,
    shortened,
    unit_of,
    value_of,
)
from reports.model.charts import Bars, Chart, Interval, Intervals, Line, Lines, Rounds, RoundSeries
from reports.model.units import bounded, number, ranged, scale_for

# Seven signs and six colours, so that 42 variants differ in one or the other.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
# Pointing to where faster and slower lie on the axis.
VERDICT_SYMBOLS = {
    "faster": "triangle-left",
    "slower": "triangle-right",
    "same": "circle",
    "undecided": "circle-open",
}
MODES = {"both": "lines+markers", "points": "markers", "course": "lines", "line": "lines"}
ROW = 24  # pixels
FEW_ROUNDS = 60  # up to which a thin line joins them


def figures(chart: Chart) -> list[tuple[str, Figure]]:
    """What is drawn for a chart, each with its title."""
    if isinstance(chart, Intervals):
        return [(chart.title, intervals(chart))]
    if isinstance(chart, Lines):
        return [(chart.title, lines(chart))]
    if isinstance(chart, Bars):
        return [(chart.title, bars(chart))]
    return [(chart.title, rounds(chart)), (f"{chart.title}: distribution", distribution(chart))]


def intervals(chart: Intervals) -> Figure:
    """Ratios with their intervals, a row each, the tolerance as a band around 1."""
    rows, headings = _rows(chart.rows)
    edge = 1 + chart.tolerance
    low, high = _reach(chart.rows, edge)
    verdicts = dict.fromkeys((*VERDICTS, *(row.verdict for _, row in rows)))
    traces = [_verdict_trace(verdict, rows) for verdict in verdicts]
    layout = layout_of(
        80 + ROW * (len(rows) + len(headings)),
        xaxis=axis_of(
            "◄ faster | log scale | slower ►",
            type="log",
            range=[short(log10(low)), short(log10(high))],
            **ratio_ticks(low, high),
        ),
        yaxis=axis_of(
            tickvals=[place for place, _ in rows],
            ticktext=[label(row.name) for _, row in rows],
            range=[len(rows) + len(headings) - 0.4, -0.6],
            showgrid=False,
            fixedrange=True,
        ),
        shapes=[
            {
                "type": "rect",
                "x0": 1 / edge,
                "x1": edge,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "fillcolor": "@band",
                "line": {"color": "@muted", "width": 1, "dash": "dot"},
                "layer": "below",
            },
        ],
        annotations=[
            note(0, place, f"<b>{label(name)}</b>", xref="paper", xanchor="left") for place, name in headings
        ],
    )
    return {"data": [trace for trace in traces if trace["x"]], "layout": layout}


def _rows(ratios: Iterable[Interval]) -> tuple[list[tuple[int, Interval]], list[tuple[int, str]]]:
    """Each row's place from the top, and the places of the headings, one before each part."""
    rows: list[tuple[int, Interval]] = []
    headings: list[tuple[int, str]] = []
    for row in ratios:
        if row.part and (not headings or headings[-1][1] != row.part):
            headings.append((len(rows) + len(headings), row.part))
        rows.append((len(rows) + len(headings), row))
    return rows, headings


def _reach(rows: Iterable[Interval], edge: float) -> tuple[float, float]:
    """The ends of the axis: all that is finite, with a margin."""
    ratios = [row.ratio for row in rows]
    ends = [x for e in ratios for x in ((e.value, e.low, e.high) if bounded(e) else (e.value,)) if x > 0]
    low, high = min([*ends, 1 / edge]), max([*ends, edge])
    margin = (high / low) ** 0.06
    return low / margin, high * margin


def _verdict_trace(verdict: str | None, rows: list[tuple[int, Interval]]) -> dict[str, Any]:
    mine = [(place, row) for place, row in rows if row.verdict == verdict]
    role = f"@{verdict}" if verdict in VERDICTS else "@muted"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(verdict or "not judged"),
        "x": [short(row.ratio.value) for _, row in mine],
        "y": [place for place, _ in mine],
        "error_x": errors_of([row.ratio for _, row in mine], 1.0, role),
        "marker": {"color": role, "symbol": VERDICT_SYMBOLS.get(verdict or "", "circle"), "size": 11},
        "text": [
            f"{label(': '.join(filter(None, (row.part, row.name))), 80)}"
            f"<br>{ranged(row.ratio)} of the baseline's time"
            f"<br>{label(verdict or 'not judged')}, n={row.ratio.n}"
            for _, row in mine
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }


def lines(chart: Lines) -> Figure:
    """Lines over an axis, with marks across and, where there are any, more lines below."""
    size, title = unit_of(chart.y, [value_of(p.y) for line in chart.lines for p in line.points])
    traces = [_line_trace(n, line, size, title, "y") for n, line in enumerate(chart.lines)]
    layout = layout_of(
        400,
        xaxis=axis_of(html.escape(chart.x.name), **_places(chart)),
        yaxis=axis_of(html.escape(title), **(_log_axis(chart, size) if chart.y.log else {})),
    )
    if not chart.y.log:
        layout["yaxis"]["rangemode"] = "tozero"
    if chart.below:
        below_size, below_title = unit_of(chart.below_y, [])
        traces += [
            {**_line_trace(n, line, below_size, below_title, "y2"), "showlegend": False}
            for n, line in enumerate(chart.below)
        ]
        layout["height"] = 480
        layout["yaxis"]["domain"] = [0.4, 1]
        layout["yaxis2"] = axis_of(html.escape(below_title), domain=[0, 0.28], rangemode="tozero")
        layout["xaxis"]["anchor"] = "y2"
    layout["shapes"], layout["annotations"] = _marks(chart, size)
    return {"data": traces, "layout": layout}


def _log_axis(chart: Lines, size: float) -> dict[str, Any]:
    """A logarithmic axis of values, ``20k`` for 20,000."""
    values = [end for line in chart.lines for point in line.points for end in _ends(point.y)]
    values += [mark.at for mark in chart.marks if mark.axis == "y"]
    return {"type": "log", **log_ticks([value / size for value in values], shortened)}


def _ends(y: Estimate | float) -> tuple[float, ...]:
    return (y.low, y.high) if isinstance(y, Estimate) and bounded(y) else (value_of(y),)


def _places(chart: Lines) -> dict[str, Any]:
    """Ticks where something was measured, when that is few places or a logarithmic axis.

    A course has too many places, and Plotly's own ticks, which are round and lie evenly.
    """
    if not chart.x.log and any(line.drawn == "course" for line in chart.lines):
        return {"nticks": 9, "tickangle": 0}
    places = sorted(
        {p.x for line in (*chart.lines, *chart.below) if line.drawn != "line" for p in line.points}
    )
    shown = places if len(places) <= 9 else places[:: -(-len(places) // 6)]
    ticks = {"tickvals": shown, "ticktext": [f"{place:g}" for place in shown], "tickangle": 0}
    return {"type": "log", **ticks} if chart.x.log else ticks


def _line_trace(number_: int, line: Line, size: float, title: str, axis: str) -> dict[str, Any]:
    role = f"@{number_ % SERIES + 1}"
    estimates = [p.y for p in line.points if isinstance(p.y, Estimate)]
    curve = line.drawn in ("line", "course")
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": MODES[line.drawn],
        "name": label(line.name, 60),
        "x": [short(p.x) for p in line.points],
        "y": [short(value_of(p.y) / size) for p in line.points],
        "yaxis": axis,
        "line": {"color": role, "width": 2, "dash": DASHES[number_ % SERIES]},
        "marker": {"color": role, "symbol": SYMBOLS[number_ % len(SYMBOLS)], "size": 9},
        "text": [
            f"{label(line.name, 60)} at {p.x:,.4g}<br>{html.escape(title)}: {_said(p.y, size)}"
            for p in line.points
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if len(estimates) == len(line.points) and not curve:
        trace["error_y"] = errors_of(estimates, size, role)
    return trace


def _said(y: Estimate | float, size: float) -> str:
    return ranged(y, size) if isinstance(y, Estimate) else number(y, size)


def _marks(chart: Lines, size: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Named places as lines through the plot, their names beside them, one above the other."""
    shapes, texts = [], []
    places = [p.x for line in chart.lines for p in line.points]
    middle = (min(places, default=0.0) + max(places, default=0.0)) / 2
    down = [mark for mark in chart.marks if mark.axis == "x"]
    for mark in chart.marks:
        line = {"type": "line", "line": {"color": "@ink", "width": 1.5, "dash": "dash"}}
        if mark.axis == "x":
            at = log10(mark.at) if chart.x.log else mark.at
            shapes.append({**line, "x0": mark.at, "x1": mark.at, "yref": "paper", "y0": 0, "y1": 1})
            height = round(0.02 + 0.07 * (down.index(mark) % 10), 2)
            side = "left" if mark.at < middle and not chart.x.log else "right"
            place = {"x": at, "y": height, "yref": "paper", "xanchor": side, "yanchor": "bottom"}
        else:
            at = log10(mark.at / size) if chart.y.log else mark.at / size
            shapes.append(
                {**line, "y0": mark.at / size, "y1": mark.at / size, "xref": "paper", "x0": 0, "x1": 1}
            )
            place = {"y": at, "x": 0.99, "xref": "paper", "xanchor": "right", "yanchor": "bottom"}
        texts.append({**note(0, 0, label(mark.name, 40)), **place, "font": {"color": "@ink", "size": 12}})
    return shapes, texts


def _time_axis(chart: Rounds) -> tuple[float, dict[str, Any]]:
    """The unit of the rounds' times, and their axis: logarithmic when the variants lie far apart."""
    values = [t for one in chart.series for t in (one.by_size_s[0], one.by_size_s[-1])]
    size, name = scale_for("s", values)
    apart = max(values) > 5 * min(values)
    log = {"type": "log", **log_ticks([t / size for t in values], lambda t: f"{t:,.10g}")} if apart else {}
    return size, axis_of(f"time an iteration, {name}", **log)


def _round_trace(n: int, series: RoundSeries, size: float) -> dict[str, Any]:
    few = len(series.order) <= FEW_ROUNDS
    return {
        "type": "scatter",
        "mode": "lines+markers" if few else "markers",
        "name": label(series.name),
        "x": list(series.order),
        "y": [short(seconds / size) for seconds in series.times_s],
        "customdata": list(series.set_ups),
        "marker": {
            "color": f"@{n % SERIES + 1}",
            "symbol": SYMBOLS[n % len(SYMBOLS)],
            "size": 7 if few else 5,
            "opacity": 0.8,
        },
        "line": {"color": f"@{n % SERIES + 1}", "width": 0.7},
        "hovertemplate": f"{no_template(label(series.name, 60))}<br>round %{{x}}, set-up %{{customdata}}: "
        "%{y:.4g}<extra></extra>",
    }


def rounds(chart: Rounds) -> Figure:
    """Every round of every variant in order of time; lines where a new set-up begins."""
    size, axis = _time_axis(chart)
    traces = [_round_trace(n, series, size) for n, series in enumerate(chart.series)]
    first = chart.series[0]
    set_up_starts = [
        place
        for place, before, now in zip(first.order[1:], first.set_ups, first.set_ups[1:], strict=False)
        if now != before
    ]
    seams = [
        {
            "type": "line",
            "x0": place - 0.5,
            "x1": place - 0.5,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": "@grid", "width": 1, "dash": "dot"},
            "layer": "below",
        }
        for place in set_up_starts
        if len(set_up_starts) <= 40
    ]
    axes = {"xaxis": axis_of("round, in order of time", showgrid=False), "yaxis": axis}
    return {"data": traces, "layout": layout_of(360, shapes=seams, **axes)}


def distribution(chart: Rounds) -> Figure:
    """The same rounds by size: a box over its points for each variant."""
    size, axis = _time_axis(chart)
    traces = [
        {
            "type": "box",
            "orientation": "h",
            "name": label(series.name),
            "x": [short(seconds / size) for seconds in series.by_size_s],
            "boxpoints": "all",
            "jitter": 0.7,
            "pointpos": 0,
            "marker": {
                "color": f"@{n % SERIES + 1}",
                "size": 4,
                "opacity": 0.55,
                "symbol": SYMBOLS[n % len(SYMBOLS)],
            },
            "line": {"color": f"@{n % SERIES + 1}", "width": 1.5},
            "fillcolor": "rgba(0,0,0,0)",
            "hoverinfo": "x+name",
        }
        for n, series in enumerate(chart.series)
    ]
    layout = layout_of(
        80 + 46 * len(chart.series),
        showlegend=False,
        xaxis=axis,
        yaxis=axis_of(type="category", autorange="reversed", showgrid=False, fixedrange=True),
    )
    return {"data": traces, "layout": layout}
