"""How far comparisons can be trusted on a machine: what replaying a recording came to.

Durations are seconds; slow-downs, tolerances and spreads relative.
"""

from __future__ import annotations

import msgspec

from bench.records.run import Estimate, Verdict


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
