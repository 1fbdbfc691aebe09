"""``python -m bench regress``: two revisions compared on this machine, with an exit code for a gate."""

from __future__ import annotations

import os
import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from bench.records.regression import Regression


class Format(str, Enum):
    """How the outcome is printed."""

    table = "table"
    markdown = "markdown"
    json = "json"


SUFFIXES = {".md": Format.markdown, ".json": Format.json, ".txt": Format.table}


def regress(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME ...]", help="Benchmarks of the gate; all without.")
    ] = None,
    base: Annotated[str | None, typer.Option(metavar="REV", help="The revision to compare with.")] = None,
    head: Annotated[
        str | None, typer.Option(metavar="REV", help="The revision compared; the working tree without.")
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="In place of --base: a stored run of this machine; repeatable."),
    ] = None,
    budget: Annotated[str, typer.Option(metavar="TIME", help="Time for each benchmark.")] = "60s",
    tolerance: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="What is called same: 2%, or as pyproject.toml says."),
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="How the outcome is printed.")
    ] = Format.table,
    output: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Also write it: .md, .json or .txt; repeatable."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when something is undecided.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the random order of rounds; without, it follows from both revisions."),
    ] = None,
) -> None:
    """Compare two revisions and say what got slower, with an interval.

    Exit code 0: nothing slower; 1: something slower; 2: bad input or nothing
    to compare; 3: undecided, with --strict only; 5: something vanished or
    failed; 6: all of it did.

    Examples:

      python -m bench regress --base main

      python -m bench regress step forward --base HEAD~1 --budget 2m

      python -m bench regress --base v1.0 --head v1.1 --format markdown

      python -m bench regress step --baseline nightly/monday.json
    """
    files = output or []
    _check_files(files)
    outcome = _compared(names or [], base, head, baseline or [], budget, tolerance, seed)
    _tell(outcome, output_format, files)
    raise typer.Exit(exit_code(outcome, strict))


def _compared(
    names: list[str],
    base: str | None,
    head: str | None,
    baseline: list[Path],
    budget: str,
    tolerance: str | None,
    seed: int | None,
) -> Regression:
    """Measure, showing how far it is."""
    from bench.commands.progress import trial_shown
    from bench.gate import revisions as comparing
    from bench.gate import stored as against_stored
    from bench.gate.tolerances import tolerances
    from bench.harness.session import parse_duration

    if bool(baseline) == (base is not None):
        raise UserError("compared with what? give either --base REV, such as --base main, or --baseline FILE")
    if baseline and head is not None:
        raise UserError("--head goes with --base; a stored run is compared with the working tree")
    budget_s, here = parse_duration(budget), Path.cwd()
    edges = tolerances(_root(here), tolerance)
    with trial_shown(budget_s) as shown:
        settings = comparing.Settings(
            budget_s=budget_s, tolerance=edges, check=edges.check, seed=seed, say=shown.say, show=shown
        )
        if baseline:
            return against_stored.against(names, baseline, settings)
        assert base is not None
        return comparing.between(names, base, head, here, settings)


def _root(folder: Path) -> Path:
    """Where pyproject.toml lies: the root of the repository around the folder, or the folder itself."""
    from bench.gate.checkouts import repository

    try:
        return repository(folder)
    except UserError:  # a stored run needs none; --base says so itself
        return folder


def exit_code(outcome: Regression, strict: bool) -> int:
    """What a gate reads: what is slower before what failed, and that before what is undecided."""
    if any(comparison.verdict == "slower" for comparison in outcome.comparisons):
        return ExitCode.SLOWER
    if all(comparison.effect is None for comparison in outcome.comparisons):
        return ExitCode.MEASURED_NOTHING
    if not outcome.passes:
        return ExitCode.VARIANTS_FAILED
    return ExitCode.UNDECIDED if strict and outcome.undecided else ExitCode.GOOD


def _check_files(files: list[Path]) -> None:
    """Fail before the measuring where an output could not be written."""
    from mtl_core.program.files import check_place

    for path in files:
        if path.suffix not in SUFFIXES:
            raise UserError(f"--output {path}: its ending tells the format; expected {', '.join(SUFFIXES)}")
        check_place(path, "--output")


def _text(outcome: Regression, wanted: Format) -> str:
    import io

    from rich.console import Console

    from reports.pages import regression

    if wanted is Format.json:
        return regression.as_json(outcome) + "\n"
    if wanted is Format.markdown:
        return regression.as_markdown(outcome)
    plain = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=False)
    plain.print(regression.in_terminal(outcome))
    return plain.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def _tell(outcome: Regression, wanted: Format, files: list[Path]) -> None:
    from rich.console import Console

    from mtl_core.program.files import write_whole
    from reports.pages import regression

    for path in files:  # first: a closed pipe must not cost them
        data = _text(outcome, SUFFIXES[path.suffix]).encode()
        write_whole(path, lambda file, data=data: file.write(data), "--output")  # type: ignore[misc]
    if wanted is Format.table:
        Console().print(regression.in_terminal(outcome))
    else:
        typer.echo(_text(outcome, wanted), nl=False)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in regression.github_annotations(outcome, "bench/questions/gate.py", declaration_lines()):
            print(line, file=sys.stderr)  # GitHub reads both streams; standard output is the reader's


def declaration_lines() -> dict[str, int]:
    """On which line of bench/questions/gate.py each benchmark is named."""
    text = (Path(__file__).parents[1] / "questions" / "gate.py").read_text(encoding="utf-8").splitlines()
    named = [(re.search(r'^\s*name="(\w+)"', line), number) for number, line in enumerate(text, 1)]
    return {match[1]: number for match, number in named if match}
