"""The records as the functions return them: a notebook shows their page, all else their text."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from bench.records.comparison import RunComparison
from bench.records.run import Run
from reports.formats import Format, text
from reports.model.page import Page
from reports.pages.brief import brief
from reports.pages.comparison import comparison_page
from reports.pages.run import run_page

NOTEBOOK = Format("notebook", "reports.formats.notebook")
S = TypeVar("S", bound=msgspec.Struct)


class Shown:
    """Shows itself by its page: answers and the forest plot in a notebook, sentences elsewhere."""

    __slots__ = ()

    def page(self) -> Page:
        """The page of ``bench report``."""
        raise NotImplementedError

    def in_brief(self) -> Page:
        """What of the page is told as text."""
        return self.page()

    def __str__(self) -> str:
        return text(self.in_brief(), "terminal").rstrip("\n")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return text(self.page(), NOTEBOOK)

    def _repr_pretty_(self, printer: object, _cycle: bool) -> None:
        printer.text(str(self))  # type: ignore[attr-defined]


class ShownRun(Shown, Run, frozen=True, kw_only=True):
    """A run that shows itself."""

    def page(self) -> Page:
        return run_page(self)

    def in_brief(self) -> Page:
        return brief(self.page())


class ShownComparison(Shown, RunComparison, frozen=True, kw_only=True):
    """A comparison of runs that shows itself."""

    def page(self) -> Page:
        return comparison_page(self)


def shown_as(kind: type[S], record: msgspec.Struct, **changed: object) -> S:
    """The same record as one that shows itself, with these fields changed."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return kind(**{**fields, **changed})
