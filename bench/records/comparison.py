"""What comparing runs and looking at their history found out: plain records, ready for any format.

Ratios between runs are time of the other run over time of the first (or of its within-machine
ratio), so that below 1 is faster. Durations are seconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bench.records.run import Ceilings, Estimate

SCHEMA = 1  # of the JSON that the commands print

Kind = Literal["machine", "state", "build", "settings"]
# Of one machine class a run is faster or slower; of unlike machines no more is said than different.
Judgement = Literal["faster", "slower", "same", "different", "undecided"]


class ComparedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One of the compared runs; the label stands for it in tables."""

    label: str
    name: str
    measured_at: str | None
    schema: int | None  # None: written by pytest-benchmark alone
    machine: str | None  # class key
    source: str | None


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One thing known of every run; None where a run does not tell."""

    kind: Kind
    name: str
    values: dict[str, str | None]  # by label


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark in one run."""

    iteration_s: Estimate
    images_per_s: Estimate | None  # None where the file does not tell how many images an iteration takes
    ratio: Estimate | None  # time over that of its baseline in the same run
    per_ceiling: dict[str, float] = {}  # what of each ceiling it reaches; empty where none is known


class BenchmarkChange(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark in another run against the first run."""

    label: str  # of the other run
    time: Estimate  # ratio of the times: the speed of code and machine together
    time_verdict: Judgement
    ratio: Estimate | None = None  # ratio of the within-machine ratios
    ratio_verdict: Judgement | None = None
    explained_by: str | None = None  # the ceiling whose ratio between the machines is nearest


class ComparedBenchmark(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark in every run that has it."""

    name: str
    group: str
    variant: str
    baseline: str | None
    flop_per_image: int | None
    counts: str = "images"  # what throughput counts: samples of a declared network
    figures: dict[str, Figure]  # by label
    changes: list[BenchmarkChange]


class QuestionMean(msgspec.Struct, frozen=True, kw_only=True):
    """The geometric mean of a question's within-machine ratios over the benchmarks that all runs have."""

    question: str
    benchmarks: list[str]
    means: dict[str, Estimate]  # by label
    changes: dict[str, Estimate]  # ratio to the first run's
    verdicts: dict[str, Judgement]


class RunPair(msgspec.Struct, frozen=True, kw_only=True):
    """Another run beside the first: whether the machines are alike, and what their ceilings say."""

    label: str
    alike: bool  # of one machine class
    unlike: list[str]  # fields of the machine in which they differ
    ceilings: dict[str, float]  # the other's over the first's
    time_band: float  # tolerance for times, with what the machine may have drifted in between


class RunComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two or more runs side by side; every change is against the first."""

    sides: list[ComparedRun]
    ceilings: dict[str, Ceilings]
    differs: list[Field]
    equal: list[str]
    pairs: list[RunPair]
    benchmarks: list[ComparedBenchmark]
    means: list[QuestionMean]
    missing: dict[str, list[str]]  # by label: what other runs have
    failed: dict[str, list[str]]  # by label: what could not be measured, or not to the end
    tolerance: float
    warnings: list[str] = []


class SharedOperator(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator takes of the time of all operators, in each profile."""

    name: str
    shares: dict[str, Estimate]  # by label, 0 to 1; a profile in which it did not run has none
    seconds: dict[str, Estimate]  # a step
    changes: dict[str, Estimate]  # share less that in the first profile
    verdicts: dict[str, Judgement]


class SharedOperators(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark profiled two or more times; largest share first."""

    benchmark: str
    sides: list[ComparedRun]
    operators: list[SharedOperator]
    tolerance: float  # shares that differ by less are the same


class HistoricRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as a point in time."""

    name: str
    measured_at: str  # ISO 8601
    source: str | None  # revision
    build: dict[str, str]  # versions and environment variables, for what changed beside the revision


class LevelChange(msgspec.Struct, frozen=True, kw_only=True):
    """From one run on a series has another level."""

    run: int  # the first run with the new level, by its place in the history
    source: str | None  # its revision
    ratio: Estimate  # new level over old; the interval knows nothing of the search for the place
    before: int  # runs with the old level
    after: int
    p: float  # of so clear a change in any series of this machine by chance
    same_source: bool  # the run before had this revision too: the code is not the cause
    build: list[str]  # what else is not as it was in the run before


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one benchmark over the runs of a machine class."""

    benchmark: str
    measure: Literal["throughput", "time ratio"]
    values: list[float | None]  # by run; None where it was not measured or was another thing
    changes: list[LevelChange]
    counts: str = "images"  # what throughput counts: samples of a declared network
    note: str = ""  # why runs were left out, or why nothing could be tested


class MachineHistory(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of one machine class, oldest first."""

    machine: str
    runs: list[HistoricRun]
    series: list[Series]
    tested: int  # series with enough runs
    least_runs: int
    alpha: float  # error rate of one search over all series


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a store of results, by machine class."""

    machines: list[MachineHistory]
    left_out: list[str]
