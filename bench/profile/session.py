"""One profile put together: both regimes interleaved, py-spy's recordings, memory, the timeline.

Nothing here touches a timed run: every part has workers of its own.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import numpy as np
import psutil

from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.harness.rounds import Harness
from bench.machine.identity import collect
from bench.machine.weather import counters, warnings_about, weather_between
from bench.profile import profiler, timeline
from bench.profile.flames import readable
from bench.profile.memory import MemoryWatch
from bench.profile.places import Recording, places, read_speedscope, working
from bench.profile.words import notes, sentence
from bench.questions.plan import Group, Plan
from bench.records.profile import PROFILE_SCHEMA, MemorySample, Operator, Phase, Profile, Sampling
from bench.records.run import Block, Case, Estimate
from bench.stats.estimates import exponential, geometric, t_interval
from bench.stats.ratios import log_effects, log_times
from mtl_core.errors import NothingMeasuredError, UserError
from mtl_core.platform.memory import family

RECORDINGS = 3  # of a set-up each, so that the shares have an interval
SET_UPS, INVOCATIONS = 4, 2  # of both regimes
ROUNDS = 4
ROUND_S = 0.05
QUIET_ROUNDS = 5  # timed without py-spy before each recording
TIMELINE_S = 1.0
NATIVE_EVERY = 5  # native frames take py-spy tens of milliseconds a stack: one sample in five
BEHIND_S = 1.0  # py-spy itself calls its result inaccurate from here on
SECONDS, CALLS = "operator_s ", "operator_calls "  # of bench.workloads.profiling, which loads MXNet

PLAIN, PROFILED, WATCHED = "plain", "profiled", "watched"
CLASSES = {PLAIN: "Counted", PROFILED: "Profiled", WATCHED: "Watched"}


def wrapped(case: Case, way: str, **more: str) -> Case:
    """The case's workload counted, profiled or watched."""
    return Case(
        question=case.question,
        part=case.part,
        variant=way,
        workload=f"bench.workloads.profiling:{CLASSES[way]}",
        settings={"workload": case.workload, "settings": json.dumps(case.settings), **more},
        # A worker of its own for each: what the profiler leaves behind must not reach the other.
        environment={**case.environment, "MTL_PROFILING": way},
    )


def regimes(case: Case, warm_ups: int) -> Group:
    """With and without MXNet's profiler, compared as variants of any question are."""
    cases = {way: wrapped(case, way) for way in (PLAIN, PROFILED)}
    plan = Plan(rounds=ROUNDS, warm_ups=warm_ups)
    return Group(question=case.question, part=case.part, baseline=PLAIN, cases=cases, plan=plan)


def measure_regimes(case: Case, warm_ups: int, show: Callable[[str], None]) -> list[Block]:
    """Some set-ups of both. Raises :class:`WorkerFailedError` when one of them cannot be measured."""
    group = regimes(case, warm_ups)
    harness = Harness(seed=0)
    try:
        blocks = []
        for number in range(SET_UPS):
            show(f"with and without MXNet's profiler ({number + 1} of {SET_UPS})")
            if number and number % (SET_UPS // INVOCATIONS) == 0:
                harness.next_invocation()
            blocks.append(harness.measure(group))
            for failure in harness.failures.values():
                raise WorkerFailedError(failure.reason, failure.last_lines)
        return blocks
    finally:
        harness.close()


def operators(blocks: list[Block], steps: int) -> list[Operator]:
    """Each operator's time, share and calls a step over the set-ups, largest share first."""
    tables = [_summed(block, steps) for block in blocks]
    names = {name.removeprefix(SECONDS) for table in tables for name in table if name.startswith(SECONDS)}
    totals = [sum(v for n, v in table.items() if n.startswith(SECONDS)) for table in tables]
    rows = []
    for name in names:
        seconds = np.array([table.get(SECONDS + name, 0.0) for table in tables])
        calls = [table.get(CALLS + name, 0.0) for table in tables]
        rows.append(
            Operator(
                name=name,
                seconds=t_interval(seconds),
                share=t_interval(seconds / np.array(totals)),
                calls=statistics.fmean(calls),
            )
        )
    return sorted(rows, key=lambda one: (-one.share.value, one.name))


def _summed(block: Block, steps: int) -> dict[str, float]:
    """What the profiler counted in the rounds of one set-up, a step."""
    rounds = block.set_ups[PROFILED].rounds
    done = sum(r.iterations for r in rounds) * steps
    names = {name for r in rounds for name in r.facts}
    return {name: sum(r.facts.get(name, 0.0) for r in rounds) / done for name in names}


def step_time(blocks: list[Block], steps: int) -> Estimate:
    """Seconds a step without any profiler."""
    return geometric(log_times(blocks, PLAIN).values - math.log(steps))


@contextmanager
def worker_for(case: Case) -> Iterator[WorkerProcess]:
    """A worker with the case's environment, ended whatever happens."""
    worker = WorkerProcess(case.environment)
    try:
        worker.ask("hello")
        yield worker
    finally:
        worker.end()


def _set_up(worker: WorkerProcess, case: Case, seed: int) -> int:
    """Build it and warm it up; returns how many iterations make a round."""
    worker.ask("set_up", workload=case.workload, settings=case.settings, seed=seed)
    seconds: list[float] = [worker.ask("round", iterations=1)["ns"] / 1e9 for _ in range(2)]
    return max(1, math.ceil(ROUND_S / max(seconds[-1], 1e-9)))


@dataclass
class Watch:
    """What came of the worker that was watched from outside."""

    recordings: list[Recording] = field(default_factory=list)
    seconds: float = 0.0
    quiet_s: list[float] = field(default_factory=list)  # rounds' times without py-spy
    watched_s: list[float] = field(default_factory=list)
    native_s: list[float] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)
    native: bool = False
    behind_s: float = 0.0  # the most that py-spy fell behind in a recording
    memory: list[MemorySample] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Watcher:
    """py-spy and the memory watch on one worker, which no other part uses."""

    def __init__(self, case: Case, folder: Path, seconds: int, rate_hz: int, show: Callable[[str], None]):
        self.case = wrapped(case, WATCHED)
        self.name = case.name
        self.folder = folder
        self.seconds = seconds
        self.rate_hz = rate_hz
        self.show = show
        self.recorded = Watch()

    def watch(self) -> Watch:
        """Record, or say in a warning why not; memory is watched either way."""
        recorded = self.recorded
        with worker_for(self.case) as worker, MemoryWatch(worker.process.pid) as memory:
            try:
                program = profiler.find()
                iterations = self._record(program, worker, memory)
            except profiler.NoSamplesError as reason:
                kept = f"stacks of {len(recorded.recordings)} of {RECORDINGS} recordings alone"
                lost = "no flame graph and " + (kept if recorded.recordings else "no stacks")
                recorded.warnings.append(f"{lost}: {reason}")
                self._unwatched(worker, memory)
            else:
                self._flames(program, worker, memory, iterations)
        recorded.memory, recorded.phases = memory.samples, memory.phases
        return recorded

    def _record(self, program: Path, worker: WorkerProcess, memory: MemoryWatch) -> int:
        """The recordings, a set-up each; returns how many iterations make a round of the last."""
        recorded = self.recorded
        each = max(1, round(self.seconds / RECORDINGS))
        for number in range(1, RECORDINGS + 1):
            self.show(f"py-spy: recording {number} of {RECORDINGS}")
            iterations = self._quietly(worker, memory, number)
            memory.phase(f"recording {number}")
            file = self.folder / f"recording-{number}.speedscope.json"
            spy = self._spy(program, worker, iterations, recorded.watched_s)
            self._late(spy.record(file, "speedscope", each, self.rate_hz, native=False))
            recorded.recordings.append(_read(file))
            recorded.seconds += each
            recorded.files.setdefault("speedscope", []).append(file.name)
            self._all_seen(worker, recorded.recordings[-1])
        return iterations

    def _flames(self, program: Path, worker: WorkerProcess, memory: MemoryWatch, iterations: int) -> None:
        """The flame graph, or a warning why there is none: the recordings are good without it."""
        recorded = self.recorded
        self.show("py-spy: flame graph with native frames")
        memory.phase("flame graph")
        spy = self._spy(program, worker, iterations, recorded.native_s)
        rate, file = max(1, self.rate_hz // NATIVE_EVERY), self.folder / "flamegraph.svg"
        try:
            flames = spy.record(file, "flamegraph", self.seconds, rate, native=True)
            if flames.behind_s >= BEHIND_S:
                recorded.warnings.append(
                    f"py-spy fell {flames.behind_s:.1f} s behind in {file.name}: its widths are off; "
                    "lower --rate"
                )
            profiler.entitle(flames.file, f"{self.name}: py-spy, {rate} samples a second")
            flames.file.write_text(readable(flames.file.read_text(encoding="utf-8")), encoding="utf-8")
        except (profiler.NoSamplesError, OSError, ValueError) as reason:
            recorded.warnings.append(f"no flame graph: {_in_a_line(reason)}")
            recorded.native_s.clear()
            file.unlink(missing_ok=True)
            return
        recorded.native = flames.native
        recorded.files["flame graph"] = [flames.file.name]
        if not flames.native:
            recorded.warnings.append(
                "the flame graph has Python's frames alone: no native ones on this platform"
            )

    def _quietly(self, worker: WorkerProcess, memory: MemoryWatch, seed: int) -> int:
        """A new set-up and some rounds of it that nobody watches; returns a round's iterations."""
        memory.phase(f"set-up {seed}")
        iterations = _set_up(worker, self.case, seed)
        for _ in range(QUIET_ROUNDS):
            self._round(worker, iterations, self.recorded.quiet_s)
        return iterations

    def _round(self, worker: WorkerProcess, iterations: int, times: list[float]) -> None:
        times.append(worker.ask("round", iterations=iterations)["ns"] / 1e9 / iterations)

    def _spy(
        self, program: Path, worker: WorkerProcess, iterations: int, times: list[float]
    ) -> profiler.PySpy:
        return profiler.PySpy(program, worker.process.pid, lambda: self._round(worker, iterations, times))

    def _late(self, sampled: profiler.Sampled) -> None:
        """Keep how far the recordings fell behind, which makes their shares worthless."""
        self.recorded.behind_s = max(self.recorded.behind_s, sampled.behind_s)
        if sampled.behind_s >= BEHIND_S:
            self.recorded.warnings.append(
                f"py-spy fell {sampled.behind_s:.1f} s behind in {sampled.file.name}: its shares are off; "
                "lower --rate"
            )

    def _all_seen(self, worker: WorkerProcess, recording: Recording) -> None:
        there = {member.pid for member in family(psutil.Process(worker.process.pid))}
        missing = len(there - recording.processes)
        if missing and recording.processes != {0}:
            self.recorded.warnings.append(f"py-spy saw no sample of {missing} of {len(there)} processes")

    def _unwatched(self, worker: WorkerProcess, memory: MemoryWatch) -> None:
        """What memory does without py-spy: a set-up and rounds, as many as are timed otherwise."""
        self.show("memory")
        if not self.recorded.quiet_s:
            self._quietly(worker, memory, 1)


def _read(file: Path) -> Recording:
    try:
        return read_speedscope(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"py-spy wrote a file that cannot be read ({_in_a_line(error)[:80]})"
        raise profiler.NoSamplesError(reason) from None


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def timeline_or_why(case: Case, folder: Path) -> tuple[list[str], list[str]]:
    """The timeline's file, or a warning why there is none: the rest of a profile is good without it."""
    try:
        return [write_timeline(case, folder)], []
    except (OSError, ValueError, KeyError, TypeError) as error:
        (folder / "timeline.raw.json").unlink(missing_ok=True)
        (folder / "timeline.json").unlink(missing_ok=True)
        return [], [f"no timeline: MXNet's own cannot be read or written ({_in_a_line(error)[:80]})"]


def write_timeline(case: Case, folder: Path) -> str:
    """Profile a second of it in a worker of its own, and write the calls for Perfetto."""
    raw, file = folder / "timeline.raw.json", folder / "timeline.json"
    profiled = wrapped(case, PROFILED, timeline=str(raw.resolve()))
    with worker_for(profiled) as worker:
        iterations = _set_up(worker, profiled, seed=0)
        spent = 0.0
        while spent < TIMELINE_S:
            spent += worker.ask("round", iterations=iterations)["ns"] / 1e9
        worker.ask("tear_down")
    file.write_bytes(timeline.tidy(timeline.read_calls(raw)))
    raw.unlink()
    return file.name


def sampling(recorded: Watch, rate_hz: int) -> Sampling | None:
    """What py-spy saw, in numbers; None when it saw nothing."""
    if not recorded.recordings:
        return None
    samples = sum(r.stacks.total() for r in recorded.recordings)
    return Sampling(
        rate_hz=rate_hz,
        seconds=recorded.seconds,
        recordings=len(recorded.recordings),
        samples=samples,
        waiting=samples - sum(working(r).total() for r in recorded.recordings),
        processes=max(len(r.processes) for r in recorded.recordings),
        native=recorded.native,
        slowdown=_over(recorded.watched_s, recorded.quiet_s),
        native_slowdown=_over(recorded.native_s, recorded.quiet_s),
        behind_s=recorded.behind_s,
    )


def _over(watched: list[float], quiet: list[float]) -> float | None:
    return statistics.median(watched) / statistics.median(quiet) if watched and quiet else None


def explained(error: WorkerFailedError, case: Case) -> UserError:
    """A worker that failed, in one line."""
    last = f" ({error.last_lines[-1].strip()})" if error.last_lines else ""
    return NothingMeasuredError(
        f"{case.name}: its worker {error.reason}{last}; see if it runs: python -m bench run"
    )


def profile(
    case: Case,
    folder: Path,
    *,
    seconds: int,
    rate_hz: int,
    warm_ups: int = True,
    show: Callable[[str], None] = lambda doing: None,
) -> Profile:
    """Profile a case; the files go into the folder, which is there.

    Raises UserError when the benchmark itself cannot run.
    """
    machine, before = collect(), counters()
    try:
        blocks = measure_regimes(case, warm_ups, show)
        watched = Watcher(case, folder, seconds, rate_hz, show).watch()
        show("timeline")
        drawn, lost = timeline_or_why(case, folder)
    except WorkerFailedError as error:
        raise explained(error, case) from None
    steps = int(blocks[0].set_ups[PLAIN].facts["steps"])
    seen, ranked = sampling(watched, rate_hz), places(watched.recordings)
    whole = Profile(
        schema=PROFILE_SCHEMA,
        case=case,
        measured_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        machine=machine,
        steps=steps,
        step_s=step_time(blocks, steps),
        sentence=sentence(ranked, seen),
        sampling=seen,
        places=ranked,
        operators=operators(blocks, steps),
        slowdown=exponential(log_effects(blocks, PROFILED, PLAIN).mean().interval()),
        memory=watched.memory,
        phases=watched.phases,
        files={**watched.files, "timeline": drawn} if drawn else watched.files,
        notes=[],
        warnings=watched.warnings + lost + warnings_about(machine, weather_between(before, counters())),
    )
    return msgspec.structs.replace(whole, notes=notes(whole))
