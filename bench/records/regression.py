"""What a comparison of two revisions came to: records, read by the reports."""

from __future__ import annotations

from typing import Literal

import msgspec

from bench.records.changes import Changes
from bench.records.run import Estimate, Verdict, WorkChange

# Where a repository declares the gate's benchmarks: now, and in earlier revisions.
GATE_FILE = "bench/questions/gate.py"
GATE_FILES = (GATE_FILE, "bench/gating/gate.py", "bench/gate.py")
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
    changes: Changes | None = None  # of the working tree, where they were to be kept
    against: str | None = None  # the base as it was asked for, for a command to paste

    @property
    def passes(self) -> bool:
        """Whether nothing got slower, vanished or failed."""
        return all(comparison.passes for comparison in self.comparisons)

    @property
    def undecided(self) -> bool:
        """Whether something is not known."""
        return any(c.verdict == "undecided" for c in self.comparisons)
