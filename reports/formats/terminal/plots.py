"""Charts in a terminal: bars and whiskers of signs, where those say enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from math import log

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from bench.records.run import Estimate
from reports.model.charts import Bars, Chart, Intervals, Line, Lines, Point
from reports.model.thinning import in_time
from reports.model.units import UNITS, bounded, decimals_of, number, scale_for, scaled, times

COLOURS = {"faster": "green", "slower": "red", "same": "cyan", "undecided": "yellow"}
NAME, WIDEST = 28, 100  # characters of a row's name, of a plot
LEAST_DRAWN = 14  # characters of a plot beside its figures
MOST_BARS = 16  # of a course


def plot(chart: Chart, console: Console, below: int = 1) -> RenderableType | None:
    """A chart as bars, where bars say enough; ``below`` it so many lines are left empty."""
    room = min(console.width, WIDEST)
    plain = console.options.ascii_only
    rows: list[Text]
    if isinstance(chart, Intervals):
        rows = list(_intervals(chart, room, plain))
    elif isinstance(chart, Lines) and not chart.in_table:
        rows = list(_lines(chart, room, plain))
    elif isinstance(chart, Bars) and not chart.in_table:
        rows = list(_parts(chart, room, plain))
    else:
        return None
    return Padding(Group(Text(chart.title, style="bold"), *rows), (1, 0, below, 0))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."


def _intervals(chart: Intervals, room: int, plain: bool) -> Iterator[Text]:
    """``hybridized   |--o--|    :   0.93x (0.90 to 0.97)  faster`` on a logarithmic axis, ``:`` at 1.

    Without the intervals in figures where there is no room for them.
    """
    ratios = [row.ratio for row in chart.rows]
    ends = [x for e in ratios for x in ((e.value, e.low, e.high) if bounded(e) else (e.value,)) if x > 0]
    low, high = min([*ends, 1 / (1 + chart.tolerance)]), max([*ends, 1 + chart.tolerance])
    names = min(NAME, 3 + max(len(row.name) for row in chart.rows))
    beside = _beside([times(ratio) for ratio in ratios], chart)
    if room - names - max(map(len, beside)) < LEAST_DRAWN:
        beside = _beside([number(ratio.value, 1.0, decimals_of(ratio)) for ratio in ratios], chart)
    width = max(10, room - names - max(map(len, beside)))

    def place(ratio: float) -> int:
        inside = min(max(ratio, low), high)
        return round((width - 1) * log(inside / low) / log(high / low))

    part = ""
    for row, figures in zip(chart.rows, beside, strict=True):
        if row.part != part:
            part = row.part
            yield Text(_cut(part, room), style="dim")
        line = Text(f"  {_cut(row.name, names - 3):{names - 2}}")
        line.append(_whisker(row.ratio, place, width, plain), style=COLOURS.get(row.verdict or "", ""))
        line.append(figures)
        yield line
    one = place(1.0)
    faster, slower = "< faster", "slower >"
    scale = [" "] * width
    scale[one] = "1"
    below = "".join(scale)
    if one > len(faster) + 1:
        below = faster + below[len(faster) :]
    if width - one > len(slower) + 2:
        below = below[: -len(slower)] + slower
    yield Text(" " * names + below + " ratio, log scale", style="dim")


def _beside(figures: Sequence[str], chart: Intervals) -> list[str]:
    """What stands behind each row's interval: the figures, then the verdict."""
    longest = max(map(len, figures))
    return [
        f" {each:{longest}}  {row.verdict or ''}".rstrip()
        for each, row in zip(figures, chart.rows, strict=True)
    ]


def _whisker(ratio: Estimate, at: Callable[[float], int], width: int, plain: bool) -> str:
    left, right, line, point, one = "||-o:" if plain else "├┤─●┊"
    cells = [" "] * width
    cells[at(1.0)] = one
    if bounded(ratio):
        first, last = at(ratio.low), at(ratio.high)
        cells[first : last + 1] = line * (last + 1 - first)
        cells[first], cells[last] = left, right
    cells[at(ratio.value)] = point
    return "".join(cells)


def _bar(share: float, width: int, plain: bool) -> str:
    """A bar of this share of the width, to an eighth of a character where there are such."""
    if plain:
        return "#" * round(share * width)
    whole, eighth = divmod(round(share * width * 8), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[eighth].strip()


def _lines(chart: Lines, room: int, plain: bool) -> Iterator[Text]:
    """A bar a point, with what is drawn below it beside; marks across the axis as bars of their own."""
    shown = [line for line in chart.lines if line.drawn != "line"]
    values = [_value(point) for line in shown for point in line.points]
    marks = [mark for mark in chart.marks if mark.axis == "y"]
    longest = max(values, default=1.0)
    size, unit = scale_for(chart.y.unit, values) if chart.y.unit in UNITS else (1.0, chart.y.unit)
    width = max(10, room - NAME - (28 if chart.below else 16))
    for line, beside in zip_longest(shown, chart.below[: len(shown)]):
        if len(shown) > 1:
            yield Text(_cut(line.name, room), style="dim")
        lower = {point.x: _value(point) for point in beside.points} if beside else {}
        for point in _few(line):
            more = (
                f"  {chart.below_y.title} {lower[point.x]:.1f}{chart.below_y.unit}"
                if point.x in lower
                else ""
            )
            bar = _bar(_value(point) / longest, width, plain)
            name = _cut(f"{chart.x.title} {point.x:g} {chart.x.unit}".rstrip(), NAME - 2)
            yield Text(f"  {name:{NAME - 2}}{bar} {_shown(point.y, size)}{more}")
    for mark in marks:
        bar = _bar(min(1.0, mark.at / longest), width - 1, plain) + (">" if mark.at > longest else "")
        yield Text(f"  {_cut(mark.name, NAME - 2):{NAME - 2}}{bar} {number(mark.at, size)}")
    yield Text(f"{'':{NAME}}{chart.y.title}, {unit}, from 0", style="dim")
    for mark in chart.marks:
        if mark.axis == "x":
            at = f": {mark.at:.3g} {chart.x.unit}" if chart.x.unit else ""
            yield Text(f"{'':{NAME}}{_cut(f'{mark.name}{at}', room - NAME)}", style="dim")


def _few(line: Line) -> Sequence[Point]:
    """The points of a line; of a course the least and the most of each stretch."""
    if line.drawn != "course":
        return line.points
    return [line.points[place] for place in in_time([_value(p) for p in line.points], MOST_BARS)]


def _shown(y: Estimate | float, size: float) -> str:
    """With the digits that the table has."""
    return number(y.value, size, decimals_of(y, size)) if isinstance(y, Estimate) else number(y, size)


def _value(point: Point) -> float:
    return point.y.value if isinstance(point.y, Estimate) else point.y


def _parts(chart: Bars, room: int, plain: bool) -> Iterator[Text]:
    """A bar a row of letters, one letter a part: ``wwwwwwccccs``."""
    totals = [sum(values) for values in zip(*chart.parts.values(), strict=True)]
    width, longest = max(10, room - NAME - 16), max(totals, default=1.0) or 1.0
    signs = dict(zip(chart.parts, "#=.+-o" if plain else "█▒░▓▚▞", strict=False))
    for number_, (row, total) in enumerate(zip(chart.rows, totals, strict=True)):
        bar = "".join(
            signs[part] * round(width * values[number_] / longest) for part, values in chart.parts.items()
        )
        yield Text(f"  {_cut(row, NAME - 2):{NAME - 2}}{bar} {scaled(total, chart.y.unit)}")
    yield Text(" " * NAME + "  ".join(f"{sign} {part}" for part, sign in signs.items()), style="dim")
