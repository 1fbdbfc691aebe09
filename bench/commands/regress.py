"""``python -m bench regress``: two revisions compared on this machine, with an exit code for a gate."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from bench.commands.formats import NAMES, check_files, format_named, format_of, write_file
from bench.commands.network import Network, NetworkOption, network_of
from bench.commands.python import PythonOption, use_python
from bench.records.defaults import GATE_BUDGET
from mtl_core.errors import ExitCode, UserError
from mtl_core.program.files import NotWrittenError

if TYPE_CHECKING:
    from bench.gate.task_side import Compared
    from bench.records.changes import Changes
    from bench.records.regression import Regression
    from reports.formats import Format


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
    budget: Annotated[str, typer.Option(metavar="TIME", help="Time for each benchmark.")] = GATE_BUDGET,
    tolerance: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="What is called same: 2%, or as pyproject.toml says."),
    ] = None,
    wanted: Annotated[
        str, typer.Option("--format", metavar=NAMES, help="How the outcome is printed.")
    ] = "terminal",
    output: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Also write it: .md, .json, .txt, .html; repeatable."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when something is undecided.")
    ] = False,
    keep_diff: Annotated[
        bool, typer.Option("--keep-diff", help="Keep the working tree's git diff HEAD, up to 1 MB, as JSON.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the random order of rounds; without, it follows from both revisions."),
    ] = None,
    network: NetworkOption = None,
    python: PythonOption = None,
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
    form, files = format_named(wanted), output or []
    check_files(files, "--output")
    use_python(python)
    theirs = network_of(network, None)
    changes = _kept(head, theirs) if keep_diff else None
    outcome = _compared(names or [], base, head, baseline or [], budget, tolerance, seed, theirs)
    _tell(replace(outcome, changes=changes), form, files)
    raise typer.Exit(exit_code(outcome, strict))


def _kept(head: str | None, theirs: Network | None) -> Changes | None:
    """How the working tree differs from its revision, before anything is measured."""
    from bench.machine.changes import changes_of, check_under_git

    if head is not None:
        raise UserError(
            "--keep-diff keeps what the working tree has; a revision given as --head has all of it"
        )
    check_under_git(Path.cwd())
    return changes_of(Path.cwd(), "suite" if theirs is None else "network", keep_diff=True)


def _compared(
    names: list[str],
    base: str | None,
    head: str | None,
    baseline: list[Path],
    budget: str,
    tolerance: str | None,
    seed: int | None,
    theirs: Network | None,
) -> Regression:
    """Measure, showing how far it is."""
    from bench.commands.progress import trial_shown
    from bench.gate import revisions as comparing
    from bench.gate import stored as against_stored
    from bench.gate.tolerances import tolerances
    from bench.machine.identity import collect
    from bench.machine.preflight import commands, of_machine, of_other_runs
    from bench.questions.durations import parse_duration

    if bool(baseline) == (base is not None):
        raise UserError("compared with what? give either --base REV, such as --base main, or --baseline FILE")
    if baseline and theirs is not None:
        raise UserError("a declared network is compared with --base; stored runs of one are not read here")
    if baseline and head is not None:
        raise UserError("--head goes with --base; a stored run is compared with the working tree")
    budget_s, here = parse_duration(budget), Path.cwd()
    edges = tolerances(_root(here), tolerance)
    lines = [f"before measuring: {line}" for line in of_machine(collect())]
    lines += [f"before measuring: {line}" for line in of_other_runs(commands())]
    with trial_shown(budget_s) as shown:

        def show(benchmark: str, units: int, spent_s: float) -> None:
            while lines:  # what is refused is refused before that
                shown.say(lines.pop(0))
            shown(benchmark, units, spent_s)

        settings = comparing.Settings(
            budget_s=budget_s, tolerance=edges, check=edges.check, seed=seed, say=shown.say, show=show
        )
        if baseline:
            return against_stored.against(names, baseline, settings)
        assert base is not None
        settings.network = None if theirs is None else _both_declare(theirs)
        return comparing.between(names, base, head, here, settings)


def _both_declare(network: Network) -> Compared:
    """The network, imported from where one stands within either checkout."""
    from bench.gate.task_side import Compared

    here = Path.cwd().resolve()
    return Compared(network.name, network.batch_size, here.relative_to(_root(here).resolve()))


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


def _tell(outcome: Regression, form: Format, files: list[Path]) -> None:
    from reports.formats import text, write
    from reports.pages.regression import regression_page

    page, lost = regression_page(outcome, declaration_lines()), []
    for path in files:  # first: a closed pipe must not cost them
        try:
            write_file(page, format_of(path, "--output"), path, "--output")
        except NotWrittenError as error:  # what is printed must not be lost with it, nor the other files
            lost.append(str(error))
    write(page, form)
    if os.environ.get("GITHUB_ACTIONS") == "true":  # GitHub reads both streams; the other is the reader's
        print(text(page, "github"), end="", file=sys.stderr)
    if lost:
        raise UserError("; ".join(lost))


def declaration_lines() -> dict[str, int]:
    """On which line of the gate each of its benchmarks is named."""
    from bench.gate.declarations import lines_of
    from bench.records.regression import GATE_FILE

    return lines_of((Path(__file__).parents[2] / GATE_FILE).read_text(encoding="utf-8"))
