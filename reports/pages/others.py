"""Pages of what is no run: whatever has sentences, tables and ratios is read in the same order.

A comparison of runs, a comparison of two revisions, a history, a profile: each hands over what it has
to say, and gets the same page in every format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from shlex import quote

from bench.records.comparison import SCHEMA, History, LevelChange, MachineHistory, RunComparison, Series
from bench.records.profile import Profile
from bench.records.regression import Regression
from bench.records.run import Estimate
from bench.stats.verdict import ALPHA, TOLERANCE
from reports.formats import json
from reports.model.charts import Axis, Chart, Interval, Intervals, Line, Lines, Mark, Point
from reports.model.page import Answered, Page, Raw, Section
from reports.model.tables import Table
from reports.pages import comparison, history, regression
from reports.pages import profile as profiles
from reports.pages.raw import raw_record
from reports.pages.rounds import in_time

MOST_MEMORY = 60  # points of a course of memory, the peaks among them
COMPARISON_METHOD = (
    "Each run's statistics are computed anew from its raw rounds. A within-machine ratio is time over that "
    "of the baseline, its rounds interleaved in the same run, so that it compares between machines.",
    "Set-ups of two runs are independent: the logarithms of their ratios are compared by Welch's t. "
    f"Verdicts on ratios and times share one error rate of {ALPHA:.0%} (Holm's step-down), those on means "
    "one of their own.",
    "A time is machine and code together, and a machine differs from hour to hour: a time is faster or "
    "slower only beyond a wider band, and never called the same.",
)
REGRESSION_METHOD = (
    "An invocation gives one ratio, time of head over time of base; intervals and verdicts are over "
    "invocations. Faster or slower: the whole interval lies outside the benchmark's tolerance.",
)
HISTORY_METHOD = (
    "Runs of one machine class, oldest first. The place of a change of level is found by binary segmentation "
    "with least squares; whether there is one is asked by drawing the order of the runs anew many times.",
    "Where nothing changed, all series of a machine share one chance of a false mark, by the largest "
    "statistic among them; once a level is split, its parts are searched with the same chance again. What "
    "has to hold: without a change any order of the runs is as likely, which a drifting machine breaks, for "
    "throughput more than for ratios within a run.",
    "The interval beside a mark is indicative: it takes the place as given, which was chosen for the largest "
    "difference.",
)


def told_page(
    kind: str,
    title: str,
    verdict: str,
    *,
    sentences: Sequence[str] = (),
    tables: Sequence[Table] = (),
    charts: Sequence[Chart] = (),
    warnings: Sequence[str] = (),
    flame_graph: str = "",
    method: Sequence[str] = (),
    reproduce: Sequence[str] = (),
    raw: Raw | None = None,
) -> Page:
    """A page of these sentences, then the plots, then the tables under their own titles.

    ``flame_graph`` is py-spy's SVG.
    """
    first = Section(title, charts=tuple(charts), tables=tuple(tables), flame_graph=flame_graph)
    return Page(
        title=title,
        kind=kind,
        verdict=verdict,
        answers=(Answered(title, tuple(sentences), title),) if sentences else (),
        warnings=tuple(warnings),
        sections=(first,) if charts or tables or flame_graph else (),
        method=tuple(method),
        reproduce=tuple(reproduce),
        raw=raw,
    )


def ratios(
    title: str, found: Iterable[tuple[str, str, Estimate | None, str | None]], tolerance: float
) -> tuple[Intervals, ...]:
    """One chart of ratios, each with its part, name, estimate and verdict; none where there is no ratio."""
    rows = tuple(
        Interval(part, name, ratio, verdict) for part, name, ratio, verdict in found if ratio is not None
    )
    if not rows:
        return ()
    count = f"{len(rows)} ratio{'s' * (len(rows) > 1)} of time"
    return (Intervals(title, f"{count} with intervals; left of 1 is faster.", rows, tolerance),)


def comparison_page(told: RunComparison) -> Page:
    """Two or more runs side by side; every change is against the first."""
    changes = [
        (benchmark.group, f"{benchmark.variant}, {change.label}", change.ratio, change.ratio_verdict)
        for benchmark in told.benchmarks
        for change in benchmark.changes
    ]
    times = [
        (benchmark.group, f"{benchmark.variant}, {change.label}", change.time, change.time_verdict)
        for benchmark in told.benchmarks
        for change in benchmark.changes
    ]
    return told_page(
        "Comparison",
        " against ".join(side.name for side in reversed(told.sides[:2]))
        + (" ..." if len(told.sides) > 2 else ""),
        comparison.verdict(told),
        sentences=comparison.sentences(told),
        tables=comparison.tables(told),
        charts=[
            *ratios("Within-machine ratios against those of the first run", changes, told.tolerance),
            *ratios("Times against those of the first run", times, _band(told)),
        ],
        warnings=comparison.footnotes(told),
        method=COMPARISON_METHOD,
        raw=raw_record(
            "comparison.json",
            json.text(told, schema=SCHEMA),
            "Every figure and verdict of the comparison, not the rounds that they were computed from",
        ),
    )


def _band(told: RunComparison) -> float:
    """The tolerance that times are judged by."""
    return max((pair.time_band for pair in told.pairs), default=told.tolerance)


def regression_page(told: Regression) -> Page:
    """Two revisions, head against base."""
    found = [
        (c.benchmark.rpartition("/")[0], c.benchmark, c.effect, regression.verdict_of(c))
        for c in told.comparisons
    ]
    tolerance = max((c.tolerance for c in told.comparisons), default=TOLERANCE)
    return told_page(
        "Comparison of two revisions",
        f"{told.head} against {told.base}",
        regression.summary(told) or "Nothing was compared.",
        sentences=[regression.sentence(c) for c in told.comparisons],
        tables=[replace(regression.table(told), title="Head against base")],
        charts=ratios("Time of head over time of base", found, tolerance),
        warnings=regression.notes(told),
        method=[regression.method(told), *REGRESSION_METHOD],
        raw=raw_record("regress.json", regression.as_json(told), "All that regress found out"),
    )


def profile_section(told: Profile, flame_graph: str) -> Section:
    """Where one benchmark's time goes: memory over time, the tables, the flame graph to zoom in."""
    return Section(
        f"Profile of {told.case.name}",
        sentences=tuple(profiles.sentences(told)),
        charts=_memory(told),
        tables=tuple(profiles.tables(told)),
        warnings=tuple(told.warnings),
        flame_graph=flame_graph,
    )


def profile_page(told: Profile, flame_graph: str) -> Page:
    """A profile by itself."""
    section = profile_section(told, flame_graph)
    return Page(
        title=told.case.name,
        kind="Profile",
        verdict=told.sentence or "Where the time goes could not be sampled.",
        facts=(("Measured", told.measured_at), ("Processor", told.machine.cpu)),
        sections=(section,),
        method=_profile_method(told),
        reproduce=(f"python -m bench profile {quote(told.case.name)}",),
        raw=raw_record("profile.json", json.text(told), "The profile itself, without the files beside it"),
    )


def _profile_method(told: Profile) -> tuple[str, ...]:
    """How it was found out; what to mind in reading it is in the section."""
    return (
        "Every part has a worker process of its own, and no timed run is touched: py-spy's recordings, "
        "MXNet's profiler against the plain run with rounds interleaved, memory, the timeline.",
        "Shares have Student's t intervals over recordings and over set-ups.",
        f"An iteration is {told.steps:,} step{'s' * (told.steps != 1)} of the benchmark.",
    )


def with_profile(page: Page, told: Profile, flame_graph: str) -> Page:
    """A run's page with a profile as one section more."""
    return replace(page, sections=(*page.sections, profile_section(told, flame_graph)))


def _memory(told: Profile) -> tuple[Lines, ...]:
    if not told.memory:
        return ()
    places = in_time([one.pss_bytes or one.rss_bytes for one in told.memory], MOST_MEMORY)
    kept = [told.memory[place] for place in places]
    shared = [Point(round(one.at_s, 2), one.pss_bytes) for one in kept if one.pss_bytes is not None]
    each = [Point(round(one.at_s, 2), one.rss_bytes) for one in kept]
    lines = (Line("PSS", tuple(shared), "course"), Line("RSS", tuple(each), "course"))
    marks = tuple(Mark(phase.name, phase.at_s, "x") for phase in told.phases)
    most = max(one.pss_bytes or one.rss_bytes for one in told.memory) / 2**20
    said = f"Memory of the worker and its children over time; at most {most:,.0f} MiB."
    drawn = tuple(line for line in lines if line.points)
    return (Lines("Memory over time", said, Axis("time", "s"), Axis("memory", "bytes"), drawn, marks),)


def history_page(told: History) -> Page:
    """Many runs over time, a section a machine class."""
    changed = sum(bool(series.changes) for machine in told.machines for series in machine.series)
    count = sum(len(machine.runs) for machine in told.machines)
    return Page(
        title="Results over time",
        kind="History",
        verdict=f"{count} runs on {len(told.machines)} kinds of machine: {changed} series changed level.",
        answers=tuple(Answered(m.machine, tuple(history.sentences(m)), m.machine) for m in told.machines),
        warnings=tuple(history.left_out(told)),
        sections=tuple(_machine_section(machine) for machine in told.machines),
        method=HISTORY_METHOD,
        raw=raw_record("history.json", json.text(told, schema=SCHEMA), "Every series and change of level"),
    )


def _machine_section(machine: MachineHistory) -> Section:
    groups = dict.fromkeys(series.benchmark.rpartition("/")[0] for series in machine.series)
    charts = [
        Lines(
            f"{group}: throughput over the runs",
            f"Throughput in {len(machine.runs)} runs, oldest first, on a logarithmic axis.",
            Axis("run"),
            Axis("throughput", "images/s", log=True),
            tuple(_line(s) for s in machine.series if s.benchmark.rpartition("/")[0] == group and _drawn(s)),
            tuple(_mark(c) for s in machine.series if s.benchmark.startswith(f"{group}/") for c in s.changes),
        )
        for group in groups
    ]
    return Section(
        machine.machine,
        charts=tuple(chart for chart in charts if chart.lines),
        tables=tuple(history.tables(machine)),
        warnings=tuple(history.footnotes(machine)),
    )


def _drawn(series: Series) -> bool:
    return series.measure == "throughput" and any(value is not None for value in series.values)


def _line(series: Series) -> Line:
    points = tuple(Point(n + 1, value) for n, value in enumerate(series.values) if value is not None)
    return Line(series.benchmark.rpartition("/")[2], points)


def _mark(change: LevelChange) -> Mark:
    source = (change.source or "").partition("+")[0][:9]
    return Mark(f"new level{f' at {source}' if source else ''}", change.run + 1, "x")
