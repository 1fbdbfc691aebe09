"""``python -m bench trust``: how far this machine's comparisons can be trusted, found out on it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.network import Network, NetworkOption, network_of
from bench.commands.python import PythonOption, use_python
from bench.records.defaults import GATE_BUDGET, RESULTS
from mtl_core.errors import NothingMeasuredError, UserError
from mtl_core.program.files import check_place

if TYPE_CHECKING:
    from bench.trust.variants import Subject

FILE, QUICK_FILE = RESULTS / "trust.jsonl", RESULTS / "trust-quick.jsonl"
TIME, QUICK_TIME = "60m", "10m"
MOST_DRAWS = 100_000  # most of an hour
OF_RECORDING = {  # options that do nothing for a replay, by their parameters
    "duration": "--time",
    "file": "--file",
    "resume": "--resume",
    "quick": "--quick",
    "variant": "--variant",
    "beside": "--beside",
    "seed": "--seed",
    "network": "--network",
    "python": "--python",
}


def trust(
    context: typer.Context,
    duration: Annotated[
        str | None,
        typer.Option("--time", metavar="TIME", help=f"Time for recording: {TIME}, quickly {QUICK_TIME}."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Where the recording is kept: {FILE}, quickly {QUICK_FILE}."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the recording in the file.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A first answer in ten minutes, of few kinds of code.")
    ] = False,
    replay: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Record nothing; replay what is in the file; several are replayed as one."
        ),
    ] = None,
    budget: Annotated[
        list[str], typer.Option(metavar="TIME", help="Budget of a comparison; may be repeated.")
    ] = [  # noqa: B006
        GATE_BUDGET,
        "120s",
    ],
    tolerance: Annotated[
        str, typer.Option(metavar="SHARE", help="Differences up to this are called same.")
    ] = "2%",
    variant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Code to record beside the step as it is; may be repeated."),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What is to be beside it: alone (as the hour is), busy, bursts, memory; several take turns.",
        ),
    ] = None,
    draws: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_DRAWS,
            metavar="N",
            help="Comparisons to draw beside the disjoint ones, 30 ms each.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the random order of rounds.")] = 0,
    form: Annotated[
        str, typer.Option("--format", metavar="NAME", help="terminal, markdown, json, csv or html.")
    ] = "terminal",
    network: NetworkOption = None,
    python: PythonOption = None,
) -> None:
    """Find out how often regress is wrong on this machine, and what it detects.

    The training step is recorded beside itself with known work injected,
    in every step and in some, for the time given; then the rule that
    regress decides by is replayed over disjoint pieces of the recording.
    Exit code 6 says that not one comparison fitted into it.

    Examples:

      python -m bench trust --quick

      python -m bench trust --time 60m --resume

      python -m bench trust --resume --beside busy --beside bursts

      python -m bench trust --network acme.bench:task --time 30m

      python -m bench trust --replay FILE --budget 30s --tolerance 3%

      python -m bench trust --replay FILE --replay FILE --draws 2000
    """
    from bench.commands.formats import format_named
    from bench.gate.tolerances import parse_tolerance
    from bench.questions.durations import parse_duration
    from bench.trust.study import check_conditions, check_new, chosen, study
    from bench.trust.variants import QUICK, TUTORIAL
    from reports.formats import write
    from reports.pages.trust import trust_page

    if replay:
        _check_replay(context)
    budgets = [parse_duration(text) for text in budget]
    edge, chosen_format = parse_tolerance(tolerance, "--tolerance"), format_named(form)
    path = file or (QUICK_FILE if quick else FILE)
    if not replay:
        use_python(python)
        seconds = parse_duration(duration or (QUICK_TIME if quick else TIME), "--time")
        check_place(path, "--file", grows=True)
        conditions, theirs = check_conditions(beside or ["alone"]), network_of(network, None)
        check_new(path, resume)
        subject = TUTORIAL if theirs is None else _subject(theirs)
        quickly = tuple(name for name in QUICK if name in subject.variants)
        names = chosen(variant, subject) if variant else (quickly if quick and not resume else ())
        path = _record(path, seconds, conditions, names, seed, resume, subject)
    paths = replay or [path]
    named = " and ".join(map(str, paths))
    replayed = study(paths, budgets, edge, draws)
    if replayed is None:
        holds = "holds" if len(paths) == 1 else "hold"
        raise NothingMeasuredError(
            f"measured nothing: {named} {holds} less than two invocations; record longer, by --resume"
        )
    write(trust_page(replayed), chosen_format)
    if chosen_format.name == "terminal" and len(paths) == 1:
        (path,) = paths
        typer.echo(f"\nRecording: {path}; go on with it by {_resume(path)}, or replay it by --replay")
    if not replayed.comparisons:
        raise NothingMeasuredError(
            f"measured nothing: not one comparison fits into {named}; record longer, by --resume"
        )


def _record(
    path: Path,
    seconds: float,
    conditions: tuple[str, ...],
    names: tuple[str, ...],
    seed: int,
    resume: bool,
    subject: Subject,
) -> Path:
    """Record, and return where the recording lies then."""
    from bench.commands.progress import trial_shown
    from bench.trust.study import record_here

    kept, moved = 0, ""

    def show(units: int, spent_s: float) -> None:
        nonlocal kept
        kept = units
        shown("recording", units, spent_s)

    def say(line: str, place: Path) -> None:
        nonlocal moved
        moved = f"{line}; the recording goes on there, and on with {_resume(place)}"
        shown.say(moved)

    try:
        with trial_shown(seconds) as shown:
            return record_here(
                path,
                seconds,
                conditions=conditions,
                variants=names,
                seed=seed,
                resume=resume,
                show=show,
                subject=subject,
                project=Path.cwd() if subject.network else None,
                say=say,
            )
    except KeyboardInterrupt:
        typer.echo(moved or _stopped_line(path, kept), err=True)
        raise


def _subject(network: Network) -> Subject:
    """The network, built and tried in a worker, as what is recorded."""
    from bench.harness.declaring import declared
    from bench.trust.variants import subject_of

    typer.echo(f"building and trying {network.name} ...", err=True)
    return subject_of(declared(network.name, network.batch_size))


def _resume(path: Path) -> str:
    """The options to go on with a recording."""
    return "--resume" if path in (FILE, QUICK_FILE) else f"--file {shlex.quote(str(path))} --resume"


def _check_replay(context: typer.Context) -> None:
    """Raise UserError for an option that was given and would do nothing."""
    sources = {option: context.get_parameter_source(name) for name, option in OF_RECORDING.items()}
    given = [option for option, source in sources.items() if source and source.name == "COMMANDLINE"]
    if given:
        raise UserError(
            f"--replay records nothing, so that {', '.join(given)} would do nothing; give one of the two"
        )


def _stopped_line(file: Path, kept: int) -> str:
    if not kept:
        return "stopped before the first invocation was over: nothing is recorded"
    return f"stopped; {file} keeps {kept} invocation{'s' if kept > 1 else ''}, go on with them by --resume"
