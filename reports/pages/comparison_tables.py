"""The tables of a comparison of runs: what differs, ratios, times, use of the ceilings, means."""

from __future__ import annotations

from bench.records.comparison import (
    BenchmarkChange,
    ComparedBenchmark,
    ComparedRun,
    Field,
    Figure,
    QuestionMean,
    RunComparison,
)
from reports.model.tables import Cell, Column, Table

SIDE_BY_SIDE = 3  # runs; more are stacked
VARIANT, RUN = Column("variant", align="left"), Column("run", align="left")


def tables(comparison: RunComparison) -> list[Table]:
    """Runs, what differs, ceilings, each group's ratios, times and use of the ceilings, the means."""
    made = [runs_table(comparison.sides), *_differences(comparison), *_ceilings(comparison)]
    groups = dict.fromkeys(benchmark.group for benchmark in comparison.benchmarks)
    for group in groups:
        members = [b for b in comparison.benchmarks if b.group == group]
        made += [*_ratios(comparison, group, members), _times(comparison, group, members)]
        made += _uses(group, members)
    if comparison.means:
        made.append(_means(comparison))
    return made


def runs_table(sides: list[ComparedRun]) -> Table:
    """What was compared: files, when, on which machine, of which revision."""
    columns = tuple(Column(name, align="left") for name in ("run", "file", "measured", "machine", "source"))
    rows = tuple(
        (
            side.label,
            side.name,
            (side.measured_at or "unknown")[:19],
            side.machine or "unknown",
            _short(side.source),
        )
        for side in sides
    )
    return Table("Runs", columns, rows)


def _short(source: str | None) -> str:
    """A revision as git abbreviates it."""
    if source is None:
        return "unknown"
    revision, plus, tree_state = source.partition("+")
    return revision[:12] + plus + tree_state


def _differences(comparison: RunComparison) -> list[Table]:
    labels = [side.label for side in comparison.sides]
    if not comparison.differs:
        return []
    if len(labels) <= SIDE_BY_SIDE:
        titles = ["kind", "field", *labels]
        rows: list[tuple[Cell, ...]] = [
            (f.kind, f.name, *(_value(f, label) for label in labels)) for f in comparison.differs
        ]
    else:
        titles = ["kind", "field", "run", "value"]
        rows = [(f.kind, f.name, lab, _value(f, lab)) for f in comparison.differs for lab in labels]
    return [Table("What differs", tuple(Column(title, align="left") for title in titles), tuple(rows))]


def _value(field: Field, label: str) -> str:
    """A value; of a list of many only what not every run has."""
    value = field.values[label]
    if value is None:
        return "unknown"
    if field.name == "source":
        return _short(value)
    lists = [set(one.split(", ")) for one in field.values.values() if one is not None]
    common = set.intersection(*lists)
    own = [part for part in value.split(", ") if part not in common]
    if len(lists) < 2 or not common:
        return value
    return f"{', '.join(own) or 'nothing'} beside {len(common)} in common"


def _ceilings(comparison: RunComparison) -> list[Table]:
    if not comparison.ceilings:
        return []
    columns = (
        RUN,
        Column("MXNet's matrix product", "GFLOP/s"),
        Column("NumPy's matrix product", "GFLOP/s"),
        Column("memory", "GB/s"),
        Column("Python", "M loops/s"),
    )
    rows = tuple(
        (
            label,
            ceilings.mxnet_gflop_per_s,
            ceilings.numpy_gflop_per_s,
            ceilings.memory_gb_per_s,
            ceilings.python_loops_per_s / 1e6,
        )
        for label, ceilings in comparison.ceilings.items()
    )
    return [Table("Ceilings (medians, without an interval)", columns, rows)]


def _ratios(comparison: RunComparison, group: str, members: list[ComparedBenchmark]) -> list[Table]:
    """Within-machine ratios side by side; none in files of pytest-benchmark alone."""
    first = comparison.sides[0].label
    columns = (
        VARIANT,
        RUN,
        Column("time ratio"),
        Column(f"change against {first}"),
        Column("verdict", align="left"),
    )
    rows: list[tuple[Cell, ...]] = []
    for member in members:
        for label, figure in member.figures.items():
            change = _change(member, label)
            if figure.ratio is not None:
                rows.append(
                    (
                        member.variant,
                        label,
                        figure.ratio,
                        change.ratio if change else None,
                        change.ratio_verdict if change else None,
                    )
                )
    baseline = next((m.baseline for m in members if m.baseline), "")
    title = f"{group}: time over that of {baseline} in the same run (below 1 is faster)"
    return [Table(title, columns, tuple(rows))] if rows else []


def _times(comparison: RunComparison, group: str, members: list[ComparedBenchmark]) -> Table:
    first = comparison.sides[0].label
    of_images = any(figure.images_per_s for member in members for figure in member.figures.values())
    columns = (
        VARIANT,
        RUN,
        Column("time", "s"),
        *([Column("throughput", f"{members[0].counts}/s")] if of_images else []),
        Column(f"time against {first}"),
        Column("verdict", align="left"),
    )
    rows: list[tuple[Cell, ...]] = []
    for member in members:
        for label, figure in member.figures.items():
            change = _change(member, label)
            against = (change.time, change.time_verdict) if change else (None, None)
            rate = figure.images_per_s.value if figure.images_per_s else None
            throughput = [rate] if of_images else []
            rows.append((member.variant, label, figure.iteration_s.value, *throughput, *against))
    return Table(f"{group}: absolute, machine and code together", columns, tuple(rows))


def _change(benchmark: ComparedBenchmark, label: str) -> BenchmarkChange | None:
    return next((change for change in benchmark.changes if change.label == label), None)


def _uses(group: str, members: list[ComparedBenchmark]) -> list[Table]:
    """Throughput by the machine's own ceilings: equal figures say that this one explains a difference."""
    columns = (
        VARIANT,
        RUN,
        Column("of MXNet's product", "%"),
        Column("of NumPy's product", "%"),
        Column(f"{members[0].counts} a GB of memory traffic"),
        Column(f"{members[0].counts} per 1,000 Python loops"),
    )
    rows = [
        (member.variant, label, *_use(figure))
        for member in members
        for label, figure in member.figures.items()
        if figure.per_ceiling
    ]
    return [Table(f"{group}: throughput per ceiling", columns, tuple(rows))] if rows else []


def _use(figure: Figure) -> tuple[Cell, ...]:
    scales = {
        "mxnet_gflop_per_s": 100,
        "numpy_gflop_per_s": 100,
        "memory_gb_per_s": 1,
        "python_loops_per_s": 1000,
    }
    return tuple(
        scale * figure.per_ceiling[name] if name in figure.per_ceiling else None
        for name, scale in scales.items()
    )


def _means(comparison: RunComparison) -> Table:
    first = comparison.sides[0].label
    columns = (
        Column("question", align="left"),
        Column("of", note="benchmarks"),
        RUN,
        Column("mean time ratio"),
        Column(f"change against {first}"),
        Column("verdict", align="left"),
    )
    rows = tuple(_mean_row(mean, label) for mean in comparison.means for label in mean.means)
    return Table("Geometric means of the ratios within each run", columns, rows)


def _mean_row(mean: QuestionMean, label: str) -> tuple[Cell, ...]:
    of_run = (mean.question, len(mean.benchmarks), label, mean.means[label])
    return (*of_run, mean.changes.get(label), mean.verdicts.get(label))
