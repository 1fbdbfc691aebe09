"""Head against stored runs of the same machine: a wider band, since days differ too.

Interleaving cancels the machine's mood; a stored run has another one. How much days differ on this
machine is estimated from its own stored runs, one level a day, and the interval of the ratio is that
of a new day against the given ones: Student's t with as many degrees of freedom as days less one.

The head is measured alone and finds its caches warm, where a stored run's rounds followed those of other
workers. The lead-in leaves about 0.4 % of that in the step: its head looks so much faster than it is. Rounds
of fewer than four iterations have no lead-in, and what that leaves was not measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from bench.gate.checkouts import gate_path
from bench.gate.declarations import lines_of
from bench.gate.revisions import HEAD, Settings, chosen, group_of, seed_of
from bench.gate.sides import SIDE, Side, SidePool, declared, not_started
from bench.harness.pool import WorkerFailedError
from bench.harness.rounds import LEAD_IN, Harness
from bench.machine.git import GitError, git
from bench.machine.identity import collect
from bench.machine.interpreter import versions, workers_python
from bench.questions.gate import Benchmark
from bench.records.regression import Comparison, Regression
from bench.records.run import Block, Estimate, Machine, Measured, Run
from bench.results.run_file import read_run
from bench.stats.estimates import Mean, exponential, geometric
from bench.stats.ratios import log_times
from bench.stats.verdict import ALPHA, verdicts
from mtl_core.errors import UserError

LEAST_DAYS = 4  # with fewer the spread between days is hardly known: Student's t above 4 at 95 %
ROOT = Path(__file__).parents[2]
REVISION_UNKNOWN = (
    "the gate at the revision of a stored run is not known here: what was removed since goes unnoticed"
)


class DayMean(NamedTuple):
    """How long a benchmark took in a stored run, as the logarithm of seconds."""

    day: str
    log_s: float


class Found(NamedTuple):
    """One benchmark before the verdicts are made together."""

    comparison: Comparison
    mean: Mean | None = None  # of log(head / given); None where there is nothing to judge


def against(names: list[str], files: Sequence[Path], settings: Settings) -> Regression:
    """Measure the working tree and compare it with stored runs.

    Raises UserError for a run of another machine, environment or MXNet, naming what differs, and where
    the runs have no work in common with the gate.
    """
    machine, here = collect(), versions()
    given = [read_run(path) for path in files]
    for path, run in zip(files, given, strict=True):
        check_machine(path, run, machine)
        check_conditions(path, run, machine, here)
    alike = [run for run in neighbours(files) if same_class(run, machine)]
    around = [run for run in alike if not other_conditions(run, machine, here)]
    side = declared(Side(HEAD, ROOT, workers_python(), own=True))
    settings.check(side.benchmarks)
    picked, left_out = in_mode(names, side)
    check_work(files, given, picked)
    gone, unknown = removed(given, side) if not names else ([], False)
    if settings.seed is None:
        settings = replace(settings, seed=seed_of(machine.source, *(_revision(run) for run in given)))
    outcomes = [_one(benchmark, side, given, around, settings) for benchmark in picked]
    return Regression(
        base=", ".join(path.name for path in files),
        head="working tree",
        stored=True,
        budget_s=settings.budget_s,
        seed=settings.seed,
        confidence=1.0 - ALPHA,
        comparisons=[
            *judged(outcomes),
            *(vanished(name, settings.tolerance(name)) for name in gone),
        ],
        notes=[
            "a stored run is of another day: the band is as wide as this machine's days differ",
            *([_left_out(len(alike) - len(around))] if len(around) < len(alike) else []),
            *other_builds(files, given, machine, here),
            *([REVISION_UNKNOWN] if unknown else []),
            *(f"{name} is left out: no stored run measures it; compare it with --base" for name in left_out),
        ],
    )


def judged(outcomes: Sequence[Found]) -> list[Comparison]:
    """The verdicts at one error rate, shared by what there is to judge (Holm); each interval says its own."""
    means = {one.comparison.benchmark: one.mean for one in outcomes if one.mean}
    words = verdicts(means, {o.comparison.benchmark: o.comparison.tolerance for o in outcomes if o.mean})
    open_ = sum(word == "undecided" for word in words.values())
    comparisons = []
    for one in outcomes:
        name = one.comparison.benchmark
        if name not in words:
            comparisons.append(one.comparison)
            continue
        # As wide as the step-down came: all of the decided ones are so at this share, none of the others is.
        share = ALPHA / (open_ if words[name] == "undecided" else open_ + 1)
        shown = exponential(means[name].interval(1.0 - share))
        comparisons.append(msgspec.structs.replace(one.comparison, effect=shown, verdict=words[name]))
    return comparisons


def in_mode(names: list[str], side: Side) -> tuple[list[Benchmark], list[str]]:
    """The benchmarks asked for, or all that a run can have; and the names of those that no run has."""
    picked = [side.benchmarks[name] for name in chosen(names, (side,))]
    if names:
        return picked, []
    return [b for b in picked if b.in_runs], [b.name for b in picked if not b.in_runs]


def removed(given: Sequence[Run], side: Side) -> tuple[list[str], bool]:
    """What the gate had at the stored runs' revisions and has no more; whether one is unknown here."""
    gates = [gate_then(run) for run in given]
    names = dict.fromkeys(name for gate in gates for name in gate or [] if name not in side.benchmarks)
    return list(names), None in gates


def _revision(run: Run) -> str:
    return (run.machine.source if run.machine else None) or ""


def gate_then(run: Run) -> list[str] | None:
    """The names in the gate at a run's revision; None where git does not have it."""
    revision = re.fullmatch(r"([0-9a-f]{7,64})(\+dirty)?", _revision(run))
    if revision is None:
        return None
    try:
        path = gate_path(ROOT, revision[1])
        return None if path is None else list(lines_of(git(ROOT, "show", f"{revision[1]}:{path}")))
    except (GitError, UserError):
        return None


def vanished(name: str, tolerance: float) -> Comparison:
    """A benchmark that the gate of a stored run had."""
    return Comparison(
        benchmark=name,
        asks="",
        effect=None,
        verdict="undecided",
        tolerance=tolerance,
        seconds=0.0,
        missing="head",
    )


def check_work(files: Sequence[Path], given: Sequence[Run], picked: Sequence[Benchmark]) -> None:
    """Raise UserError where the stored runs have none of these benchmarks: nothing could be compared."""
    if any(stored(run, benchmark) for run in given for benchmark in picked):
        return
    raise UserError(
        f"{', '.join(map(str, files))}: nothing to compare, since none of the work of "
        f"{', '.join(b.name for b in picked)} was measured there with the gate's settings; store a full run "
        "(python -m bench run, without --quick or --batch-size), or use --base"
    )


def check_machine(path: Path, run: Run, machine: Machine) -> None:
    """Raise UserError unless the run is of this class of machine."""
    if run.machine is None:
        raise UserError(f"{path} does not say on what machine it was measured; use --base or work instead")
    if same_class(run, machine):
        return
    fields = [(n, getattr(run.machine, n), getattr(machine, n)) for n in run.machine.unlike(machine)]
    differing = "; ".join(f"{n} was {then}, is {now}" for n, then, now in fields)
    raise UserError(
        f"{path} is of another machine: {differing}. Times of unlike machines cannot be compared; "
        "use --base to measure both revisions here, or work for exact counters"
    )


def same_class(run: Run, machine: Machine) -> bool:
    """Whether a run may be compared with one of this machine."""
    return run.machine is not None and not run.machine.unlike(machine)


def other_conditions(run: Run, machine: Machine, here: Mapping[str, str]) -> list[str]:
    """Which environment variables and which MXNet were other than here, in words.

    ``here`` is the versions installed. What a side does not tell of its MXNet is not held against it.
    """
    then, now = run.machine.environment if run.machine else {}, machine.environment
    fields = [(name, then.get(name, "not set"), now.get(name, "not set")) for name in sorted({*then, *now})]
    mxnet = sorted({version for name, version in here.items() if name.startswith("mxnet")})
    if run.ceilings and mxnet and run.ceilings.mxnet not in mxnet:
        fields.append(("mxnet", run.ceilings.mxnet, ", ".join(mxnet)))
    return [f"{name} was {before}, is {after}" for name, before, after in fields if before != after]


def check_conditions(path: Path, run: Run, machine: Machine, here: Mapping[str, str]) -> None:
    """Raise UserError unless the run had the environment variables and the MXNet that the head will have."""
    differing = other_conditions(run, machine, here)
    if differing:
        raise UserError(
            f"{path} was measured under other conditions: {'; '.join(differing)}. "
            "Measure under the same ones, or use --base to measure both revisions here"
        )


def other_builds(
    files: Sequence[Path], given: Sequence[Run], machine: Machine, here: Mapping[str, str]
) -> list[str]:
    """A note for each run of another Python or NumPy, which a time may depend on."""
    notes = []
    for path, run in zip(files, given, strict=True):
        fields = [
            ("python", run.machine.python if run.machine else None, machine.python),
            ("numpy", run.ceilings.numpy if run.ceilings else None, here.get("numpy")),
        ]
        changed = [f"{n} was {then}, is {now}" for n, then, now in fields if then and now and then != now]
        if changed:
            notes.append(f"{path.name} is of another build: {'; '.join(changed)}; what differs may be theirs")
    return notes


def neighbours(files: Sequence[Path]) -> list[Run]:
    """All runs that are where the given ones are; what cannot be read is none."""
    paths = sorted({other.resolve() for path in files for other in path.parent.glob("*.json")})
    runs = []
    for path in paths:
        try:
            runs.append(read_run(path))
        except UserError:
            continue
    return runs


def stored(run: Run, benchmark: Benchmark) -> Measured | None:
    """The case of a run that measured the same workload with the same settings."""
    for variants in run.measured.values():
        for measured in variants.values():
            case = measured.case
            same = case.workload == benchmark.workload and case.settings == benchmark.settings
            if same and not case.environment:
                return measured
    return None


def levels(runs: Sequence[Run], benchmark: Benchmark) -> list[DayMean]:
    """One level a day: the mean over that day's runs."""
    by_day: dict[str, list[float]] = {}
    for run in runs:
        measured = stored(run, benchmark)
        if measured is not None and run.measured_at:
            by_day.setdefault(run.measured_at[:10], []).append(math.log(measured.iteration_s.value))
    return [DayMean(day, float(np.mean(values))) for day, values in sorted(by_day.items())]


def effect(head: Sequence[float], given: Sequence[DayMean], around: Sequence[DayMean]) -> Mean:
    """log(head / given), known as badly as days differ; ``head`` is one log time an invocation."""
    value = float(np.mean(head)) - float(np.mean([g.log_s for g in given]))
    days = np.array([a.log_s for a in around])
    if len(days) < 2:
        return Mean(value, math.inf, 1, len(days))
    variance = float(np.var(days, ddof=1)) * (1.0 + 1.0 / len(given))
    if len(head) > 1:
        variance += float(np.var(head, ddof=1)) / len(head)
    return Mean(value, math.sqrt(variance), len(days) - 1, len(days))


def measure(
    benchmark: Benchmark, side: Side, settings: Settings
) -> tuple[list[float], list[Block], str | None]:
    """One log time an invocation of the head alone, within the budget.

    Raises UserError when no worker comes up.
    """
    group = group_of(benchmark.name, (side,))
    harness = Harness(seed_of(settings.seed, benchmark.name), pool=lambda: SidePool((side,)), lead_in=LEAD_IN)
    blocks: list[Block] = []
    logs: list[float] = []
    start = harness.clock()
    try:
        while not harness.failures:
            spent = harness.clock() - start
            if logs and spent + spent / len(logs) > settings.budget_s:
                break
            settings.show(benchmark.name, len(logs), spent)
            harness.next_invocation()
            harness.pool.workers_for({SIDE: side.name}, 1)  # a worker that does not start is no slow code
            mine = [harness.measure(group) for _ in range(benchmark.set_ups)]
            blocks += mine
            if not harness.failures:
                logs.append(float(np.mean(log_times(mine, HEAD).values)))
    except WorkerFailedError as failure:
        raise not_started(failure) from None
    finally:
        harness.close()
    reasons = [failure.reason for failure in harness.failures.values()]
    return logs, blocks, reasons[0] if reasons else None


def _one(
    benchmark: Benchmark,
    side: Side,
    given: Sequence[Run],
    around: Sequence[Run],
    settings: Settings,
) -> Found:
    """One benchmark against the stored runs that have it."""
    untold = Comparison(
        benchmark=benchmark.name,
        asks=benchmark.asks,
        effect=None,
        verdict="undecided",
        tolerance=settings.tolerance(benchmark.name),
        seconds=0.0,
        missing="stored",
    )
    base, days = levels(given, benchmark), levels(around, benchmark)
    if not base:
        return Found(untold)
    start = settings.clock()
    logs, blocks, failure = measure(benchmark, side, settings)
    seconds = settings.clock() - start
    comparison = msgspec.structs.replace(untold, missing=None, seconds=seconds)
    if failure or not logs:
        return Found(msgspec.structs.replace(comparison, failure=failure or "no time"))
    mean, enough = effect(logs, base, days), len(days) >= LEAST_DAYS
    comparison = msgspec.structs.replace(
        comparison,
        effect=exponential(mean.interval()),
        set_ups=len(blocks),
        base_s=exponential(mean_of_days(base)),
        head_s=geometric(np.array(logs)),
        notes=[] if enough else [_too_few(len(days))],
    )
    return Found(comparison, mean if enough else None)


def mean_of_days(base: Sequence[DayMean]) -> Estimate:
    """The mean of the given days' levels, in logarithms; without an interval of its own."""
    value = float(np.mean([level.log_s for level in base]))
    return Estimate(value=value, low=-math.inf, high=math.inf, confidence=1.0 - ALPHA, n=len(base))


def _too_few(days: int) -> str:
    return (
        f"stored runs of {days} day{'s' if days != 1 else ''} do not tell how much days differ here; "
        f"it takes runs of {LEAST_DAYS} days in the same folder, or --base"
    )


def _left_out(runs: int) -> str:
    return (
        f"{runs} stored run{'s' if runs != 1 else ''} of this machine had another environment or MXNet, and "
        f"{'do' if runs != 1 else 'does'} not count for how much days differ"
    )
