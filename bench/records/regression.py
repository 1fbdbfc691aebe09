"""What a comparison of two revisions came to: records, read by the reports."""

from __future__ import annotations

from typing import Literal

import msgspec

from bench.records.run import Estimate, Verdict, WorkChange

REGRESSION_SCHEMA = 1  # of the JSON that ``regress --format json`` prints


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark, head against base."""

    benchmark: str
    asks: str  # what an iteration is
    effect: Estimate | None  # time of head over time of base; None where there is nothing to compare
    verdict: Verdict
    tolerance: float
    seconds: float  # what the comparison cost
    set_ups: int = 0  # a side, over all invocations; effect.n counts the invocations
    spread: float | None = None  # standard deviation from invocation to invocation, relative
    base_s: Estimate | None = None  # an iteration
    head_s: Estimate | None = None
    detectable: float | None = None  # the smallest slow-down that would have been called, with power 0.8
    times_the_budget: float | None = None  # about what it would take to decide; None when it never would
    # The ratio of the sums of rounds, where they alone keep "same" from being said.
    sums: Estimate | None = None
    now_and_then: Estimate | None = None  # what head takes on top of its time at rest, less what base does
    cause: Literal["at rest", "now and then"] | None = None  # what is slower; None where nothing is
    typical: Estimate | None = None  # time of head over time of base, by the medians of the rounds
    missing: Literal["head", "base", "stored"] | None = (
        None  # what does not have it: a side, or the stored run
    )
    failure: str | None = None  # why it could not be measured
    notes: list[str] = []

    @property
    def passes(self) -> bool:
        """Nothing is wrong as far as is known: slower, gone, broken or not in the stored run is no pass."""
        return self.verdict != "slower" and self.failure is None and self.missing in (None, "base")


class Regression(msgspec.Struct, frozen=True, kw_only=True):
    """All benchmarks of one call."""

    base: str  # as a reader would name it
    head: str
    budget_s: float  # for each benchmark
    confidence: float  # of all verdicts together
    comparisons: list[Comparison]
    notes: list[str] = []
    stored: bool = False  # base is stored runs, and only the head was measured
    seed: int | None = None  # of the random orders: with --seed they are drawn again
    work: list[WorkChange] = []  # what a step of head does otherwise than one of base, counted exactly
    against: str | None = None  # the base as it was asked for, for a command to paste

    @property
    def passes(self) -> bool:
        """Whether nothing got slower, vanished or failed."""
        return all(comparison.passes for comparison in self.comparisons)

    @property
    def undecided(self) -> bool:
        """Whether something is not known."""
        return any(c.verdict == "undecided" for c in self.comparisons)


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How often comparisons of code with a known slow-down came to each verdict."""

    slow_down: float  # 0.03 for 3 %; 0 for identical code
    tolerance: float
    budget_s: float
    comparisons: int
    verdicts: dict[Verdict, int]
    slower: Estimate  # the share called slower, with the interval of Clopper & Pearson
    changed: Estimate  # the share called slower or faster: for identical code the false alarms
    seconds: float  # a comparison took, median
    measured: float  # the slow-down as it was measured over the whole stream, relative


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """How the recording came out at one error rate."""

    benchmarks: int  # that share the 5 %; 1 is ``regress step``
    alpha: float  # what the first of them starts with
    rates: list[Rate]
    recommended: float | None  # the smallest tolerance that this machine can decide; None when none can


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What a study of this machine came to."""

    machine: str
    units: int
    recorded_s: float
    step_s: float
    spread: float  # standard deviation from invocation to invocation, identical code
    set_up_spread: float  # from set-up to set-up within an invocation
    invocation_spread: float  # of what the set-ups of an invocation share
    set_ups: int  # an invocation
    best_set_ups: float | None  # that would use the time best; None: as many as there is time for
    unit_s: float  # an invocation of both sides cost, mean
    conditions: str
    studies: list[Study]  # the step alone first
