"""What would spoil numbers, looked for before anything is measured: lines with what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping

import psutil

from bench.machine.identity import collect
from bench.machine.weather import warnings_about
from bench.records.run import Machine, Weather
from mtl_core.platform.shared_memory import SAMPLE_BYTES, shortage

# Among a worker's first arguments, however it is started.
WORKER = re.compile(r"bench\.worker(\.__main__:start)?")
MOST_WORKERS, BATCH_SIZE = 5, 128  # of the tutorial's loader


def preflight(given: Mapping[str, str] | None = None, batch_size: int = BATCH_SIZE) -> list[str]:
    """Load, governor, threads, variables, other runs of ours, too little shared memory: a line each.

    ``given`` is the environment that workers get beside the machine's own. Empty on a good machine. Call it
    before workers of this process start.
    """
    return [*of_machine(collect(), given), *of_other_runs(commands()), *of_shared_memory(batch_size)]


def of_machine(machine: Machine, given: Mapping[str, str] | None = None) -> list[str]:
    """What the machine itself does to numbers, as a run's report would tell it afterwards."""
    now = Weather(
        load_before=machine.load, load_after=None, steal_share=0.0, throttled_s=None, thermal_events=None
    )
    return warnings_about(machine, now, given)


def of_shared_memory(batch_size: int = BATCH_SIZE) -> list[str]:
    """Whether the tutorial's loader has room for its batches."""
    line = shortage(batch_size, SAMPLE_BYTES, MOST_WORKERS)
    return [line] if line else []


def commands() -> Iterable[tuple[int, list[str]]]:
    """Every process that is no child of this one: the number of its parent, and its command."""
    ours = {child.pid for child in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it ended meanwhile, or is nobody's business
            if process.pid not in ours:
                yield process.ppid(), process.cmdline()


def of_other_runs(running: Iterable[tuple[int, list[str]]]) -> list[str]:
    """Other runs that measure here now, by the numbers of their coordinators."""
    parents = sorted({parent for parent, command in running if any(map(WORKER.fullmatch, command[1:3]))})
    if not parents:
        return []
    numbers = ", ".join(map(str, parents))
    return [
        f"another run is measuring on this machine (process {numbers}): both disturb each other; "
        "wait for it, or stop it"
    ]
