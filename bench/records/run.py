"""Everything that is known about a run, with units: one frozen record a stage.

``Case`` is what is measured, ``SetUp`` the raw samples of one set-up of it, ``Estimate`` and
``Ratio`` what the statistics make of them, ``Answer`` what is said, ``Run`` all of it together.
Durations are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from bench.records.calls import Calls
from bench.records.changes import Changes
from bench.records.declared import Declared
from bench.records.shared import EPOCH as EPOCH
from bench.records.shared import NOT_THE_SAME as NOT_THE_SAME
from bench.records.shared import STEPS as STEPS
from bench.records.shared import Count as Count
from bench.records.shared import Setting as Setting
from bench.records.shared import Work as Work

SCHEMA = 2  # of the files; raised when a field changes its meaning, told in bench.results.run_file

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
    departs: str | msgspec.UnsetType = msgspec.UNSET  # in words, where it computes something else

    @property
    def something_else(self) -> str:
        """In words, what it computes otherwise; empty where it computes what it should."""
        return "" if self.departs is msgspec.UNSET else self.departs

    @property
    def counts(self) -> str:
        """What an iteration's work is counted in: a declared network need not read images."""
        return "samples" if "network" in self.settings else "images"

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
    block: int = 0  # set-ups of one group with the same number had their rounds interleaved
    invocation: int = 0
    calls: Calls | None = None  # each timed by itself; None where only rounds were


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

    @property
    def summary(self) -> str:
        """One line: what, why, and the last thing that was said."""
        last = next((line.strip() for line in reversed(self.last_lines) if line.strip()), "")
        return f"{self.case} could not be measured: {self.reason}" + (f" ({last})" if last else "")


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A number and the interval that holds it; the interval of one value alone is endless."""

    value: float
    low: float
    high: float
    confidence: float
    n: int  # independent set-ups

    @property
    def half_width(self) -> float:
        """Half the interval, relative to the value."""
        return (self.high - self.low) / 2 / abs(self.value) if self.value else float("inf")

    def decimals(self, scale: float = 1.0) -> int | None:
        """Decimals to print after division by ``scale``, no fewer than 0; None without an interval."""
        place = self.last_place(scale)
        return None if place is None else max(0, place)

    def last_place(self, scale: float = 1.0) -> int | None:
        """The last decimal of the value that the interval justifies, below 0 where it ends left of the point.

        None without an interval. A value smaller than half its interval keeps two digits of its own, lest
        0.56 be told as 0 beside 0 to 2,100.
        """
        place = self._justified(scale)
        if place is None or self.value == 0 or self.half_width <= 1:
            return place
        return max(place, 1 - math.floor(math.log10(abs(self.value / scale))))

    def places(self, scale: float = 1.0) -> tuple[int, int, int] | None:
        """The last decimals of the value and of both ends; None without an interval.

        They differ only where the value is smaller than half the interval: then an end has no more digits
        than it needs to be told from 0, or is 0.
        """
        place, ends = self.last_place(scale), self._justified(scale)
        if place is None or ends is None:
            return None
        of_low, of_high = (self._of_end(end / scale, ends, place) for end in (self.low, self.high))
        return place, of_low, of_high

    @staticmethod
    def _of_end(end: float, justified: int, of_value: int) -> int:
        if end == 0 or round(end, of_value) == 0:
            return justified
        return max(justified, min(of_value, 1 - math.floor(math.log10(abs(end)))))

    def _justified(self, scale: float) -> int | None:
        """The last decimal of a number beside which the interval stands.

        The rule of the Particle Data Group: half the interval keeps two digits when they lie below
        35, one otherwise: 1.46 stands beside 1.21 to 1.71, 1.5 beside 0.9 to 2.0, and 187,000 beside
        171,000 to 205,000.
        """
        half = (self.high - self.low) / 2 / scale
        if not 0 < half < math.inf:
            return None
        size = math.floor(math.log10(half))
        two_digits = half / 10.0**size < 3.55
        return two_digits - size


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Time of a variant over time of its baseline; below 1 is faster."""

    case: str
    baseline: str
    estimate: Estimate
    verdict: Verdict
    detectable: float  # the smallest slow-down that would have been called, with power 0.8
    times: float | None = None  # as many set-ups would decide; None where no reasonable number would
    typical: Estimate | None = None  # by the medians of the rounds: what to expect in an hour like that one


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """How long what goes on in time takes in the end, against its own first epoch beside it."""

    since: int  # the epoch from which on, from 2
    ratio: Estimate
    first: Estimate | None = None  # of the first epoch alone: the noise floor, where both sides do the same


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A case and what is known of it."""

    case: Case
    images: int  # an iteration's; 0 where a file of pytest-benchmark alone does not tell
    iteration_s: Estimate
    images_per_s: Estimate
    first_call_s: Estimate
    facts: dict[str, float]  # medians over the set-ups
    effect: Ratio | None  # None for the baseline
    extra_first_call_s: Estimate | None  # what its first call costs more than the baseline's
    times_s: list[float]  # an iteration's, one number a set-up
    course_facts: list[dict[str, float]]  # medians over the set-ups, by stage
    course_s: list[Estimate] = []  # an iteration's time in each stage, over the set-ups
    level: Level | None = None  # of a course that was held against its first epoch
    round_facts: dict[str, Estimate] = {}  # of what was counted in each round: over set-ups, of their medians
    typical_s: Estimate | None = None  # an iteration's time by the medians of the rounds
    rule: Literal["at rest", "medians"] = "medians"  # how the times and ratios were read from the rounds
    beside: dict[str, Ratio] = {}  # against variants other than the baseline, where the question asks for it
    quantiles: dict[str, Estimate] = {}  # of a call's time by "p50", "p99" ...: over set-ups, of their own
    fact_medians: dict[str, Estimate] = {}  # of facts over set-ups, where calls were timed one by one

    @property
    def tells_images(self) -> bool:
        """Whether there is a throughput at all."""
        return self.images > 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a question came to: a sentence with its interval, and what to mind about it."""

    question: str
    asks: str
    sentences: list[str]
    warnings: list[str] = []
    fits: dict[str, Estimate] = {}  # what was fitted, for plots: "fixed_s", "recommended" ...


# The fields of a Machine that make its class, and how its key writes each.
CLASS_FIELDS: dict[str, Callable[[Any], str]] = {
    "cpu": str,
    "architecture": str,
    "cores_granted": "{:g} cores".format,
    "memory_gib": "{} GiB".format,
    "system": str,
    "accelerators": lambda names: ",".join(names) or "no accelerator",
}


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a result was measured on. The host's name is left out: results are shared."""

    cpu: str
    architecture: str
    cores_granted: float  # what affinity and the cgroup's quota leave of them
    cores_there: int
    memory_gib: int
    system: str
    accelerators: list[str]
    kernel: str
    load: float | None  # how many others want to run
    governor: str | None
    mhz: float | None
    huge_pages: str | None
    environment: dict[str, str]
    address_randomisation: str | None = None  # Linux: "2" is full, "0" none
    container: str | None = None  # "docker", "podman" ...; None outside one or where it cannot be told
    virtual: bool | None = None  # whether the CPU says that a hypervisor is above it
    python: str  # of the workers
    coordinator: str | None = None  # its Python, where the workers ran in another interpreter
    source: str | None  # revision, with "+dirty" for an uncommitted tree; None outside git

    @property
    def class_key(self) -> str:
        """Equal for machines whose results may stand in one history."""
        return " | ".join(in_words(getattr(self, name)) for name, in_words in CLASS_FIELDS.items())

    def unlike(self, other: Machine) -> list[str]:
        """The fields in which the class of another machine differs; empty within one class."""
        return [name for name in CLASS_FIELDS if getattr(self, name) != getattr(other, name)]


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """A library for BLAS or OpenMP that a measuring process had loaded, and how it was set."""

    owner: str  # the package it came with: "mxnet", "numpy"; "system" for the system's own
    api: str  # "blas" or "openmp"
    name: str  # such as "openblas", "mkl", "libgomp"
    file: str  # without its folder
    threads: int  # at most
    version: str | None = None
    threading: str | None = None  # what its threads are of: "openmp", "pthreads"
    kernels: str | None = None  # the processor that it has chosen its code for, such as "Zen"


class Ceilings(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine can do at best, and the build that was asked; medians."""

    mxnet_gflop_per_s: float  # float32 matrix product of 1024 x 1024
    numpy_gflop_per_s: float
    memory_gb_per_s: float  # copy of an array beyond the cache, read and written
    python_loops_per_s: float
    mxnet: str
    numpy: str
    features: list[str]
    libraries: list[str]  # BLAS and OpenMP in use, by name and version alone
    ranges: dict[str, list[float]] = {}  # least and most of each ceiling over its repeats
    loaded: list[Library] = []  # the same one by one; empty in files that are older


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """What else went on while it was measured; None where the system does not tell."""

    load_before: float | None
    load_after: float | None
    steal_share: float  # of all cores' time, taken by a hypervisor
    throttled_s: float | None  # time that the cgroup's quota held processes back
    thermal_events: int | None  # throttlings for heat, over all cores
    peak_memory_bytes: int | None = None  # of the coordinator and its workers at once
    calm_share: float | None = None  # of all rounds read at rest: within 5 % of it


class WorkChange(msgspec.Struct, frozen=True, kw_only=True):
    """One counter of one or more steps that is not what it was."""

    steps: list[str]  # "step/hybridized": all that changed in just this way
    counter: str  # a field of Work
    before: Count | None  # None: there was no such step
    after: Count | None  # None: there is no such step any more
    parts: dict[str, Count] = {}  # what it is made of, by name: how many more
    places: list[str] = []  # lines of code to look at

    @property
    def growth(self) -> float:
        """Relative to what there was: 0.5 is half more, endless where there was nothing."""
        before, after = self.before or 0, self.after or 0
        if before == after:  # other parts, in all as many
            return 0.0
        return (after - before) / before if before else float("inf")


class SettingWorth(msgspec.Struct, frozen=True, kw_only=True):
    """What one change alone makes of an epoch's time."""

    name: str  # of the variant
    words: str  # what it is for a reader
    ratio: Estimate  # over the time with the usual settings; below 1 is faster
    verdict: Verdict


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What to set on a machine, or why nothing can be recommended; or what a move would bring."""

    title: str = "What to set on this machine"
    variant: str | None  # None: nothing was decided, or the usual settings are best
    command: str | None  # to paste
    ratio: Estimate | None  # an epoch's time over that with the usual settings
    sentences: list[str]
    worth: list[SettingWorth] = []
    alone: str = ""  # the sentence that says what ``worth`` does


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run found out, fresh or read from a file.

    What a file of pytest-benchmark alone cannot tell is None or empty.
    """

    name: str  # for the reader: the file's name
    measured_at: str | None = None  # ISO 8601
    schema: int | None = SCHEMA  # of the file it came from; None without a block of ours
    machine: Machine | None = None
    ceilings: Ceilings | None = None
    settings: dict[str, str] = {}
    answers: list[Answer] = []
    warnings: list[str] = []  # about the machine and the run as a whole
    weather: Weather | None = None
    failures: list[Failure] = []
    spent_s: float = 0.0
    measured: dict[str, dict[str, Measured]] = {}  # by group, then variant
    blocks: dict[str, list[Block]] = {}  # by group: the raw samples
    baselines: dict[str, str] = {}  # by group: what the others are held against, measured or not
    advice: Advice | None = None  # what to set; None where that was not asked
    declared: Declared | None = None  # whose network it is, where it is not the tutorial's
    changes: Changes | None = None  # of the source since its revision; None where nothing is known of them
