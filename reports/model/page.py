"""A report before it has a format: what is said, in the order in which it is said.

``reports.pages.run`` makes a ``Page`` of a run; whatever else is to be read makes one too. The formats
(``html``, ``markdown_page``, ``terminal``, ``spreadsheet``) know nothing but this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from reports.model.charts import Chart
from reports.model.tables import Table
from reports.model.text import harmless

T = TypeVar("T")
LONGEST_TEXT = 2000  # characters of a sentence
AS_IT_IS = ("flame_graph",)  # fields of markup


@dataclass(frozen=True)
class Answered:
    """A question and its answer in words; ``section`` is the title of the section that shows it."""

    asks: str
    sentences: tuple[str, ...]
    section: str = ""


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
class Raw:
    """The data to download: the file as it was, or less of it with a word on what is left out."""

    name: str
    content: bytes
    said: str


@dataclass(frozen=True)
class Page:
    """All of a report. ``decided`` is the table for a reader with one screen's patience."""

    title: str
    kind: str  # "Benchmark run", "Comparison", ...
    verdict: str  # one line
    answers: tuple[Answered, ...] = ()
    decided: Table | None = None
    facts: tuple[tuple[str, str], ...] = ()  # the machine, the build, when
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    method: tuple[str, ...] = ()
    reproduce: tuple[str, ...] = ()  # commands
    raw: Raw | None = None


def shown_harmlessly(page: Page) -> Page:
    """The same page with every text in it made harmless, whoever wrote it.

    A command that could not be shown whole is left out: half of it, pasted, would be another command.
    """
    commands = tuple(map(_whole, page.reproduce))
    return each_text(replace(page, reproduce=commands), lambda told: harmless(told, LONGEST_TEXT))


def _whole(command: str) -> str:
    """The command, or a comment for the shell where showing it would change it."""
    if harmless(command, LONGEST_TEXT) == command:
        return command
    return f"# a command of {len(command):,} characters is left out: it cannot be shown as it is"


def each_text(value: T, change: Callable[[str], str]) -> T:
    """The same with each text in it changed; markup and data of our own stay as they are."""
    found: Any = value
    if isinstance(value, str):
        found = change(value)
    elif isinstance(value, tuple):
        found = tuple(each_text(part, change) for part in value)
    elif isinstance(value, dict):
        found = {each_text(name, change): each_text(part, change) for name, part in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in AS_IT_IS}
        found = replace(value, **{name: each_text(part, change) for name, part in parts.items()})
    return found  # type: ignore[no-any-return]
