"""Records what a comparison of identical and of slowed code would meet: unit after unit, kept at once.

In a block the step is set up once in each of two processes, as ``regress`` does it. Pairs of a round of
either side follow each other, the head slowed by another share in each, none included, in random order.
So every slow-down is measured at the price of a few rounds, under the noise of real set-ups and processes.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from bench.gate.revisions import BASE, HEAD, group_of
from bench.gate.sides import Side, SidePool, not_started
from bench.harness.pool import WorkerFailedError
from bench.harness.rounds import LEAD_IN, Harness, SettingUp
from bench.questions.gate import GATE, Benchmark
from bench.questions.question import Group
from bench.stats.ratios import Pair, effects_of
from bench.trust.replay import Unit
from mtl_core.errors import UserError
from mtl_core.on_disk import LARGEST_NUMBER, ForeignError, content, json_object
from mtl_core.program.files import write_whole

Rounds = tuple[list[float], list[float]]  # of a set-up: head's and base's, seconds an iteration
SCHEMA = 2  # of a recording
LARGEST_FILE = 100 * 2**20  # bytes; an hour has some hundred kB
IDENTICAL = "0"  # the slow-down of code as it is
SLOW_DOWNS = (IDENTICAL, "0.03", "0.05", "0.1")
RECENT = 40  # blocks whose step times give the length of the spins
# Spins until its parent is gone, so that a killed recording leaves no busy core behind.
SPIN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(10**6): pass
"""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a journal: what must be equal for a recording to go on."""

    trust: int = SCHEMA
    machine: str
    revision: str
    busy_cores: int
    rounds: int
    set_ups: int
    slow_downs: tuple[str, ...] = SLOW_DOWNS


def slowed() -> Benchmark:
    """The gate's step with a workload that can be slowed."""
    step = next(benchmark for benchmark in GATE if benchmark.name == "step")
    return msgspec.structs.replace(step, workload="bench.workloads.slowed:SlowedStep")


def _failed(reason: str, last_lines: list[str]) -> UserError:
    return UserError(f"a worker failed while recording: {reason}: {(last_lines or ['it said nothing'])[-1]}")


class Recorder:
    """Two processes with the same code; one of them is slowed in some of its rounds."""

    def __init__(self, root: Path, seed: int, slow_downs: tuple[str, ...] = SLOW_DOWNS) -> None:
        self.benchmark, self.slow_downs = slowed(), slow_downs
        one = {self.benchmark.name: self.benchmark}
        sides = tuple(Side(name, root, sys.executable, one) for name in (BASE, HEAD))
        self.group: Group = group_of(self.benchmark.name, sides)
        self.harness = Harness(seed, pool=lambda: SidePool(sides), lead_in=LEAD_IN)
        self.step_s: list[float] = []

    def unit(self) -> Unit:
        """One invocation. Raises UserError when a worker fails."""
        start = time.monotonic()
        self.harness.next_invocation()
        try:  # both sides, so as to time it
            self.harness.pool.workers_for(self.group.cases[BASE].environment, 1)
        except WorkerFailedError as failure:
            raise not_started(failure) from None
        start_s = time.monotonic() - start
        recorded: dict[str, list[Rounds]] = {name: [] for name in self.slow_downs}
        extra_s = 0.0
        for _ in range(self.benchmark.set_ups):
            try:
                extra_s += self._block(recorded)
            except WorkerFailedError as failure:  # between the rounds that the harness guards
                raise _failed(failure.reason, failure.last_lines) from None
        effects = {
            name: effects_of([Pair(*rounds) for rounds in set_ups]) for name, set_ups in recorded.items()
        }
        return Unit(
            seconds=time.monotonic() - start - extra_s,
            start_s=start_s,
            effects={name: found.values.tolist() for name, found in effects.items()},
            errors={
                name: [e if math.isfinite(e) else None for e in found.errors.tolist()]
                for name, found in effects.items()
            },
            totals={name: found.totals.tolist() for name, found in effects.items()},
            step_s=float(np.median(self.step_s[-self.benchmark.set_ups :])),
        )

    def _block(self, recorded: dict[str, list[Rounds]]) -> float:
        """Add one set-up's rounds; returns the seconds that a comparison would not have spent."""
        start = self.harness.clock()
        running, counts = self.harness.ready(self.group)
        self._check()
        base, head = running[BASE], running[HEAD]
        self.step_s.append(base.warm_up[-1].iteration_s)
        level = float(np.median(self.step_s[-RECENT:]))
        pairs: dict[str, Rounds] = {name: ([], []) for name in self.slow_downs}
        extra_s = 0.0
        for _ in range(self.benchmark.rounds):
            extra_s += self._pass(base, head, counts, level, pairs)
        self.harness.finish(self.group, running, start)
        self._check()
        for name, rounds in pairs.items():
            recorded[name].append(rounds)
        return extra_s

    def _pass(
        self,
        base: SettingUp,
        head: SettingUp,
        counts: dict[str, int],
        level: float,
        pairs: dict[str, Rounds],
    ) -> float:
        """For each slow-down a round of either side, in random order, just as a comparison has them."""
        rng, extra_s = self.harness.rng, 0.0
        for name in rng.sample(self.slow_downs, len(self.slow_downs)):
            begun = time.monotonic()
            head.worker.ask("change", spin_s=float(name) * level)
            pair = {
                side.case.variant: self.harness.round(side, counts) for side in rng.sample((base, head), 2)
            }
            for rounds, side in zip(pairs[name], (HEAD, BASE), strict=True):
                rounds.append(pair[side].iteration_s)
            if name == IDENTICAL:
                base.rounds.append(pair[BASE])
                head.rounds.append(pair[HEAD])
            else:
                extra_s += time.monotonic() - begun
        return extra_s

    def _check(self) -> None:
        for failure in self.harness.failures.values():
            raise _failed(failure.reason, failure.last_lines)

    def close(self) -> None:
        self.harness.close()


@contextlib.contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep so many cores busy with processes of our own, ended in the end."""
    command = [sys.executable, "-c", SPIN, str(os.getpid())]
    spinning = [subprocess.Popen(command, start_new_session=True) for _ in range(cores)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def _lines(path: Path) -> list[bytes]:
    """The whole lines of a recording; one cut off in the middle is left out."""
    raw = content(path, LARGEST_FILE, "record first, without --resume")
    return raw[: raw.rfind(b"\n") + 1].splitlines()


def read_head(path: Path) -> Head:
    """What a recording is of. Raises UserError when it is none."""
    lines = _lines(path)
    try:
        head = msgspec.convert(json_object(lines[0] if lines else b""), Head)
    except (msgspec.MsgspecError, ForeignError) as error:
        raise UserError(f"{path} is no recording of trust ({error}); remove it and record again") from None
    if head.trust != SCHEMA:
        raise UserError(
            f"{path} is a recording of schema {head.trust}; this version reads {SCHEMA}: record into another"
        )
    return head


def read(path: Path, head: Head | None) -> list[Unit]:
    """The units of a recording.

    Raises UserError when it is none, or of another machine, revision or settings than ``head``.
    """
    told = read_head(path)
    differing = [n for n in Head.__struct_fields__ if head and getattr(told, n) != getattr(head, n)]
    if head and differing:
        was = "; ".join(f"{n} was {getattr(told, n)}, is {getattr(head, n)}" for n in differing)
        raise UserError(f"cannot go on with {path}: {was}; record into another --file to start anew")
    try:
        lines = _lines(path)[1:]
        return [msgspec.convert(json_object(line, largest=LARGEST_NUMBER), Unit) for line in lines]
    except (msgspec.MsgspecError, ForeignError) as error:
        raise UserError(f"{path} is damaged ({error}); remove it and record again") from None


def record(
    path: Path,
    head: Head,
    recorder: Recorder,
    seconds: float,
    *,
    before: list[Unit],
    show: Callable[[int, float], None],
) -> list[Unit]:
    """Units until the time is over, each in the file as soon as it is measured.

    A new file goes again where not even one was: it would stand in the way of the next recording.
    """
    units, new = list(before), not path.exists()
    lines = [msgspec.json.encode(head), *map(msgspec.json.encode, units)]
    write_whole(path, lambda file: file.write(b"\n".join(lines) + b"\n"), "--file")
    start = time.monotonic()
    try:
        with path.open("ab") as file, busy(head.busy_cores):
            while (spent := time.monotonic() - start) < seconds:
                show(len(units), spent)
                units.append(recorder.unit())
                file.write(msgspec.json.encode(units[-1]) + b"\n")
                file.flush()
                os.fsync(file.fileno())
    except BaseException:  # Ctrl-C above all
        if new and not units:
            path.unlink()
        raise
    return units
