"""What all plots are made of: layout, axes, ticks, errors, and texts that Plotly shows as they are."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from math import ceil, floor, log10
from textwrap import wrap
from typing import Any

from bench.records.run import Estimate
from reports.model.charts import Axis
from reports.model.units import UNITS, bounded, scale_for

Figure = dict[str, Any]
MARGIN = 1.1  # times, that the ticks of a logarithmic axis go beyond its values
SERIES = 6  # colours of series that the page has
LONGEST_LABEL = 28  # characters
# Round ratios that an axis may be marked at, below 1 and above.
TICKS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99),
    *(
        1.0,
        1.01,
        1.02,
        1.05,
        1.1,
        1.15,
        1.2,
        1.3,
        1.5,
        1.75,
        2.0,
        3.0,
        5.0,
        10.0,
        20.0,
        50.0,
        100.0,
        200.0,
        500.0,
    ),
)


def label(text: str, longest: int = LONGEST_LABEL) -> str:
    """A text that Plotly shows as it is."""
    shown = html.escape(text if len(text) <= longest else text[: longest - 1] + "…")
    return shown.replace("@", "&#64;")  # never taken for a colour's role


def in_lines(text: str, widest: int = 22, most: int = 2) -> str:
    """The same in a few short lines, so that a long name of a row is neither cut early nor wide."""
    lines = wrap(text, widest, max_lines=most, placeholder="…", break_on_hyphens=False) or [""]
    return "<br>".join(label(line, widest + 1) for line in lines)


def layout_of(height: int, **more: Any) -> dict[str, Any]:
    """A plot of so many pixels, in the page's colours."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@ink"},
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": "@paper",
            "bordercolor": "@muted",
            "font": {"color": "@ink"},
            "namelength": -1,
        },
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": "@ink"}},
        **more,
    }


def axis_of(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis that makes room for its own texts."""
    return {
        "title": {"text": title, "standoff": 8},
        "automargin": True,
        "gridcolor": "@grid",
        "linecolor": "@muted",
        "tickcolor": "@muted",
        "zeroline": False,
        **more,
    }


def note(x: float | str, y: float | str, text: str, **more: Any) -> dict[str, Any]:
    """A small text at a place of the plot."""
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": {"color": "@muted", "size": 12}, **more}


def ratio_ticks(low: float, high: float) -> dict[str, Any]:
    """Round ratios, 1 first, not more than fit on a phone."""
    places = [tick for tick in TICKS if low <= tick <= high]
    apart = log10(high / low) / 7
    kept: list[float] = []
    for place in sorted(places, key=lambda tick: abs(log10(tick))):
        if all(abs(log10(place / other)) >= apart for other in kept):
            kept.append(place)
    kept.sort()
    return {"tickvals": kept, "ticktext": [f"{tick:g}" for tick in kept]}


def errors_of(estimates: list[Estimate], scale: float, role: str) -> dict[str, Any]:
    """The ends of the intervals as Plotly wants them; none where they are endless."""

    def reach(estimate: Estimate, end: float) -> float:
        return short(abs(end - estimate.value) / scale) if bounded(estimate) else 0.0

    return {
        "type": "data",
        "symmetric": False,
        "array": [reach(e, e.high) for e in estimates],
        "arrayminus": [reach(e, e.low) for e in estimates],
        "color": role,
        "thickness": 1.6,
        "width": 4,
    }


def short(value: float) -> float:
    """As many digits as a plot can show."""
    return float(f"{value:.5g}")


def unit_of(axis: Axis, values: Iterable[float]) -> tuple[float, str]:
    """The unit of an axis and its title; logarithmic axes keep the base unit and get SI ticks."""
    if axis.unit not in UNITS:
        return 1.0, ", ".join(part for part in (axis.title, axis.unit) if part)
    size, name = scale_for(axis.unit, [v for v in values if v > 0])
    if axis.log and axis.unit != "s":
        size, name = 1.0, axis.unit
    return size, f"{axis.title}, {name}"


def value_of(y: Estimate | float) -> float:
    """The middle of an estimate, or the number itself."""
    return y.value if isinstance(y, Estimate) else y


def shortened(tick: float) -> str:
    """``500``, ``20k``, ``1M``."""
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if tick >= size:
            return f"{tick / size:.4g}{sign}"
    return f"{tick:.4g}"


def log_ticks(values: Iterable[float], name: Callable[[float], str]) -> dict[str, Any]:
    """Round numbers over the range of these values, each with its whole name.

    Plotly names the ticks between decades by their first digit alone, so that 20 reads as 2.
    """
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive) / MARGIN, max(positive) * MARGIN
    if high / low < 10:
        step = _round_step((high - low) / 5)
        ticks = [n * step for n in range(ceil(low / step), floor(high / step) + 1)]
    else:
        parts = (1, 2, 5) if high / low < 1e3 else (1,)
        decades = range(floor(log10(low)), ceil(log10(high)) + 1)
        ticks = [part * 10.0**decade for decade in decades for part in parts]
        ticks = [tick for tick in ticks if low <= tick <= high]
    ticks = [short(tick) for tick in ticks]
    return {"tickvals": ticks, "ticktext": [name(tick) for tick in ticks]}


def _round_step(step: float) -> float:
    """The least of 1, 2 or 5 times a power of ten that is no smaller."""
    size = 10.0 ** floor(log10(step))
    return next(part * size for part in (1, 2, 5, 10) if part * size >= step * 0.999)


def no_template(text: str) -> str:
    """Without what a hover template would fill in."""
    return text.replace("%", "&#37;")
