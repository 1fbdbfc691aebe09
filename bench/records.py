"""Everything that is known about a run, with units: one frozen record a stage.

``Case`` is what is measured, ``SetUp`` the raw samples of one set-up of it, ``Estimate`` and
``Ratio`` what the statistics make of them, ``Answer`` what is said. Durations are seconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 1  # of the files; raised when a field changes its meaning, told in bench.store

Setting = str | int | float | bool | list[str]
Verdict = Literal["faster", "slower", "same", "undecided"]
VERDICTS: tuple[Verdict, ...] = ("faster", "slower", "same", "undecided")
CONTROL = "control"  # the name of the variant that is the baseline once more


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be measured: all that must be equal for two of its numbers to be comparable."""

    question: str
    part: str
    variant: str
    workload: str  # "module:factory", imported by the worker
    settings: dict[str, Setting]
    environment: dict[str, str] = {}  # set before MXNet is loaded

    @property
    def name(self) -> str:
        """The stable identifier that histories hang on, such as ``second_head/step/both``."""
        return f"{self.question}/{self.part}/{self.variant}"

    @property
    def group(self) -> str:
        """What is compared with what: the cases of one question and part."""
        return f"{self.question}/{self.part}"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """A timed batch of iterations, synchronised at both ends."""

    seconds: float  # of the whole round
    iterations: int
    facts: dict[str, float] = {}  # what the workload counted in it: denormal share, seconds waited ...

    @property
    def iteration_s(self) -> float:
        return self.seconds / self.iterations


class SetUp(msgspec.Struct, frozen=True, kw_only=True):
    """One workload built once in one process, and everything timed in it."""

    case: str
    images: int  # an iteration's work
    set_up_s: float
    first_call_s: float
    warm_up: list[Round]
    rounds: list[Round]
    steady: bool
    facts: dict[str, float] = {}  # read after the last round


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One set-up of every case of a group, their rounds interleaved: one observation of each ratio."""

    group: str
    invocation: int
    index: int
    seconds: float  # what it cost, everything included
    set_ups: dict[str, SetUp]  # by variant


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that could not be measured; the others were."""

    case: str
    reason: str
    last_lines: list[str]  # what its worker said last


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A number and the interval that holds it."""

    value: float
    low: float
    high: float
    confidence: float
    n: int  # independent set-ups

    @property
    def half_width(self) -> float:
        """Half the interval, relative to the value."""
        return (self.high - self.low) / 2 / abs(self.value) if self.value else float("inf")


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Time of a variant over time of its baseline; below 1 is faster."""

    case: str
    baseline: str
    estimate: Estimate
    verdict: Verdict
    detectable: float  # the smallest relative effect this many set-ups could have told from none


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A case and what is known of it."""

    case: Case
    images: int
    iteration_s: Estimate
    images_per_s: Estimate
    first_call_s: Estimate
    facts: dict[str, float]  # medians over the set-ups
    effect: Ratio | None  # None for the baseline
    extra_first_call_s: Estimate | None  # what its first call costs more than the baseline's
    course: list[Estimate]  # time of each round of a set-up over that of its first, over the set-ups
    times_s: list[float]  # an iteration's, one number a set-up
    course_facts: list[dict[str, float]]  # medians over the set-ups, by round


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a question came to: a sentence with its interval, and what to mind about it."""

    question: str
    asks: str
    sentences: list[str]
    warnings: list[str] = []
    fits: dict[str, Estimate] = {}
