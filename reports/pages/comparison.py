"""Two or more runs side by side: a page in sentences, charts and tables, and its rows as data."""

from __future__ import annotations

from collections.abc import Iterator

from bench.records.comparison import SCHEMA, BenchmarkChange, ComparedBenchmark, RunComparison, RunPair
from bench.stats.verdict import ALPHA
from reports.model.page import Page, Record, Row
from reports.model.units import times
from reports.pages.comparison_tables import tables
from reports.pages.single import fields_of, four_columns, one_section_page, ratios_charts

CEILINGS = {
    "mxnet_gflop_per_s": "MXNet's matrix product",
    "numpy_gflop_per_s": "NumPy's matrix product",
    "memory_gb_per_s": "memory",
    "python_loops_per_s": "Python",
}
METHOD = (
    "Each run's statistics are computed anew from its raw rounds. A within-machine ratio is time over that "
    "of the baseline, its rounds interleaved in the same run, so that it compares between machines.",
    "Set-ups of two runs are independent: the logarithms of their ratios are compared by Welch's t. "
    f"Verdicts on ratios and times share one error rate of {ALPHA:.0%} (Holm's step-down), those on means "
    "one of their own.",
    "A time is machine and code together, and a machine differs from hour to hour: a time is faster or "
    "slower only beyond a wider band, and never called the same.",
)


def comparison_page(comparison: RunComparison) -> Page:
    """Two or more runs side by side; every change is against the first."""
    changes = [
        (benchmark, change, f"{benchmark.variant}, {change.label}")
        for benchmark in comparison.benchmarks
        for change in benchmark.changes
    ]
    ratios = [(b.group, name, change.ratio, change.ratio_verdict) for b, change, name in changes]
    of_times = [(b.group, name, change.time, change.time_verdict) for b, change, name in changes]
    more = " ..." if len(comparison.sides) > 2 else ""
    return one_section_page(
        "RunComparison",
        " against ".join(side.name for side in reversed(comparison.sides[:2])) + more,
        verdict(comparison),
        sentences=sentences(comparison),
        tables=tables(comparison),
        charts=[
            *ratios_charts(
                "Within-machine ratios against those of the first run", ratios, comparison.tolerance
            ),
            *ratios_charts("Times against those of the first run", of_times, _band(comparison)),
        ],
        warnings=footnotes(comparison),
        method=METHOD,
        record=Record(
            "comparison",
            "Every figure and verdict of the comparison, not the rounds that they were computed from",
            fields_of(comparison, schema=SCHEMA),
            lambda: _rows(comparison),
        ),
    )


def _band(comparison: RunComparison) -> float:
    """The tolerance that times are judged by."""
    return max((pair.time_band for pair in comparison.pairs), default=comparison.tolerance)


def sentences(comparison: RunComparison) -> list[str]:
    """What came out, in words: how alike the machines are, how many verdicts of each kind, what changed."""
    likeness = [_likeness(comparison, pair) for pair in comparison.pairs]
    lines = [*_strangers(comparison), *likeness, _counted(comparison)]
    for benchmark in comparison.benchmarks:
        lines += [
            said for change in benchmark.changes if (said := _ratio_changed(benchmark, comparison, change))
        ]
    for benchmark in comparison.benchmarks:
        if benchmark.baseline is None:  # the others' times follow from their ratios
            lines += [
                said for change in benchmark.changes if (said := _explained(benchmark, comparison, change))
            ]
    return lines


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
    """``hybridize/step/static takes 0.93x the time of imperative in A ... and 0.76x in B ...: different.``"""
    if change.ratio_verdict in (None, "same", "undecided"):
        return None
    labels = (comparison.sides[0].label, change.label)
    one, other = (benchmark.figures[label].ratio for label in labels)
    assert one is not None and other is not None
    return (
        f"{benchmark.name} takes {times(one)} the time of {benchmark.baseline} in "
        f"{labels[0]} and {times(other)} in {labels[1]}: {change.ratio_verdict}."
    )


def _explained(
    benchmark: ComparedBenchmark, comparison: RunComparison, change: BenchmarkChange
) -> str | None:
    """Throughput between unlike machines, beside what their ceilings differ by."""
    if change.explained_by is None:
        return None
    pair = next(pair for pair in comparison.pairs if pair.label == change.label)
    ceilings = ", ".join(f"{CEILINGS[name]} {1 / ratio:.2f}x" for name, ratio in pair.ceilings.items())
    return (
        f"{benchmark.name} takes {times(change.time)} the time in {change.label} that it takes in "
        f"{comparison.sides[0].label}; by its ceilings it would take: {ceilings}. "
        f"Nearest is {CEILINGS[change.explained_by]}, which is a hint and no proof."
    )


def footnotes(comparison: RunComparison) -> list[str]:
    """What is equal, what is missing where, and what the runs themselves warned of."""
    equal = ", ".join(comparison.equal) or "nothing that is known of every run"
    lost = [
        f"{label} lacks {len(names)} of the benchmarks: {', '.join(names)}"
        for label, names in comparison.missing.items()
    ]
    return [f"Equal: {equal}.", *lost, *comparison.warnings]


def _rows(comparison: RunComparison) -> Iterator[Row]:
    """Every benchmark of every run, and its change against the first run."""
    files = {side.label: side.name for side in comparison.sides}
    for benchmark in comparison.benchmarks:
        for label in benchmark.figures:
            yield _row(benchmark, label, files[label])


def _row(benchmark: ComparedBenchmark, label: str, file: str) -> Row:
    figure = benchmark.figures[label]
    change = next((c for c in benchmark.changes if c.label == label), None)
    return {
        "benchmark": benchmark.name,
        "run": label,
        "file": file,
        "baseline": benchmark.baseline,
        **four_columns("iteration_s", figure.iteration_s),
        **four_columns("images_per_s", figure.images_per_s),
        **four_columns("ratio", figure.ratio),
        **four_columns("ratio_change", change.ratio if change else None),
        "ratio_verdict": change.ratio_verdict if change else None,
        **four_columns("time_change", change.time if change else None),
        "time_verdict": change.time_verdict if change else None,
        "flop_per_image": benchmark.flop_per_image,
        **{f"per_{name}": figure.per_ceiling.get(name) for name in CEILINGS},
        "nearest_ceiling": change.explained_by if change else None,
    }
