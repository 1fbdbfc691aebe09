"""``python -m bench report``: a result file as a page to read."""

from __future__ import annotations

import io
import os
import webbrowser
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_core.errors import UserError
from mtl_core.files import check_place, write_whole

if TYPE_CHECKING:
    from reports.page import Page

FILE_WIDTH = 100  # columns of a terminal's report in a file


class Format(str, Enum):
    """What a report can be."""

    html = "html"
    markdown = "markdown"
    terminal = "terminal"
    csv = "csv"


SUFFIXES = {
    ".html": Format.html,
    ".htm": Format.html,
    ".md": Format.markdown,
    ".txt": Format.terminal,
    ".csv": Format.csv,
}


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN.json", help="A result file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where it goes; HTML: beside the result file, else printed."),
    ] = None,
    wanted: Annotated[
        Format | None, typer.Option("--format", help="By the ending of -o, HTML without one.")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
) -> None:
    """Make a page of a result file: HTML to mail and open offline, Markdown, text or CSV.

    Examples:

      python -m bench report run.json --open

      python -m bench report run.json -o run.md

      python -m bench report run.json --format terminal
    """
    chosen = _format(wanted, output)
    if open_it and chosen is not Format.html:
        raise UserError(f"--open shows HTML, not {chosen.value}: leave one of them out")
    if output is None and chosen is Format.html:
        output = run.with_suffix(".html")
    if output is None:
        _print(run, chosen)
        return
    if output.exists() and run.exists() and output.samefile(run):
        raise UserError(f"-o {output} is the result file itself; choose another place")
    check_place(output, "-o")
    written = _written(page_of(run), chosen).encode()
    write_whole(output, lambda file: file.write(written), "-o")
    typer.echo(
        f"Report: {output} ({len(written) / 1e6:.1f} MB)" if len(written) > 5e4 else f"Report: {output}"
    )
    if open_it and not webbrowser.open(output.resolve().as_uri()):
        typer.echo(f"no browser was found here; open {output} in one", err=True)


def _format(wanted: Format | None, output: Path | None) -> Format:
    """What was asked for, by name or by the file's ending."""
    if wanted is not None:
        return wanted
    if output is None:
        return Format.html
    if output.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"-o {output} ends in {output.suffix or 'nothing'!r}; expected {', '.join(SUFFIXES)}, "
            "or give --format"
        )
    return SUFFIXES[output.suffix.lower()]


def page_of(path: Path) -> Page:
    """The page of a result file. A further kind of file gets its branch here."""
    from bench.runs import read_run
    from reports.raw import raw_of
    from reports.view import run_page

    run = read_run(path)
    return run_page(run, raw_of(run, path.read_bytes()))


def _written(page: Page, wanted: Format) -> str:
    from rich.console import Console

    from reports import html, markdown_page, spreadsheet, terminal

    if wanted is Format.html:
        return html.page(page)
    if wanted is Format.markdown:
        return markdown_page.page(page)
    if wanted is Format.csv:
        return spreadsheet.page(page)
    file = io.StringIO()
    terminal.show(Console(file=file, width=FILE_WIDTH, no_color=True), page)
    return file.getvalue()


def _print(run: Path, wanted: Format) -> None:
    from rich.console import Console

    from reports import terminal

    page = page_of(run)
    if wanted is Format.terminal:
        terminal.show(Console(), page)
    else:
        _echo(_written(page, wanted))


def _echo(told: str) -> None:
    """Print; a reader that has seen enough (``| head``) is no error."""
    try:
        typer.echo(told, nl=False)
    except UnicodeEncodeError:
        typer.echo(told.encode("ascii", "backslashreplace").decode("ascii"), nl=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
