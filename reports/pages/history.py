"""Series over revisions in words and in one line of characters each."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from statistics import median

from bench.records.comparison import History, LevelChange, MachineHistory, Series
from reports.model.tables import Column, Table
from reports.model.text import harmless

BLOCKS, ASCII = "▁▂▃▄▅▆▇", "_.-~=+#"  # an odd number, so that no edge is in the middle
WIDEST = 24  # characters of a drawing where no width is known; more runs than that share them
LEAST = 12  # and where there is hardly any room
Room = Callable[[Table, int], int]  # from a table and the characters that are well enough
LEAST_RANGE = 0.04  # of the drawing, relative: noise of less looks flat


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
    found = sum(bool(series.changes) for series in machine.series)
    return (
        f"{count} runs, {machine.tested} series with {machine.least_runs} or more of them: {found} changed "
        "their level. Where nothing changed and the machine does not drift, the chance of any mark among "
        f"all of them is {machine.alpha:.0%}{_beside_marks(machine) if found else '.'}"
    )


def _beside_marks(machine: MachineHistory) -> str:
    return (
        f"; beside a mark the search goes on, at {machine.alpha:.0%} again. A mark is put where the change "
        "is largest, so the interval beside it is indicative."
    )


def _changed(series: Series, change: LevelChange, machine: MachineHistory) -> str:
    low, value, high = (100 * (x - 1) for x in (change.ratio.low, change.ratio.value, change.ratio.high))
    beside = f"; also changed there: {', '.join(map(harmless, change.build))}" if change.build else ""
    doubt = (
        "; the run before has this revision too, so that its code is not the cause"
        if change.same_source
        else ""
    )
    if series.measure == "throughput":
        doubt = doubt or _all_moved(change, machine)
    return (
        f"{harmless(series.benchmark)}: {series.measure} {value:+.1f} % ({low:+.1f} to {high:+.1f}) from "
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
        return f"{harmless(run.name)} ({run.measured_at[:10]})"
    return f"revision {harmless(run.source.partition('+')[0][:9])} ({run.measured_at[:10]})"


def tables(history: MachineHistory, ascii_only: bool = False, room: Room | None = None) -> list[Table]:
    """Each benchmark's throughput, then each time ratio, drawn from the oldest run to the newest.

    ``room`` tells how many characters a table leaves for a further column, the drawings.
    """
    found = []
    for measure, unit in (("throughput", "images/s"), ("time ratio", "")):
        drawn = [
            (series, known)
            for series in history.series
            if series.measure == measure and (known := [v for v in series.values if v is not None])
        ]
        columns = (
            Column("benchmark", align="left"),
            Column("runs"),
            Column("first", unit),
            Column("last", unit),
        )
        rows = tuple((harmless(s.benchmark), len(known), known[0], known[-1]) for s, known in drawn)
        title = f"{measure.capitalize()} over time (| where its level changed)"
        if rows:
            bare = Table(title, columns, rows)
            widest = max(LEAST, room(bare, WIDEST)) if room else WIDEST
            courses = (drawing(series, ascii_only, widest) for series, _ in drawn)
            found.append(
                Table(
                    title,
                    (*columns, Column("course", align="left", whole=True)),
                    tuple((*row, course) for row, course in zip(rows, courses, strict=True)),
                )
            )
    return found


def drawing(series: Series, ascii_only: bool = False, widest: int = WIDEST) -> str:
    """One character a run, or a few runs where there are many; ``|`` where the level changed.

    No longer than ``widest``, marks included, unless there are more levels than that has place for.
    """
    symbols = ASCII if ascii_only else BLOCKS
    places = [place for place, value in enumerate(series.values) if value is not None]
    starts = {places.index(change.run) for change in series.changes}
    values = [math.log(value) for value in series.values if value is not None]
    share = 1
    while len(cuts := _cuts(len(values), starts, share)) - 1 + len(starts) > widest and share < len(values):
        share += 1
    levels = [median(values[low:high]) for low, high in pairwise(cuts)]
    middle = (max(levels) + min(levels)) / 2
    reach = max(max(levels) - min(levels), LEAST_RANGE)
    drawn = ""
    for low, level in zip(cuts, levels, strict=False):
        height = (level - middle) / reach + 0.5
        drawn += ("|" if low in starts else "") + symbols[min(len(symbols) - 1, int(height * len(symbols)))]
    return drawn


def _cuts(count: int, starts: set[int], share: int) -> list[int]:
    """Where the characters of a drawing begin, and its end: each level anew, ``share`` runs a character."""
    return sorted({0, count, *starts, *range(0, count, share)})


def footnotes(machine: MachineHistory) -> list[str]:
    """Which runs are not part of a series, and why."""
    told = dict.fromkeys((s.benchmark, s.note) for s in machine.series if s.note)
    return [f"{harmless(benchmark)}: {harmless(note)}" for benchmark, note in told]


def left_out(history: History) -> list[str]:
    """Files that are in no history."""
    return [f"left out: {harmless(line)}" for line in history.left_out]
