"""``python -m bench compare``: two or more result files side by side."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.formats import NAMES, format_named
from bench.questions.shares import parse_share
from mtl_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from bench.records.comparison import ComparedBenchmark, RunComparison
    from bench.records.run import Estimate, Run
    from reports.model.page import Page

MOST_RUNS = 100


class Sort(str, Enum):
    """What the benchmarks of a table are sorted by."""

    run = "run"
    name = "name"
    ratio = "ratio"
    time = "time"
    verdict = "verdict"


class FailOn(str, Enum):
    """What makes the exit code 1, or 5 for what is gone."""

    slower = "slower"


def compare(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER ...", help="Result files.")],
    wanted: Annotated[str, typer.Option("--format", metavar=NAMES, help="How to write it.")] = "terminal",
    sort: Annotated[Sort, typer.Option(help="Order; ratio and time: the largest change first.")] = Sort.run,
    only: Annotated[str, typer.Option(help="Only benchmarks with this in their name.")] = "",
    tolerance: Annotated[str, typer.Option(help="Ratios within it are the same.")] = "2%",
    drift: Annotated[str, typer.Option(help="What a machine may drift between runs.")] = "5%",
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            help="Exit code 1 when a benchmark of one machine became slower, by its ratio or its time (5% "
            "chance of a false alarm over all of them), 5 when one is gone or failed."
        ),
    ] = None,
) -> None:
    """Compare runs with the first: machines, within-machine ratios, times beside the ceilings.

    Ratios within a run compare between any machines. Times are judged within a wider band,
    since a machine drifts between runs.

    Examples:

      python -m bench compare before.json after.json

      python -m bench compare .benchmarks/mtl-bench --sort ratio

      python -m bench compare a.json b.json --format markdown --fail-on slower

      python -m bench compare before/profile.json after/profile.json
    """
    from bench.comparison.runs import compare as compared
    from bench.comparison.runs import got_lost, got_slower
    from bench.results.recognise import is_profile
    from reports.formats import write
    from reports.model.text import harmless
    from reports.pages.comparison import comparison_page

    form = format_named(wanted)
    profiles = [path for path in paths if is_profile(path)]
    if profiles:
        if fail_on:
            raise UserError("--fail-on slower compares runs; profiles are of another regime")
        write(_operators(paths, profiles), form)
        return
    runs, left_out = _runs(paths)
    comparison = compared(
        chosen(runs, only),
        parse_share(tolerance, "--tolerance"),
        parse_share(drift, "--drift"),
        strict=fail_on is not None,
    )
    for line in left_out:
        typer.echo(f"left out: {harmless(line)}", err=True)
    if fail_on and not any(pair.alike for pair in comparison.pairs):
        fields = sorted({field for pair in comparison.pairs for field in pair.unlike}) or ["unknown machine"]
        raise UserError(
            f"--fail-on slower compares runs of one machine class; these differ in {', '.join(fields)}"
        )
    write(comparison_page(_sorted(comparison, sort)), form)
    for line in unjudged(comparison) if fail_on else []:
        typer.echo(harmless(line), err=True)
    slower = got_slower(comparison) if fail_on else []
    lost = got_lost(comparison) if fail_on else []
    for word, names in (("slower", slower), ("missing or failed in the later run", lost)):
        if names:
            typer.echo(f"{word}: {', '.join(map(harmless, names))}", err=True)
    if slower or lost:
        raise typer.Exit(ExitCode.SLOWER if slower else ExitCode.VARIANTS_FAILED)


def unjudged(comparison: RunComparison) -> list[str]:
    """A line for each run that ``--fail-on`` says nothing of, since its machine is not the first run's."""
    first, *_ = (side.label for side in comparison.sides)
    names = {side.label: side.name for side in comparison.sides}
    return [
        f"not judged: {pair.label} ({names[pair.label]}) is of another machine class than {first}: "
        f"{', '.join(pair.unlike) or 'one of the two tells no machine'}"
        for pair in comparison.pairs
        if not pair.alike
    ]


def files_read(files: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """The files, while a bar on standard error shows how many were taken; nothing in a pipe."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(files, "reading", console=console, transient=True, disable=not console.is_terminal)


def _runs(paths: list[Path]) -> tuple[list[Run], list[str]]:
    """The runs in files and folders; of a folder what is no result file is left out, with the reason."""
    from bench.results.collection import read_all
    from bench.results.run_file import read_run

    runs: list[Run] = []
    left_out: list[str] = []
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112  # no error for a name that is too long
            runs.append(read_run(path))
            continue
        results, lost = read_all(str(path), watched=files_read)
        runs += results
        left_out += lost
    if len(runs) > MOST_RUNS:
        raise UserError(f"{len(runs)} runs given; compare takes up to {MOST_RUNS}, history any number")
    if len(runs) < 2:
        why = f" ({left_out[0]})" if left_out else ""
        raise UserError(f"{len(runs)} run found; compare takes two or more result files, or a folder{why}")
    return runs, left_out


def _operators(paths: list[Path], profiles: list[Path]) -> Page:
    """Operator shares of profiles, which are of another regime than runs and never mixed with them."""
    from bench.comparison.profiles import compare_shares, read_shares
    from reports.pages.operators import operators_page

    if len(profiles) < len(paths):
        other = next(path for path in paths if path not in profiles)
        raise UserError(f"{profiles[0]} is a profile and {other} is none; compare runs or profiles")
    names = [str(path) for path in profiles]
    return operators_page(compare_shares([read_shares(path) for path in profiles], names))


def chosen(runs: list[Run], only: str) -> list[Run]:
    """The runs with the chosen benchmarks alone, which share the error rate among fewer."""
    import msgspec

    if not any(
        only in f"{group}/{v}" for run in runs for group, variants in run.measured.items() for v in variants
    ):
        raise UserError(f"no benchmark in these runs has {only!r} in its name")
    return [
        msgspec.structs.replace(
            run,
            measured={
                group: {v: m for v, m in variants.items() if only in f"{group}/{v}"}
                for group, variants in run.measured.items()
            },
            failures=[failure for failure in run.failures if only in failure.case],
        )
        for run in runs
    ]


def _sorted(comparison: RunComparison, sort: Sort) -> RunComparison:
    import msgspec

    if sort is Sort.run:
        return comparison
    keys: dict[Sort, Callable[[ComparedBenchmark], Any]] = {
        Sort.name: lambda benchmark: benchmark.name,
        Sort.ratio: lambda benchmark: -_largest([change.ratio for change in benchmark.changes]),
        Sort.time: lambda benchmark: -_largest([change.time for change in benchmark.changes]),
        Sort.verdict: _by_verdict(comparison),
    }
    return msgspec.structs.replace(comparison, benchmarks=sorted(comparison.benchmarks, key=keys[sort]))


def _largest(changes: list[Estimate | None]) -> float:
    """How far the furthest is from no change, either way; -1 without any."""
    return max((abs(math.log(change.value)) for change in changes if change), default=-1.0)


def _by_verdict(comparison: RunComparison) -> Callable[[ComparedBenchmark], Any]:
    """First what ``--fail-on slower`` fails for, then by the worse of the verdicts on ratio and time."""
    from bench.comparison.runs import got_slower

    order = ["slower", "different", "faster", "undecided", "same", None]
    failing = set(got_slower(comparison))

    def key(benchmark: ComparedBenchmark) -> tuple[bool, int]:
        words = [word for c in benchmark.changes for word in (c.ratio_verdict, c.time_verdict)]
        worst = min((order.index(word) for word in words), default=len(order))
        return benchmark.name not in failing, worst

    return key
