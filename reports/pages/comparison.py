"""A comparison of runs in sentences and tables, for every format."""

from __future__ import annotations

from bench.records.comparison import (
    BenchmarkChange,
    ComparedBenchmark,
    ComparedRun,
    Field,
    Figure,
    QuestionMean,
    RunComparison,
    RunPair,
    SharedOperators,
)
from bench.records.run import Estimate
from bench.stats.verdict import ALPHA
from reports.model.tables import Cell, Column, Table
from reports.model.text import harmless

SIDE_BY_SIDE = 3  # runs; more are stacked
CEILINGS = {
    "mxnet_gflop_per_s": "MXNet's matrix product",
    "numpy_gflop_per_s": "NumPy's matrix product",
    "memory_gb_per_s": "memory",
    "python_loops_per_s": "Python",
}
VARIANT, RUN = Column("variant", align="left"), Column("run", align="left")


def sentences(comparison: RunComparison) -> list[str]:
    """What was found, in words: how alike the machines are, how many verdicts of each kind, what changed."""
    found = [_likeness(comparison, pair) for pair in comparison.pairs]
    found = [*_strangers(comparison), *found, _counted(comparison)]
    for benchmark in comparison.benchmarks:
        found += [
            said for change in benchmark.changes if (said := _ratio_changed(benchmark, comparison, change))
        ]
    for benchmark in comparison.benchmarks:
        if benchmark.baseline is None:  # the others' times follow from their ratios
            found += [
                said for change in benchmark.changes if (said := _explained(benchmark, comparison, change))
            ]
    return found


def verdict(comparison: RunComparison) -> str:
    """The comparison in one sentence."""
    return next(iter(_strangers(comparison)), _counted(comparison))


def _strangers(comparison: RunComparison) -> list[str]:
    """Said before all else: which runs share nothing with the first, so that nothing of them is compared."""
    shared = {change.label for benchmark in comparison.benchmarks for change in benchmark.changes}
    if not shared:
        return ["The runs have no benchmark in common."]
    first = comparison.sides[0].label
    apart = [pair.label for pair in comparison.pairs if pair.label not in shared]
    return [f"{first} and {label} have no benchmark in common." for label in apart]


def _likeness(comparison: RunComparison, pair: RunPair) -> str:
    first = comparison.sides[0].label
    if pair.alike:
        moved = max((abs(ratio - 1) for ratio in pair.ceilings.values()), default=0.0)
        return (
            f"{first} and {pair.label} are of one machine class. Its ceilings moved by up to {moved:.1%} "
            f"between the runs: a time has to differ by {pair.time_band:.1%} to be called faster or slower, "
            f"a ratio by {comparison.tolerance:.1%}."
        )
    why = f"they differ in {', '.join(pair.unlike)}" if pair.unlike else "the machine of one is not told"
    return (
        f"{first} and {pair.label} are unlike machines ({why}): only ratios within a machine compare cleanly."
    )


def _counted(comparison: RunComparison) -> str:
    words = [c.ratio_verdict for b in comparison.benchmarks for c in b.changes if c.ratio_verdict]
    counts = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))
    return (
        f"{len(words)} within-machine ratios compared: {counts}. "
        f"They and the times share one error rate of {ALPHA:.0%} (Holm); each interval is for itself."
        if words
        else "No within-machine ratio is in two runs."
    )


def _ratio_changed(
    benchmark: ComparedBenchmark, comparison: RunComparison, change: BenchmarkChange
) -> str | None:
    """``hybridize/step/static is 1.07x as fast as imperative in A ... and 1.31x in B ...: different.``"""
    if change.ratio_verdict in (None, "same", "undecided"):
        return None
    labels = (comparison.sides[0].label, change.label)
    one, other = (benchmark.figures[label].ratio for label in labels)
    assert one is not None and other is not None
    return (
        f"{harmless(benchmark.name)} is {_speed(one)} as fast as {harmless(benchmark.baseline)} in "
        f"{labels[0]} and {_speed(other)} in {labels[1]}: {change.ratio_verdict}."
    )


def _explained(
    benchmark: ComparedBenchmark, comparison: RunComparison, change: BenchmarkChange
) -> str | None:
    """Throughput between unlike machines, beside what their ceilings differ by."""
    if change.explained_by is None:
        return None
    pair = next(pair for pair in comparison.pairs if pair.label == change.label)
    ceilings = ", ".join(f"{CEILINGS[name]} {ratio:.2f}x" for name, ratio in pair.ceilings.items())
    return (
        f"{harmless(benchmark.name)}: {change.label} has {_speed(change.time)} the throughput of "
        f"{comparison.sides[0].label}; its ceilings: {ceilings}. "
        f"Nearest is {CEILINGS[change.explained_by]}, which is a hint and no proof."
    )


def _speed(time_ratio: Estimate) -> str:
    """``1.07x (1.05 to 1.09)`` from a ratio of times."""
    value, low, high = (
        1 / x if x > 0 else float("inf") for x in (time_ratio.value, time_ratio.high, time_ratio.low)
    )
    places = 3 if high - low < 0.02 else 2
    interval = f" ({low:.{places}f} to {high:.{places}f})" if time_ratio.n > 1 else ""
    return f"{value:.{places}f}x{interval}"


def footnotes(comparison: RunComparison) -> list[str]:
    """What is equal, what is missing where, and what the runs themselves warned of."""
    equal = ", ".join(map(harmless, comparison.equal)) or "nothing that is known of every run"
    lost = [
        f"{label} lacks {len(names)} of the benchmarks: {', '.join(map(harmless, names))}"
        for label, names in comparison.missing.items()
    ]
    return [f"Equal: {equal}.", *lost, *(f"! {harmless(warning)}" for warning in comparison.warnings)]


def tables(comparison: RunComparison) -> list[Table]:
    """Runs, what differs, ceilings, each group's ratios, times and use of the ceilings, the means."""
    found = [_runs_table(comparison.sides), *_differences(comparison), *_ceilings(comparison)]
    groups = dict.fromkeys(benchmark.group for benchmark in comparison.benchmarks)
    for group in groups:
        members = [b for b in comparison.benchmarks if b.group == group]
        found += [*_ratios(comparison, group, members), _times(comparison, group, members)]
        found += _uses(group, members)
    if comparison.means:
        found.append(_means(comparison))
    return found


def _runs_table(sides: list[ComparedRun]) -> Table:
    columns = tuple(Column(name, align="left") for name in ("run", "file", "measured", "machine", "source"))
    rows = tuple(
        (
            side.label,
            harmless(side.name),
            harmless((side.measured_at or "unknown")[:19]),
            harmless(side.machine or "unknown"),
            harmless(_short(side.source)),
        )
        for side in sides
    )
    return Table("Runs", columns, rows)


def _short(source: str | None) -> str:
    """A revision as git abbreviates it."""
    if source is None:
        return "unknown"
    revision, plus, state = source.partition("+")
    return revision[:12] + plus + state


def _differences(comparison: RunComparison) -> list[Table]:
    labels = [side.label for side in comparison.sides]
    if not comparison.differs:
        return []
    if len(labels) <= SIDE_BY_SIDE:
        titles = ["kind", "field", *labels]
        rows: list[tuple[Cell, ...]] = [
            (f.kind, harmless(f.name), *(_value(f, label) for label in labels)) for f in comparison.differs
        ]
    else:
        titles = ["kind", "field", "run", "value"]
        rows = [(f.kind, harmless(f.name), lab, _value(f, lab)) for f in comparison.differs for lab in labels]
    return [Table("What differs", tuple(Column(title, align="left") for title in titles), tuple(rows))]


def _value(field: Field, label: str) -> str:
    """A value; of a list of many only what not every run has."""
    told = field.values[label]
    if told is None:
        return "unknown"
    if field.name == "source":
        return harmless(_short(told))
    lists = [set(value.split(", ")) for value in field.values.values() if value is not None]
    common = set.intersection(*lists)
    own = [part for part in told.split(", ") if part not in common]
    if len(lists) < 2 or not common:
        return harmless(told)
    return harmless(f"{', '.join(own) or 'nothing'} beside {len(common)} in common")


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
            told.mxnet_gflop_per_s,
            told.numpy_gflop_per_s,
            told.memory_gb_per_s,
            told.python_loops_per_s / 1e6,
        )
        for label, told in comparison.ceilings.items()
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
                        harmless(member.variant),
                        label,
                        figure.ratio,
                        change.ratio if change else None,
                        change.ratio_verdict if change else None,
                    )
                )
    baseline = harmless(next((m.baseline for m in members if m.baseline), ""))
    title = f"{harmless(group)}: time over that of {baseline} in the same run (below 1 is faster)"
    return [Table(title, columns, tuple(rows))] if rows else []


def _times(comparison: RunComparison, group: str, members: list[ComparedBenchmark]) -> Table:
    first = comparison.sides[0].label
    of_images = any(figure.images_per_s for member in members for figure in member.figures.values())
    columns = (
        VARIANT,
        RUN,
        Column("time", "s"),
        *([Column("throughput", "images/s")] if of_images else []),
        Column(f"time against {first}"),
        Column("verdict", align="left"),
    )
    rows: list[tuple[Cell, ...]] = []
    for member in members:
        for label, figure in member.figures.items():
            change = _change(member, label)
            told = (change.time, change.time_verdict) if change else (None, None)
            rate = figure.images_per_s.value if figure.images_per_s else None
            throughput = [rate] if of_images else []
            rows.append((harmless(member.variant), label, figure.iteration_s.value, *throughput, *told))
    return Table(f"{harmless(group)}: absolute, machine and code together", columns, tuple(rows))


def _change(benchmark: ComparedBenchmark, label: str) -> BenchmarkChange | None:
    return next((change for change in benchmark.changes if change.label == label), None)


def _uses(group: str, members: list[ComparedBenchmark]) -> list[Table]:
    """Throughput by the machine's own ceilings: equal figures say that this one explains a difference."""
    columns = (
        VARIANT,
        RUN,
        Column("of MXNet's product", "%"),
        Column("of NumPy's product", "%"),
        Column("images a GB of memory traffic"),
        Column("images per 1,000 Python loops"),
    )
    rows = [
        (harmless(member.variant), label, *_use(figure))
        for member in members
        for label, figure in member.figures.items()
        if figure.per_ceiling
    ]
    return [Table(f"{harmless(group)}: throughput per ceiling", columns, tuple(rows))] if rows else []


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
    told = (harmless(mean.question), len(mean.benchmarks), label, mean.means[label])
    return (*told, mean.changes.get(label), mean.verdicts.get(label))


def share_sentences(told: SharedOperators) -> list[str]:
    """Whose share of the operators' time is another than in the first profile."""
    first = told.sides[0].label
    found = [
        f"{harmless(operator.name)} takes {100 * operator.shares[first].value:.1f} % of the operators' time "
        f"in {first} and {100 * operator.shares[label].value:.1f} % in {label}: {word}."
        for operator in told.operators
        for label, word in operator.verdicts.items()
        if word == "different"
    ]
    return [
        f"{harmless(told.benchmark)}: shares under MXNet's profiler, a regime of its own. "
        f"Shares within {100 * told.tolerance:.0f} point are the same; all verdicts share one error rate "
        f"of {ALPHA:.0%} (Holm).",
        *found,
    ]


def share_tables(told: SharedOperators) -> list[Table]:
    """The profiles, and every operator's share in each."""
    columns = (
        Column("operator", align="left"),
        RUN,
        Column("time a step", "s"),
        Column("share", "%"),
        Column(f"points against {told.sides[0].label}"),
        Column("verdict", align="left"),
    )
    rows = tuple(
        (
            harmless(operator.name),
            label,
            operator.seconds[label].value,
            _percent(operator.shares[label]),
            _percent(operator.changes[label]) if label in operator.changes else None,
            operator.verdicts.get(label),
        )
        for operator in told.operators
        for label in operator.shares
    )
    return [_runs_table(told.sides), Table("Operators", columns, rows)]


def _percent(share: Estimate) -> Estimate:
    """The same in hundredths."""
    ends = {"low": 100 * share.low, "high": 100 * share.high}
    return Estimate(value=100 * share.value, **ends, confidence=share.confidence, n=share.n)
