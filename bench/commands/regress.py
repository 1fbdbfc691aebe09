"""``python -m bench regress``: two revisions compared on this machine, with an exit code for a gate."""

from __future__ import annotations

import os
import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_core.errors import UserError

if TYPE_CHECKING:
    from bench.regressions import Regression

SLOWER, UNDECIDED = 1, 3  # exit codes


class Format(str, Enum):
    """How the outcome is printed."""

    table = "table"
    markdown = "markdown"
    json = "json"


def regress(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME ...]", help="Benchmarks of the gate; all without.")
    ] = None,
    base: Annotated[str | None, typer.Option(metavar="REV", help="The revision to compare with.")] = None,
    head: Annotated[
        str | None, typer.Option(metavar="REV", help="The revision compared; the working tree without.")
    ] = None,
    budget: Annotated[str, typer.Option(help="Time for each benchmark.")] = "60s",
    tolerance: Annotated[
        str | None,
        typer.Option(help="Differences up to this are called same; 2% or as pyproject.toml says."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How the outcome is printed.")] = Format.table,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when something is undecided.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random order of rounds.")] = 0,
) -> None:
    """Compare two revisions and say what got slower, with an interval.

    Exit code 0: nothing slower; 1: something slower, vanished or failed; 2: bad input; 3: undecided,
    with --strict only.

    Examples:

      python -m bench regress --base main

      python -m bench regress step forward --base HEAD~1 --budget 2m

      python -m bench regress --base v1.0 --head v1.1 --format markdown
    """
    from bench import regress as comparing
    from bench.progress import trial_shown
    from bench.session import parse_duration
    from bench.tolerances import tolerances

    if base is None:
        raise UserError("--base is missing: name the revision to compare with, such as --base main")
    budget_s = parse_duration(budget)
    with trial_shown(budget_s) as shown:
        settings = comparing.Settings(
            budget_s=budget_s, tolerance=tolerances(Path.cwd(), tolerance), seed=seed, say=shown.say, show=shown
        )
        outcome = comparing.between(names or [], base, head, Path.cwd(), settings)
    _tell(outcome, output)
    raise typer.Exit(exit_code(outcome, strict))


def exit_code(outcome: Regression, strict: bool) -> int:
    """What a gate reads."""
    if not outcome.passes:
        return SLOWER
    return UNDECIDED if strict and outcome.undecided else 0


def _tell(outcome: Regression, output: Format) -> None:
    from rich.console import Console

    from reports import regression

    if output is Format.json:
        typer.echo(regression.as_json(outcome))
    elif output is Format.markdown:
        typer.echo(regression.as_markdown(outcome))
    else:
        Console().print(regression.in_terminal(outcome))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in regression.annotations(outcome, "bench/gate.py", declaration_lines()):
            print(line, file=sys.stderr)  # GitHub reads both streams; standard output is the reader's


def declaration_lines() -> dict[str, int]:
    """On which line of bench/gate.py each benchmark is named."""
    text = (Path(__file__).parent.parent / "gate.py").read_text(encoding="utf-8").splitlines()
    named = [(re.search(r'^\s*name="(\w+)"', line), number) for number, line in enumerate(text, 1)]
    return {match[1]: number for match, number in named if match}
