"""The machine a run is measured on: a stable class, volatile fields, the build and its ceilings."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.machine import interpreter
from bench.machine.git import GitError, git
from bench.machine.system import ROOT, cgroups, text
from bench.machine.weather import load
from bench.records.run import Ceilings, Machine
from mtl_core.errors import NothingMeasuredError, UserError
from mtl_core.platform.gpu_choice import NoDriverError, ask_nvml

RELEVANT_VARIABLES = ("MXNET_", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_", "DMLC_", "MTL_")
INSTALLED = ("site-packages", "node_modules", "__pycache__")
CEILINGS_LIMIT_S = 120.0


def cpu_model(root: Path = ROOT) -> str:
    """The CPU's own name; py-cpuinfo would take a second to find the same."""
    cpuinfo = text(root / "proc/cpuinfo") or ""
    match = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if match:
        return " ".join(match[1].split())
    arm = [re.search(rf"^CPU {n}\s*:\s*(\S+)", cpuinfo, re.MULTILINE) for n in ("implementer", "part")]
    if arm[0] and arm[1]:  # ARM servers give numbers for names
        return f"ARM implementer {arm[0][1]} part {arm[1][1]}"
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return (
            subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
        )
    return platform.processor() or "unknown"


def _cores(limit: str | None, period: str | None) -> float | None:
    try:
        granted = float(limit or "max") / float(period or 0)
    except (ValueError, ZeroDivisionError):
        return None
    return granted if granted > 0 else None


def quota(root: Path = ROOT) -> float | None:
    """Cores that the cgroup (version 2, with those above it, or 1) grants; None without a limit."""
    version_2 = [(text(folder / "cpu.max") or "").split() for folder in cgroups(root)]
    limits = [_cores(*pair) for pair in version_2 if len(pair) == 2]
    if not limits:
        version_1 = [text(root / f"sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period")]
        limits = [_cores(version_1[0], version_1[1])]
    return min((cores for cores in limits if cores is not None), default=None)


def cores_granted(root: Path = ROOT) -> float:
    """The cores this process may use, not the cores there."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = quota(root)
    return float(affinity) if limit is None else min(float(affinity), limit)


def memory_gib(root: Path = ROOT) -> int:
    """Memory granted, rounded to GiB: what is there or the cgroup's limit."""
    there = psutil.virtual_memory().total
    version_2 = [text(folder / "memory.max") for folder in cgroups(root)]
    version_1 = text(root / "sys/fs/cgroup/memory/memory.limit_in_bytes")
    limits = [int(limit) for limit in (*version_2, version_1) if limit and limit.isdigit()]
    return int(min([there, *limits]) / 2**30 + 0.5)


def accelerators() -> list[str]:
    """Names of the GPUs that the driver reports."""
    try:
        return [gpu.name for gpu in ask_nvml()]
    except NoDriverError:
        return []


def system_name(root: Path = ROOT) -> str:
    """The system's family and release, such as ``Linux debian 12``."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', text(root / "etc/os-release") or "", re.MULTILINE))
    return " ".join([platform.system(), *(release[n] for n in ("ID", "VERSION_ID") if n in release)])


def revision(folder: Path) -> str | None:
    """The git revision of a folder, with ``+dirty`` for an uncommitted tree; None outside git."""
    try:
        head = git(folder, "rev-parse", "HEAD")
        changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    except (GitError, UserError):
        return None
    return head + ("+dirty" if changed else "")


def code(folder: Path) -> dict[str, str]:
    """A digest of each Python file below a folder, by its path from the folder's parent.

    git does not tell of files that it does not track or ignores, and a copy may lie outside it.
    """
    return {
        path.relative_to(folder.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in sorted(folder.rglob("*.py"))
    }


def sources(folder: Path) -> dict[str, str]:
    """A digest of each Python file of somebody's repository, by its path in it; installed ones left out.

    Whether git tracks a file says nothing of whether a network imports it.
    """
    digests: dict[str, str] = {}
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not _foreign(here / name))
        for name in sorted(names):
            if name.endswith(".py") and (here / name).is_file():
                digest = hashlib.sha256((here / name).read_bytes()).hexdigest()[:12]
                digests[(here / name).relative_to(folder).as_posix()] = digest
    return digests


def _foreign(folder: Path) -> bool:
    """Whether nothing in it is the repository's own: hidden, an environment, packages installed."""
    name = folder.name
    return name.startswith(".") or name in INSTALLED or (folder / "pyvenv.cfg").exists()


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
        governor=text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        mhz=_mhz(),
        huge_pages=text(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        environment=variables,
        address_randomisation=text(root / "proc/sys/kernel/randomize_va_space"),
        container=container(root),
        virtual=virtual(root),
        python=interpreter.python_version(),
        coordinator=platform.python_version() if interpreter.is_other() else None,
        source=revision(Path(__file__).parents[1]),
    )


def container(root: Path = ROOT) -> str | None:
    """The kind of container this runs in; None outside one or where it cannot be told."""
    marks = {"docker": root / ".dockerenv", "podman": root / "run/.containerenv"}
    for name, mark in marks.items():
        if mark.exists():
            return name
    first_group = text(root / "proc/1/cgroup") or ""
    return next((n for n in ("kubepods", "docker", "lxc", "containerd") if n in first_group), None)


def virtual(root: Path = ROOT) -> bool | None:
    """Whether the CPU's flags name a hypervisor above this system."""
    flags = re.search(r"^flags\s*:(.*)$", text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return "hypervisor" in flags[1].split() if flags else None


def measure_ceilings(environment: Mapping[str, str] | None = None) -> Ceilings:
    """Measure in a process of its own, since the coordinator never loads MXNet.

    ``environment`` is what every worker is given too, such as the number of threads. Raises UserError
    with what the process said last when MXNet does not load there.
    """
    threads = find_spec("threadpoolctl")
    lent = [threads.origin] if threads and threads.origin else []
    command = interpreter.command("bench.machine.ceilings:main", *lent)
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
    ceilings: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return msgspec.convert(ceilings, Ceilings)
