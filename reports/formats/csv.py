"""Comma-separated values: numbers in base units, one row a benchmark and run."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable

from bench.records.comparison import (
    BenchmarkChange,
    ComparedBenchmark,
    History,
    RunComparison,
    SharedOperators,
)
from bench.records.run import Estimate
from reports.model.text import harmless

Value = str | int | float | None
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would take for one


def text(rows: Iterable[dict[str, Value]]) -> str:
    """Rows with the same keys, under a heading; an unknown or endless number is an empty cell."""
    told = list(rows)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(told[0]) if told else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in told)
    return file.getvalue()


def inert(told: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    shown = harmless(told)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def _cell(value: Value) -> Value:
    if isinstance(value, str):
        return inert(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def comparison(told: RunComparison) -> str:
    """Every benchmark of every run, and its change against the first run."""
    files = {side.label: side.name for side in told.sides}
    return text(_row(b, label, files[label]) for b in told.benchmarks for label in b.figures)


def _row(benchmark: ComparedBenchmark, label: str, file: str) -> dict[str, Value]:
    figure = benchmark.figures[label]
    change = next((c for c in benchmark.changes if c.label == label), None)
    ceilings = ("mxnet_gflop_per_s", "numpy_gflop_per_s", "memory_gb_per_s", "python_loops_per_s")
    return {
        "benchmark": benchmark.name,
        "run": label,
        "file": file,
        "baseline": benchmark.baseline,
        **_estimate("iteration_s", figure.iteration_s),
        **_estimate("images_per_s", figure.images_per_s),
        **_estimate("ratio", figure.ratio),
        **_estimate("ratio_change", change.ratio if change else None),
        "ratio_verdict": change.ratio_verdict if change else None,
        **_estimate("time_change", change.time if change else None),
        "time_verdict": change.time_verdict if change else None,
        "flop_per_image": benchmark.flop_per_image,
        **{f"per_{name}": figure.per_ceiling.get(name) for name in ceilings},
        "nearest_ceiling": _nearest(change),
    }


def _nearest(change: BenchmarkChange | None) -> str | None:
    return change.explained_by if change else None


def _estimate(name: str, told: Estimate | None) -> dict[str, Value]:
    """An estimate in four columns."""
    values = (told.value, told.low, told.high, told.n) if told else (None, None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high", f"{name}_n"), values, strict=True))


def history(told: History) -> str:
    """Every value of every series; ``level`` counts the levels from 0 on."""
    return text(
        {
            "machine": machine.machine,
            "benchmark": series.benchmark,
            "measure": series.measure,
            "measured_at": machine.runs[place].measured_at,
            "source": machine.runs[place].source,
            "file": machine.runs[place].name,
            "value": value,
            "level": sum(change.run <= place for change in series.changes),
        }
        for machine in told.machines
        for series in machine.series
        for place, value in enumerate(series.values)
        if value is not None
    )


def shares(told: SharedOperators) -> str:
    """Every operator in every profile, and its change against the first."""
    files = {side.label: side.name for side in told.sides}
    return text(
        {
            "benchmark": told.benchmark,
            "operator": operator.name,
            "run": label,
            "file": files[label],
            **_estimate("share", operator.shares[label]),
            **_estimate("seconds", operator.seconds[label]),
            **_estimate("share_change", operator.changes.get(label)),
            "verdict": operator.verdicts.get(label),
        }
        for operator in told.operators
        for label in operator.shares
    )
