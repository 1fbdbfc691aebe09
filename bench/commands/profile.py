"""``python -m bench profile``: where one benchmark's time goes, in one folder."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.formats import format_named, write_file
from bench.commands.network import Network, NetworkOption, asked_of, names_of, network_of
from bench.commands.python import PythonOption, use_python
from bench.commands.run import _command, _modules
from bench.questions.plan import Group
from bench.records.defaults import RESULTS
from bench.records.run import Case
from mtl_core.errors import UserError
from mtl_core.program.files import NotWrittenError, check_folder, folder_to_fill

EPOCH = "loader_workers/epoch/tutorial"
STEP = "hybridize/step/imperative"  # of a declared network: every one has it
LONGEST_PATH = 4096  # characters; one that is cut could not be pasted


def chosen(name: str, network: Network | None = None) -> tuple[Group, Case]:
    """The benchmark of this name and what it is compared with. Raises UserError with near names."""
    modules = _modules().values() if network is None else asked_of(network, _question_in(name))
    questions = [module.QUESTION for module in modules]
    groups = [(question, group) for question in questions for group in question.groups()]
    by_name = {
        case.name: (question, group, case) for question, group in groups for case in group.cases.values()
    }
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=3, cutoff=0.4)
        near = near or sorted(case for case in by_name if case.startswith(name))[:3]
        ask = f"; near are {', '.join(near)}" if near else ""
        raise UserError(f"no benchmark is named {name[:80]!r}{ask}; expected a name such as {EPOCH}")
    question, group, case = by_name[name]
    reason = question.skipped()
    if reason:
        raise UserError(f"{name} cannot be profiled here: {reason}")
    return group, case


def _question_in(name: str) -> list[str]:
    """The question that a benchmark of a declared network belongs to."""
    return names_of([name.partition("/")[0]])


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """Says what is being done: a line that goes on a terminal, plain lines in a pipe."""
    from rich.console import Console

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda doing: console.print(doing, highlight=False, soft_wrap=True)
        return
    with console.status("starting") as status:
        yield status.update


def profile(
    benchmark: Annotated[
        str | None,
        typer.Argument(metavar="[BENCHMARK]", help="A benchmark's name; the tutorial's epoch without."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder for everything; made here.")
    ] = None,
    seconds: Annotated[
        int, typer.Option(min=3, max=600, help="How long py-spy records, twice: with native frames too.")
    ] = 12,
    rate: Annotated[int, typer.Option(min=1, max=1000, help="py-spy's samples a second.")] = 100,
    network: NetworkOption = None,
    python: PythonOption = None,
) -> None:
    """Say where a benchmark's time goes: flame graph, operators, timeline, memory. Takes about a minute.

    Examples:

      python -m bench profile

      python -m bench profile hybridize/step/hybridized -o profile-hybridized

      python -m bench profile loader_workers/epoch/tutorial --seconds 30
    """
    from bench.profile import session as profile_session
    from bench.results.profile_file import write_profile

    use_python(python)
    if output is not None:
        check_folder(output, "-o")  # before a network is built
    theirs = network_of(network, None)
    group, case = chosen(benchmark or (EPOCH if theirs is None else STEP), theirs)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = output or RESULTS / f"profile-{case.name.replace('/', '-')}-{stamp}"
    lost = None
    with folder_to_fill(target, "-o", new=output is None) as (folder, finish):
        with telling() as show:
            result = profile_session.profile(
                case, folder, seconds=seconds, rate_hz=rate, warm_ups=group.plan.warm_ups, show=show
            )
        try:
            there = finish(lambda place: write_profile(result, place))
        except NotWrittenError as error:
            if error.kept is None:
                raise
            there, lost = error.kept, error
    _report(there)
    if lost is not None:
        raise lost


def _report(folder: Path) -> None:
    """What the folder says, read back from it; the page of it goes into it too."""
    from bench.results.recognise import read_with_flame_graph
    from reports.formats import write
    from reports.model.text import harmless
    from reports.pages.profile import profile_page

    page = profile_page(*read_with_flame_graph(folder))
    write(page, "terminal")
    drawn = folder / "profile.html"
    write_file(page, format_named("html"), drawn, "-o")
    typer.echo(f"\nProfile: {harmless(folder, LONGEST_PATH)}")
    typer.echo(f"Page: {harmless(drawn, LONGEST_PATH)}")
    typer.echo(f"Next: {harmless(_command('report', str(folder), '--open'), LONGEST_PATH)}")
