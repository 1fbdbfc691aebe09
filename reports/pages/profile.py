"""A profile: a page in sentences, memory over time, tables of places, operators and files."""

from __future__ import annotations

from dataclasses import replace as with_fields
from itertools import groupby
from shlex import quote

from msgspec.structs import replace

from bench.records.profile import MemorySample, Operator, Profile
from bench.records.run import Estimate
from reports.model.charts import Axis, Bars, Line, Lines, Mark, Point
from reports.model.page import Page, Record, Section
from reports.model.tables import Cell, Column, Table
from reports.model.thinning import in_time
from reports.pages.single import fields_of

MOST_OPERATORS = 12  # rows of the operator table; what is left is summed up in one
MOST_MEMORY = 60  # points of a course of memory, the peaks among them
LEAST_DRAWN = 0.01  # of all: a bar that can be seen
BEHIND_S = 1.0  # py-spy calls its own result inaccurate from here on
LONGEST_NAME = 48  # characters of an operator's name in a table
OPENED_BY = {
    "flame graph": "a browser; a click zooms",
    "speedscope": "speedscope.app",
    "timeline": "ui.perfetto.dev or chrome://tracing",
}


def profile_section(profile: Profile, flame_graph: str) -> Section:
    """Where one benchmark's time goes: memory over time, the tables, the flame graph to zoom in."""
    return Section(
        f"Profile of {profile.case.name}",
        sentences=tuple(sentences(profile)),
        charts=(*_places_chart(profile), *_operators_chart(profile), *_memory_chart(profile)),
        tables=tuple(tables(profile)),
        warnings=tuple(profile.warnings),
        flame_graph=flame_graph,
    )


def profile_page(profile: Profile, flame_graph: str) -> Page:
    """A profile by itself."""
    section = profile_section(profile, flame_graph)
    return Page(
        title=profile.case.name,
        kind="Profile",
        verdict=verdict(profile),
        facts=(("Measured", profile.measured_at), ("Processor", profile.machine.cpu)),
        sections=(section,),
        method=_profile_method(profile),
        reproduce=(f"python -m bench profile {quote(profile.case.name)}",),
        record=Record("profile", "The profile itself, without the files beside it", fields_of(profile)),
    )


def _profile_method(profile: Profile) -> tuple[str, ...]:
    """How it was measured; what to mind in reading it is in the section."""
    return (
        "Every part has a worker process of its own, and no timed run is touched: py-spy's recordings, "
        "MXNet's profiler against the plain run with rounds interleaved, memory, the timeline.",
        "Shares have Student's t intervals over recordings and over set-ups.",
        f"An iteration is {profile.steps:,} step{'s' * (profile.steps != 1)} of the benchmark.",
    )


def with_profile(page: Page, profile: Profile, flame_graph: str) -> Page:
    """A run's page with a profile as one section more."""
    return with_fields(page, sections=(*page.sections, profile_section(profile, flame_graph)))


def _places_chart(profile: Profile) -> tuple[Bars, ...]:
    """The places as bars; what is less than a hundredth stands in the table alone."""
    shown = [place for place in profile.places if place.share.value >= LEAST_DRAWN][:MOST_OPERATORS]
    title = "Where Python works" + (" (shares are off)" if shares_are_off(profile) else "")
    return _share_bars(title, "share of the working samples", [(p.name, p.share) for p in shown])


def _operators_chart(profile: Profile) -> tuple[Bars, ...]:
    shown = [one for one in profile.operators if one.share.value >= LEAST_DRAWN][:MOST_OPERATORS]
    bars = [(shown_name(one.name), one.share) for one in shown]
    return _share_bars("Operators, under MXNet's profiler", "share of the operators' time", bars)


def _share_bars(title: str, counted: str, shares: list[tuple[str, Estimate]]) -> tuple[Bars, ...]:
    if not shares:
        return ()
    name, most = shares[0]
    said = f"Each bar is a {counted}, with its interval. The largest is {name}: {most.value:.0%}."
    ends = tuple(_percent(share) for _, share in shares)
    parts = {"share": tuple(end.value for end in ends)}
    rows = tuple(name for name, _ in shares)
    return (Bars(title, said, Axis(counted, "%"), rows, parts, ends=ends, in_table=True),)


def _memory_chart(profile: Profile) -> tuple[Lines, ...]:
    if not profile.memory:
        return ()
    places = in_time([one.pss_bytes or one.rss_bytes for one in profile.memory], MOST_MEMORY)
    kept = [profile.memory[place] for place in places]
    shared = [Point(round(one.at_s, 2), one.pss_bytes) for one in kept if one.pss_bytes is not None]
    each = [Point(round(one.at_s, 2), one.rss_bytes) for one in kept]
    lines = (Line("PSS", tuple(shared), "course"), Line("RSS", tuple(each), "course"))
    marks = tuple(Mark(phase.name, phase.at_s, "x") for phase in profile.phases)
    most = max(one.pss_bytes or one.rss_bytes for one in profile.memory) / 2**20
    said = f"Memory of the worker and its children over time; at most {most:,.0f} MiB."
    drawn = tuple(line for line in lines if line.points)
    return (Lines("Memory over time", said, Axis("time", "s"), Axis("memory", "bytes"), drawn, marks),)


def shown_name(name: str, longest: int = LONGEST_NAME) -> str:
    """An operator's name; of several run as one, equal neighbours counted, cut off where it gets long."""
    runs = [(one, len(list(many))) for one, many in groupby(name.split(","))]
    words = [f"{one} x{count}" if count > 1 else one for one, count in runs]
    shown = words[0]
    for number, word in enumerate(words[1:], start=1):
        if len(shown) + len(word) + 2 > longest:
            return f"{shown} + {len(words) - number} more"
        shown = f"{shown}, {word}"
    return shown


def shares_are_off(profile: Profile) -> bool:
    """Whether py-spy fell so far behind that the shares of places say little.

    Files from before this was kept have it in a warning about a recording.
    """
    if profile.sampling is None:
        return False
    if profile.sampling.behind_s is None:
        return any("speedscope" in line and "shares are off" in line for line in profile.warnings)
    return profile.sampling.behind_s >= BEHIND_S


def verdict(profile: Profile) -> str:
    """Where the time goes; that it is not known, where the shares that would tell are off."""
    if profile.sentence is None:
        return "Where the time goes could not be sampled."
    if not shares_are_off(profile):
        return profile.sentence
    return "Where the time goes is not certain: py-spy fell behind, so that the shares below are off."


def sentences(profile: Profile) -> list[str]:
    """Where the time goes, the stack that says so, and how all of it is to be read."""
    lines = [verdict(profile)] if profile.sentence else []
    if profile.places and not shares_are_off(profile):
        first = profile.places[0]
        lines.append(
            f"Read from this stack, the most frequent there ({first.stack_share:.0%}), innermost call last: "
            + " > ".join(first.stack)
        )
    return lines + profile.notes


def tables(profile: Profile) -> list[Table]:
    """The tables that a profile has something for."""
    made = (places_table(profile), operators_table(profile), memory_table(profile), files_table(profile))
    return [one for one in made if one.rows]


def places_table(profile: Profile) -> Table:
    """Where Python's working time goes, in percent of the samples that did not wait."""
    columns = (Column("where Python works", align="left"), Column("share", "%"))
    rows = tuple((place.name, _percent(place.share)) for place in profile.places)
    return Table(profile.case.name, columns, rows)


def operators_table(profile: Profile, most: int = MOST_OPERATORS) -> Table:
    """MXNet's operators under its profiler: time, share and calls a step, the rest in one row."""
    columns = (
        Column("operator", align="left"),
        Column("time a step", "s"),
        Column("share", "%"),
        Column("calls a step"),
    )
    rows = [_operator(one) for one in profile.operators[:most]]
    rest = profile.operators[most:]
    if rest:
        share = sum(one.share.value for one in rest) * 100
        calls = sum(one.calls for one in rest)
        rows.append((f"{len(rest)} more", sum(one.seconds.value for one in rest), share, calls))
    return Table("operators, under MXNet's profiler", columns, tuple(rows))


def _operator(one: Operator) -> tuple[Cell, ...]:
    return shown_name(one.name), one.seconds.value, _percent(one.share), one.calls


def _percent(share: Estimate) -> Estimate:
    """A share in percent; its interval ends where shares do."""
    low, high = max(share.low, 0.0) * 100, min(share.high, 1.0) * 100
    return replace(share, value=share.value * 100, low=low, high=high)


def memory_table(profile: Profile) -> Table:
    """Memory of the worker and its children: the most in each phase.

    PSS divides pages that processes share among them, RSS counts them in each.
    """
    columns = (
        Column("phase", align="left"),
        Column("from, s"),
        Column("PSS at most", "bytes"),
        Column("RSS at most", "bytes"),
        Column("processes"),
    )
    return Table("memory", columns, tuple(_memory_rows(profile)))


def _memory_rows(profile: Profile) -> list[tuple[Cell, ...]]:
    starts = [0.0, *(phase.at_s for phase in profile.phases), float("inf")]
    names = ["start", *(phase.name for phase in profile.phases)]
    rows: list[tuple[Cell, ...]] = []
    for name, start, end in zip(names, starts[:-1], starts[1:], strict=True):
        within = [one for one in profile.memory if start <= one.at_s < end]
        if within:
            rss = max(one.rss_bytes for one in within)
            rows.append((name, f"{start:.1f}", _most_pss(within), rss, max(one.processes for one in within)))
    return rows


def _most_pss(samples: list[MemorySample]) -> int | None:
    return max((one.pss_bytes for one in samples if one.pss_bytes is not None), default=None)


def files_table(profile: Profile) -> Table:
    """What lies beside ``profile.json``: kind, name, what opens it."""
    columns = tuple(Column(title, align="left") for title in ("file", "kind", "opened by"))
    rows = [(name, kind, OPENED_BY.get(kind, "")) for kind, names in profile.files.items() for name in names]
    return Table("files beside profile.json", columns, tuple(rows))
