"""``python -m bench work``: what a step does, counted exactly and held against a golden file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.formats import NAMES, format_named
from bench.commands.network import NetworkOption, golden_of, network_of, steps_of
from bench.commands.python import PythonOption, use_python
from bench.harness.counting import counted
from bench.records.run import Case, Work
from mtl_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from bench.results.work_file import Golden

OTHER_DEVICE = "cpu(1)"  # than cpu(0), as MXNet sees it: what a GPU is copied is counted on every machine


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
    wanted: Annotated[
        str, typer.Option("--format", metavar=NAMES, help="How to show the counts.")
    ] = "terminal",
    golden: Annotated[
        Path | None, typer.Option(help="The golden file; the one beside the code without.")
    ] = None,
    network: NetworkOption = None,
    python: PythonOption = None,
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
    from bench.counters.work import changes
    from bench.results.work_file import GOLDEN, read_golden, write_golden
    from mtl_core.program.files import NotWrittenError, check_place
    from reports.formats import text, write
    from reports.pages.work import work_page

    if check and update:
        raise UserError("--check compares with the golden file and --update overwrites it: give one")
    use_python(python)
    theirs = network_of(network, None)
    form, path = format_named(wanted), golden or (GOLDEN if theirs is None else golden_of(Path.cwd()))
    if update:
        check_place(path, "--golden")
    golden_file = read_golden(path) if check else _replaced(path) if update else None
    mxnet, counts = _counted_with_progress(declared() if theirs is None else steps_of(theirs))
    changed = None if golden_file is None else changes(golden_file.work, counts)
    if check and golden_file and golden_file.mxnet != mxnet:
        typer.echo(
            f"counted under MXNet {mxnet}, the golden file under {golden_file.mxnet}: what differs may be "
            "the release's; --update writes it anew",
            err=True,
        )
    lost = None
    try:
        if update:
            write_golden(path, mxnet, counts)
    except NotWrittenError as error:  # the counts are shown all the same
        lost = error
    on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    files = _kept_by_git(Path.cwd()) if changed and on_github else frozenset[str]()
    page = work_page(counts, changed, files, brief=check and not changed)
    write(page, form)
    if lost is not None:
        raise lost
    if update and form.name == "terminal":
        typer.echo(f"Written: {path}")
    if check and changed:
        if on_github:  # on standard error, since GitHub reads both
            typer.echo(text(page, "github"), err=True, nl=False)
        raise typer.Exit(ExitCode.COUNTERS_CHANGED)


def _kept_by_git(folder: Path) -> frozenset[str]:
    """The files of a repository, by their paths from this folder of it: what GitHub can show a line of."""
    from bench.machine.git import GitError, git

    try:
        return frozenset(git(folder, "ls-files", "-z").split("\0"))
    except (GitError, UserError):
        return frozenset()


def _replaced(path: Path) -> Golden | None:
    """What the golden file said before it is written anew; None where it said nothing readable."""
    from bench.results.work_file import read_golden

    try:
        return read_golden(path)
    except UserError:
        return None


def _counted_with_progress(cases: dict[str, Case]) -> tuple[str, dict[str, Work]]:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        return counted(cases)
    with console.status("starting MXNet") as status:
        return counted(cases, lambda name: status.update(f"counting {name}"))
