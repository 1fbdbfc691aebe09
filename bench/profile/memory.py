"""Memory of a process and its children over time, sampled from outside by the coordinator."""

from __future__ import annotations

import contextlib
import threading
import time
from types import TracebackType
from typing import Any

import psutil

from bench.records.profile import MemorySample, Phase

EVERY_S = 0.25  # asking for PSS walks the page tables: some milliseconds a process


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and all that descend from it, those that still live."""
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []


def _of(member: psutil.Process) -> Any:
    """PSS and RSS where the system tells both, RSS where it does not or may not; None when it is gone."""
    with contextlib.suppress(psutil.AccessDenied):
        try:
            return member.memory_full_info()
        except psutil.NoSuchProcess:
            return None
    with contextlib.suppress(psutil.Error):
        return member.memory_info()
    return None


def sample(process: psutil.Process, at_s: float) -> MemorySample | None:
    """The family's memory now; None when it is gone."""
    told = [info for member in family(process) if (info := _of(member)) is not None]
    if not told:
        return None
    pss = [getattr(info, "pss", None) for info in told]
    return MemorySample(
        at_s=at_s,
        rss_bytes=sum(int(info.rss) for info in told),
        pss_bytes=None if None in pss else sum(int(part) for part in pss if part is not None),
        processes=len(told),
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
            found = sample(self.process, time.monotonic() - self.start)
            if found is not None:
                self.samples.append(found)
            if self.over.wait(self.every_s):
                return
