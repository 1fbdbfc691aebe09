"""A report in a terminal: the same order as everywhere, plots as bars, words before colours.

What the terminal cannot show is not sent to it: in an encoding other than UTF every line is drawn with
ASCII alone, and text from files is shown escaped.
"""

from __future__ import annotations

import io
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from reports.formats.terminal.plots import COLOURS, plot
from reports.formats.terminal.widths import CUTS, folded, pieces_of, shared
from reports.model.charts import Chart, Intervals
from reports.model.courses import LEAST, Course
from reports.model.courses import WIDEST as WIDEST_COURSE
from reports.model.page import Page, Recommendation, Section, each_text
from reports.model.screen import Screen
from reports.model.tables import RATIO, Laid, Table, Written, laid_out

ASCII_HEAD = Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)
GAP = 3  # characters between columns
LEAST_HEADING = 10  # characters of a line of a heading

Cells = list[list[Written]]  # column by column


def table(model: Table, width: int | None = None, ascii_only: bool = False) -> RichTable:
    """The table model in Rich; verdicts in words, colour only beside them.

    Where it is wider than ``width``, names are cut at a slash or another sign; where that is not enough,
    intervals are left out from the left until it fits, and the last column with intervals, which is the
    ratio's, keeps them. A number and its interval stay on one line as long as there is room at all.
    """
    laid = _laid_out(model, width, ascii_only)
    columns = [list(column) for column in zip(*laid.rows, strict=True)] or [[] for _ in laid.headings]
    widths = None
    if width is not None:
        columns, widths = _fitted(model, laid.headings, columns, width - GAP * len(columns))
    # Rich would wrap a title at the width of its table; only one too long for the console has to be.
    whole = width is not None and len(laid.title) <= width
    title = Text(laid.title, style="bold", no_wrap=whole or None, overflow="ignore" if whole else None)
    rich = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    headings = _headings(laid.headings, columns, widths, width)
    for heading, align in zip(headings, laid.aligns, strict=True):
        rich.add_column(Text(heading), justify=align, overflow="fold", no_wrap=widths is not None)
    for row in zip(*columns, strict=True):
        rich.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    return rich


def _fitted(
    model: Table, headings: Sequence[Written], columns: Cells, room: int
) -> tuple[Cells, list[int] | None]:
    """The columns' cells as they fit into this room, and the widths; no widths where nothing fits."""
    bare = columns
    ranged = [place for place, cells in enumerate(columns) if any(cell.aside for cell in cells)]
    heads = [max(map(len, str(heading).split()), default=0) for heading in headings]
    for kinds, dropped in _ways(len(ranged)):
        bare = [
            [Written(cell.main) for cell in cells] if place in ranged[:dropped] else cells
            for place, cells in enumerate(columns)
        ]
        names = {p: bare[p] for p, c in enumerate(model.columns) if c.align == "left" and not c.whole}
        widths = shared(_widths(headings, bare), names, heads, room, kinds)
        if widths is not None:
            for place, cells in names.items():
                bare[place] = [Written(folded(cell, widths[place])) for cell in cells]
            return bare, widths
    return bare, None


def _ways(ranged: int) -> Iterator[tuple[int, int]]:
    """How many kinds of cuts in names to try, and of how many columns intervals are left out, in order."""
    most = max(0, ranged - 1)
    yield from ((len(CUTS) - 1, dropped) for dropped in range(most + 1))
    yield len(CUTS), most


def _headings(
    headings: Sequence[Written], columns: Cells, widths: list[int] | None, width: int | None
) -> list[str]:
    """Headings in lines: of ``LEAST_HEADING`` where there is room, else as narrow as their cells."""
    if width is None:
        return list(headings)
    needed = widths or _widths(headings, columns)
    roomy = [textwrap.wrap(h, max(w, LEAST_HEADING)) for h, w in zip(headings, needed, strict=True)]
    wide = [max([w, *map(len, lines)]) for w, lines in zip(needed, roomy, strict=True)]
    if widths and sum(wide) + GAP * len(columns) > width:
        roomy = [textwrap.wrap(h, max(1, w)) for h, w in zip(headings, widths, strict=True)]
    return ["\n".join(lines) for lines in roomy]


def _widths(headings: Sequence[Written], columns: Cells) -> list[int]:
    """What each column needs for its cells; headings wrap between their words."""
    words = [max(map(len, str(heading).split()), default=0) for heading in headings]
    cells = [max(map(len, column), default=0) for column in columns]
    return [max(both) for both in zip(words, cells, strict=True)]


def text(model: Page, screen: Screen) -> str:
    """The whole page, as wide as the screen and of signs that it can show."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=screen.encoding, newline="\n")
    console = Console(
        file=file,
        width=screen.width,
        force_terminal=screen.colours is not None,
        force_jupyter=False,  # else Rich shows something in a notebook whatever is captured
        color_system=screen.colours,  # type: ignore[arg-type]
        no_color=screen.colours is None,
    )
    if console.options.ascii_only:
        model = each_text(model, in_ascii)
    with console.capture() as captured:
        for part in _page(model, console):
            console.print(part, soft_wrap=False)
    shown = captured.get()
    return in_ascii(shown) if console.options.ascii_only else shown  # units of tables too


def here() -> Screen:
    """Where standard output goes, as far as it can be known."""
    console = Console()
    colours = console.color_system if console.is_terminal and not console.no_color else None
    return Screen(console.width, console.encoding, colours)


def in_ascii(text: str) -> str:
    """With an escape for what ASCII has no sign for."""
    return text.replace("\N{MICRO SIGN}s", "us").encode("ascii", "backslashreplace").decode("ascii")


def _laid_out(model: Table, width: int | None, ascii_only: bool) -> Laid:
    """The table as text, its courses drawn as wide as its other columns leave room for."""
    drawn = {place for row in model.rows for place, cell in enumerate(row) if isinstance(cell, Course)}
    if width is None or not drawn:
        return laid_out(model, ascii_only=ascii_only)
    bare = Table(
        model.title,
        tuple(column for place, column in enumerate(model.columns) if place not in drawn),
        tuple(tuple(c for place, c in enumerate(row) if place not in drawn) for row in model.rows),
    )
    return laid_out(model, max(LEAST, room_beside(bare, WIDEST_COURSE, width)), ascii_only)


def _page(model: Page, console: Console) -> Iterator[RenderableType]:
    yield Text(f"{model.kind}: {model.title}", style="bold underline")
    if model.recommendation is not None:
        yield from _recommendation(model.recommendation, console)
    yield from _in_rows(model) if model.in_rows else _answers(model)
    if model.warnings:
        yield Text("" if model.in_rows else "\nWhat to mind", style="bold")
        yield from _warnings(model.warnings)
    if model.headline is not None:
        yield plot(model.headline, console) or Text("")
    if model.facts:
        yield Text("\nWhere it was measured", style="bold")
        yield _beside((*fact, "dim") for fact in model.facts)
    for section in model.sections:
        yield from _section(section, console)
    if model.method:
        yield Text("\nMethod", style="bold")
        yield from (Text(paragraph, style="dim") for paragraph in model.method)
    if model.reproduce:
        yield Text("\nHow to measure it again", style="bold")
        yield from (Text(line) for command in model.reproduce for line in continued(command, console.width))
    if model.verdict:
        yield Text(f"\n{model.verdict}", style="bold")


def _answers(model: Page) -> Iterator[RenderableType]:
    """Each question as it is asked, a sentence of its answer a line."""
    for answered in model.answers:
        if not answered.measured:
            yield Text(f"\n{answered.asks} {' '.join(answered.sentences)}")
            continue
        yield Text(f"\n{answered.asks}", style="bold")
        yield from (Text(sentence) for sentence in answered.sentences)


def _in_rows(model: Page) -> Iterator[RenderableType]:
    """Each answer in a row beside its question's name."""
    if model.answers:
        yield Text("")
        yield _beside((each.name, " ".join(each.sentences), "bold") for each in model.answers)


def _recommendation(advice: Recommendation, console: Console) -> Iterator[RenderableType]:
    """What to do, first of all: the lines to paste, sentences, a bar each of what is compared."""
    yield Text(f"\n{advice.title}", style="bold")
    yield from (Text(line) for command in advice.commands for line in continued(command, console.width))
    drawn = plot(advice.chart, console, below=0) if advice.chart is not None else None
    twice = advice.in_chart if drawn is not None else ()
    yield from (Text(sentence) for sentence in advice.sentences if sentence not in twice)
    if drawn is not None:
        yield drawn


def continued(command: str, width: int) -> list[str]:
    """A command for a shell in lines of this width, each but the last ending in a backslash.

    Only between its words: a word that is longer than a line stays whole.
    """
    if len(command) <= width or command.startswith("#"):
        return [command]
    lines = [""]
    for word in map(shlex.quote, shlex.split(command)):
        if lines[-1].strip() and len(lines[-1]) + len(word) + 3 > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _beside(rows: Iterable[tuple[str, str, str]]) -> RenderableType:
    """Names in their styles, and beside each what is to be said of it."""
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, said, style in rows:
        grid.add_row(Text(name, style=style), Text(said))
    return grid


def _warnings(warnings: tuple[str, ...]) -> Iterator[RenderableType]:
    yield from (Text(f"! {warning}", style="yellow") for warning in warnings)


def _section(section: Section, console: Console) -> Iterator[RenderableType]:
    yield Text(f"\n{section.title}", style="bold underline")
    yield from (Text(sentence) for sentence in section.sentences)
    yield from _warnings(section.warnings)
    for chart in section.charts:
        drawn = None if _in_a_table(chart, section) else plot(chart, console)
        if drawn is not None:
            yield drawn
    for model in section.tables:
        yield fitted(model, console)


def _in_a_table(chart: Chart, section: Section) -> bool:
    """Whether a plot of ratios would repeat what a table below it says with intervals and verdicts."""
    titles = {column.title for model in section.tables for column in model.columns}
    return isinstance(chart, Intervals) and RATIO in titles


def room_beside(model: Table, wanted: int, width: int) -> int:
    """Characters left for one column more: beside whole names, or else ``wanted`` at most beside cut ones."""
    laid = laid_out(model)
    columns = [list(column) for column in zip(*laid.rows, strict=True)]
    room = width - GAP * (len(columns) + 1)
    needed = _widths(laid.headings, columns)
    names = [place for place, column in enumerate(model.columns) if column.align == "left"]
    least = sum(max(map(len, pieces_of(columns[place], CUTS[0]))) for place in names)
    cut = room - least - sum(width for place, width in enumerate(needed) if place not in names)
    return max(room - sum(needed), min(cut, wanted))


def fitted(model: Table, console: Console) -> RichTable:
    """A table as wide as the console at most, of signs that it can show."""
    plain = console.options.ascii_only
    rich = table(each_text(model, in_ascii) if plain else model, console.width, plain)
    if plain:
        rich.box = ASCII_HEAD
    return rich
