"""``python -m bench work``: what a step does, counted exactly and held against a golden file."""

from __future__ import annotations

import json
import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.harness.counting import counted
from bench.records.run import Case, Work, WorkChange
from mtl_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from bench.counters.work import Golden

OTHER_DEVICE = "cpu(1)"  # than cpu(0), as MXNet sees it: what a GPU is copied is counted on every machine


class Format(str, Enum):
    """How the counts are shown."""

    TABLE = "table"
    JSON = "json"


def declared() -> dict[str, Case]:
    """The steps that the questions on hybridizing and on the second head compare, and one that copies."""
    from bench.benchmarks import test_device, test_hybridize, test_second_head
    from bench.counters.work import cases_of

    device = test_device.question_for((OTHER_DEVICE,), None)
    groups = {group.part: group for group in device.groups()}
    copied = groups["batch_128"].cases[f"{OTHER_DEVICE}_copied"]  # the others' batch
    return {**cases_of([test_hybridize.QUESTION, test_second_head.QUESTION]), "step/copied": copied}


def work(
    check: Annotated[bool, typer.Option("--check", help="Compare with the golden file.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Write the golden file anew.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to show the counts.")] = Format.TABLE,
    golden: Annotated[
        Path | None, typer.Option(help="The golden file; the one beside the code without.")
    ] = None,
) -> None:
    """Count what each training step does: operators, engine calls, synchronisations, copies, memory, FLOP.

    The counts have no noise and are the same on every machine. With --check the exit code is 0 when
    nothing differs from the golden file and 4 when anything does, for better or worse: what is wanted is
    kept with --update.

    Examples:

      python -m bench work

      python -m bench work --check

      python -m bench work --update && git diff bench/work.golden.json

      python -m bench work --format json > work.json
    """
    from bench.counters.work import GOLDEN, changes, read_golden, write_golden
    from mtl_core.program.files import check_place

    if check and update:
        raise UserError("--check compares with the golden file and --update overwrites it: give one")
    path = golden or GOLDEN
    if update:
        check_place(path, "--golden")
    golden_file = read_golden(path) if check else _replaced(path) if update else None
    known = golden_file.work if golden_file else None
    mxnet, found = _counted_with_progress()
    changed = changes(known, found) if known is not None else []
    if check and golden_file and golden_file.mxnet != mxnet:
        typer.echo(
            f"counted under MXNet {mxnet}, the golden file under {golden_file.mxnet}: what differs may be "
            "the release's; --update writes it anew",
            err=True,
        )
    if update:
        write_golden(path, mxnet, found)
    if format_ is Format.JSON:
        _print_json(found, changed)
    else:
        _print_table(found, changed, known is not None, whole=not check or bool(changed))
        if update:
            typer.echo(f"Written: {path}")
    if check and changed:
        _annotate(changed)
        raise typer.Exit(ExitCode.COUNTERS_CHANGED)


def _annotate(changed: list[WorkChange]) -> None:
    """Beside the lines of a pull request, where GitHub runs it; on standard error, since it reads both."""
    from reports.pages.work import github_annotations

    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_annotations(changed, _kept_by_git(Path.cwd())):
            typer.echo(line, err=True)


def _kept_by_git(folder: Path) -> frozenset[str]:
    """The files of a repository, by their paths from this folder of it: what GitHub can show a line of."""
    from bench.gate.checkouts import GitError, git

    try:
        return frozenset(git(folder, "ls-files", "-z").split("\0"))
    except (GitError, UserError):
        return frozenset()


def _replaced(path: Path) -> Golden | None:
    """What the golden file said before it is written anew; None where it said nothing readable."""
    from bench.counters.work import read_golden

    try:
        return read_golden(path)
    except UserError:
        return None


def _counted_with_progress() -> tuple[str, dict[str, Work]]:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        return counted(declared())
    with console.status("starting MXNet") as status:
        return counted(declared(), lambda name: status.update(f"counting {name}"))


def _print_json(found: dict[str, Work], changed: list[WorkChange]) -> None:
    import msgspec

    from reports.pages.work import sentence

    told = [{**msgspec.to_builtins(change), "words": sentence(change)} for change in changed]
    document = {"schema": 1, "work": msgspec.to_builtins(found), "changes": told}
    typer.echo(json.dumps(document, indent=2))


def _print_table(found: dict[str, Work], changed: list[WorkChange], compared: bool, whole: bool) -> None:
    """The tables, which a check that passes does without; what matters comes last."""
    from rich.console import Console

    from reports.formats.terminal import page as terminal
    from reports.pages.work import operators_lines, sentence, size_table, step_table

    console = Console()
    for model in (step_table(found), size_table(found)) if whole else ():
        console.print(terminal.table(model))
    if not compared:
        console.print("\nOperators run in a step:")
        for line in operators_lines(found):
            console.print(line, markup=False, highlight=False)
        return
    for change in changed:
        typer.echo(sentence(change))
    if not changed:
        typer.echo(f"Nothing changed: {len(found)} steps do what the golden file says.")
