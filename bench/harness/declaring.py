"""Asks a worker what somebody's task turned out to be, before anything is measured."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from threading import Timer

import msgspec
import psutil

from bench.harness.pool import COMMAND_LIMIT_S, WorkerFailedError, WorkerProcess
from bench.records.declared import Declared
from mtl_core.errors import UserError

PATIENCE_S = 10.0  # after which a word says that the network is waited for
WORKLOAD = "bench.workloads.task:TaskWorkload"


def declared(
    network: str,
    batch_size: int,
    start: Callable[[dict[str, str]], WorkerProcess] = WorkerProcess,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
    patience_s: float = PATIENCE_S,
) -> Declared:
    """Build and try the task in a worker, with a word where that takes long.

    Raises UserError for whatever is wrong with it.
    """
    slow = Timer(patience_s, say, [f"{network} is still being imported and built; {_limit()}"])
    with ExitStack() as at_end:
        try:
            worker = start({})
            at_end.callback(worker.end)
            at_end.callback(slow.cancel)
            worker.ask("hello")
            slow.start()
            answer = worker.ask("declare", network=network, batch_size=batch_size)
        except WorkerFailedError as failure:
            last = "".join(f" ({line.strip()})" for line in failure.last_lines[-1:])
            raise UserError(f"{network} could not be tried: the worker {failure.reason}{last}") from None
    if "trouble" in answer:
        raise UserError(answer["trouble"])
    return msgspec.convert(answer["declared"], Declared)


def _limit() -> str:
    return f"it is waited for up to {COMMAND_LIMIT_S:g} s"


LARGEST = 4096  # samples a batch
LONGEST_STEP_S = 0.25  # beyond it larger batches would eat the budget
FREE_SHARE = 0.6  # of the memory that is free now may a worker take


def sizes_of(
    task: Declared,
    start: Callable[[dict[str, str]], WorkerProcess] = WorkerProcess,
    free_bytes: Callable[[], int] = lambda: psutil.virtual_memory().available,
) -> tuple[list[int], str]:
    """Batch sizes 1, 2, 4 ... as far as memory and time allow, with the task's own; why they end there.

    Each is tried in one worker, whose growth from size to size tells what the next would take.
    """
    sizes: list[int] = []
    allowed, held = FREE_SHARE * free_bytes(), 0
    at_end = ExitStack()
    try:
        worker = start({})
        at_end.callback(worker.end)
        worker.ask("hello")
        process = psutil.Process(worker.process.pid)
        before = process.memory_info().rss
        for size in _powers(task.batch_size):
            if size > task.batch_size and held * size / sizes[-1] > allowed:
                return sizes, _left_out(
                    size, f"they would take some {_gib(held * size / sizes[-1])} of memory"
                )
            settings = {"network": task.network, "batch_size": size, "mode": task.best_mode}
            worker.ask("set_up", workload=WORKLOAD, settings=settings, seed=0)
            again_s = worker.ask("round", iterations=1)["ns"] / 1e9
            held = max(held, process.memory_info().rss - before)
            sizes.append(size)
            if again_s > LONGEST_STEP_S and size >= task.batch_size:
                return sizes, _left_out(2 * size, f"a step of {size} takes {again_s:.1f} s")
        return sizes, ""
    except WorkerFailedError as failure:
        if task.batch_size not in sizes:
            last = "".join(f" ({line.strip()})" for line in failure.last_lines[-1:])
            raise UserError(
                f"{task.network}: {failure.reason} at batch size {2 * (sizes or [0])[-1]}{last}"
            ) from None
        return sizes, _left_out(2 * sizes[-1], f"the worker {failure.reason}")
    finally:
        at_end.close()


def _powers(own: int) -> list[int]:
    """Powers of two, and the task's own size among them."""
    powers = {2**power for power in range(LARGEST.bit_length()) if 2**power <= LARGEST}
    return sorted(powers | {own})


def _left_out(size: int, why: str) -> str:
    return f"Batches of {size} and more were left out: {why}."


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
