"""py-spy found, refused and fallen back, with executables that behave as it does; and its real self."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest

from bench.harness.pool import WorkerProcess
from bench.profile import profiler
from bench.profile import session as profile_session
from bench.profile.memory import MemoryWatch, sample
from bench.profile.places import read_speedscope
from bench.records.profile import Profile
from bench.records.run import Case
from bench.results.profile_file import read_profile

ROOT = Path(__file__).parent.parent
REFUSED = (
    "Permission Denied: Try running again with elevated permissions by going 'sudo env \"PATH=$PATH\" !!'"
)
# What py-spy 0.4 says of the same with --subprocesses, which hides the reason.
HIDDEN = (
    "Error: No python processes found in process 7 or any of its subprocesses\n\nStack backtrace:\n   0: x"
)
LOADED = Case(
    question="loader_workers",
    part="epoch",
    variant="tutorial",
    workload="bench.workloads.loading:EpochWorkload",
    settings={"workers": 1, "images": 256},
)


def fake(folder: Path, script: str) -> Path:
    """An executable named py-spy."""
    folder.mkdir(exist_ok=True)
    file = folder / "py-spy"
    file.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
    file.chmod(0o755)
    return file


def refusing(folder: Path) -> Path:
    """One that may not attach: ``record`` hides why, ``dump`` tells."""
    return fake(
        folder, f"print({HIDDEN!r} if 'record' in sys.argv else {REFUSED!r}, file=sys.stderr); sys.exit(1)"
    )


def record(program: Path, file: Path, native: bool = True) -> profiler.Sampled:
    spy = profiler.PySpy(program, os.getpid(), lambda: None)
    return spy.record(file, "speedscope", 1, 100, native)


def test_a_refusal_says_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(profiler.NoSamplesError, match=r"SYS_PTRACE.*ptrace_scope.*sudo") as refused:
        record(refusing(tmp_path), tmp_path / "out")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "platform", "change"),
    [
        (REFUSED, "linux", "SYS_PTRACE"),
        (REFUSED, "darwin", "run this command with sudo"),
        ("Error: Operation not permitted (os error 1)", "linux", "SYS_PTRACE"),
        ("This program requires root on OSX.\nTry running again with ...", "darwin", "sudo"),
        ("x\nError: Failed to find python version", "linux", "Failed to find python version"),
        ("", "linux", "it said nothing"),
    ],
)
def test_a_complaint_becomes_one_line(said: str, platform: str, change: str) -> None:
    assert change in profiler.why(said, platform)
    assert "\n" not in profiler.why(said, platform)


def test_without_native_frames_on_the_platform_it_records_python_alone(tmp_path: Path) -> None:
    program = fake(
        tmp_path,
        "if '--native' in sys.argv: sys.exit(\"error: Found argument '--native' which wasn't expected\")\n"
        "open(sys.argv[sys.argv.index('--output') + 1], 'w').write('frames')\n"
        "print('py-spy> 1.50s behind in sampling, results\\npy-spy> 2.25s behind in sampling, results')",
    )
    sampled = record(program, tmp_path / "out")
    assert (sampled.native, sampled.behind_s) == (False, 2.25)
    assert sampled.file.read_text() == "frames"


def test_a_flame_graph_gets_a_title_that_is_no_markup(tmp_path: Path) -> None:
    flames = tmp_path / "f.svg"
    flames.write_text('<svg><text id="title" x="5">py-spy record\n--pid 7</text><text>kept</text></svg>')
    profiler.entitle(flames, r"<b> \1")
    assert flames.read_text() == r'<svg><text id="title" x="5">&lt;b&gt; \1</text><text>kept</text></svg>'


def test_a_recording_without_a_file_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(profiler.NoSamplesError, match="py-spy failed"):
        record(fake(tmp_path, "print('done')"), tmp_path / "out")


def test_a_py_spy_that_cannot_be_started_is_a_failure(tmp_path: Path) -> None:
    broken = tmp_path / "py-spy"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    with pytest.raises(profiler.NoSamplesError, match="cannot be started") as refused:
        record(broken, tmp_path / "out")
    assert "\n" not in str(refused.value)


RECORDED = {
    "shared": {"frames": [{"name": "work", "file": "a.py", "line": 1}]},
    "profiles": [{"name": "Thread 1", "samples": [[0], [0]], "weights": [1, 1]}],
}
# Writes stacks until ``left`` recordings were made, and never a flame graph.
RECORDS_SOME = """
import json, pathlib
made = pathlib.Path(__file__).with_name("made")
count = len(made.read_text()) if made.exists() else 0
if "flamegraph" in sys.argv or count >= {left}: sys.exit("Error: no frames")
made.write_text("x" * (count + 1))
pathlib.Path(sys.argv[sys.argv.index("--output") + 1]).write_text({told!r})
"""


class PlayedWorker:
    """Answers at once, as a worker whose rounds take a millisecond."""

    process = psutil.Process()

    def ask(self, command: str, **more: object) -> dict[str, int]:
        return {"ns": 1_000_000}


def watched(folder: Path, monkeypatch: pytest.MonkeyPatch, left: int) -> profile_session.Watch:
    program = fake(folder / "bin", RECORDS_SOME.format(left=left, told=json.dumps(RECORDED)))
    monkeypatch.setattr(profile_session, "worker_for", lambda case: nullcontext(PlayedWorker()))
    monkeypatch.setattr(profiler, "find", lambda: program)
    return profile_session.Watcher(LOADED, folder, 3, 100, lambda doing: None).watch()


def test_without_a_flame_graph_the_stacks_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = watched(tmp_path, monkeypatch, left=99)
    assert len(found.recordings) == profile_session.RECORDINGS
    assert [warning.partition(":")[0] for warning in found.warnings] == ["no flame graph"]
    assert list(found.files) == ["speedscope"]
    seen = profile_session.sampling(found, 100)
    assert seen is not None
    assert (seen.samples, seen.native, seen.native_slowdown) == (6, False, None)


@pytest.mark.parametrize(("left", "said"), [(0, "no stacks"), (2, "stacks of 2 of 3 recordings alone")])
def test_a_recording_that_fails_leaves_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, said: str
) -> None:
    found = watched(tmp_path, monkeypatch, left)
    assert len(found.recordings) == left
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(f"no flame graph and {said}: ")


@pytest.mark.parametrize(
    "error", [ValueError("no JSON"), KeyError("traceEvents"), OSError(28, "No space left")], ids=repr
)
def test_a_timeline_that_cannot_be_had_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: Case, folder: Path) -> str:
        (folder / "timeline.raw.json").touch()
        raise error

    monkeypatch.setattr(profile_session, "write_timeline", fail)
    files, warnings = profile_session.timeline_or_why(LOADED, tmp_path)
    assert (files, len(warnings)) == ([], 1)
    assert warnings[0].startswith("no timeline: ")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_py_spy_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(profiler.NoSamplesError, match="pip install py-spy"):
        profiler.find()


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    case = profile_session.wrapped(LOADED, profile_session.WATCHED)
    made = WorkerProcess(case.environment)
    try:
        made.ask("set_up", workload=case.workload, settings=case.settings, seed=1)
        yield made
    finally:
        made.end()


def why_not(program: Path, pid: int) -> str | None:
    """Why py-spy cannot look at a process here; None where it can."""
    looked = subprocess.run(
        [str(program), "dump", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return profiler.why(looked.stderr) if looked.returncode else None


def test_dataloader_workers_are_in_the_recording(worker: WorkerProcess, tmp_path: Path) -> None:
    program = profiler.find()
    reason = why_not(program, worker.process.pid)
    if reason:
        pytest.skip(reason)
    spy = profiler.PySpy(program, worker.process.pid, lambda: worker.ask("round", iterations=1))
    found = read_speedscope(spy.record(tmp_path / "r.json", "speedscope", 1, 100, native=False).file)
    children = {child.pid for child in psutil.Process(worker.process.pid).children()}
    assert len(children) == 1
    assert found.processes == children | {worker.process.pid}
    assert any(frame.function == "_transform" for stack in found.stacks for frame in stack)


def test_memory_is_the_familys(worker: WorkerProcess) -> None:
    process = psutil.Process(worker.process.pid)
    found = sample(process, 1.5)
    assert found is not None
    assert (found.at_s, found.processes) == (1.5, 2)
    assert found.rss_bytes > process.memory_info().rss
    assert found.pss_bytes is None or 0 < found.pss_bytes < found.rss_bytes


def test_memory_of_a_process_that_is_gone_is_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(gone.pid)
    gone.wait()
    assert sample(process, 0.0) is None


def test_the_watch_samples_from_start_to_end_and_marks_phases() -> None:
    with MemoryWatch(os.getpid(), every_s=1e-4) as watch:
        watch.phase("one")
        while len(watch.samples) < 3:
            watch.over.wait(1e-3)
    times = [one.at_s for one in watch.samples]
    assert times == sorted(times)
    assert [phase.name for phase in watch.phases] == ["one"]
    assert not watch.thread.is_alive()


def bench(*arguments: str, folder: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    more = {"PATH": path} if path else {}
    return subprocess.run(
        [sys.executable, "-m", "bench", "profile", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=240,
        env={**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT), **more},
    )


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], Path, Profile]:
    """The command as it runs where py-spy may not attach."""
    folder = tmp_path_factory.mktemp("refused")
    program = refusing(folder / "bin")
    done = bench(
        "hybridize/step/static", "-o", "out", folder=folder, path=f"{program.parent}:{os.environ['PATH']}"
    )
    assert done.returncode == 0, done.stderr
    return done, folder / "out", read_profile(folder / "out")


@pytest.mark.whole
def test_a_refusal_costs_a_warning_and_the_rest_comes_out(
    refused: tuple[subprocess.CompletedProcess[str], Path, Profile],
) -> None:
    done, folder, profile = refused
    assert "ptrace refused" in " ".join(done.stdout.split())
    assert sum("no flame graph" in warning for warning in profile.warnings) == 1
    assert (profile.sentence, profile.sampling, profile.places) == (None, None, [])
    assert profile.memory and profile.phases
    files = ["profile.html", "profile.json", "timeline.json"]
    assert sorted(path.name for path in folder.iterdir()) == files
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.whole
def test_the_operators_are_the_steps_own(
    refused: tuple[subprocess.CompletedProcess[str], Path, Profile],
) -> None:
    """Exact work: Adam updates each of ten parameters once a step."""
    profile = refused[2]
    calls = {one.name: one.calls for one in profile.operators}
    assert calls["adam_update"] == 10.0
    assert profile.steps == 1
    assert sum(one.share.value for one in profile.operators) == pytest.approx(1.0)
    assert profile.slowdown is not None
    assert profile.slowdown.n == profile_session.SET_UPS
    assert 0 < profile.slowdown.low < profile.slowdown.value < profile.slowdown.high
    assert any("another regime" in note for note in profile.notes)


@pytest.mark.whole
def test_the_timeline_is_sorted_and_of_a_sane_size(
    refused: tuple[subprocess.CompletedProcess[str], Path, Profile],
) -> None:
    file = refused[1] / "timeline.json"
    events = json.loads(file.read_bytes())["traceEvents"]
    times = [event["ts"] for event in events if event["ph"] == "X"]
    assert times
    assert times == sorted(times)
    assert file.stat().st_size < 6 * 2**20
    assert all(event["pid"] < 100 for event in events)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hybridize/step/hybridised",), "near are hybridize/step/hybridized"),
        (("nothing-like-it",), "no benchmark is named 'nothing-like-it'"),
        (("--rate", "0"), "--rate"),
        (("-o", "full"), "choose another place"),
        (("-o", "file/below"), "choose another place"),
    ],
)
def test_bad_input_costs_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").touch()
    (tmp_path / "file").touch()
    done = bench(*arguments, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
