"""The fingerprint is read from made-up file systems: what a container or another CPU would show."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.machine import (
    Counters,
    collect,
    cores_granted,
    cpu_model,
    measure_ceilings,
    memory_gib,
    quota,
    system_name,
    warnings_about,
)

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


QUIET = {"load": 0.0, "governor": "performance", "cores_granted": 4.0, "cores_there": 4}


@pytest.mark.parametrize(
    ("changes", "steal_s", "words"),
    [
        ({}, 0.0, []),
        ({"load": None, "governor": None}, 0.0, []),
        ({"load": 2.0}, 0.0, []),
        ({"load": 2.1}, 0.0, ["load 2.1"]),
        ({}, 2.0, []),
        ({}, 2.1, ["hypervisor"]),
        ({"governor": "powersave"}, 0.0, ["powersave"]),
        ({"cores_granted": 1.5}, 0.0, ["1.5 of 4 cores"]),
        ({"load": 3.0, "governor": "powersave"}, 3.0, ["load 3.0", "hypervisor", "powersave"]),
    ],
)
def test_each_warning_at_its_own_bound(
    tmp_path: Path, changes: dict[str, object], steal_s: float, words: list[str]
) -> None:
    machine = msgspec.structs.replace(collect(tmp_path), **{**QUIET, **changes})
    before, after = Counters(steal_s=0.0, total_s=0.0), Counters(steal_s=steal_s, total_s=100.0)
    found = warnings_about(machine, before, after)
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


def test_a_real_process_measures_every_ceiling() -> None:
    told = msgspec.structs.asdict(measure_ceilings())
    assert all(value > 0 for value in told.values() if isinstance(value, float))
    assert told["mxnet"] and told["numpy"] and told["features"] and told["libraries"]
