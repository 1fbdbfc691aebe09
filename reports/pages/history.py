"""A folder or a store of results over time: a section a machine class, and its rows as data."""

from __future__ import annotations

from collections.abc import Iterator

from bench.records.comparison import SCHEMA, History, LevelChange, MachineHistory, Series
from reports.model.charts import Axis, Line, Lines, Mark, Point
from reports.model.courses import Course
from reports.model.page import Answered, Page, Record, Row, Section
from reports.model.tables import Column, Table
from reports.pages.single import fields_of

METHOD = (
    "Runs of one machine class, oldest first. The place of a change of level is found by binary segmentation "
    "with least squares; whether there is one is asked by drawing the order of the runs anew many times.",
    "Where nothing changed, all series of a machine share one chance of a false mark, by the largest "
    "statistic among them; once a level is split, its parts are searched with the same chance again. What "
    "has to hold: without a change any order of the runs is as likely, which a drifting machine breaks, for "
    "throughput more than for ratios within a run.",
    "The interval beside a mark is indicative: it takes the place as given, which was chosen for the largest "
    "difference.",
)


def history_page(history: History) -> Page:
    """Many runs over time, a section a machine class."""
    changed = sum(bool(series.changes) for machine in history.machines for series in machine.series)
    count = sum(len(machine.runs) for machine in history.machines)
    return Page(
        title="Results over time",
        kind="History",
        verdict=f"{count} runs on {len(history.machines)} kinds of machine: {changed} series changed level.",
        answers=tuple(
            Answered(m.machine, tuple(sentences(m)), m.machine, apart=True) for m in history.machines
        ),
        warnings=tuple(left_out(history)),
        sections=tuple(_machine_section(machine) for machine in history.machines),
        method=METHOD,
        record=Record(
            "history",
            "Every series and change of level",
            fields_of(history, schema=SCHEMA),
            lambda: _rows(history),
        ),
    )


def _machine_section(machine: MachineHistory) -> Section:
    groups = dict.fromkeys(series.benchmark.rpartition("/")[0] for series in machine.series)
    charts = [
        Lines(
            f"{group}: throughput over the runs",
            f"Throughput in {len(machine.runs)} runs, oldest first, on a logarithmic axis.",
            Axis("run"),
            Axis("throughput", f"{_counts(machine, group)}/s", log=True),
            tuple(_line(s) for s in machine.series if s.benchmark.rpartition("/")[0] == group and _drawn(s)),
            tuple(_mark(c) for s in machine.series if s.benchmark.startswith(f"{group}/") for c in s.changes),
            in_table=True,
        )
        for group in groups
    ]
    return Section(
        machine.machine,
        charts=tuple(chart for chart in charts if chart.lines),
        tables=tuple(tables(machine)),
        warnings=tuple(footnotes(machine)),
    )


def _counts(machine: MachineHistory, group: str) -> str:
    """What the throughput of a group counts."""
    return next(s.counts for s in machine.series if s.benchmark.rpartition("/")[0] == group)


def _drawn(series: Series) -> bool:
    return series.measure == "throughput" and any(value is not None for value in series.values)


def _line(series: Series) -> Line:
    points = tuple(Point(n + 1, value) for n, value in enumerate(series.values) if value is not None)
    return Line(series.benchmark.rpartition("/")[2], points)


def _mark(change: LevelChange) -> Mark:
    source = (change.source or "").partition("+")[0][:9]
    return Mark(f"new level{f' at {source}' if source else ''}", change.run + 1, "x")


def sentences(machine: MachineHistory) -> list[str]:
    """``hybridize/step/static: throughput +6.1 % from revision abc123 on (7 runs before, 5 after).``"""
    changed = [_changed(series, change, machine) for series in machine.series for change in series.changes]
    return [_tested(machine), *changed]


def _tested(machine: MachineHistory) -> str:
    count = len(machine.runs)
    if not machine.tested:
        return (
            f"{count} runs: a change of level is looked for in {machine.least_runs} runs or more; "
            "nothing is claimed."
        )
    changed = sum(bool(series.changes) for series in machine.series)
    return (
        f"{count} runs, {machine.tested} series with {machine.least_runs} or more of them: {changed} changed "
        "their level. Where nothing changed and the machine does not drift, the chance of any mark among "
        f"all of them is {machine.alpha:.0%}{_beside_marks(machine) if changed else '.'}"
    )


def _beside_marks(machine: MachineHistory) -> str:
    return (
        f"; beside a mark the search goes on, at {machine.alpha:.0%} again. A mark is put where the change "
        "is largest, so the interval beside it is indicative."
    )


def _changed(series: Series, change: LevelChange, machine: MachineHistory) -> str:
    low, value, high = (100 * (x - 1) for x in (change.ratio.low, change.ratio.value, change.ratio.high))
    beside = f"; also changed there: {', '.join(change.build)}" if change.build else ""
    doubt = (
        "; the run before has this revision too, so that its code is not the cause"
        if change.same_source
        else ""
    )
    if series.measure == "throughput":
        doubt = doubt or _all_moved(change, machine)
    return (
        f"{series.benchmark}: {series.measure} {value:+.1f} % ({low:+.1f} to {high:+.1f}) from "
        f"{_revision(change, machine)} on ({change.before} runs before, {change.after} after; "
        f"p = {change.p:.4f}){beside}{doubt}."
    )


def _all_moved(change: LevelChange, machine: MachineHistory) -> str:
    """What throughputs that all change at one run in one direction mean."""
    mates = [s for s in machine.series if s.measure == "throughput"]
    along = [
        s
        for s in mates
        if any(c.run == change.run and (c.ratio.value > 1) == (change.ratio.value > 1) for c in s.changes)
    ]
    if len(mates) < 3 or len(along) < len(mates):
        return ""
    return "; every throughput moved so, which a change of the machine does as well"


def _revision(change: LevelChange, machine: MachineHistory) -> str:
    run = machine.runs[change.run]
    if run.source is None:
        return f"{run.name} ({run.measured_at[:10]})"
    return f"revision {run.source.partition('+')[0][:9]} ({run.measured_at[:10]})"


def tables(machine: MachineHistory) -> list[Table]:
    """Each benchmark's throughput, then each time ratio, drawn from the oldest run to the newest."""
    made = [_table(machine, "throughput", counts) for counts in ("images", "samples")]
    made.append(_table(machine, "time ratio"))
    return [table for table in made if table.rows]


def _table(machine: MachineHistory, measure: str, counts: str = "") -> Table:
    """Of one measure; throughput of what counts the same."""
    unit = f"{counts}/s" if counts else ""
    columns = (
        Column("benchmark", align="left"),
        Column("runs"),
        Column("first", unit),
        Column("last", unit),
        Column("course", align="left", whole=True),
    )
    courses = [
        (series.benchmark, course)
        for series in machine.series
        if series.measure == measure
        and counts in ("", series.counts)
        and (course := course_of(series)).values
    ]
    rows = tuple((name, len(c.values), c.values[0], c.values[-1], c) for name, c in courses)
    return Table(f"{measure.capitalize()} over time (| where its level changed)", columns, rows)


def course_of(series: Series) -> Course:
    """The values that there are, and at which of them the level changed."""
    places = [place for place, value in enumerate(series.values) if value is not None]
    return Course(
        tuple(value for value in series.values if value is not None),
        tuple(places.index(change.run) for change in series.changes),
    )


def footnotes(machine: MachineHistory) -> list[str]:
    """Which runs are not part of a series, and why."""
    notes = dict.fromkeys((s.benchmark, s.note) for s in machine.series if s.note)
    return [f"{benchmark}: {note}" for benchmark, note in notes]


def left_out(history: History) -> list[str]:
    """Files that are in no history."""
    return [f"left out: {line}" for line in history.left_out]


def _rows(history: History) -> Iterator[Row]:
    """Every value of every series; ``level`` counts the levels from 0 on."""
    for machine in history.machines:
        for series in machine.series:
            for place, value in enumerate(series.values):
                if value is not None:
                    yield {
                        "machine": machine.machine,
                        "benchmark": series.benchmark,
                        "measure": series.measure,
                        "measured_at": machine.runs[place].measured_at,
                        "source": machine.runs[place].source,
                        "file": machine.runs[place].name,
                        "value": value,
                        "level": sum(change.run <= place for change in series.changes),
                    }
