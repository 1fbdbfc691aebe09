"""What a step of either revision does, counted exactly: noise hides a slow-down, never a new operator."""

from __future__ import annotations

import msgspec

from bench.counters.work import changes
from bench.gate.sides import SIDE, Side, SidePool
from bench.harness.pool import WorkerFailedError
from bench.records.run import Work, WorkChange

COUNTABLE = ("bench.workloads.steps:", "bench.workloads.task:")  # whose iteration is a step


def work_changes(names: list[str], sides: tuple[Side, ...]) -> tuple[list[WorkChange], list[str]]:
    """Every counter of these benchmarks that is another in head, and a line where counting failed.

    A benchmark that only one side has, or whose workload is no step, has no counts.
    """
    countable = [name for name in names if all(_countable(side, name) for side in sides)]
    if not countable:
        return [], []
    pool = SidePool(sides)
    try:
        before, after = (_counted(pool, side, countable) for side in sides)
    except WorkerFailedError as failure:
        last = (failure.last_lines or ["it said nothing"])[-1]
        return [], [f"work was not counted: {failure.reason}: {last}"]
    finally:
        pool.end()
    return changes(before, after), []


def _countable(side: Side, name: str) -> bool:
    return name in side.benchmarks and side.benchmarks[name].workload.startswith(COUNTABLE)


def _counted(pool: SidePool, side: Side, names: list[str]) -> dict[str, Work]:
    (worker,) = pool.workers_for({SIDE: side.name}, 1)
    return {
        name: msgspec.convert(
            worker.ask("count", workload=benchmark.workload, settings=benchmark.settings), Work
        )
        for name in names
        for benchmark in [side.benchmarks[name]]
    }
