"""The fingerprint is read from made-up file systems: what a container or another CPU would show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.machine.ceilings import library
from bench.machine.identity import (
    code,
    collect,
    container,
    cores_granted,
    cpu_model,
    measure_ceilings,
    memory_gib,
    quota,
    system_name,
    virtual,
)
from bench.machine.interpreter import versions
from bench.machine.weather import (
    Counters,
    counters,
    load,
    warnings_about,
    weather_between,
    weather_together,
)
from bench.records.run import CLASS_FIELDS, Library, Machine, Weather
from mtl_core.platform.memory import FamilyMemory, ProcessMemory, family_memory
from tests.made_up import MACHINE
from tests.test_compare import CEILINGS

V2 = "sys/fs/cgroup/cpu.max"
V1 = "sys/fs/cgroup/cpu/cpu.cfs_{}_us"


def root_with(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({V2: "max 100000\n"}, None),
        ({V2: "150000 100000\n"}, 1.5),
        ({V2: "nonsense\n"}, None),
        ({V2: "100000 0\n"}, None),
        ({V1.format("quota"): "-1\n", V1.format("period"): "100000\n"}, None),
        ({V1.format("quota"): "150000\n", V1.format("period"): "100000\n"}, 1.5),
        ({V1.format("quota"): "150000\n"}, None),
    ],
)
def test_quota_of_both_cgroup_versions(tmp_path: Path, files: dict[str, str], expected: float | None) -> None:
    assert quota(root_with(tmp_path, files)) == expected


def test_a_quota_lowers_the_cores_granted_and_never_raises_them(tmp_path: Path) -> None:
    free = cores_granted(tmp_path)
    assert cores_granted(root_with(tmp_path, {V2: "50000 100000"})) == 0.5
    assert cores_granted(root_with(tmp_path, {V2: "999900000 100000"})) == free


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("model\t\t: 85\nmodel name\t: Intel(R) Xeon(R) Platinum 8175M\n", "Intel(R) Xeon(R) Platinum 8175M"),
        ("model\t\t: 49\nmodel name\t: AMD EPYC  7R32\n", "AMD EPYC 7R32"),
        ("CPU part\t: 0xd08\nModel\t\t: Raspberry Pi 4 Model B\n", "Raspberry Pi 4 Model B"),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "ARM implementer 0x41 part 0xd0c"),
    ],
)
def test_cpu_model_is_the_name_not_the_number(tmp_path: Path, told: str, expected: str) -> None:
    assert cpu_model(root_with(tmp_path, {"proc/cpuinfo": told})) == expected


def test_memory_is_the_cgroups_limit_where_that_is_lower(tmp_path: Path) -> None:
    free = memory_gib(tmp_path)
    assert memory_gib(root_with(tmp_path, {"sys/fs/cgroup/memory.max": str(2**30)})) == 1
    assert memory_gib(root_with(tmp_path, {"sys/fs/cgroup/memory.max": "max"})) == free


def test_memory_limit_of_cgroup_version_1(tmp_path: Path) -> None:
    assert memory_gib(root_with(tmp_path, {"sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**30)})) == 1


def test_the_system_names_its_release(tmp_path: Path) -> None:
    told = 'PRETTY_NAME="Debian 12"\nID=debian\nVERSION_ID="12"\n'
    assert system_name(root_with(tmp_path, {"etc/os-release": told})).endswith(" debian 12")


def test_an_empty_file_system_gives_a_machine_without_what_cannot_be_read(tmp_path: Path) -> None:
    machine = collect(tmp_path)
    assert machine.governor is None
    assert machine.huge_pages is None
    assert machine.cores_granted > 0


def test_volatile_fields_never_split_a_history(tmp_path: Path) -> None:
    machine = collect(tmp_path)
    moved = msgspec.structs.replace(
        machine, load=99.0, mhz=1.0, governor="powersave", kernel="0", source=None
    )
    assert moved.class_key == machine.class_key
    assert msgspec.structs.replace(machine, cores_granted=0.25).class_key != machine.class_key


OTHERS = {"cores_granted": 0.25, "memory_gib": 1, "accelerators": ["NVIDIA X"]}


@pytest.mark.parametrize("name", Machine.__struct_fields__)
def test_the_class_is_told_by_its_fields_and_by_nothing_else(name: str) -> None:
    other = msgspec.structs.replace(MACHINE, **{name: OTHERS.get(name, "another")})
    assert (other.class_key != MACHINE.class_key) == (name in CLASS_FIELDS)
    assert MACHINE.unlike(other) == ([name] if name in CLASS_FIELDS else [])


def test_the_key_of_a_class_is_written_as_in_every_history() -> None:
    machine = msgspec.structs.replace(
        MACHINE, cpu="A", architecture="x86_64", cores_granted=1.5, memory_gib=4, system="Linux debian 12"
    )
    start = "A | x86_64 | 1.5 cores | 4 GiB | Linux debian 12 | "
    assert machine.class_key == start + "no accelerator"
    assert msgspec.structs.replace(machine, accelerators=["B", "C"]).class_key == start + "B,C"


QUIET = {"governor": "performance", "cores_granted": 4.0, "cores_there": 4}


@pytest.mark.parametrize(
    ("changes", "grown", "words"),
    [
        ({}, {}, []),
        ({"governor": None}, {"load": None}, []),
        ({}, {"load": 1.9, "load_after": 1.9}, []),
        ({}, {"load": 2.0}, ["load 2.0 at the start on 4 cores"]),
        ({}, {"load_after": 2.0}, ["load 2.0 at the end on 4 cores"]),
        ({}, {"load": 2.5, "load_after": 3.0}, ["load 2.5 at the start and 3.0 at the end"]),
        ({}, {"steal_s": 2.0}, []),
        ({}, {"steal_s": 2.1}, ["hypervisor"]),
        ({}, {"throttled_s": 0.0, "thermal_events": 0}, []),
        ({}, {"throttled_s": 1.5}, ["for 1.5 s"]),
        ({}, {"thermal_events": 3}, ["3 times for heat"]),
        ({"governor": "powersave"}, {}, ["powersave"]),
        ({"cores_granted": 1.5}, {}, ["1.5 of 4 cores"]),
        ({"governor": "powersave"}, {"load": 3.0, "steal_s": 3.0}, ["load 3.0", "hypervisor", "powersave"]),
    ],
)
def test_each_warning_at_its_own_bound(
    tmp_path: Path, changes: dict[str, object], grown: dict[str, Any], words: list[str]
) -> None:
    machine = msgspec.structs.replace(collect(tmp_path), **{**QUIET, **changes})
    before = Counters(
        steal_s=0.0, total_s=0.0, load=grown.get("load", 0.0), throttled_s=0.0, thermal_events=0
    )
    counts = {name: grown.get(name, 0) for name in ("steal_s", "throttled_s", "thermal_events")}
    after = Counters(**counts, total_s=100.0, load=grown.get("load_after", 0.0))
    found = warnings_about(machine, weather_between(before, after))
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


@pytest.mark.parametrize("given", [{}, {"OMP_NUM_THREADS": "1"}])
def test_cores_that_are_not_granted_matter_only_where_nobody_chose_the_threads(
    tmp_path: Path, given: dict[str, str]
) -> None:
    changes = {**QUIET, "cores_granted": 1.5, "environment": {}}
    machine = msgspec.structs.replace(collect(tmp_path), **changes)
    weather = weather_between(Counters(steal_s=0.0, total_s=0.0), Counters(steal_s=0.0, total_s=9.0))
    by_option = warnings_about(machine, weather, given)
    by_environment = warnings_about(msgspec.structs.replace(machine, environment=given), weather)
    assert by_option == by_environment
    assert bool(by_option) == (not given)
    assert all("--threads 1" in line for line in by_option)


@pytest.mark.parametrize(
    ("threads", "cores", "said"),
    [
        ("4", 4.0, None),
        ("5", 4.0, "repeat with --threads 4"),
        ("64,2", 1.5, "repeat with --threads 1"),
        ("1", 0.5, None),
        ("many", 4.0, None),
    ],
)
def test_more_threads_than_cores_are_told(
    tmp_path: Path, threads: str, cores: float, said: str | None
) -> None:
    machine = msgspec.structs.replace(collect(tmp_path), **{**QUIET, "cores_granted": cores})
    weather = weather_between(Counters(steal_s=0.0, total_s=0.0), Counters(steal_s=0.0, total_s=9.0))
    found = warnings_about(machine, weather, {"OMP_NUM_THREADS": threads})
    assert [line.rsplit("; ", 1)[-1] for line in found] == ([said] if said else [])


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, None),
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": ""}, "podman"),
        ({"proc/1/cgroup": "0::/kubepods/burstable/pod1"}, "kubepods"),
        ({"proc/1/cgroup": "0::/init.scope"}, None),
    ],
)
def test_a_container_is_told(tmp_path: Path, files: dict[str, str], said: str | None) -> None:
    assert container(root_with(tmp_path, files)) == said


def test_a_quota_of_a_group_above_counts_too(tmp_path: Path) -> None:
    root = root_with(
        tmp_path,
        {
            "proc/self/cgroup": "0::/system.slice/run.service",
            "sys/fs/cgroup/system.slice/run.service/cpu.max": "max 100000",
            "sys/fs/cgroup/system.slice/cpu.max": "150000 100000",
            "sys/fs/cgroup/cpu.max": "max 100000",
        },
    )
    assert quota(root) == 1.5


@pytest.mark.parametrize(
    ("flags", "said"), [("flags : fpu hypervisor sse", True), ("flags : fpu sse", False), ("", None)]
)
def test_a_hypervisor_is_told(tmp_path: Path, flags: str, said: bool | None) -> None:
    assert virtual(root_with(tmp_path, {"proc/cpuinfo": flags})) is said


def test_throttling_is_counted_over_all_cores_and_both_versions_of_cgroups(tmp_path: Path) -> None:
    heat = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
    two = root_with(
        tmp_path / "2",
        {
            heat.format(0): "3",
            heat.format(1): "4",
            "sys/fs/cgroup/cpu.stat": "usage_usec 9\nthrottled_usec 2500000",
        },
    )
    one = root_with(tmp_path / "1", {"sys/fs/cgroup/cpu/cpu.stat": "nr_periods 1\nthrottled_time 500000000"})
    assert (counters(two).throttled_s, counters(two).thermal_events) == (2.5, 7)
    assert (counters(one).throttled_s, counters(one).thermal_events) == (0.5, None)


def test_what_cannot_be_counted_is_unknown_and_not_zero(tmp_path: Path) -> None:
    weather = weather_between(counters(tmp_path), counters(tmp_path))
    assert (weather.throttled_s, weather.thermal_events) == (None, None)


def test_memory_of_the_family_is_at_least_this_process_and_not_the_machine() -> None:
    memory = family_memory()
    assert memory.processes
    assert 1 << 20 < memory.held_bytes <= memory.rss_bytes < 1 << 36


def test_a_family_with_one_that_may_not_be_looked_into_has_no_memory_with_shared_pages_divided() -> None:
    family = FamilyMemory((ProcessMemory(rss=30, pss=20), ProcessMemory(rss=9, pss=5)))
    assert (family.rss_bytes, family.pss_bytes, family.held_bytes) == (39, 25, 25)
    closed = FamilyMemory((*family.processes, ProcessMemory(rss=4, pss=None)))
    assert (closed.rss_bytes, closed.pss_bytes, closed.held_bytes) == (43, None, 29)


def test_a_process_that_is_gone_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        assert family_memory(process).processes
        child.communicate(b"\n")
    assert family_memory(process).processes == ()


def test_a_real_process_measures_every_ceiling() -> None:
    told = msgspec.structs.asdict(measure_ceilings())
    assert all(value > 0 for value in told.values() if isinstance(value, float))
    assert told["mxnet"] and told["numpy"] and told["features"] and told["libraries"]


def test_code_is_told_file_by_file_whether_git_knows_it_or_not(tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.py").write_text("1")
    (folder / "b.txt").write_text("1")
    before = code(folder)
    assert list(before) == ["bench/deep/a.py"]
    (folder / "deep" / "a.py").write_text("2")
    assert list(code(folder)) == list(before)
    assert code(folder) != before


def test_installed_versions_are_told_without_loading() -> None:
    found = versions()
    assert found["numpy"] == np.__version__
    assert any(name.startswith("mxnet") and version == "1.9.1" for name, version in found.items())


def test_the_weather_of_two_parts_is_that_of_the_whole() -> None:
    first = Weather(
        load_before=3.0,
        load_after=2.0,
        steal_share=0.1,
        throttled_s=1.0,
        thermal_events=None,
        peak_memory_bytes=8,
    )
    second = Weather(
        load_before=0.5,
        load_after=0.25,
        steal_share=0.0,
        throttled_s=0.5,
        thermal_events=2,
        peak_memory_bytes=None,
    )
    assert weather_together(first, 30.0, second, 10.0) == Weather(
        load_before=3.0,
        load_after=0.25,
        steal_share=pytest.approx(0.075),
        throttled_s=1.5,
        thermal_events=None,
        peak_memory_bytes=8,
    )
    assert weather_together(first, 0.0, second, 0.0).steal_share == 0.0


def test_the_load_is_what_others_want_now(tmp_path: Path) -> None:
    """The system's average over a minute still holds an installation that is over."""
    root = root_with(tmp_path, {"proc/loadavg": "3.10 2.00 1.00 2/345 6789\n"})
    assert load(2, root) == 1.0
    assert collect(root).load == 1.0
    (root / "proc/loadavg").write_text("nonsense")
    assert load(2, root) is not None  # the system's own average


NESTED = {
    "proc/self/cgroup": "0::/user.slice/run.scope\n",
    "sys/fs/cgroup/user.slice/memory.max": f"{2**30}\n",
    "sys/fs/cgroup/user.slice/run.scope/memory.max": "max\n",
    "sys/fs/cgroup/user.slice/cpu.stat": "usage_usec 9\nthrottled_usec 100000000\n",
    "sys/fs/cgroup/user.slice/run.scope/cpu.stat": "usage_usec 9\nthrottled_usec 1500000\n",
}


def test_limits_of_a_cgroup_and_of_those_above_it_count(tmp_path: Path) -> None:
    root = root_with(tmp_path, NESTED)
    assert memory_gib(root) == 1
    before = counters(root)
    (root / "sys/fs/cgroup/user.slice/run.scope/cpu.stat").write_text("throttled_usec 6500000\n")
    assert weather_between(before, counters(root)).throttled_s == pytest.approx(5.0)


def said_by_the_command(monkeypatch: pytest.MonkeyPatch, *readings: Counters, load: float) -> str:
    """What ``machine`` says, in one line, where the load at its start and the counters are these."""
    found = iter(readings)
    machine = msgspec.structs.replace(MACHINE, load=load)
    monkeypatch.setattr("bench.machine.identity.collect", lambda: machine)
    monkeypatch.setattr("bench.machine.weather.counters", lambda looks=10: next(found))
    ranges = {"mxnet_gflop_per_s": [61.4123456789, 75.2987654321]}
    loaded = [
        Library(owner="numpy", api="blas", name="openblas", file="b.so", threads=2, threading="pthreads"),
        Library(owner="mxnet", api="blas", name="openblas", file="a.so", threads=1, version="0.3"),
        Library(owner="system", api="openmp", name="libgomp", file="c.so", threads=1),
        Library(owner="torch", api="blas", name="mkl", file="d.so", threads=8, kernels="Zen"),
    ]
    ceilings = msgspec.structs.replace(CEILINGS, mxnet_gflop_per_s=70.0, ranges=ranges, loaded=loaded)
    monkeypatch.setattr("bench.machine.identity.measure_ceilings", lambda: ceilings)
    monkeypatch.setattr("bench.machine.preflight.commands", list)  # others may measure meanwhile
    monkeypatch.setattr("mtl_core.platform.shared_memory.sizes", lambda: (64 << 20, 63 << 20))
    result = CliRunner().invoke(app, ["machine"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    return " ".join(result.output.split())


READING = Counters(steal_s=0.0, total_s=0.0, load=0.0, throttled_s=0.0)
LATER = msgspec.structs.replace(READING, total_s=100.0)


def test_the_machine_command_tells_what_a_run_tells_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_by_the_command(monkeypatch, READING, LATER, load=0.0)
    assert f"Class {MACHINE.class_key}" in said
    assert "Cores 2 granted of 2" in said
    assert "matrix product in MXNet 70.0 (61.4 to 75.3) GFLOP/s" in said
    assert "Held back by a quota 0 s Throttled for heat not told by this system" in said
    assert "BLAS of MXNet openblas 0.3, 1 thread, a.so BLAS of NumPy openblas, 2 threads (pthreads)" in said
    assert "OpenMP of the system libgomp, 1 thread, c.so" in said
    assert "Another library blas of torch: mkl, 8 threads, code for Zen, d.so" in said
    assert "Shared memory 63.0 MiB free of 64.0 MiB in /dev/shm" in said
    assert "mxnet_gflop_per_s" not in said
    assert "!" not in said


def test_the_machine_command_warns_of_what_disturbed_the_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    after = msgspec.structs.replace(LATER, load=1.5, steal_s=30.0, throttled_s=2.0)
    said = said_by_the_command(monkeypatch, READING, after, load=2.6)
    assert "! load 2.6 at the start and 1.5 at the end on 2 cores" in said
    assert "! the hypervisor took 30.0% of the time" in said
    assert "! the cgroup's CPU quota held processes back for 2.0 s" in said


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/v/lib/python3.11/site-packages/mxnet/libopenblas.so.0", "mxnet"),
        ("/v/lib/python3.11/site-packages/numpy.libs/libopenblas64_.so", "numpy"),
        ("/v/lib/python3.11/site-packages/numpy/.dylibs/libopenblas64_.dylib", "numpy"),
        ("/usr/lib/python3/dist-packages/scipy.libs/libopenblas.so", "scipy"),
        ("/usr/lib/x86_64-linux-gnu/libopenblas.so.0", "system"),
    ],
)
def test_a_library_belongs_to_the_package_it_came_with(path: str, owner: str) -> None:
    told = {"user_api": "blas", "internal_api": "openblas", "prefix": "libopenblas", "num_threads": 2}
    found = msgspec.convert(library({**told, "filepath": path}), Library)
    assert (found.owner, found.name, found.threads) == (owner, "openblas", 2)


def test_the_flavour_of_openmp_is_told_by_its_name() -> None:
    told = {"user_api": "openmp", "internal_api": "openmp", "prefix": "libiomp", "num_threads": 4}
    assert library({**told, "filepath": "/opt/libiomp5.so"})["name"] == "libiomp"


def test_the_ceilings_tell_whose_blas_is_which_with_the_threads_that_were_asked() -> None:
    loaded = measure_ceilings({"OMP_NUM_THREADS": "1"}).loaded
    blas = {one.owner: one for one in loaded if one.api == "blas"}
    assert {"mxnet", "numpy"} <= blas.keys()
    assert {one.threads for one in loaded} == {1}
