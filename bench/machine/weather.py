"""What else goes on while a machine measures: load, time stolen, quotas, heat, and what to say of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.machine.spoilers import spoilers
from bench.machine.system import ROOT, cgroups, text
from bench.records.run import Machine, Weather

BUSY_SHARE = 0.5  # of the granted cores taken by others: rounds wait for them
STOLEN_SHARE = 0.02  # of the run's time: above it bursts reach the medians of rounds
LOOKS, LOOK_EVERY_S = 10, 0.05  # at how many want to run


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Readings that only grow, and the load; two of them tell what went on in between."""

    steal_s: float  # over all cores since the machine started, as total_s
    total_s: float
    load: float | None = None
    throttled_s: float | None = None
    thermal_events: int | None = None


def _throttled_s(root: Path) -> float | None:
    """Seconds that the cgroup (version 2, with those above it, or 1) held its processes back.

    Each counts what its own quota did, so that their sum grows when any of them holds back. None without
    such a count.
    """
    files = [(folder / "cpu.stat", "throttled_usec", 1e-6) for folder in cgroups(root)]
    files.append((root / "sys/fs/cgroup/cpu/cpu.stat", "throttled_time", 1e-9))
    seconds = [
        int(count[1]) * scale
        for file, field, scale in files
        if (count := re.search(rf"^{field} (\d+)$", text(file) or "", re.MULTILINE))
    ]
    return sum(seconds) if seconds else None


def _thermal_events(root: Path) -> int | None:
    counts = [
        text(path)
        for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    ]
    numbers = [int(count) for count in counts if count and count.isdigit()]
    return sum(numbers) if numbers else None


def load(looks: int = LOOKS, root: Path = ROOT) -> float | None:
    """How many others want to run, averaged over looks of half a second in all.

    The system's own average is over a minute, in which an installation or the run itself still counts;
    it is taken where looking is not possible, and there may be None.
    """
    waiting = []
    for look in range(looks):
        time.sleep(LOOK_EVERY_S if look else 0.0)
        running = re.fullmatch(r"\S+ \S+ \S+ (\d+)/\d+ \d+", text(root / "proc/loadavg") or "")
        if running is None:
            break
        waiting.append(max(0, int(running[1]) - 1))  # one of them is looking
    if waiting:
        return sum(waiting) / len(waiting)
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def counters(root: Path = ROOT, looks: int = LOOKS) -> Counters:
    """The growing counts of this machine now."""
    times = psutil.cpu_times()
    return Counters(
        steal_s=float(getattr(times, "steal", 0.0)),
        total_s=float(sum(times)),
        load=load(looks, root),
        throttled_s=_throttled_s(root),
        thermal_events=_thermal_events(root),
    )


def weather_between(before: Counters, after: Counters, peak_memory_bytes: int | None = None) -> Weather:
    """What went on between two readings."""
    total = after.total_s - before.total_s
    return Weather(
        load_before=before.load,
        load_after=after.load,
        steal_share=(after.steal_s - before.steal_s) / total if total > 0 else 0.0,
        throttled_s=_growth(before.throttled_s, after.throttled_s),
        thermal_events=_growth(before.thermal_events, after.thermal_events),
        peak_memory_bytes=peak_memory_bytes,
    )


def weather_together(earlier: Weather, earlier_s: float, later: Weather, later_s: float) -> Weather:
    """The weather of a run measured in two parts, each of so many seconds."""
    whole = earlier_s + later_s
    share = (earlier.steal_share * earlier_s + later.steal_share * later_s) / whole if whole > 0 else 0.0
    peaks = [w.peak_memory_bytes for w in (earlier, later) if w.peak_memory_bytes is not None]
    return Weather(
        load_before=earlier.load_before,
        load_after=later.load_after,
        steal_share=share,
        throttled_s=_sum(earlier.throttled_s, later.throttled_s),
        thermal_events=_sum(earlier.thermal_events, later.thermal_events),
        peak_memory_bytes=max(peaks, default=None),
    )


def _sum(first: Any, second: Any) -> Any:
    return None if first is None or second is None else first + second


def _growth(before: Any, after: Any) -> Any:
    return None if before is None or after is None else after - before


def warnings_about(machine: Machine, weather: Weather, given: Mapping[str, str] | None = None) -> list[str]:
    """What made measuring hard, each with advice; empty on a good machine.

    ``given`` is the environment that was asked for beside the machine's own.
    """
    warned = [*_busy(machine, weather)]
    if weather.steal_share > STOLEN_SHARE:
        warned.append(
            f"the hypervisor took {weather.steal_share:.1%} of the time: intervals are wider for it, what is "
            "decided holds; repeat when it is quieter to decide more"
        )
    if weather.throttled_s:
        warned.append(
            f"the cgroup's CPU quota held processes back for {weather.throttled_s:.1f} s: "
            "grant more CPU, or repeat with --threads 1, which needs less of it"
        )
    if weather.thermal_events:
        warned.append(f"the CPU throttled {weather.thermal_events} times for heat: cool it and repeat")
    if machine.governor not in (None, "performance"):
        warned.append(f"frequency governor is {machine.governor}: set it to performance for steadier clocks")
    environment = {**machine.environment, **(given or {})}
    return [*warned, *_threads(machine, environment.get("OMP_NUM_THREADS")), *spoilers(environment)]


def _busy(machine: Machine, weather: Weather) -> Iterator[str]:
    """What others wanted of the cores, before or after; in between the workers themselves want them."""
    loads = {"at the start": weather.load_before, "at the end": weather.load_after}
    most = BUSY_SHARE * machine.cores_granted
    busy = [f"{load:.1f} {when}" for when, load in loads.items() if load is not None and load >= most]
    if busy:
        yield (
            f"load {' and '.join(busy)} on {machine.cores_granted:g} cores: "
            "everything takes longer and varies more; stop other work and repeat"
        )


def _threads(machine: Machine, chosen: str | None) -> Iterator[str]:
    """Threads that cannot all have a core, chosen or MXNet's own."""
    cores = machine.cores_granted
    if chosen is None:
        if cores < machine.cores_there:
            yield (
                f"{cores:g} of {machine.cores_there} cores are granted: MXNet may start threads "
                "for all that it sees; repeat with --threads 1 and keep what is quicker"
            )
        return
    outermost = chosen.split(",")[0].strip()  # OpenMP takes a list, one a level
    if outermost.isdecimal() and int(outermost) > max(1.0, cores):
        yield (
            f"OMP_NUM_THREADS is {outermost} and {cores:g} cores are granted: threads wait for one another; "
            f"repeat with --threads {max(1, int(cores))}"
        )
