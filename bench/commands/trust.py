"""``python -m bench trust``: how far this machine's comparisons can be trusted, found out on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtl_core.errors import UserError

FILE = Path(".benchmarks") / "mtl-bench" / "trust.jsonl"
OF_RECORDING = {  # options that do nothing for a replay, by their parameters
    "duration": "--time",
    "resume": "--resume",
    "slow_down": "--slow-down",
    "busy": "--busy",
    "seed": "--seed",
}


def trust(
    context: typer.Context,
    duration: Annotated[str, typer.Option("--time", metavar="TIME", help="Time for recording.")] = "60m",
    file: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the recording is kept, a line an invocation.")
    ] = FILE,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the recording in the file.")] = False,
    replay_only: Annotated[
        bool, typer.Option("--replay", help="Record nothing; replay what is in the file.")
    ] = False,
    budget: Annotated[
        list[str], typer.Option(metavar="TIME", help="Budget of a comparison; may be repeated.")
    ] = [  # noqa: B006
        "60s",
        "120s",
    ],
    tolerance: Annotated[
        str, typer.Option(metavar="SHARE", help="Differences up to this are called same.")
    ] = "2%",
    slow_down: Annotated[
        list[str] | None,
        typer.Option(metavar="SHARE", help="Slow-down to inject; may be repeated. Without: 3%, 5% and 10%."),
    ] = None,
    busy: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Cores kept busy by other processes meanwhile.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random order of rounds.")] = 0,
) -> None:
    """Find out how often regress is wrong on this machine, and what it detects.

    Identical code and code slowed by known shares is measured for the
    time given; then the rule that regress decides by is replayed over
    disjoint pieces of the recording.

    Examples:

      python -m bench trust

      python -m bench trust --time 20m --busy 1 --file busy.jsonl

      python -m bench trust --resume --time 30m

      python -m bench trust --slow-down 3% --slow-down 5%

      python -m bench trust --replay --budget 30s --tolerance 3%
    """
    from bench.commands.progress import trial_shown
    from bench.gate.tolerances import parse_tolerance
    from bench.harness.session import parse_duration
    from bench.trust.study import record_here, study
    from reports.formats import write
    from reports.pages.trust import trust_page

    if replay_only:
        _check_replay(context)
    budgets = [parse_duration(text) for text in budget]
    edge = parse_tolerance(tolerance, "--tolerance")
    if not replay_only:
        shares = {parse_tolerance(text, "--slow-down") for text in slow_down or ()}
        seconds = parse_duration(duration, "--time")
        kept = 0

        def show(units: int, spent_s: float) -> None:
            nonlocal kept
            kept = units
            shown("recording", units, spent_s)

        try:
            with trial_shown(seconds) as shown:
                record_here(file, seconds, busy=busy, seed=seed, resume=resume, show=show, slow_downs=shares)
        except KeyboardInterrupt:
            typer.echo(_stopped_line(file, kept), err=True)
            raise
    write(trust_page(study(file, budgets, edge)), "terminal")
    typer.echo(f"\nRecording: {file}; go on with it by --resume, or replay it by --replay")


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
