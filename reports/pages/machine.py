"""A machine: what it is, what it can do at best, and what went on meanwhile."""

from __future__ import annotations

from bench.records.numbers import counted
from bench.records.run import Ceilings, Library, Machine, Weather
from reports.model.page import Page
from reports.model.units import number, scaled

OWNERS = {"mxnet": "MXNet", "numpy": "NumPy", "scipy": "SciPy", "system": "the system"}
UNKNOWN = "not told by this system"
APIS = {"blas": "BLAS", "openmp": "OpenMP"}


def machine_facts(
    machine: Machine | None, ceilings: Ceilings | None, weather: Weather | None
) -> tuple[tuple[str, str], ...]:
    """What the machine is, what it can do at best, and what went on meanwhile: names and values."""
    return (*_machine(machine), *_ceilings(ceilings), *_weather(weather))


def machine_page(
    machine: Machine,
    ceilings: Ceilings,
    weather: Weather,
    warnings: list[str],
    shared_memory: tuple[int, int] | None = None,
) -> Page:
    """A machine by itself, in the rows that a run's report has for it.

    ``shared_memory`` is what /dev/shm has in all and free, in bytes; None where there is none.
    """
    rows = machine_facts(machine, ceilings, weather)
    if shared_memory is not None:
        total, free = (scaled(size, "bytes") for size in shared_memory)
        rows = (*rows, ("Shared memory", f"{free} free of {total} in /dev/shm"))
    return Page(
        title="what it is, and its ceilings",
        kind="Machine",
        verdict="",
        facts=(("Class", machine.class_key), *rows),
        warnings=tuple(warnings),
    )


def _machine(machine: Machine | None) -> tuple[tuple[str, str], ...]:
    if machine is None:
        return ()
    rows = (
        (
            "Processor",
            f"{machine.cpu}, {machine.architecture}" + (f", {machine.mhz:.0f} MHz" if machine.mhz else ""),
        ),
        ("Cores", f"{machine.cores_granted:g} granted of {machine.cores_there}"),
        ("Memory", f"{machine.memory_gib} GiB"),
        ("Accelerators", ", ".join(machine.accelerators) or "none"),
        ("System", f"{machine.system}, kernel {machine.kernel}"),
        ("Container", machine.container or ""),
        ("Virtual machine", {True: "yes", False: "no", None: ""}[machine.virtual]),
        ("Load at the start", "" if machine.load is None else f"{machine.load:.2f} processes wanting to run"),
        ("Frequency governor", machine.governor or ""),
        ("Huge pages", machine.huge_pages or ""),
        ("Environment", ", ".join(f"{name}={value}" for name, value in machine.environment.items())),
        ("Python", machine.python),
        ("Python of the coordinator", machine.coordinator or ""),
        ("Source", machine.source or "not under git"),
    )
    return tuple((name, value) for name, value in rows if value)


def _ceilings(ceilings: Ceilings | None) -> tuple[tuple[str, str], ...]:
    if ceilings is None:
        return ()
    rows = (
        ("matrix product in MXNet", "mxnet_gflop_per_s", 1.0, "GFLOP/s"),
        ("in NumPy", "numpy_gflop_per_s", 1.0, "GFLOP/s"),
        ("memory", "memory_gb_per_s", 1.0, "GB/s"),
        ("Python", "python_loops_per_s", 1e6, "million loops/s"),
    )
    shown = [f"{name} {_ceiling(ceilings, field, scale)} {unit}" for name, field, scale, unit in rows]
    return (
        ("MXNet", f"{ceilings.mxnet}, NumPy {ceilings.numpy}"),
        *(_libraries(ceilings.loaded) or [("Libraries", ", ".join(ceilings.libraries))]),
        ("Ceilings", "; ".join(shown)),
    )


def _libraries(loaded: list[Library]) -> list[tuple[str, str]]:
    """A row each: whose it is, and with how many threads of what kind; MXNet's own first."""
    mxnet_first = sorted(loaded, key=lambda one: (one.owner != "mxnet", one.owner == "system", one.owner))
    return [_named(one) for one in mxnet_first]


def _named(one: Library) -> tuple[str, str]:
    """A name of ours and the value; what a file alone names stands in the value, which may be wrapped."""
    if one.owner in OWNERS and one.api in APIS:
        return f"{APIS[one.api]} of {OWNERS[one.owner]}", _library(one)
    return "Another library", f"{one.api} of {one.owner}: {_library(one)}"


def _library(one: Library) -> str:
    """``openblas 0.3.13, 1 thread (openmp), code for Zen, libopenblas.so.0``."""
    parts = (
        " ".join(filter(None, (one.name, one.version))),
        counted(one.threads, "thread") + (f" ({one.threading})" if one.threading else ""),
        f"code for {one.kernels}" if one.kernels else "",
        one.file,
    )
    return ", ".join(filter(None, parts))


def _ceiling(ceilings: Ceilings, field: str, scale: float) -> str:
    """The median and, where the file tells it, the range of its repeats."""
    value = number(getattr(ceilings, field), scale)
    ends = ceilings.ranges.get(field, [])
    return f"{value} ({number(ends[0], scale)} to {number(ends[-1], scale)})" if len(ends) == 2 else value


def _weather(weather: Weather | None) -> tuple[tuple[str, str], ...]:
    if weather is None:
        return ()
    rows = (
        ("Load at the end", "" if weather.load_after is None else f"{weather.load_after:.2f}"),
        ("Taken by a hypervisor", f"{weather.steal_share:.1%} of the cores' time"),
        (
            "Held back by a quota",
            UNKNOWN if weather.throttled_s is None else f"{number(weather.throttled_s)} s",
        ),
        (
            "Throttled for heat",
            UNKNOWN if weather.thermal_events is None else f"{weather.thermal_events} times",
        ),
        (
            "Calm",
            "" if weather.calm_share is None else f"{weather.calm_share:.0%} of rounds, within 5 % of rest",
        ),
        ("Most memory", scaled(weather.peak_memory_bytes, "bytes") if weather.peak_memory_bytes else ""),
    )
    return tuple((name, value) for name, value in rows if value)
