"""Memory of a process and of all that it started."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import psutil

from mtl_core.platform.proportional import pss_bytes


class ProcessMemory(NamedTuple):
    """Of one process, in bytes."""

    rss: int  # resident; what processes share counts in each of them
    pss: int | None  # with shared pages divided among their owners; None where the system does not tell


class FamilyMemory(NamedTuple):
    """Of a process and its descendants, those that still live."""

    processes: tuple[ProcessMemory, ...]

    @property
    def rss_bytes(self) -> int:
        return sum(process.rss for process in self.processes)

    @property
    def pss_bytes(self) -> int | None:
        """Shared pages counted once; None where the system does not tell it of every process."""
        parts = [process.pss for process in self.processes if process.pss is not None]
        return sum(parts) if len(parts) == len(self.processes) else None

    @property
    def held_bytes(self) -> int:
        """Shared pages counted once where the system tells them."""
        return sum(process.rss if process.pss is None else process.pss for process in self.processes)


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and all that descend from it; nothing when it is gone."""
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []


def family_memory(process: psutil.Process | None = None) -> FamilyMemory:
    """What a process and its descendants hold now; of this process without one. Empty when it is gone."""
    members = [_memory(member) for member in family(process or psutil.Process())]
    return FamilyMemory(tuple(memory for memory in members if memory is not None))


def _memory(member: psutil.Process) -> ProcessMemory | None:
    """None when it is gone; without its PSS where the system does not tell it, or not us."""
    with contextlib.suppress(psutil.Error):
        return ProcessMemory(int(member.memory_info().rss), pss_bytes(member.pid))
    return None
