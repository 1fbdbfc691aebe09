"""Real worker processes: that they answer, fail in words, and leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.gate.sides import SIDE, Side, SidePool
from bench.harness import pool as pool_module
from bench.harness.pool import (
    NotAllStartedError,
    WorkerFailedError,
    WorkerPool,
    WorkerProcess,
    silence_for,
)
from bench.worker.__main__ import CHANNEL as CHANNEL_OF_WORKER
from bench.worker.answers import CHANNEL
from bench.worker.process import choose_denormals
from mtl_core.errors import ExitCode

ROOT = Path(__file__).parent.parent


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    made = WorkerProcess({"PYTHONPATH": str(ROOT)}, limit_s=30.0)
    yield made
    made.end()


def set_up(worker: WorkerProcess, **settings: Any) -> dict[str, Any]:
    return worker.ask("set_up", workload="tests.faulty:Spin", settings=settings, seed=1)


def test_a_worker_measures_on_command(worker: WorkerProcess) -> None:
    assert set_up(worker)["images"] == 1
    assert worker.ask("round", iterations=3)["ns"] >= 3_000_000


def test_what_a_workload_prints_does_not_disturb_the_protocol(worker: WorkerProcess) -> None:
    assert set_up(worker, fault="print")["images"] == 1


@pytest.mark.parametrize(
    ("fault", "reason", "said"),
    [
        ("crash", "SIGSEGV", "about to crash"),
        ("raise", "exit code 1", "ValueError: no such thing"),
        ("killed", "out of memory", ""),
    ],
)
def test_a_failure_is_told_with_the_last_lines(
    worker: WorkerProcess, fault: str, reason: str, said: str
) -> None:
    with pytest.raises(WorkerFailedError) as failed:
        set_up(worker, fault=fault)
    assert reason in failed.value.reason
    assert said in "\n".join(failed.value.last_lines)


TOLD_TOO_EARLY = """
import os, signal, sys
from bench.worker import process as worker
signal.signal(signal.SIGTERM, worker.leave)
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
os.register_at_fork(before=worker.before_fork, after_in_child=worker.in_forked_child)
child = os.fork()
if child == 0:
    os._exit(0)  # it never got so far
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_that_is_told_to_end_as_it_begins_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOLD_TOO_EARLY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("143", "")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="shared memory does not show as files here")
def test_a_killed_worker_leaves_no_shared_memory_of_its_children() -> None:
    before = set(Path("/dev/shm").glob("mx_*_5e"))
    worker = WorkerProcess({"PYTHONPATH": str(ROOT)}, limit_s=30.0)
    with pytest.raises(WorkerFailedError, match="killed"):
        set_up(worker, fault="shared memory")
    assert set(Path("/dev/shm").glob("mx_*_5e")) - before
    worker.end()
    assert set(Path("/dev/shm").glob("mx_*_5e")) == before


def test_a_worker_that_was_killed_meanwhile_is_told_as_such(worker: WorkerProcess) -> None:
    worker.ask("tear_down")
    worker.process.kill()
    worker.process.wait()
    with pytest.raises(WorkerFailedError) as failed:
        worker.send("tear_down")
    assert "SIGKILL" in failed.value.reason


def test_denormals_that_cannot_be_flushed_are_a_failure_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else what is measured with denormals would be told as measured without."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    monkeypatch.setenv("MTL_DENORMALS", "flush")
    with pytest.raises(SystemExit) as ended:
        choose_denormals()
    assert ended.value.code == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert re.fullmatch(r"denormals cannot be flushed on .* riscv64 \(needs .*\)\n", said)
    monkeypatch.setenv("MTL_DENORMALS", "keep")
    choose_denormals()


def test_a_clean_up_under_way_hears_no_sigterm() -> None:
    """It comes with the end of input when the coordinator is gone, and again from others."""
    script = """
        import io, os, signal
        from bench.worker import process as worker
        signal.signal(signal.SIGTERM, worker.leave)
        class Closing(worker.Worker):
            def tear_down(self):
                os.kill(os.getpid(), signal.SIGTERM)
                print("cleaned up")
                return {}
        worker.serve(io.StringIO(), io.StringIO(), Closing())
        signal.signal(signal.SIGTERM, worker.leave)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            print("cleaned up again")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (143, "cleaned up\ncleaned up again\n", "")


def test_a_worker_that_hangs_is_ended_with_its_group() -> None:
    worker = WorkerProcess({"PYTHONPATH": str(ROOT)}, limit_s=20.0)
    worker.ask("tear_down")
    worker.limit_s = 0.2
    with pytest.raises(WorkerFailedError, match="hung"):
        set_up(worker, fault="hang")
    worker.end()
    assert not psutil.pid_exists(worker.process.pid)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files here")
def test_a_worker_for_which_there_are_not_enough_files_leaves_nothing(tmp_path: Path) -> None:
    """Whichever of its files it is that cannot be opened any more."""

    def open_files() -> set[str]:
        return set(os.listdir("/proc/self/fd"))  # noqa: PTH208  # its own is the same number each time

    before, limits = open_files(), resource.getrlimit(resource.RLIMIT_NOFILE)
    free = sorted(set(range(len(before) + 8)) - set(map(int, before)))
    refused = 0
    for left in range(6):  # two of its channel, two for what it says, its selector; Popen's own come then
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[left], limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                WorkerProcess({"TMPDIR": str(tmp_path)})
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert open_files() == before and list(tmp_path.iterdir()) == []
    assert refused == 6


def test_a_worker_ends_at_once_and_does_what_it_was_to_do_at_its_end(
    worker: WorkerProcess, tmp_path: Path
) -> None:
    """Even with a thread that never ends, for which Python itself would wait."""
    set_up(worker, fault=f"at exit {tmp_path / 'told'}")
    worker.end()
    assert worker.process.returncode == 0  # by itself: it was not killed
    assert (tmp_path / "told").exists()


def test_all_workers_are_let_go_before_any_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, order = WorkerPool(), list[str]()
    pool.workers_for({"PYTHONPATH": str(ROOT)}, 2)
    for name in ("let_go", "end"):
        whole = getattr(WorkerProcess, name)
        monkeypatch.setattr(
            WorkerProcess, name, lambda worker, name=name, whole=whole: order.append(name) or whole(worker)
        )
    pool.end()
    assert order[:3] == ["let_go", "let_go", "end"]


def test_a_failed_worker_is_replaced() -> None:
    pool = WorkerPool(lambda environment: WorkerProcess({**environment, "PYTHONPATH": str(ROOT)}))
    try:
        first = pool.workers_for({}, 1)[0]
        with pytest.raises(WorkerFailedError):
            set_up(first, fault="raise")
        pool.discard(first)
        second = pool.workers_for({}, 1)[0]
        assert set_up(second)["images"] == 1
    finally:
        pool.end()


def test_workers_end_when_the_coordinator_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "coordinator.py"
    script.write_text(
        textwrap.dedent(
            """
            import signal
            from bench.harness.pool import WorkerProcess
            worker = WorkerProcess({})
            worker.ask("set_up", workload="tests.faulty:Spin", settings={}, seed=1)
            print(worker.process.pid, flush=True)
            signal.pause()
            """
        )
    )
    environment = {"PYTHONPATH": str(ROOT)}
    coordinator = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert coordinator.stdout is not None
    orphan = psutil.Process(int(coordinator.stdout.readline()))
    coordinator.kill()
    coordinator.wait()
    coordinator.stdout.close()
    psutil.wait_procs([orphan], timeout=20)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_of_workers_that_do_not_start_only_their_own_variants_fail(tmp_path: Path) -> None:
    """One of three dies twice as it starts: the pool keeps the others and says how many there are."""
    calls = iter(["", "{broken}", "", "{broken}"])

    def start(environment: dict[str, str]) -> WorkerProcess:
        root = tmp_path if next(calls) else ROOT
        return WorkerProcess(environment, root=root, inherited={"PATH": "", "PYTHONSAFEPATH": ""})

    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()  # before the installed one: there is no worker in it
    pool = WorkerPool(start)
    try:
        with pytest.raises(NotAllStartedError, match="exit code 1") as failed:
            pool.workers_for({"PYTHONPATH": "."}, 3)
        assert len(failed.value.started) == 2
        assert [worker.ask("tear_down") for worker in failed.value.started] == [{}, {}]
    finally:
        pool.end()


@pytest.mark.parametrize(("hung", "tries"), [(True, 1), (False, 2)])
def test_a_worker_that_hangs_as_it_starts_is_not_tried_again(hung: bool, tries: int) -> None:
    """Nor is a side of a comparison; one that dies is."""
    started: list[str] = []

    class Silent:
        silence_s = 0.0

        def __init__(self, environment: dict[str, str]) -> None:
            started.append(environment.get(SIDE, ""))

        def send(self, do: str) -> None:
            failure = WorkerFailedError("hung" if hung else "crashed", [])
            failure.hung = hung
            raise failure

        def end(self) -> None:
            pass

    make: Any = Silent
    pool = WorkerPool(make)
    with pytest.raises(NotAllStartedError) as failed:
        pool.workers_for({}, 1)
    assert (failed.value.hung, len(started)) == (hung, tries)
    started.clear()
    sides = SidePool((Side("base", ROOT, sys.executable),))
    sides.start = make
    with pytest.raises(WorkerFailedError):
        sides.workers_for({SIDE: "base"}, 1)
    assert started == ["base"] * tries


def test_a_worker_has_a_temporary_folder_that_goes_with_it() -> None:
    worker = WorkerProcess({"PYTHONPATH": str(ROOT)}, limit_s=30.0)
    folder = Path(worker.folder)
    worker.ask("tear_down")
    (folder / "pymp-left").mkdir()
    worker.process.kill()
    worker.end()
    assert not folder.exists()


def test_coordinator_and_worker_have_one_name_for_the_channel() -> None:
    assert CHANNEL == CHANNEL_OF_WORKER


def test_a_coordinator_of_before_hears_answers_alone_on_standard_output() -> None:
    """It gives no channel and takes the first line for the answer; the gate it looks for has its old path."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.worker"],
        input='{"do": "gate"}\n',
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["benchmarks"][0]["name"] == "step"
    assert (ROOT / "bench" / "gating" / "gate.py").exists()


def test_a_silent_round_is_a_hang_after_its_part_of_the_budget(worker: WorkerProcess) -> None:
    """Building is given all of the limit: it sends a sign of life at each stage."""
    set_up(worker, spin_s=0.0)
    worker.silence_s = 0.2
    worker.ask("change", fault="hang")
    with pytest.raises(WorkerFailedError, match=r"hung: no answer within 0\.2 s") as failed:
        worker.ask("round", iterations=1)
    assert failed.value.hung


def test_a_sign_of_life_at_each_stage_is_what_the_limit_counts_from(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages of 70 s each under a limit of 120 s, in a real worker; its clock alone is played."""
    now = [0.0]
    lines: list[bytes] = []
    line_of = WorkerProcess._line

    def after_a_stage(self: WorkerProcess, deadline: float, limit_s: float) -> tuple[int, bytes]:
        end, line = line_of(self, deadline, limit_s)
        now[0] += 70.0
        lines.append(line)
        return end, line

    worker.ask("tear_down")
    monkeypatch.setattr(WorkerProcess, "_line", after_a_stage)
    monkeypatch.setattr(pool_module.time, "monotonic", lambda: now[0])
    worker.limit_s = 120.0
    assert set_up(worker, spin_s=0.0)["images"] == 1
    assert [json.loads(line).get("alive") for line in lines] == ["imported", "built", None]


@pytest.mark.parametrize(
    ("budget_s", "silence_s"), [(4.0, 10.0), (60.0, 10.0), (300.0, 50.0), (3600.0, 120.0)]
)
def test_a_variant_may_be_silent_for_a_sixth_of_the_budget(budget_s: float, silence_s: float) -> None:
    assert silence_for(budget_s) == pytest.approx(silence_s)


@pytest.mark.parametrize("interrupted", ["_kill_group", "_forget_segments"])
@pytest.mark.parametrize("discarded", [True, False])
def test_an_end_that_is_interrupted_is_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, interrupted: str, discarded: bool
) -> None:
    """SIGTERM and Ctrl-C come at any moment, also while a worker is ended; then the pool ends once more."""
    pool = WorkerPool()
    (worker,) = pool.workers_for({"PYTHONPATH": str(ROOT)}, 1)
    whole = getattr(WorkerProcess, interrupted)
    calls: list[int] = []

    def once(ending: WorkerProcess) -> None:
        whole(ending)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(WorkerProcess, interrupted, once)
    with pytest.raises(KeyboardInterrupt):
        pool.discard(worker) if discarded else pool.end()
    pool.end()
    pool.end()
    worker.end()  # by whoever had it in hand
    assert not Path(worker.folder).exists()
    assert worker.process.poll() is not None and worker.stderr.closed


def test_a_long_temporary_folder_leaves_room_for_the_names_of_sockets(tmp_path: Path) -> None:
    """In which a DataLoader's workers hand batches over; theirs are some forty letters longer than ours."""
    long = tmp_path / ("x" * 90)
    long.mkdir()
    worker = WorkerProcess({"PYTHONPATH": str(ROOT), "TMPDIR": str(long)}, limit_s=30.0)
    try:
        assert len(worker.folder) + len("/pymp-12345678/listener-12345678") < 104
    finally:
        worker.end()
    assert list(long.iterdir()) == [] and not Path(worker.folder).exists()


@pytest.mark.parametrize("temporary", ["a file", "nowhere"])
def test_a_temporary_folder_that_is_none_is_passed_over(temporary: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    worker = WorkerProcess({"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / temporary)}, limit_s=30.0)
    try:
        assert Path(worker.folder).is_dir()
    finally:
        worker.end()
