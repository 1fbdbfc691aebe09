"""Many runs over time: one history a machine class, with the places where a level changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Literal

import numpy as np

from bench.comparison.cases import case_differences
from bench.records.comparison import HistoricRun, History, LevelChange, MachineHistory, Series
from bench.records.run import CONTROL, Measured, Run
from bench.stats.change_points import ALPHA, LEAST_RUNS, Change, level_changes
from bench.stats.estimates import Floats, exponential

Key = tuple[str, str]  # group, variant
Measure = Literal["throughput", "time ratio"]
MEASURES: dict[Measure, Callable[[Measured], float | None]] = {
    "throughput": lambda measured: measured.images_per_s.value,
    "time ratio": lambda measured: measured.effect.estimate.value if measured.effect else None,
}


def history(runs: Sequence[Run], left_out: Sequence[str] = (), alpha: float = ALPHA) -> History:
    """The runs by machine class, the class with most runs first; what has no machine or time is left out."""
    untold = [
        f"{run.name}: tells no machine or no time of its measurement" for run in runs if not _dated(run)
    ]
    by_class: dict[str, list[Run]] = {}
    for run in sorted((run for run in runs if _dated(run)), key=_moment):
        assert run.machine is not None
        by_class.setdefault(run.machine.class_key, []).append(run)
    machines = [_machine(name, own, alpha) for name, own in by_class.items()]
    return History(
        machines=sorted(machines, key=lambda machine: -len(machine.runs)), left_out=[*left_out, *untold]
    )


def _dated(run: Run) -> bool:
    try:
        _moment(run)
    except ValueError:
        return False
    return run.machine is not None


def _moment(run: Run) -> datetime:
    """When a run was measured; a time without a zone is taken for UTC, as pytest-benchmark writes it."""
    moment = datetime.fromisoformat((run.measured_at or "").replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _machine(name: str, runs: list[Run], alpha: float) -> MachineHistory:
    """``runs`` oldest first."""
    points = [_point(run) for run in runs]
    keys = dict.fromkeys((g, v) for run in runs for g, variants in run.measured.items() for v in variants)
    newest = {key: _newest(runs, key) for key in keys}
    values: dict[tuple[Key, Measure], Floats] = {}
    for key in keys:
        for measure, ask in MEASURES.items():
            of_runs = [_value(run, key, newest[key], ask) for run in runs]
            if key[1] != CONTROL and not all(math.isnan(value) for value in of_runs):
                values[key, measure] = np.array(of_runs)
    names = {str(number): place for number, place in enumerate(values)}  # a file's names may run together
    changes = level_changes({name: np.log(values[key]) for name, key in names.items()}, alpha)
    return MachineHistory(
        machine=name,
        runs=points,
        series=[
            Series(
                benchmark="/".join(key),
                measure=measure,
                values=[None if math.isnan(v) else float(v) for v in values[key, measure]],
                changes=[
                    _level_change(change, points, values[key, measure]) for change in changes[name_of_series]
                ],
                counts=newest[key].case.counts,
                note=_left_out(runs, key, newest[key]),
            )
            for name_of_series, (key, measure) in names.items()
        ],
        tested=sum(int(np.count_nonzero(~np.isnan(v))) >= LEAST_RUNS for v in values.values()),
        least_runs=LEAST_RUNS,
        alpha=alpha,
    )


def _point(run: Run) -> HistoricRun:
    assert run.machine is not None and run.ceilings is not None
    return HistoricRun(
        name=run.name,
        measured_at=_moment(run).isoformat(timespec="seconds"),
        source=run.machine.source,
        build={
            **run.machine.environment,  # first: whatever a file calls its variables, the rest is as named
            "python": run.machine.python,
            "kernel": run.machine.kernel,
            "mxnet": run.ceilings.mxnet,
            "numpy": run.ceilings.numpy,
            "libraries": ", ".join(run.ceilings.libraries),
        },
    )


def _newest(runs: list[Run], key: Key) -> Measured:
    """The benchmark as it was last measured; what was another thing under its name is not its history."""
    return next(
        run.measured[key[0]][key[1]] for run in reversed(runs) if key[1] in run.measured.get(key[0], {})
    )


def _value(run: Run, key: Key, newest: Measured, ask: Callable[[Measured], float | None]) -> float:
    measured = run.measured.get(key[0], {}).get(key[1])
    if measured is None or any(case_differences(measured, newest)):
        return math.nan
    value = ask(measured)
    return math.nan if value is None else value


def _left_out(runs: list[Run], key: Key, newest: Measured) -> str:
    """Which settings of earlier runs made them something else."""
    fields = [
        {field for field, _, _ in case_differences(run.measured[key[0]][key[1]], newest)}
        for run in runs
        if key[1] in run.measured.get(key[0], {})
    ]
    unlike = [names for names in fields if names]
    if not unlike:
        return ""
    many = len(unlike) > 1
    which = f"{len(unlike)} runs are left out: they differ" if many else "1 run is left out: it differs"
    return f"{which} in {', '.join(sorted(set.union(*unlike)))}"


def _level_change(change: Change, points: list[HistoricRun], values: Floats) -> LevelChange:
    """What else changed since the last run that the series has a value of; others may lie between."""
    before = int(np.flatnonzero(~np.isnan(values[: change.start]))[-1])
    run, run_before = points[change.start], points[before]
    names = dict.fromkeys((*run.build, *run_before.build))  # a variable may be set in one of them alone
    return LevelChange(
        run=change.start,
        source=run.source,
        ratio=exponential(change.difference.interval()),
        before=change.before,
        after=change.after,
        p=change.p,
        same_source=run.source is not None and run.source == run_before.source,
        build=[name for name in names if run.build.get(name) != run_before.build.get(name)],
    )
