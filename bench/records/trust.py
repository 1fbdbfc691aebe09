"""How far comparisons can be trusted on a machine: what replaying a recording came to.

Durations are seconds; tolerances and half-widths relative (0.01 is 1 %).
"""

from __future__ import annotations

import msgspec

from bench.records.run import Estimate, Verdict


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """So many of so many, with the exact interval of the share (Clopper & Pearson)."""

    hits: int
    share: Estimate  # its n: of how many


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """Of comparisons drawn from the same set-ups: a share known better, of what is not independent."""

    comparisons: int
    hits: float  # the share


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How often 95 % intervals of one kind of code hold its calm value."""

    variant: str
    says: str
    units: int  # an interval is made of: as many as fit the first budget
    calm: Estimate  # time of the variant over that of the base, by the longest pooled recording
    held: Counted  # of disjoint intervals
    drawn: Drawn
    half_width: float | None  # median; None of no interval
    wide: float | None  # nine of ten are no wider


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What comparisons of one kind of code with the base came to, within one budget."""

    variant: str
    says: str
    expected: str  # what it differs by: "nothing", "at rest", "now and then", "other code"
    tolerance: float
    budget_s: float
    verdicts: dict[Verdict, int]  # of disjoint comparisons
    right: Counted  # called as expected; of identical code: called slower or faster
    now_and_then: int  # called slower for what happens now and then
    drawn: Drawn  # of the same as ``right``
    half_width: float | None  # of the interval that was judged, median
    seconds: float | None  # a comparison took, median

    @property
    def comparisons(self) -> int:
        """How many fitted into the recording."""
        return sum(self.verdicts.values())


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One condition, or its hours of one mood."""

    condition: str  # in words
    mood: str  # "all hours", "calm", "usual", "restless"
    units: int
    hours: int  # stretches of an hour at the most
    calm_share: float  # of the rounds of the base and of the same code
    held: list[Held]
    calls: list[Tally]


class Recommended(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest tolerance that this machine can decide; None when none can."""

    benchmarks: int  # that share the 5 %; 1 is ``regress step``
    budget_s: float
    tolerance: float | None


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What a study of this machine came to."""

    machine: str
    units: int
    recorded: str  # from when to when
    step_s: float  # of the base, at rest
    pair_s: float  # what a unit of two variants costs a comparison, median
    cells: list[Cell]
    recommended: list[Recommended]
    network: str = ""  # a declared one, with its batch size; the tutorial's without
    workers: str = ""  # the interpreter that measured, where it is not the coordinator's, and its libraries

    @property
    def comparisons(self) -> int:
        """How many were replayed; without any nothing is known."""
        return sum(calls.comparisons for cell in self.cells for calls in cell.calls)
