"""``python -m bench report``: a result file as a page to read."""

from __future__ import annotations

import io
import json
import os
import webbrowser
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtl_core.errors import UserError
from mtl_core.program.files import check_place, write_whole

if TYPE_CHECKING:
    from bench.records.profile import Profile
    from bench.records.regression import Regression
    from reports.model.page import Page

LARGEST_FLAME_GRAPH = 20_000_000  # bytes; what is larger is not read at all
LARGEST_REGRESSION = 5_000_000  # bytes; one has some tens of kB
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
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN.json ...",
            help="A result; several to compare; what regress wrote as JSON; a folder: its history; "
            "a profile's folder, alone or beside a result.",
        ),
    ],
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

      python -m bench report before.json after.json -o change.html

      python -m bench report .benchmarks/mtl-bench -o history.html

      python -m bench report run.json PROFILE_FOLDER -o both.html
    """
    chosen = _format(wanted, output)
    if open_it and chosen is not Format.html:
        raise UserError(f"--open shows HTML, not {chosen.value}: leave one of them out")
    if output is None and chosen is Format.html:
        output = _beside(results)
    if output is None:
        _print(results, chosen)
        return
    if any(output.exists() and path.exists() and output.samefile(path) for path in results):
        raise UserError(f"-o {output} is the result file itself; choose another place")
    check_place(output, "-o")
    written = _written(page_of(*results), chosen).encode()
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


def _beside(results: list[Path]) -> Path:
    """Where a page goes that was given no place."""
    if len(results) == 1 and _is_profile(results[0]):
        return (results[0] if results[0].is_dir() else results[0].parent) / "profile.html"
    if len(results) == 1 and not results[0].is_dir():
        return results[0].with_suffix(".html")
    raise UserError("several results have no place of their own: give one with -o, such as -o page.html")


def page_of(*paths: Path) -> Page:
    """The page of what is in the files. A further kind of file gets its branch here."""
    profiles, others = [p for p in paths if _is_profile(p)], [p for p in paths if not _is_profile(p)]
    if not profiles:
        return _page_of_results(*others)
    if others:
        return _with_profiles(_page_of_results(*others), profiles)
    first, *rest = profiles
    return _with_profiles(_profile(first), rest)


def _page_of_results(*paths: Path) -> Page:
    if len(paths) > 1:
        return _comparison(paths)
    if paths[0].is_dir():
        return _history(paths[0])
    return _regression(paths[0]) or _run(paths[0])


def _is_profile(path: Path) -> bool:
    from bench.results.profile_file import PROFILE_FILE

    return path.name == PROFILE_FILE or (path / PROFILE_FILE).is_file()


def _profile_read(path: Path) -> tuple[Profile, str]:
    """A profile and its flame graph; without one where py-spy could not draw it.

    Whether a page has room for it is the page's own business.
    """
    import msgspec

    from bench.results.profile_file import read_profile

    folder = path if path.is_dir() else path.parent
    told = read_profile(path)
    for name in told.files.get("flame graph", []):
        drawn = folder / Path(name).name  # beside it, wherever the file says
        if not drawn.is_file():
            continue
        if drawn.stat().st_size > LARGEST_FLAME_GRAPH:
            said = f"the flame graph {drawn.name} is too large for a page; open it by itself"
            told = msgspec.structs.replace(told, warnings=[*told.warnings, said])
            continue
        return told, drawn.read_text(encoding="utf-8", errors="replace")
    return told, ""


def _profile(path: Path) -> Page:
    from reports.pages.others import profile_page

    return profile_page(*_profile_read(path))


def _with_profiles(page: Page, paths: list[Path]) -> Page:
    from reports.pages.others import with_profile

    for path in paths:
        page = with_profile(page, *_profile_read(path))
    return page


def _run(path: Path) -> Page:
    from bench.results.run_file import read_run
    from reports.pages.raw import raw_of
    from reports.pages.run import run_page

    run = read_run(path)
    return run_page(run, raw_of(run, path.read_bytes()))


def _comparison(paths: tuple[Path, ...]) -> Page:
    from bench.comparison.runs import compare
    from bench.results.run_file import read_run
    from reports.pages.others import comparison_page

    return comparison_page(compare([read_run(path) for path in paths]))


def _history(folder: Path) -> Page:
    from bench.comparison.history import history
    from bench.results.collection import read_all
    from reports.pages.others import history_page

    runs, left_out = read_all(str(folder))
    if not runs:
        raise UserError(f"{folder} holds no result file; python -m bench run makes one")
    return history_page(history(runs, left_out))


def _regression(path: Path) -> Page | None:
    """The page of what ``regress --format json`` printed; None where the file is something else."""
    if not path.is_file() or path.stat().st_size > LARGEST_REGRESSION:
        return None
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or "comparisons" not in document or "benchmarks" in document:
        return None
    from reports.pages.others import regression_page

    return regression_page(_regression_read(document, path))


def _regression_read(document: dict[str, Any], path: Path) -> Regression:
    """The records that ``regress`` printed as JSON."""
    import msgspec

    from bench.records.infinities import endless
    from bench.records.regression import REGRESSION_SCHEMA, Regression

    try:
        schema = document.get("schema")
        if schema != REGRESSION_SCHEMA:
            raise ValueError(f"schema {schema!r}, while this version reads {REGRESSION_SCHEMA}")
        told = {**document, "comparisons": [_effect_read(found) for found in document["comparisons"]]}
        return msgspec.convert(endless(told), Regression)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is not what regress --format json prints ({error}); compare again") from None


def _effect_read(found: dict[str, Any]) -> dict[str, Any]:
    """A comparison with its effect as an Estimate, which the file calls by its ratio."""
    effect = found.get("effect")
    if not isinstance(effect, dict):
        return found
    return {
        **found,
        "effect": {"value": effect["ratio"], **{n: v for n, v in effect.items() if n != "ratio"}},
    }


def _written(page: Page, wanted: Format) -> str:
    from rich.console import Console

    from reports.formats import markdown as markdown_page
    from reports.formats import spreadsheet
    from reports.formats.html import page as html
    from reports.formats.terminal import page as terminal

    if wanted is Format.html:
        return html.page(page)
    if wanted is Format.markdown:
        return markdown_page.page(page)
    if wanted is Format.csv:
        return spreadsheet.page(page)
    file = io.StringIO()
    terminal.show(Console(file=file, width=FILE_WIDTH, no_color=True), page)
    return file.getvalue()


def _print(results: list[Path], wanted: Format) -> None:
    from rich.console import Console

    from reports.formats.terminal import page as terminal

    page = page_of(*results)
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
