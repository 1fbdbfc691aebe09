"""The study behind ``python -m bench trust``: recording and replay put together; used by the command."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from bench.machine.identity import collect
from bench.questions.gate import GATE
from bench.records.trust import Study, Trust
from bench.stats.verdict import ALPHA
from bench.trust.recorder import IDENTICAL, SLOW_DOWNS, Head, Recorder, read, read_head, record, slowed
from bench.trust.replay import Unit, best_set_ups, components, rate, recommended
from mtl_core.errors import UserError

ROOT = Path(__file__).parents[2]


def record_here(
    path: Path,
    seconds: float,
    *,
    busy: int | None = None,
    seed: int,
    resume: bool,
    show: Callable[[int, float], None],
    slow_downs: Collection[float] = (),
) -> None:
    """Record on this machine, with as many cores kept busy and with these slow-downs.

    What is not given is as the recording that is gone on with has it. Raises UserError for a file that is
    there already, but to ``resume`` it.
    """
    if path.exists() and not resume:
        raise UserError(f"{path} is there already; go on with it by --resume, or give another --file")
    machine, benchmark = collect(), slowed()
    kept = read_head(path) if resume else None
    if busy is None:
        busy = kept.busy_cores if kept else 0
    names = (IDENTICAL, *(f"{share:.6g}" for share in sorted(slow_downs)))
    if not slow_downs:
        names = kept.slow_downs if kept else SLOW_DOWNS
    head = Head(
        machine=machine.class_key,
        revision=str(machine.source),
        busy_cores=busy,
        rounds=benchmark.rounds,
        set_ups=benchmark.set_ups,
        slow_downs=names,
    )
    before = read(path, head) if resume else []
    recorder = Recorder(ROOT, seed + len(before), names)  # another order than before, as reproducible
    try:
        record(path, head, recorder, seconds, before=before, show=show)
    finally:
        recorder.close()


def _conditions(busy_cores: int) -> str:
    return f"{busy_cores} core{'s' * (busy_cores > 1)} kept busy" if busy_cores else "quiet"


def study(path: Path, budgets: Sequence[float], tolerance: float) -> Trust:
    """Replay a recording. Raises UserError when it is too short to say anything."""
    head, units = read_head(path), read(path, None)
    if len(units) < 2:
        raise UserError(f"{path} holds {len(units)} invocation: too few to say anything; record longer")
    return summary(head, units, budgets, tolerance)


def summary(head: Head, units: Sequence[Unit], budgets: Sequence[float], tolerance: float) -> Trust:
    """Every slow-down at every budget, the spreads, and recommendations from the first budget.

    Once for the step alone, and once for the step as the first of the whole gate, whose benchmarks share
    the error rate (Holm, as :func:`bench.gate.revisions.compare` begins).
    """
    set_up, invocation = components(units)
    names = sorted(units[0].effects, key=float)
    return Trust(
        machine=head.machine,
        units=len(units),
        recorded_s=math.fsum(unit.seconds for unit in units),
        step_s=float(np.median([unit.step_s for unit in units])),
        spread=float(np.std([np.mean(unit.effects["0"]) for unit in units], ddof=1)),
        set_up_spread=set_up,
        invocation_spread=invocation,
        set_ups=head.set_ups,
        best_set_ups=best if math.isfinite(best := best_set_ups(units)) else None,
        unit_s=float(np.mean([unit.seconds for unit in units])),
        conditions=_conditions(head.busy_cores),
        studies=[
            Study(
                benchmarks=count,
                alpha=ALPHA / count,
                rates=[rate(units, name, b, tolerance, ALPHA / count) for b in budgets for name in names],
                recommended=recommended(units, budgets[0], ALPHA / count),
            )
            for count in (1, len(GATE))
        ],
    )
