"""The one way from a page to text: ``write(page, format)``.

A new format is a module with ``text(page, screen) -> str`` and a line in FORMATS. What it is handed is
harmless already: no text in it acts on a terminal or hides. Markup is the format's own business.
What a notebook shows is no format of a file: a record shows itself there by the pieces of the HTML one
(``bench/api/notebook.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from reports.model.page import Page, made_harmless
from reports.model.screen import FILE, Screen


@dataclass(frozen=True)
class Format:
    """What a page can become."""

    name: str
    module: str  # that has ``text(page, screen)``; imported when it is wanted, since some take long
    suffixes: tuple[str, ...] = ()  # of files in it
    also: str = ""  # another name


FORMATS: tuple[Format, ...] = (
    Format("terminal", "reports.formats.terminal.page", (".txt",), also="table"),
    Format("html", "reports.formats.html.page", (".html", ".htm")),
    Format("markdown", "reports.formats.markdown", (".md",)),
    Format("csv", "reports.formats.csv", (".csv",)),
    Format("json", "reports.formats.json", (".json",)),
    Format("github", "reports.formats.github"),
)


def named(name: str) -> Format | None:
    """The format of this name; None where there is none."""
    return next((form for form in FORMATS if name and name in (form.name, form.also)), None)


def of_file(suffix: str) -> Format | None:
    """The format of files that end so, such as ``.md``; None where there is none."""
    return next((form for form in FORMATS if suffix.lower() in form.suffixes), None)


def names() -> list[str]:
    """Every format by its name."""
    return [form.name for form in FORMATS]


def suffixes() -> list[str]:
    """Every ending of a file that tells its format."""
    return [suffix for form in FORMATS for suffix in form.suffixes]


def text(page: Page, form: Format | str, screen: Screen = FILE) -> str:
    """The page in a format, as a file holds it; ``screen`` is for the terminal's.

    Raises ValueError for a name that is no format's.
    """
    chosen = named(form) if isinstance(form, str) else form
    if chosen is None:
        raise ValueError(f"no format is named {form!r}; expected one of {', '.join(names())}")
    made: Callable[[Page, Screen], str] = import_module(chosen.module).text
    return made(made_harmless(page), screen)


def write(page: Page, form: Format | str) -> None:
    """Print the page, as wide as the terminal is and with what it can show."""
    from reports.formats.terminal.page import here

    printed = text(page, form, here())
    try:
        sys.stdout.write(printed)
    except UnicodeEncodeError:
        sys.stdout.write(printed.encode("ascii", "backslashreplace").decode("ascii"))
    sys.stdout.flush()
