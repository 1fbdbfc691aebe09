"""``python -m bench report``: a result file as a page to read."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.formats import NAMES, format_named, format_of, write_file
from mtl_core.errors import UserError
from mtl_core.platform.on_disk import check_file
from mtl_core.program.files import check_place

if TYPE_CHECKING:
    from reports.formats import Format
    from reports.model.page import Page


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
        str | None,
        typer.Option("--format", metavar=NAMES, help="By the ending of -o, HTML without one."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what --keep-diff kept of the source, for git apply.")
    ] = False,
) -> None:
    """Make a page of a result file: HTML to mail and open offline, Markdown, text, CSV or JSON.

    Examples:

      python -m bench report run.json --open

      python -m bench report run.json -o run.md

      python -m bench report run.json --format terminal

      python -m bench report before.json after.json -o change.html

      python -m bench report .benchmarks/mtl-bench -o history.html

      python -m bench report run.json PROFILE_FOLDER -o both.html

      python -m bench report run.json --diff > changes.diff
    """
    form = _format(wanted, output)
    for path in results:
        if not os.path.isdir(path):  # noqa: PTH112  # False for any odd name
            check_file(path, "give a result, a folder of them or a profile's")
    if diff:
        _print_diff(results)
        return
    if open_it and form.name != "html":
        raise UserError(f"--open shows HTML, not {form.name}: leave one of them out")
    if output is None and form.name == "html":
        output = _beside(results)
    if output is None:
        _print(page_of(*results), form)
        return
    check_place(output, "-o")
    if any(_same(output, path) for path in results):
        raise UserError(f"-o {output} is the result file itself; choose another place")
    size = write_file(page_of(*results), form, output, "-o")
    typer.echo(f"Report: {output} ({size / 1e6:.1f} MB)" if size > 5e4 else f"Report: {output}")
    if open_it and not webbrowser.open(output.resolve().as_uri()):
        typer.echo(f"no browser was found here; open {output} in one", err=True)


def _print_diff(results: list[Path]) -> None:
    """The bytes that git gave. Raises UserError for a file that keeps none."""
    from bench.results.recognise import kind_of, read_regression
    from bench.results.run_file import read_run

    if len(results) > 1:
        raise UserError("--diff prints what one file keeps: give one")
    (path,) = results
    changes = (read_regression(path) if kind_of(path) == "regression" else read_run(path)).changes
    if changes is None or changes.diff is None:
        raise UserError(f"{path} keeps no difference; run and regress keep one with --keep-diff")
    try:
        sys.stdout.buffer.write(changes.diff.encode(changes.encoding))
    except UnicodeEncodeError:
        raise UserError(f"{path} is damaged: its difference is no {changes.encoding}") from None


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is not there, or cannot be
        return False


def _format(wanted: str | None, output: Path | None) -> Format:
    """What was asked for, by name or by the file's ending."""
    if wanted is not None:
        return format_named(wanted)
    if output is None:
        return format_named("html")
    return format_of(output, "-o")


def _beside(results: list[Path]) -> Path:
    """Where a page goes that was given no place."""
    from bench.results.recognise import kind_of

    kind = kind_of(results[0])
    if len(results) == 1 and kind == "profile":
        return (results[0] if results[0].is_dir() else results[0].parent) / "profile.html"
    if len(results) == 1 and kind != "folder":
        return results[0].with_suffix(".html")
    raise UserError("several results have no place of their own: give one with -o, such as -o page.html")


def page_of(*paths: Path) -> Page:
    """The page of what is in the files, profiles as sections after it."""
    from bench.results.recognise import is_profile, read_with_flame_graph
    from reports.pages.profile import profile_page, with_profile

    profiles = [read_with_flame_graph(path) for path in paths if is_profile(path)]
    others = [path for path in paths if not is_profile(path)]
    page = _page_of_results(*others) if others else profile_page(*profiles.pop(0))
    for profile, flame_graph in profiles:
        page = with_profile(page, profile, flame_graph)
    return page


def _page_of_results(*paths: Path) -> Page:
    from bench.results.recognise import kind_of, read_regression
    from reports.pages.regression import regression_page

    if len(paths) > 1:
        return _comparison(paths)
    (path,) = paths
    kind = kind_of(path)
    if kind == "folder":
        return _history(path)
    return regression_page(read_regression(path)) if kind == "regression" else _run(path)


def _run(path: Path) -> Page:
    from bench.answers.renewal import with_answers_anew
    from bench.commands.network import questions_of
    from bench.commands.run import declared_questions
    from bench.results.run_file import read_run
    from reports.pages.run import run_page
    from reports.pages.run_download import download_of

    run = read_run(path)
    run = with_answers_anew(run, questions_of(run) or declared_questions())
    return run_page(run, download_of(run, path.read_bytes()))


def _comparison(paths: tuple[Path, ...]) -> Page:
    from bench.comparison.runs import compare
    from bench.results.run_file import read_run
    from reports.pages.comparison import comparison_page

    return comparison_page(compare([read_run(path) for path in paths]))


def _history(folder: Path) -> Page:
    from bench.comparison.history import history
    from bench.results.collection import read_all
    from reports.pages.history import history_page

    runs, left_out = read_all(str(folder))
    if not runs:
        raise UserError(f"{folder} holds no result file; python -m bench run makes one")
    return history_page(history(runs, left_out))


def _print(page: Page, form: Format) -> None:
    """Print; a reader that has seen enough (``| head``) is no error."""
    from reports.formats import write

    try:
        write(page, form)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
