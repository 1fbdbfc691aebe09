"""A report before it has a format: what is said, in the order in which it is said.

Every command makes a ``Page`` (``reports.pages``) and hands it to ``reports.formats.write``. The formats know
nothing but this. Text stands in a page as it came; :func:`made_harmless` is called once, before a format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

from reports.model.charts import Chart
from reports.model.download import Download
from reports.model.tables import Table
from reports.model.text import harmless

T = TypeVar("T")
Severity = Literal["error", "warning", "notice"]
Row = dict[str, str | int | float | None]
LONGEST_TEXT = 2000  # characters of a sentence
AS_IT_IS = ("flame_graph", "record", "marker")  # fields of markup, of data and of our own


@dataclass(frozen=True)
class Answered:
    """A question and its answer in words; ``section`` is the title of the section that shows it.

    ``apart``: the sentences are each of something else, and stand one a line. Not ``measured``: the
    sentences say why there is no answer, which takes a line. ``name`` stands for the question in a row.
    """

    asks: str
    sentences: tuple[str, ...]
    section: str = ""
    apart: bool = False
    measured: bool = True
    name: str = ""


@dataclass(frozen=True)
class Recommendation:
    """What to do, before anything else is said: what it gains, the lines to paste, and how it looks.

    ``in_chart`` are those of the sentences that say what the chart shows.
    """

    title: str  # "What to set on this machine"
    sentences: tuple[str, ...]
    commands: tuple[str, ...] = ()
    chart: Chart | None = None  # what one has against what is recommended
    in_chart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fold:
    """What only some readers want to see: closed until it is opened."""

    title: str
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One question, one comparison, one benchmark: its plots, its tables, what to mind.

    ``flame_graph`` is a whole SVG with a script of its own, as py-spy writes it. It is shown in a frame
    from which it reaches neither the page nor the network.
    """

    title: str
    sentences: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    warnings: tuple[str, ...] = ()
    folds: tuple[Fold, ...] = ()
    flame_graph: str = ""


@dataclass(frozen=True)
class Record:
    """The page as data in base units, for the formats that are read by programs.

    ``content`` is what JSON writes: records and plain values under their names. ``rows`` makes what CSV
    writes in place of the tables, all with the same names; a long history has many rows, and only CSV asks.
    """

    name: str  # "comparison": the stem of a file's name
    said: str  # what is in it
    content: Mapping[str, Any]
    rows: Callable[[], Iterable[Row]] | None = None


@dataclass(frozen=True)
class Annotation:
    """What is said of a line of the repository, of a whole file, or of nothing in it."""

    severity: Severity
    words: str
    title: str
    file: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Page:
    """All of a report. ``recommendation`` stands first in every format, ``headline`` draws the ratios that
    matter most where plots are drawn, and ``decided`` is the table for a reader with one screen's patience.

    ``decided`` may be a table of a section too: what shows it first leaves it out there. ``download`` is the
    file behind the page, where it is not the record. ``marker`` is a name by which a comment made of the page
    is found again. ``in_rows``: an answer takes a row beside its question's name, as fits one screen.
    """

    title: str
    kind: str  # "Benchmark run", "Comparison", ...
    verdict: str  # one line
    recommendation: Recommendation | None = None
    headline: Chart | None = None
    answers: tuple[Answered, ...] = ()
    decided: Table | None = None
    facts: tuple[tuple[str, str], ...] = ()  # the machine, the build, when
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    method: tuple[str, ...] = ()
    reproduce: tuple[str, ...] = ()  # commands
    download: Download | None = None
    record: Record | None = None
    annotations: tuple[Annotation, ...] = ()
    marker: str = ""
    in_rows: bool = False


def tables_below(page: Page, section: Section) -> tuple[Table, ...]:
    """The section's tables, without the one that was shown above all sections."""
    return tuple(table for table in section.tables if table != page.decided)


def made_harmless(page: Page) -> Page:
    """The same page with every text in it made harmless, whoever wrote it.

    A command that could not be shown whole is left out: half of it, pasted, would be another command.
    """
    advice = page.recommendation
    if advice is not None:
        advice = replace(advice, commands=tuple(map(_whole_command, advice.commands)))
    commands = tuple(map(_whole_command, page.reproduce))
    page = replace(page, recommendation=advice, reproduce=commands)
    return each_text(page, lambda text: harmless(text, LONGEST_TEXT))


def _whole_command(command: str) -> str:
    """The command, or a comment for the shell where showing it would change it."""
    if harmless(command, LONGEST_TEXT) == command:
        return command
    return f"# a command of {len(command):,} characters is left out: it cannot be shown as it is"


def each_text(value: T, change: Callable[[str], str]) -> T:
    """The same with each text in it changed; markup and data of our own stay as they are."""
    changed: Any = value
    if isinstance(value, str):
        changed = change(value)
    elif isinstance(value, tuple):
        changed = tuple(each_text(part, change) for part in value)
    elif isinstance(value, dict):
        changed = {each_text(name, change): each_text(part, change) for name, part in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in AS_IT_IS}
        changed = replace(value, **{name: each_text(part, change) for name, part in parts.items()})
    return changed  # type: ignore[no-any-return]
