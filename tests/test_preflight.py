"""What spoils numbers is told before anything is measured, with what to do."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.comparison.runs import compare
from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.machine import identity, preflight
from bench.machine.spoilers import spoilers
from bench.results.recording_file import Head
from bench.trust.recorder import record
from bench.worker import process
from mtl_core.errors import ExitCode, NothingMeasuredError, UserError
from mtl_core.platform import shared_memory
from reports.formats import text
from reports.pages.comparison import comparison_page
from tests.made_up import MACHINE
from tests.reported import kept

TIES = ("OMP_PLACES", "OMP_PROC_BIND", "KMP_AFFINITY", "GOMP_CPU_AFFINITY")


@pytest.mark.parametrize("name", TIES)
def test_what_ties_threads_to_cores_is_told_with_what_it_does(name: str) -> None:
    (line,) = spoilers({name: "cores", "OMP_NUM_THREADS": "2", "PATH": "/bin"})
    assert line.startswith(f"{name} is cores: every process ties its threads to the same few cores")
    assert f"unset {name}" in line


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OMP_PROC_BIND": "FALSE"},
        {"KMP_AFFINITY": "disabled"},
        {"OMP_WAIT_POLICY": "passive"},
        {"OMP_PLACES": " "},
        {"OMP_NUM_THREADS": "1", "MXNET_ENGINE_TYPE": "NaiveEngine"},
    ],
)
def test_what_is_there_without_it_is_not_complained_of(environment: dict[str, str]) -> None:
    assert spoilers(environment) == []


def test_any_variable_of_gnu_is_told_and_nothing_in_it_acts_on_a_terminal() -> None:
    (line,) = spoilers({"GOMP_DEBUG": "\x1b[2J" + "x" * 500})
    assert "\x1b" not in line
    assert len(line) < 250


def test_variables_of_gnu_are_in_the_machines_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    assert identity.collect().environment["GOMP_SPINCOUNT"] == "1000"


def test_a_report_tells_them_as_well() -> None:
    there = msgspec.structs.replace(MACHINE, load=0.0, environment={"OMP_PLACES": "cores"})
    (line,) = preflight.of_machine(there)
    assert line.startswith("OMP_PLACES is cores")
    assert preflight.of_machine(there, {"OMP_PLACES": ""}) == []


def test_before_measuring_everything_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    there = msgspec.structs.replace(
        MACHINE,
        load=9.0,
        governor="powersave",
        environment={"OMP_NUM_THREADS": "64", "KMP_AFFINITY": "compact"},
    )
    monkeypatch.setattr(preflight, "collect", lambda: there)
    monkeypatch.setattr(preflight, "commands", lambda: [(77, ["python", "-m", "bench.worker"])])
    monkeypatch.setattr(shared_memory, "sizes", lambda: (2 << 20, 1 << 20))
    lines = preflight.preflight()
    starts = (
        "load 9.0",
        "frequency governor is powersave",
        "OMP_NUM_THREADS is 64",
        "KMP_AFFINITY is compact",
    )
    starts += ("another run is measuring on this machine (process 77)", "/dev/shm has 1.0 MiB free")
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 6


def test_no_other_run_is_seen_where_there_is_none() -> None:
    others = [
        (1, []),
        (2, ["python"]),
        (3, ["vim", "-m", "bench.workers"]),
        (4, ["python", "-m", "bench", "run"]),
    ]
    assert preflight.of_other_runs(others) == []


def test_what_this_process_started_is_no_other_run() -> None:
    """A real process beside: seen of others, not of ours."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        commands = [command for _, command in preflight.commands()]
        child.communicate(b"\n")
    assert [sys.executable, "-c", "input()"] not in commands
    assert commands


def test_a_variable_that_is_not_set_is_not_called_unknown() -> None:
    one = kept()
    assert one.machine is not None
    there = {**one.machine.environment, "OMP_PLACES": "cores"}
    other = msgspec.structs.replace(one, machine=msgspec.structs.replace(one.machine, environment=there))
    told = text(comparison_page(compare([one, other])), "markdown").replace("\\", "")
    (row,) = (line for line in told.splitlines() if "OMP_PLACES" in line)
    assert "not set" in row and "cores" in row and "unknown" not in row
    bare = msgspec.structs.replace(one, machine=None)
    told = text(comparison_page(compare([bare, other])), "markdown").replace("\\", "")
    (row,) = (line for line in told.splitlines() if "OMP_PLACES" in line)
    assert "unknown" in row


def test_ceilings_that_a_dead_process_did_not_measure_are_nothing_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(command: list[str], **_how: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, code, "", said)

    monkeypatch.setattr(identity.subprocess, "run", run)
    code, said = -9, ""
    with pytest.raises(NothingMeasuredError, match="the ceilings could not be measured: it said nothing"):
        identity.measure_ceilings()
    code, said = 1, "Traceback\nmtl_core.errors.UserError: MXNet is not installed"
    with pytest.raises(UserError, match=r"^MXNet is not installed$") as missing:
        identity.measure_ceilings()
    assert missing.value.code == ExitCode.BAD_INPUT


class Broken:
    """A recorder whose worker dies."""

    def unit(self, condition: str) -> None:
        raise UserError("a worker failed")


def test_a_recording_of_nothing_has_the_code_for_it(tmp_path: Path) -> None:
    head = Head(machine="m", rounds=1, variants=("base",))
    with pytest.raises(NothingMeasuredError, match="a worker failed"):
        record(
            tmp_path / "r.jsonl", head, Broken(), 1.0, ["alone"], before=[], show=lambda units, spent_s: None
        )
    assert not list(tmp_path.iterdir())


LIMITED = """
import mmap, resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
mmap.mmap(-1, 1 << 31)
"""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ImportError('libx.so: failed to map segment from shared object')", ExitCode.BAD_INPUT),
        ("ImportError('libx.so: cannot create shared object descriptor: Cannot allocate memory')", 2),
        ("OSError(12, 'Cannot allocate memory')", ExitCode.BAD_INPUT),
        ("MemoryError()", ExitCode.BAD_INPUT),
        ("ImportError('libgomp.so.1: cannot allocate memory in static TLS block')", None),
        ("ImportError('no such library')", None),
    ],
)
def test_a_worker_whose_libraries_lack_memory_says_so_in_a_line(
    error: str, code: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a library that comes after MXNet's would; any other error keeps its traceback."""

    def lacking(*_: object) -> None:
        raise eval(error)

    for name in ("forget_folder", "end_when_parent_does", "choose_denormals"):
        monkeypatch.setattr(process, name, lambda *_: None)
    monkeypatch.setattr(process.signal, "signal", lambda *_: None)
    monkeypatch.setattr(process.faulthandler, "register", lambda *_, **__: None)
    monkeypatch.setattr(process.os, "register_at_fork", lambda **_: None)
    monkeypatch.setattr(process, "serve", lacking)
    with pytest.raises(SystemExit if code else (ImportError, OSError)) as ended:
        process.main(io.StringIO(), io.StringIO())
    lines = capsys.readouterr().err.splitlines()
    if code:
        assert isinstance(ended.value, SystemExit) and ended.value.code == code
        assert len(lines) == 1 and lines[0].startswith("out of memory: raise the limit")


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_worker_that_lacks_memory_ends_with_one_line(tmp_path: Path) -> None:
    """What stands in for MXNet asks for more than the real limit grants."""
    (tmp_path / "mxnet").mkdir()
    (tmp_path / "mxnet" / "__init__.py").write_text(LIMITED)
    worker = WorkerProcess({"PYTHONPATH": str(tmp_path)})
    try:
        with pytest.raises(WorkerFailedError) as failed:
            worker.ask("hello")
    finally:
        worker.end()
    assert failed.value.reason == "ended with exit code 2"
    (line,) = failed.value.last_lines
    assert line.startswith("there is not enough memory to load MXNet ([Errno 12] Cannot allocate memory)")
    assert "ulimit -v" in line


def test_a_library_that_finds_no_memory_ends_a_real_worker_with_2(tmp_path: Path) -> None:
    (tmp_path / "lacking.py").write_text("raise ImportError('libx.so: Cannot allocate memory')")
    worker = WorkerProcess({"PYTHONPATH": str(tmp_path)})
    try:
        with pytest.raises(WorkerFailedError) as failed:
            worker.ask("set_up", workload="lacking:Any", settings={}, seed=1)
    finally:
        worker.end()
    assert failed.value.reason == "ended with exit code 2"
    assert [line.partition(":")[0] for line in failed.value.last_lines] == ["out of memory"]
