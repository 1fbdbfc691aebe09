"""Memory of a process and its children over time, sampled from outside by the coordinator."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import psutil

from bench.records.profile import MemorySample, Phase
from mtl_core.platform.memory import family_memory

EVERY_S = 0.25  # asking for PSS walks the page tables: some milliseconds a process


def sample(process: psutil.Process, at_s: float) -> MemorySample | None:
    """The family's memory now; None when it is gone."""
    memory = family_memory(process)
    if not memory.processes:
        return None
    return MemorySample(
        at_s=at_s,
        rss_bytes=memory.rss_bytes,
        pss_bytes=memory.pss_bytes,
        processes=len(memory.processes),
    )


class MemoryWatch:
    """Samples a family from a thread, from entering to leaving; ``phase`` marks what begins now."""

    def __init__(self, pid: int, every_s: float = EVERY_S) -> None:
        self.process = psutil.Process(pid)
        self.every_s = every_s
        self.samples: list[MemorySample] = []
        self.phases: list[Phase] = []
        self.over = threading.Event()
        self.start = time.monotonic()
        self.thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def phase(self, name: str) -> None:
        self.phases.append(Phase(name=name, at_s=time.monotonic() - self.start))

    def __enter__(self) -> MemoryWatch:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while True:
            now = sample(self.process, time.monotonic() - self.start)
            if now is not None:
                self.samples.append(now)
            if self.over.wait(self.every_s):
                return
