"""What a profile tells: where the sampled time goes, operators, memory, what it cost.

Schemas: 1 is the first. Durations are seconds, shares 0 to 1.
"""

from __future__ import annotations

import msgspec

from bench.records.run import Case, Estimate, Machine

PROFILE_SCHEMA = 1  # raised when a field changes its meaning


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where Python's time goes: a share of the samples in which Python worked."""

    name: str
    share: Estimate  # over the recordings, one a set-up
    stack: list[str]  # the stack seen most often there, outermost call first
    stack_share: float  # of all working samples


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """What py-spy saw."""

    rate_hz: int
    seconds: float  # recorded in all
    recordings: int
    samples: int  # of every Python thread, those that waited included
    waiting: int  # of them: for another process, a thread or MXNet's engine; in no share
    processes: int  # the worker's own and its DataLoader workers
    native: bool  # whether the flame graph has C and C++ frames too
    slowdown: float | None  # time of a round under py-spy over one without; a median, no interval
    native_slowdown: float | None = None  # the same while native frames were unwound
    behind_s: float | None = None  # the most that py-spy fell behind in a recording; None in older files


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """One operator, or several that MXNet ran as one, in the profiler's own regime."""

    name: str  # MXNet's; comma-joined where it ran several as one, and cut off at 127 characters
    seconds: Estimate  # a step
    share: Estimate  # of the time of all operators
    calls: float  # a step


class MemorySample(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of the worker and its children at one moment."""

    at_s: float  # since the watch began
    rss_bytes: int  # pages shared by several processes counted in each
    pss_bytes: int | None  # shared pages divided among their owners; None where the system does not tell
    processes: int


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker did from this moment on."""

    name: str
    at_s: float


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found out about one benchmark; what could not be had is None or empty."""

    schema: int
    case: Case
    measured_at: str  # ISO 8601
    machine: Machine
    steps: int  # in an iteration: training steps, or batches loaded
    step_s: Estimate | None  # without any profiler
    sentence: str | None  # where the time goes
    sampling: Sampling | None
    places: list[Place]  # largest share first
    operators: list[Operator]  # largest share first
    slowdown: Estimate | None  # time under MXNet's profiler over time without, rounds interleaved
    memory: list[MemorySample]
    phases: list[Phase]
    files: dict[str, list[str]]  # names in the folder: "flame graph", "speedscope", "timeline"
    notes: list[str]  # how it is to be read
    warnings: list[str]  # what is missing, and what to change
