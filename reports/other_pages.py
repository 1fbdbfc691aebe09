"""Pages of what is no run: whatever has sentences, tables and ratios is read in the same order.

A comparison of runs, a comparison of two revisions, a history, a profile: each hands over what it has
to say, and gets the same page in every format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.comparing.compared import Comparison, History, LevelChange, MachineHistory, Series
from bench.gating.regressions import Regression
from bench.profiling.profiles import Profile
from bench.records import Estimate
from bench.verdict import TOLERANCE
from reports import comparison, history, profiles, regression
from reports.charts import Axis, Chart, Interval, Intervals, Line, Lines, Mark, Point
from reports.page import Answered, Page, Raw, Section
from reports.tables import Table


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


def comparison_page(told: Comparison) -> Page:
    """Two or more runs side by side; every change is against the first."""
    found = comparison.sentences(told)
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
        found[len(told.pairs)] if len(found) > len(told.pairs) else "Nothing was compared.",
        sentences=found,
        tables=comparison.tables(told),
        charts=[
            *ratios("Within-machine ratios against those of the first run", changes, told.tolerance),
            *ratios("Times against those of the first run", times, _band(told)),
        ],
        warnings=comparison.footnotes(told),
    )


def _band(told: Comparison) -> float:
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
        method=[regression.method(told)],
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
        reproduce=(f"python -m bench profile {told.case.name}",),
    )


def with_profile(page: Page, told: Profile, flame_graph: str) -> Page:
    """A run's page with a profile as one section more."""
    return replace(page, sections=(*page.sections, profile_section(told, flame_graph)))


def _memory(told: Profile) -> tuple[Lines, ...]:
    if not told.memory:
        return ()
    shared = [Point(one.at_s, one.pss_bytes) for one in told.memory if one.pss_bytes is not None]
    each = [Point(one.at_s, one.rss_bytes) for one in told.memory]
    lines = (Line("PSS", tuple(shared), "line"), Line("RSS", tuple(each), "line"))
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
