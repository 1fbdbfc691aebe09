"""A page as a piece of HTML below a notebook's cell: answers, what to mind, and the forest plot as SVG.

Nothing in it runs or is fetched, and its colours follow the notebook's, light or dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape
from math import log

from bench.records.repeated import together
from bench.records.run import Estimate
from reports.model.charts import Interval, Intervals
from reports.model.page import Page
from reports.model.screen import Screen
from reports.model.units import bounded, ranged

COLOURS = {"faster": "#2e8540", "slower": "#c0392b", "same": "#2878b5", "undecided": "#b07d00"}
OTHER = "#808080"  # of a word that is no verdict
WIDTH, NAMES, NUMBERS = 760, 230, 230  # of the plot; what names and numbers take of it
ROW, AXIS, SIZE = 22, 30, 12  # height of a row and of the axis, size of letters
LETTER = 6.2  # how wide one is, nearly
MOST_ROWS = 40


def text(page: Page, _screen: Screen) -> str:
    """The fragment."""
    return f'<div style="max-width: 60em">{"".join(_parts(page))}</div>'


def _parts(page: Page) -> Iterator[str]:
    yield f"<p><b>{escape(page.title)}</b></p>"
    if page.recommendation:
        yield _list(page.recommendation.title, page.recommendation.sentences)
    for answered in page.answers:
        yield _list(answered.asks, answered.sentences)
    if not page.answers:
        yield from (_list("", section.sentences) for section in page.sections if section.sentences)
    forest = _forest(page)
    if forest is not None:
        yield f"<p>{escape(forest.title)}</p>{_svg(forest)}"
    warnings = together([*page.warnings, *(w for section in page.sections for w in section.warnings)])
    if warnings:
        yield _list("What to mind", warnings)
    if page.verdict:
        yield f"<p>{escape(page.verdict)}</p>"


def _list(title: str, sentences: Iterable[str]) -> str:
    lines = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return (f"<p>{escape(title)}</p>" if title else "") + f"<ul>{lines}</ul>"


def _forest(page: Page) -> Intervals | None:
    """The ratios of the page's first plot of such, the whole part of a question before its headline."""
    charts = [chart for section in page.sections for chart in section.charts if isinstance(chart, Intervals)]
    if isinstance(page.headline, Intervals) and len(charts) != 1:
        return page.headline
    return charts[0] if charts else None


def _svg(chart: Intervals) -> str:
    """A row a ratio: its name, the interval on a logarithmic axis, the number and the verdict."""
    rows = chart.rows[:MOST_ROWS]
    edge = 1.0 + chart.tolerance
    ends = [x for row in rows for x in _ends(row.ratio) if x > 0]
    low, high = min([*ends, 1 / edge]), max([*ends, edge])
    reach = WIDTH - NAMES - NUMBERS

    def place(ratio: float) -> float:
        inside = min(max(ratio, low), high)
        return NAMES + reach * log(inside / low) / log(high / low)

    height = ROW * len(rows) + AXIS
    band = f'<rect x="{place(1 / edge):.1f}" y="0" width="{place(edge) - place(1 / edge):.1f}" '
    drawn = [f'{band}height="{ROW * len(rows)}" fill="currentColor" opacity="0.12"/>']
    drawn += [line for number, row in enumerate(rows) for line in _row(row, ROW * (number + 0.5), place)]
    drawn += _axis(place(low), place(1.0), place(high), ROW * len(rows))
    left_out = (
        f"<p>{len(chart.rows) - MOST_ROWS} more are in the report.</p>" if chart.rows[MOST_ROWS:] else ""
    )
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'style="max-width: 100%" font-size="{SIZE}" fill="currentColor" stroke="none">'
        f"<title>{escape(chart.said)}</title>{''.join(drawn)}</svg>{left_out}"
    )


def _ends(ratio: Estimate) -> tuple[float, ...]:
    return (ratio.value, ratio.low, ratio.high) if bounded(ratio) else (ratio.value,)


def _row(row: Interval, y: float, place: Callable[[float], float]) -> Iterator[str]:
    colour = COLOURS.get(row.verdict or "", OTHER)
    name = f"{row.part}: {row.name}" if row.part else row.name
    yield _words(0, y, _cut(name, NAMES))
    ends = [place(end) for end in _ends(row.ratio)]
    yield (
        f'<path d="M{min(ends):.1f} {y:g}H{max(ends):.1f}" stroke="{colour}" stroke-width="2"/>'
        f'<circle cx="{ends[0]:.1f}" cy="{y:g}" r="4" fill="{colour}"/>'
    )
    yield _words(WIDTH - NUMBERS + 12, y, _cut(f"{ranged(row.ratio)} {row.verdict or ''}", NUMBERS))


def _axis(left: float, one: float, right: float, y: float) -> Iterator[str]:
    lines = f"M{left:.1f} {y:g}H{right:.1f}M{one:.1f} 0V{y + 5:g}"
    yield f'<path d="{lines}" stroke="currentColor" opacity="0.5"/>'
    yield _words(one, y + 14, "1", "middle")
    if one - left > 70:
        yield _words(left, y + 14, "\N{LEFTWARDS ARROW} faster")
    if right - one > 70:
        yield _words(right, y + 14, "slower \N{RIGHTWARDS ARROW}", "end")


def _words(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y + SIZE / 3:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _cut(words: str, room: float) -> str:
    most = int(room / LETTER)
    return words if len(words) <= most else f"{words[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
