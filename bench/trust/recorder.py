"""Records what comparisons would meet: unit after unit, raw rounds, kept at once.

A unit is an invocation: every variant in a process and a set-up of its own, rounds interleaved in random
order by the same harness as any other block. Any two variants of it are what ``regress`` would have measured
in one of its units, but for the rounds of the others in between.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import cycle
from pathlib import Path

from bench.gate.revisions import plan_of
from bench.gate.sides import SIDE, Side, SidePool, check_files, not_started
from bench.harness.pool import COMMAND_LIMIT_S, WorkerFailedError
from bench.harness.rounds import LEAD_IN, Harness
from bench.machine.interpreter import workers_python
from bench.questions.plan import Group
from bench.records.run import Block, Case
from bench.results.growing import Say
from bench.results.recording_file import Head, Unit, append, opened, packed
from bench.trust.neighbours import beside
from bench.trust.variants import BASE, STEP, TUTORIAL, Subject
from mtl_core.errors import NothingMeasuredError, UserError
from mtl_core.program.files import NotWrittenError

SLICE_S = 300.0  # of one condition, where several take turns
AT_ONCE = 2  # processes started side by side, as a comparison starts its two


def group_of(variants: Sequence[str], subject: Subject = TUTORIAL) -> Group:
    """The variants as cases of one group, each measured by a worker of its own."""
    cases = {
        name: Case(
            question=STEP.name,
            part="trust",
            variant=name,
            workload=subject.workload,
            settings=subject.settings_of(name),
            environment={SIDE: name},
        )
        for name in variants
    }
    return Group(question=STEP.name, part="trust", baseline=BASE, cases=cases, plan=plan_of(STEP))


class PairsPool(SidePool):
    """Workers started two by two; tells how long a pair takes to start, as a comparison's two do."""

    def __init__(self, sides: tuple[Side, ...], silence_s: float = COMMAND_LIMIT_S) -> None:
        super().__init__(sides, silence_s)
        self.pair_start_s = 0.0  # in the mean

    def start_everything(self) -> None:
        """Start all workers. Raises WorkerFailedError for one that does not come up."""
        begun, names = time.monotonic(), list(self.sides)
        pairs = [names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE)]
        for pair in pairs:
            new = {name: self.start({SIDE: name}) for name in pair}
            for name, worker in new.items():
                self.workers[((SIDE, name),)] = [worker]  # held at once: ended even if the next line fails
                worker.silence_s = self.silence_s
            for worker in new.values():
                worker.send("hello")
            for name, worker in new.items():
                check_files(self.sides[name], worker.receive())
        self.pair_start_s = (time.monotonic() - begun) / (len(names) / AT_ONCE)


class Recorder:
    """Measures units of the variants asked for."""

    def __init__(
        self,
        root: Path,
        seed: int,
        variants: Sequence[str],
        revision: str,
        subject: Subject = TUTORIAL,
        project: Path | None = None,
        silence_s: float = COMMAND_LIMIT_S,
    ) -> None:
        self.revision = revision
        self.group = group_of(variants, subject)
        sides = tuple(Side(name, root, workers_python(), {}, project, own=True) for name in variants)
        self.harness = Harness(seed, pool=lambda: PairsPool(sides, silence_s), lead_in=LEAD_IN)

    def unit(self, condition: str) -> Unit:
        """One invocation. Raises UserError when a worker fails."""
        at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.harness.next_invocation()
        pool = self.harness.pool
        assert isinstance(pool, PairsPool)
        try:
            pool.start_everything()
        except WorkerFailedError as failure:
            raise not_started(failure) from None
        start = time.monotonic()
        block = self.harness.measure(self.group)
        for lost in self.harness.failures.values():
            last = (lost.last_lines or ["it said nothing"])[-1]
            raise UserError(f"a worker failed while recording {lost.case}: {lost.reason}: {last}")
        pool.end()
        each_s = (time.monotonic() - start) / len(self.group.cases)
        return self._unit_of(block, at, condition, pool.pair_start_s + AT_ONCE * each_s)

    def _unit_of(self, block: Block, at: str, condition: str, pair_s: float) -> Unit:
        return Unit(
            at=at,
            condition=condition,
            revision=self.revision,
            pair_s=round(pair_s, 3),
            iterations=block.set_ups[BASE].rounds[0].iterations,
            us={
                name: packed([each.iteration_s for each in block.set_ups[name].rounds])
                for name in self.group.cases
            },
        )

    def close(self) -> None:
        self.harness.close()


def slices(conditions: Sequence[str], seconds: float) -> Iterator[tuple[str, float]]:
    """Conditions and how long each lasts; several take turns until the time is over."""
    each = seconds if len(conditions) == 1 else min(SLICE_S, seconds / len(conditions))
    left = seconds
    for condition in cycle(conditions):
        if left <= 0:
            return
        yield condition, min(each, left)
        left -= each


def record(
    path: Path,
    head: Head,
    recorder: Recorder,
    seconds: float,
    conditions: Sequence[str],
    *,
    before: Sequence[Unit],
    show: Callable[[int, float], None],
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
    say: Say = lambda line, place: None,
) -> Path:
    """Units until the time is over, each in the file as soon as it is measured; returns where they lie.

    That is another place than ``path`` where that one has no room, which ``say`` is told at once. A slice of
    a condition has one unit at the least. A new file goes again where not even one was measured: it would
    stand in the way of the next recording.
    """
    kept, new = len(before), not path.exists()
    lines = opened(path, head, new=new, say=say)
    start = clock()
    try:
        for condition, slice_s in slices(conditions, seconds):
            began, first = clock(), True
            with beside(condition, slice_s, seed + kept):
                while first or clock() - began < slice_s:
                    show(kept, clock() - start)
                    append(lines, recorder.unit(condition))
                    kept, first = kept + 1, False
    except BaseException as error:  # Ctrl-C above all
        if new and not kept:
            lines.remove()
        if isinstance(error, UserError) and not kept and not isinstance(error, NotWrittenError):
            raise NothingMeasuredError(str(error)) from None
        raise
    finally:
        lines.close()
    return lines.path


def counts(units: Sequence[Unit]) -> Mapping[str, int]:
    """How many units there are of each condition, in the order in which they came."""
    return Counter(unit.condition for unit in units)
