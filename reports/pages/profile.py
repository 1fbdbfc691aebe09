"""A profile for reading: sentences, tables of places, operators and memory, and the files beside it.

Every format takes the same: :func:`sentences`, :func:`tables` and :func:`files` from a Profile; warnings
are the Profile's own.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from bench.records.profile import MemorySample, Operator, Profile
from bench.records.run import Estimate
from reports.formats.terminal.page import fitted, in_ascii
from reports.model.tables import Cell, Column, Table
from reports.model.text import harmless

MOST_OPERATORS = 12  # rows of the operator table; what is left is summed up in one
LONGEST_NAME = 48  # characters of an operator's name in a table
LONGEST_STACK = 2000  # characters of a sentence; what is innermost stands at its end
FILE_WORDS = {
    "flame graph": "for a browser; a click zooms",
    "speedscope": "for speedscope.app",
    "timeline": "for ui.perfetto.dev or chrome://tracing",
}


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


def sentences(profile: Profile) -> list[str]:
    """Where the time goes, the stack that says so, and how all of it is to be read."""
    told = [profile.sentence] if profile.sentence else []
    if profile.places:
        first = profile.places[0]
        told.append(
            f"Read from this stack, the most frequent there ({first.stack_share:.0%}), innermost call last: "
            + " > ".join(first.stack)
        )
    return told + profile.notes


def tables(profile: Profile) -> list[Table]:
    """The tables that a profile has something for."""
    made = (places_table(profile), operators_table(profile), memory_table(profile))
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
    return Table("memory", columns, tuple(_memory(profile)))


def _memory(profile: Profile) -> list[tuple[Cell, ...]]:
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


def files(profile: Profile) -> list[tuple[str, str, str]]:
    """What lies beside ``profile.json``: kind, name, what opens it."""
    return [(kind, name, FILE_WORDS.get(kind, "")) for kind, names in profile.files.items() for name in names]


def show(console: Console, profile: Profile, folder: Path) -> None:
    """A profile in a terminal."""

    def shown(words: object) -> str:
        told = harmless(words, LONGEST_STACK)
        return in_ascii(told) if console.options.ascii_only else told

    for sentence in sentences(profile):
        console.print(Text(shown(sentence)))
    for one in tables(profile):
        console.print(fitted(one, console))
    for warning in profile.warnings:
        console.print(Text(f"! {shown(warning)}", style="yellow"))
    console.print(Text(f"\nProfile: {shown(folder)}"), soft_wrap=True)
    for kind, name, words in files(profile):
        console.print(Text(f"  {shown(f'{name} ({kind}: {words})')}"), soft_wrap=True)
