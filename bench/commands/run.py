"""``python -m bench run``: measure, answer, keep the file."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import shlex
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.commands.measuring import JOURNAL, Files, Outcome, measure
from bench.commands.network import NetworkOption, asked_for, asked_of, names_of, network_of
from bench.commands.python import PythonOption, use_python
from bench.questions.question import Asked, Question, Settings
from bench.records.defaults import BUDGET, QUICK_BUDGET, SEED
from mtl_core.data.mnist import is_here
from mtl_core.errors import ExitCode, UserError

SCRIPT = "mtl-bench"
NOX_SESSIONS = {"run": "bench", "report": "report"}  # by the command they run


class Data(str, Enum):
    """What a measured network is trained on."""

    SYNTHETIC = "synthetic"
    MNIST = "mnist"


def _modules() -> dict[str, Any]:
    """The benchmark modules by the name of their question, in the order of their files."""
    from bench import benchmarks

    names = [f"bench.benchmarks.{m.name}" for m in pkgutil.iter_modules(benchmarks.__path__)]
    modules = [importlib.import_module(name) for name in names]
    return {module.QUESTION.name: module for module in modules if hasattr(module, "QUESTION")}


def declared_questions() -> list[Question]:
    """Every question that this version asks."""
    return [module.QUESTION for module in _modules().values()]


def _unless_by_name(modules: dict[str, Any]) -> list[Any]:
    """What is asked where nothing is named."""
    return [module for module in modules.values() if not module.QUESTION.by_name]


def asked_by_name() -> list[str]:
    """The questions that are not asked where nothing is named."""
    return [name for name, module in _modules().items() if module.QUESTION.by_name]


def chosen(names: list[str]) -> list[Any]:
    """The modules of these questions of the tutorial's network, each once; unnamed all but those by name.

    Raises UserError for one that there is not.
    """
    modules = _modules()
    unknown = [name for name in names if name not in modules]
    if unknown:
        near = difflib.get_close_matches(unknown[0], modules, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UserError(
            f"no benchmark is named {unknown[0]!r:.60}; {meant}expected one of {', '.join(sorted(modules))}"
        )
    return [modules[name] for name in dict.fromkeys(names)] if names else _unless_by_name(modules)


def _refuse_tutorials(data: Data | None) -> None:
    if data is not None:
        raise UserError("--data is for the tutorial's network; a declared one draws its own batches")


def _list(modules: list[Any]) -> None:
    for module in modules:
        reason = module.QUESTION.skipped()
        why = f"  (skipped here: {reason})" if reason else ""
        why += "  (only by its name)" if module.QUESTION.by_name else ""
        typer.echo(f"{module.QUESTION.name:16} {module.QUESTION.asks}{why}")


def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME ...]", help="Questions; all but those asked by name without."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help=f"Time for everything, default {BUDGET}, {QUICK_BUDGET} with --quick.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Every question, fewer variants, wider intervals.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Print every table and plot, not only the answers.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random order of rounds.")] = SEED,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the results go.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with an interrupted run; give its names and options again."),
    ] = False,
    journal: Annotated[
        Path, typer.Option(help="What an interrupted run had finished, for --resume.")
    ] = JOURNAL,
    keep_diff: Annotated[
        bool, typer.Option("--keep-diff", help="Keep what git diff HEAD says, up to 1 MB, in the results.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=60_000, help="Images a step, where a question fixes them.")
    ] = None,
    data: Annotated[
        Data | None, typer.Option(help="What is trained on, where a question fixes it; never downloaded.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="OMP_NUM_THREADS of every worker; MXNet's own without."),
    ] = None,
    network: NetworkOption = None,
    python: PythonOption = None,
    list_only: Annotated[bool, typer.Option("--list", help="Name the questions and stop.")] = False,
) -> None:
    """Ask the questions and answer them.

    Examples:

      python -m bench run

      python -m bench run hybridize second_head --budget 90s

      python -m bench run --quick --json mine.json

      python -m bench run hybridize --batch-size 32 --threads 1

      python -m bench run hybridize second_head --budget 90s --resume

      python -m bench run hybridize --keep-diff --json mine.json

      python -m bench run latency

      python -m bench run peers

      python -m bench run --network acme.bench:task heads

      python -m bench run --list
    """
    use_python(python)
    theirs = network_of(network, batch_size)
    if theirs is not None:
        _refuse_tutorials(data)
        theirs_asked = names_of(names or [])
        if list_only:
            typer.echo("\n".join(theirs_asked))
            return
    modules = chosen(names or []) if theirs is None else []
    if list_only:
        _list(modules if names else list(_modules().values()))
        return
    from bench.machine.changes import SUITE, check_under_git
    from bench.questions.durations import parse_duration

    # Before anything else is said: bad input is refused where nothing can be measured too.
    options = {"batch_size": batch_size, "data": data and data.value} if theirs is None else {}
    asked = as_asked(modules, quick, options, threads)
    budget_s = parse_duration((QUICK_BUDGET if quick else BUDGET) if budget is None else budget)
    typed = [
        *(names or []),
        *(["--quick"] if quick else []),
        *(["--full"] if full else []),
        *(["--keep-diff"] if keep_diff else []),
        *_given(budget=budget, seed=seed or None, json=json_file, batch_size=batch_size),
        *_given(data=data and data.value, threads=threads, network=network, python=python),
    ]
    files = Files(json_file, journal, resume, lambda there: _command("run", *typed, *_resume(there)))
    files.check()
    project = None if theirs is None else Path.cwd()
    if keep_diff:
        check_under_git(project or SUITE)
    if theirs is not None:
        modules = list(asked_of(theirs, theirs_asked))
        asked = asked_for(theirs, asked, modules[0].task)
    reasons = {module.QUESTION.name: module.QUESTION.skipped() for module in modules}
    if all(reasons.values()):
        for name, reason in reasons.items():
            typer.echo(f"{name}: not measured here: {reason}")
        if json_file:
            typer.echo(f"--json {json_file} was not written: nothing was measured", err=True)
        return
    here = [module for module in modules if not reasons[module.QUESTION.name]]
    _refuse(here, asked, files)
    for module in here:  # only now, since hundreds of megabytes may be fetched for it
        module.QUESTION.make_ready(lambda line: typer.echo(line, err=True))
    outcome = measure(modules, budget_s, asked, seed, files, project=project, keep_diff=keep_diff)
    _end(outcome, full, [] if names or theirs is not None else asked_by_name())


def _resume(journal: Path) -> list[str]:
    """The options to go on with a journal."""
    return [*(["--journal", str(journal)] if journal != JOURNAL else []), "--resume"]


def _given(**options: object) -> list[str]:
    """Options as they are typed; None stands for one that was not."""
    return [
        part
        for name, value in options.items()
        if value is not None
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]


def _command(name: str, *arguments: str) -> str:
    """A command to paste, as the person came: through nox, whose Python alone has MXNet, or the script."""
    through_nox = "NOX_CURRENT_SESSION" in os.environ
    if Path(sys.argv[0]).name.startswith(SCRIPT):  # which works beside a package of theirs called bench
        return shlex.join([SCRIPT, name, *arguments])
    start = ("uvx", "nox", "-s", NOX_SESSIONS[name], "--") if through_nox else ("python", "-m", "bench", name)
    return shlex.join([*start, *arguments])


def as_asked(
    modules: list[Any], quick: bool, options: dict[str, str | int | None], threads: int | None
) -> Asked:
    """What the user fixed; an option that no chosen question knows is refused."""
    settings: Settings = {name: value for name, value in options.items() if value is not None}
    for name in settings:
        knowing = [n for n, module in _modules().items() if name in module.QUESTION.fixed]
        if not {module.QUESTION.name for module in modules} & set(knowing):
            raise UserError(
                f"--{name.replace('_', '-')} changes nothing in what was chosen; "
                f"it is for {', '.join(knowing)}"
            )
    if settings.get("data") == Data.MNIST.value and not is_here():
        raise UserError(
            "--data mnist: MNIST is not on this machine; name its folder with $MTL_DATA_DIR, "
            "or have python -m mtl_core train download it"
        )
    return Asked(
        quick=quick,
        settings=settings,
        environment={} if threads is None else {"OMP_NUM_THREADS": str(threads)},
    )


def _refuse(modules: list[Any], asked: Asked, files: Files) -> None:
    """Raise UserError for what cannot be done, before a folder is made for its results."""
    if files.resume and not files.journal.exists():
        raise UserError(f"{files.journal}: nothing to resume; run without --resume")
    for module in modules:
        module.QUESTION.check(asked)


def _end(outcome: Outcome, full: bool, not_asked: list[str]) -> None:
    """Say what came out, and end with the code that says how well."""
    _report(outcome, full, not_asked)
    if outcome.lost:
        raise UserError(outcome.lost)
    if not outcome.measured:
        raise typer.Exit(ExitCode.MEASURED_NOTHING)
    if outcome.run.failures:
        raise typer.Exit(ExitCode.VARIANTS_FAILED)


def _report(outcome: Outcome, full: bool, not_asked: Sequence[str] = ()) -> None:
    """What to set, the answers and what to mind on one screen; everything with ``full``.

    Questions that were ``not_asked`` since nobody named them are told beside the results.
    """
    from reports.formats import write
    from reports.formats.terminal.page import continued, here
    from reports.pages.brief import brief
    from reports.pages.run import run_page

    page = run_page(outcome.run)
    write(page if full else brief(page), "terminal")
    if not outcome.measured:  # nor will a report of a file tell them
        for failure in outcome.run.failures:
            typer.echo("\n".join([f"\n{failure.summary}", *failure.last_lines]), err=True)
        typer.echo("\nnothing could be measured, so that no results were written", err=True)
        return
    if outcome.place is not None:
        typer.echo(f"\nResults: {outcome.place} ({outcome.run.spent_s:.0f} s measured)")
        again = _command("report", str(outcome.place), "--open")
        typer.echo(f"Next: {again}" if full else f"Tables and plots: {again}, or run with --full")
    if not_asked:
        typer.echo(f"Not asked unless named: {', '.join(not_asked)} ({_command('run', not_asked[0])})")
    advice = outcome.run.advice
    if not full and advice is not None and advice.command is not None:
        # Both have scrolled off by now.
        typer.echo("\n".join(["To set here:", *continued(advice.command, here().width), advice.sentences[0]]))
    if not full:
        typer.echo(page.verdict)
