"""The machine a run was measured on: a stable class key, volatile fields, the build and its ceilings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.machine.spoilers import spoilers
from bench.records.run import Ceilings, Machine, Weather
from mtl_core.errors import NothingMeasuredError, UserError
from mtl_core.platform.gpu_choice import NoDriverError, ask_nvml

RELEVANT_VARIABLES = ("MXNET_", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_", "DMLC_", "MTL_")
BUSY_SHARE = 0.5  # of the granted cores taken by others: rounds wait for them
STOLEN_SHARE = 0.02  # of the run's time: above it bursts reach the medians of rounds
CEILINGS_LIMIT_S = 120.0
LOOKS, LOOK_EVERY_S = 10, 0.05  # at how many want to run
ROOT = Path("/")


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Readings that only grow, and the load; two of them tell what went on in between."""

    steal_s: float  # over all cores since the machine started, as total_s
    total_s: float
    load: float | None = None
    throttled_s: float | None = None
    thermal_events: int | None = None


def _text(path: Path) -> str | None:
    """A small file's content; None where there is none or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def cpu_model(root: Path = ROOT) -> str:
    """The CPU's own name; py-cpuinfo would take a second to find the same."""
    told = _text(root / "proc/cpuinfo") or ""
    match = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", told, re.MULTILINE)
    if match:
        return " ".join(match[1].split())
    arm = [re.search(rf"^CPU {n}\s*:\s*(\S+)", told, re.MULTILINE) for n in ("implementer", "part")]
    if arm[0] and arm[1]:  # ARM servers give numbers for names
        return f"ARM implementer {arm[0][1]} part {arm[1][1]}"
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return (
            subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
        )
    return platform.processor() or "unknown"


def _cgroups(root: Path) -> list[Path]:
    """The folders of this process's cgroup (version 2) and of all above it, its own first."""
    told = re.search(r"^0::/(.*)$", _text(root / "proc/self/cgroup") or "", re.MULTILINE)
    top = root / "sys/fs/cgroup"
    own = top / told[1] if told else top
    return [own, *(parent for parent in own.parents if parent == top or top in parent.parents)]


def _cores(limit: str | None, period: str | None) -> float | None:
    try:
        granted = float(limit or "max") / float(period or 0)
    except (ValueError, ZeroDivisionError):
        return None
    return granted if granted > 0 else None


def quota(root: Path = ROOT) -> float | None:
    """Cores that the cgroup (version 2, with those above it, or 1) grants; None without a limit."""
    told = [(_text(folder / "cpu.max") or "").split() for folder in _cgroups(root)]
    found = [_cores(*two) for two in told if len(two) == 2]
    if not found:
        one = [_text(root / f"sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period")]
        found = [_cores(one[0], one[1])]
    return min((cores for cores in found if cores is not None), default=None)


def cores_granted(root: Path = ROOT) -> float:
    """The cores this process may use, not the cores there."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = quota(root)
    return float(affinity) if limit is None else min(float(affinity), limit)


def memory_gib(root: Path = ROOT) -> int:
    """Memory granted, rounded to GiB: what is there or the cgroup's limit."""
    there = psutil.virtual_memory().total
    two = [_text(folder / "memory.max") for folder in _cgroups(root)]
    one = _text(root / "sys/fs/cgroup/memory/memory.limit_in_bytes")
    limits = [int(told) for told in (*two, one) if told and told.isdigit()]
    return int(min([there, *limits]) / 2**30 + 0.5)


def accelerators() -> list[str]:
    """Names of the GPUs that the driver reports."""
    try:
        return [name for name, _ in ask_nvml()]
    except NoDriverError:
        return []


def system_name(root: Path = ROOT) -> str:
    """The system's family and release, such as ``Linux debian 12``."""
    told = dict(re.findall(r'^(\w+)="?([^"\n]*)', _text(root / "etc/os-release") or "", re.MULTILINE))
    return " ".join([platform.system(), *(told[n] for n in ("ID", "VERSION_ID") if n in told)])


def revision(folder: Path) -> str | None:
    """The git revision of a folder, with ``+dirty`` for an uncommitted tree; None outside git."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (
            "+dirty" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def code(folder: Path) -> dict[str, str]:
    """A digest of each Python file below a folder, by its path from the folder's parent.

    git does not tell of files that it does not track or ignores, and a copy may lie outside it.
    """
    return {
        path.relative_to(folder.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in sorted(folder.rglob("*.py"))
    }


def versions() -> dict[str, str]:
    """The versions of NumPy and MXNet that are installed, by distribution; loads neither."""
    found = ((str(one.metadata["Name"]).lower(), one.version) for one in distributions())
    return {name: version for name, version in found if name == "numpy" or name.startswith("mxnet")}


def _mhz() -> float | None:
    try:
        clock = psutil.cpu_freq()
    except (OSError, NotImplementedError):
        return None
    return float(clock.current) if clock else None


def collect(root: Path = ROOT) -> Machine:
    """Read everything that is known of the machine now; what cannot be read is None."""
    variables = {n: v for n, v in sorted(os.environ.items()) if n.startswith(RELEVANT_VARIABLES)}
    variables.pop("MTL_DATA_DIR", None)  # a path of this machine, and no knob
    return Machine(
        cpu=cpu_model(root),
        architecture=platform.machine(),
        cores_granted=cores_granted(root),
        cores_there=os.cpu_count() or 1,
        memory_gib=memory_gib(root),
        system=system_name(root),
        accelerators=accelerators(),
        kernel=platform.release(),
        load=load(root=root),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        mhz=_mhz(),
        huge_pages=_text(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        environment=variables,
        address_randomisation=_text(root / "proc/sys/kernel/randomize_va_space"),
        container=container(root),
        virtual=virtual(root),
        python=platform.python_version(),
        source=revision(Path(__file__).parents[1]),
    )


def container(root: Path = ROOT) -> str | None:
    """The kind of container this runs in; None outside one or where it cannot be told."""
    marks = {"docker": root / ".dockerenv", "podman": root / "run/.containerenv"}
    for name, mark in marks.items():
        if mark.exists():
            return name
    told = _text(root / "proc/1/cgroup") or ""
    return next((n for n in ("kubepods", "docker", "lxc", "containerd") if n in told), None)


def virtual(root: Path = ROOT) -> bool | None:
    """Whether the CPU's flags name a hypervisor above this system."""
    told = re.search(r"^flags\s*:(.*)$", _text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return "hypervisor" in told[1].split() if told else None


def _throttled_s(root: Path) -> float | None:
    """Seconds that the cgroup (version 2, with those above it, or 1) held its processes back.

    Each counts what its own quota did, so that their sum grows when any of them holds back. None without
    such a count.
    """
    files = [(folder / "cpu.stat", "throttled_usec", 1e-6) for folder in _cgroups(root)]
    files.append((root / "sys/fs/cgroup/cpu/cpu.stat", "throttled_time", 1e-9))
    found = [
        int(told[1]) * scale
        for file, field, scale in files
        if (told := re.search(rf"^{field} (\d+)$", _text(file) or "", re.MULTILINE))
    ]
    return sum(found) if found else None


def _thermal_events(root: Path) -> int | None:
    counts = [
        _text(path)
        for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    ]
    known = [int(count) for count in counts if count and count.isdigit()]
    return sum(known) if known else None


def load(looks: int = LOOKS, root: Path = ROOT) -> float | None:
    """How many others want to run, averaged over looks of half a second in all.

    The system's own average is over a minute, in which an installation or the run itself still counts;
    it is taken where looking is not possible, and there may be None.
    """
    found = []
    for look in range(looks):
        time.sleep(LOOK_EVERY_S if look else 0.0)
        told = re.fullmatch(r"\S+ \S+ \S+ (\d+)/\d+ \d+", _text(root / "proc/loadavg") or "")
        if told is None:
            break
        found.append(max(0, int(told[1]) - 1))  # one of them is looking
    if found:
        return sum(found) / len(found)
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


def family_memory() -> int:
    """Bytes of this process and all it started; shared pages count once (PSS) where Linux tells."""
    held = 0
    for member in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # it ended meanwhile
            told = member.memory_full_info()
            held += int(getattr(told, "pss", told.rss))
    return held


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
    environment = {**machine.environment, **(given or {})}
    lines = [*_busy(machine, weather)]
    if weather.steal_share > STOLEN_SHARE:
        lines.append(f"the hypervisor took {weather.steal_share:.1%} of the time: repeat when it is quieter")
    if weather.throttled_s:
        lines.append(
            f"the cgroup's CPU quota held processes back for {weather.throttled_s:.1f} s: "
            "grant more CPU, or repeat with --threads 1, which needs less of it"
        )
    if weather.thermal_events:
        lines.append(f"the CPU throttled {weather.thermal_events} times for heat: cool it and repeat")
    if machine.governor not in (None, "performance"):
        lines.append(f"frequency governor is {machine.governor}: set it to performance for steadier clocks")
    return [*lines, *_threads(machine, environment.get("OMP_NUM_THREADS")), *spoilers(environment)]


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


def measure_ceilings(environment: Mapping[str, str] | None = None) -> Ceilings:
    """Measure in a process of its own, since the coordinator never loads MXNet.

    ``environment`` is what every worker is given too, such as the number of threads. Raises UserError
    with what the process said last when MXNet does not load there, NothingMeasuredError when it died.
    """
    command = [sys.executable, "-m", "bench.machine.ceilings"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=CEILINGS_LIMIT_S,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        raise NothingMeasuredError(
            f"measuring the ceilings took over {CEILINGS_LIMIT_S:g} s: the machine is too busy to measure on"
        ) from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        prefix = "mtl_core.errors.UserError: "
        if said[-1].startswith(prefix):  # a prerequisite is missing
            raise UserError(said[-1].removeprefix(prefix))
        raise NothingMeasuredError(f"the ceilings could not be measured: {said[-1]}")
    return msgspec.convert(json.loads(done.stdout.splitlines()[-1]), Ceilings)
