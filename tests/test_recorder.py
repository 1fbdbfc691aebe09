"""The recording behind trust: with played workers and their clock, and one real unit."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from bench.__main__ import main
from bench.gate.sides import SIDE
from bench.harness.pool import WorkerFailedError
from bench.trust import recorder as recording
from bench.trust.recorder import SLOW_DOWNS, Head, Recorder, busy, read, record
from bench.trust.replay import Unit
from bench.trust.study import record_here
from mtl_core.errors import UserError
from tests.revisions import ROOT, environment

HEAD = Head(machine="m", revision="r", busy_cores=0, rounds=4, set_ups=4)
STEP_NS = 1_000_000


class Played:
    """A worker whose step takes a millisecond and whatever it is told to spin."""

    def __init__(self) -> None:
        self.spin_s = 0.0

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "change":
            self.spin_s = arguments["spin_s"]
        if do == "set_up":
            self.spin_s = 0.0
            return {"images": 128, "set_up_ns": 1, "first_call_ns": 1}
        each = STEP_NS + round(self.spin_s * 1e9)
        return {"ns": each * arguments["iterations"], "facts": {}} if do == "round" else {}

    def end(self) -> None:
        pass


class PlayedPool:
    def __init__(self) -> None:
        self.workers = {"base": Played(), "head": Played()}

    def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
        return [self.workers[environment[SIDE]]]

    def end(self) -> None:
        pass


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setattr(recording, "SidePool", lambda sides: PlayedPool())
    return Recorder(Path(), seed=0)


def test_a_unit_has_every_slow_down_as_it_was_injected(recorder: Recorder) -> None:
    unit = recorder.unit()
    for name in SLOW_DOWNS:
        assert len(unit.effects[name]) == recorder.benchmark.set_ups
        for effect in unit.effects[name]:
            assert effect == pytest.approx(math.log1p(float(name)), abs=1e-6)
    assert unit.step_s == pytest.approx(STEP_NS / 1e9)


def test_a_recording_is_kept_unit_by_unit_and_goes_on(tmp_path: Path, recorder: Recorder) -> None:
    path = tmp_path / "trust.jsonl"
    seen: list[int] = []
    record(path, HEAD, recorder, 0.05, before=[], show=lambda units, spent_s: seen.append(units))
    first = read(path, HEAD)
    assert len(first) == len(seen) >= 1
    record(path, HEAD, recorder, 0.05, before=first, show=lambda units, spent_s: None)
    again = read(path, HEAD)
    assert again[: len(first)] == first
    assert len(again) > len(first)


def test_a_line_cut_off_is_left_out(tmp_path: Path, recorder: Recorder) -> None:
    path = tmp_path / "trust.jsonl"
    made = record(path, HEAD, recorder, 0.05, before=[], show=lambda units, spent_s: None)
    path.write_bytes(path.read_bytes()[:-5])
    assert read(path, HEAD) == made[:-1]


def test_another_machine_or_revision_does_not_go_on(tmp_path: Path, recorder: Recorder) -> None:
    path = tmp_path / "trust.jsonl"
    record(path, HEAD, recorder, 0.01, before=[], show=lambda units, spent_s: None)
    other = Head(machine="n", revision="r", busy_cores=1, rounds=4, set_ups=4)
    with pytest.raises(UserError, match="machine was m, is n; busy_cores was 0, is 1"):
        read(path, other)


@pytest.mark.parametrize("text", ["", "{}\n", "no json\n", '{"trust":1}\n'])
def test_what_is_no_recording_costs_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trust.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match="is no recording of trust"):
        read(path, None)


def test_a_recording_of_another_version_is_not_replayed(tmp_path: Path) -> None:
    path = tmp_path / "trust.jsonl"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(HEAD, trust=1)) + b"\n")
    with pytest.raises(UserError, match="recording of schema 1; this version reads 2"):
        read(path, None)


def test_the_busy_processes_end() -> None:
    with busy(1):
        spinning = [c for c in psutil.Process().children() if "os.getppid" in " ".join(c.cmdline())]
        assert len(spinning) == 1
    assert not spinning[0].is_running()


def trust(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "trust", "--file", "trust.jsonl", *arguments]
    told = {**environment(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=told, capture_output=True, text=True, check=False, timeout=240
    )


def test_a_real_unit_is_recorded_and_too_little_to_say_anything(tmp_path: Path) -> None:
    done = trust(tmp_path, "--time", "0.1s")
    assert done.returncode == 2, done.stderr
    assert "too few to say anything" in done.stderr
    (unit,) = read(tmp_path / "trust.jsonl", None)
    assert 0 < unit.step_s < 1
    ten = [ten - none for ten, none in zip(unit.effects["0.1"], unit.effects["0"], strict=True)]
    assert sum(ten) > 0  # two set-ups: the spin of a tenth shows in any noise short of that


def test_a_recording_is_replayed_in_80_columns(tmp_path: Path) -> None:
    units = [
        Unit(
            seconds=4.0,
            start_s=2.0,
            effects={name: [float(name)] * 4 for name in SLOW_DOWNS},
            errors={name: [0.01] * 4 for name in SLOW_DOWNS},
            totals={name: [float(name)] * 4 for name in SLOW_DOWNS},
            step_s=0.0013 + i / 1e6,
        )
        for i in range(40)
    ]
    lines = [msgspec.json.encode(HEAD), *map(msgspec.json.encode, units)]
    (tmp_path / "trust.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    done = trust(tmp_path, "--replay")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "first of 5" in done.stdout and "all 5 benchmarks" in " ".join(done.stdout.split())
    assert "False alarms within 60 s: 0 of" in " ".join(done.stdout.split())


def test_a_recording_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("an hour of it")
    monkeypatch.setattr(sys, "argv", ["bench", "trust", "--file", str(path), "--time", "1s"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--resume, or give another --file" in capfd.readouterr().err
    assert path.read_text() == "an hour of it"


def test_a_worker_that_fails_at_any_time_costs_one_line(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WorkerFailedError("crashed: signal SIGSEGV", ["at last"])

    with (
        monkeypatch.context() as patch,
        pytest.raises(UserError, match="no worker could be started: crashed"),
    ):
        patch.setattr(PlayedPool, "workers_for", fail)
        recorder.unit()
    with pytest.raises(UserError, match="while recording: crashed: signal SIGSEGV: at last"):
        monkeypatch.setattr(recorder, "_pass", fail)
        recorder.unit()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--replay",), "cannot be read"),
        (("--resume", "--time", "1s"), "cannot be read"),
        (("--time", "soon"), "--time is 'soon'"),
        (("--budget", "10"), "--budget is '10'"),
        (("--tolerance", "much"), "--tolerance is 'much'"),
        (("--busy", "-1", "--time", "1s"), "--busy"),
        (("--replay", "--resume"), "--replay records nothing, so that --resume would do nothing"),
        (("--replay", "--seed", "0", "--time", "60m"), "so that --time, --seed would do nothing"),
        (("--replay", "--busy", "1"), "--busy would do nothing"),
        (("--replay", "--slow-down", "3%"), "--slow-down would do nothing"),
    ],
)
def test_bad_input_costs_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "trust", "--file", str(tmp_path / "t.jsonl"), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capfd.readouterr().err
    assert said in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("before", "said"),
    [(2, "keeps 2 invocations, go on with them by --resume"), (0, "nothing is recorded")],
)
def test_ctrl_c_tells_what_is_kept_and_how_to_go_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    before: int,
    said: str,
) -> None:
    def interrupted(*_: object, show: Any, **__: object) -> None:
        show(before, 1.0)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("bench.trust.study.record_here", interrupted)
    monkeypatch.setattr(sys, "argv", ["bench", "trust", "--file", str(tmp_path / "t.jsonl")])
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        signal.signal(signal.SIGINT, heeded)
    assert ended.value.code == 130
    assert said in " ".join(capfd.readouterr().err.split())


def test_a_recording_too_short_for_a_comparison_is_told_in_a_line_without_tables(tmp_path: Path) -> None:
    units = [
        Unit(
            seconds=4.0,
            start_s=2.0,
            effects={name: [float(name) + i / 1e3] * 2 for name in SLOW_DOWNS},
            errors={name: [0.01] * 2 for name in SLOW_DOWNS},
            totals={name: [float(name)] * 2 for name in SLOW_DOWNS},
            step_s=0.0013,
        )
        for i in range(3)
    ]
    lines = [msgspec.json.encode(HEAD), *map(msgspec.json.encode, units)]
    (tmp_path / "trust.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    said = " ".join(trust(tmp_path, "--replay").stdout.split())
    assert "Too short for a single comparison of at most 60 s, 120 s: record longer, by --resume." in said
    assert "0 of 0" not in said and "called slower" not in said


def test_a_killed_recording_leaves_no_core_busy() -> None:
    script = "import signal\nfrom bench.trust.recorder import busy\nwith busy(1):\n"
    script += "    print(1, flush=True)\n    signal.pause()"
    killed = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    assert killed.stdout is not None
    killed.stdout.readline()
    spinning = psutil.Process(killed.pid).children()
    killed.kill()
    killed.wait()
    killed.stdout.close()
    assert len(spinning) == 1
    assert psutil.wait_procs(spinning, timeout=20)[1] == []


def test_a_recording_holds_the_slow_downs_asked_for(recorder: Recorder) -> None:
    recorder.slow_downs = ("0", "0.2")
    assert list(recorder.unit().effects) == ["0", "0.2"]


@pytest.mark.parametrize("stops", [KeyboardInterrupt, UserError])
@pytest.mark.parametrize(("there", "measured", "kept"), [(0, 0, False), (0, 1, True), (1, 0, True)])
def test_a_recording_that_stops_leaves_a_file_only_with_something_in_it(
    tmp_path: Path,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    there: int,
    measured: int,
    kept: bool,
    stops: type[BaseException],
) -> None:
    """One with nothing would have to be removed by hand; one that was there is not ours to remove."""
    path = tmp_path / "trust.jsonl"
    if there:
        path.write_bytes(msgspec.json.encode(HEAD) + b"\n")
    made = recorder.unit()
    units = iter([made] * measured)

    def unit() -> Unit:
        for found in units:
            return found
        raise stops

    monkeypatch.setattr(recorder, "unit", unit)
    with pytest.raises(stops):
        record(path, HEAD, recorder, 60.0, before=[], show=lambda units, spent_s: None)
    assert path.exists() is kept
    assert not kept or read(path, HEAD) == [made] * measured


def test_what_a_recording_was_made_with_need_not_be_told_again_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "SidePool", lambda sides: PlayedPool())
    monkeypatch.setattr(
        "bench.trust.study.record", lambda path, head, recorder, seconds, **_: made.append(head)
    )
    made: list[Head] = []
    file = tmp_path / "t.jsonl"
    first = {"seed": 0, "show": lambda units, spent_s: None}
    record_here(file, 1.0, busy=1, slow_downs=[0.2], resume=False, **first)  # type: ignore[arg-type]
    file.write_bytes(msgspec.json.encode(made[0]) + b"\n")
    record_here(file, 1.0, resume=True, **first)  # type: ignore[arg-type]
    assert made[0] == made[1]
    assert (made[1].busy_cores, made[1].slow_downs) == (1, ("0", "0.2"))
    with pytest.raises(UserError, match="slow_downs was"):
        record_here(file, 1.0, slow_downs=[0.3], resume=True, **first)  # type: ignore[arg-type]
