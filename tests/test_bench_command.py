"""The main job as a person runs it: a real run of one question, its file, and what goes wrong."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.records.run import SCHEMA, VERDICTS

ROOT = Path(__file__).parent.parent


def bench(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=240,
        env={**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """One question with so small a budget that each of its parts gets its set-ups once."""
    folder = tmp_path_factory.mktemp("ran")
    done = bench("run", "second_head", "--budget", "1s", "--full", "--json", "result.json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["result.json"]
    told = json.loads((folder / "result.json").read_text())
    told["path"] = str(folder / "result.json")
    return done, told


@pytest.mark.whole
def test_the_question_is_answered_in_words(ran: Any) -> None:
    said = ran[0].stdout
    assert "What does the second head cost?" in said
    assert "Both heads take" in said
    assert "second_head/step" in said
    assert "result.json" in said


@pytest.mark.whole
def test_a_pipe_gets_a_plain_line_a_group(ran: Any) -> None:
    parts = ("forward", "forward_backward", "step")
    lines = [line for line in ran[0].stderr.splitlines() if not line.startswith("before measuring: ")]
    for part, line in zip(parts, lines, strict=True):
        assert line.startswith(f"measuring second_head/{part}, ")
        assert re.search(r"; \d+:\d\d spent, 0:0[01] left$", line)


@pytest.mark.whole
def test_the_terminal_is_80_columns_wide(ran: Any) -> None:
    assert max(map(len, ran[0].stdout.splitlines())) <= 80
    assert "\x1b" not in ran[0].stdout


@pytest.mark.whole
def test_the_file_has_every_variant_with_its_raw_rounds(ran: Any) -> None:
    told = ran[1]
    names = {entry["extra_info"]["mtl_bench"]["case"]["variant"] for entry in told["benchmarks"]}
    assert names == {"digits", "odd_even", "both", "separate", "control"}
    assert len(told["benchmarks"]) == 13  # three parts, of which the step alone has the control
    for entry in told["benchmarks"]:
        ours = entry["extra_info"]["mtl_bench"]
        rounds = [r["seconds"] / r["iterations"] for s in ours["set_ups"] for r in s["rounds"]]
        assert entry["stats"]["data"] == pytest.approx(rounds)
        assert ours["set_ups"][0]["warm_up"]
        # Training in earnest has 0.1 of them and is slowed by that; single ones come and go.
        assert ours["facts"]["denormal_share"] < 1e-3
        assert ours["verdict"] in (*VERDICTS, None)
        if ours["case"]["variant"] != "digits":
            assert set(ours["effect"]) == {"ratio", "low", "high", "confidence", "n"}


@pytest.mark.whole
def test_the_file_tells_what_it_was_measured_on(ran: Any) -> None:
    ours = ran[1]["mtl_bench"]
    assert ours["schema"] == SCHEMA
    assert ours["build"]["mxnet"] == "1.9.1"
    assert ours["ceilings"]["numpy_gflop_per_s"] > 0
    assert ours["answers"][0]["sentences"]


@pytest.mark.whole
def test_pytest_benchmark_reads_the_file(ran: Any) -> None:
    command = [sys.executable, "-m", "pytest_benchmark", "compare", ran[1]["path"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "second_head/step/both" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "hybridise"), "no benchmark is named 'hybridise'"),
        (("run", "hybridise", "--list"), "no benchmark is named 'hybridise'"),
        (("run", "--budget", "soon"), "budget is 'soon'"),
        (("run", "--budget", ""), "budget is ''"),
        (("run", "--quick", "--budget", "soon"), "budget is 'soon'"),
        (("run", "--bugdet", "5m"), "--budget"),
        (("run", "--resume"), "nothing to resume"),
        (("run", "--data", "cifar"), "error: Invalid value for '--data': 'cifar' is not one of"),
        (("run", "loader_workers", "--threads", "0"), "--threads"),
        (("run", "batch_size", "--batch-size", "8"), "--batch-size changes nothing in what was chosen"),
        (("run", "hybridize", "--batch-size", "0"), "--batch-size"),
        (("run", "drift", "--batch-size", "60000"), "give --batch-size 7500 or less"),
        (("run", "drift", "--batch-size", "60000", "--quick"), "give --batch-size 3200 or less"),
        (("run", "--json", "/dev/null/x.json"), "--json /dev/null/x.json cannot be written"),
        (("trust", "--replay", "x.jsonl", "--draws", "1" + 30 * "0"), "--draws"),
    ],
)
def test_bad_input_costs_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = bench(*arguments, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Value error" not in done.stderr and "Input should" not in done.stderr  # pydantic's words
    assert list(tmp_path.iterdir()) == []


def test_without_a_gpu_the_reason_is_told_and_nothing_failed(tmp_path: Path) -> None:
    if os.path.exists("/dev/nvidia0"):  # noqa: PTH110
        pytest.skip("there is a GPU here, so that device can be measured")
    done = bench("run", "device", "--json", "x.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "--json x.json was not written: nothing was measured\n"
    assert list(tmp_path.iterdir()) == []
    assert done.stdout.startswith("device: not measured here: ")
    assert "GPU" in done.stdout or "driver" in done.stdout


def test_the_questions_are_listed(tmp_path: Path) -> None:
    listed = bench("run", "--list", folder=tmp_path).stdout
    for name in ("hybridize", "device", "batch_size", "loader_workers", "second_head", "drift"):
        assert name in listed


def orphans() -> set[str]:
    """MXNet's shared memory that no process has mapped; other tests have some of their own meanwhile."""
    there = {str(path) for path in Path("/dev/shm").glob("mx_*")}
    for process in psutil.process_iter() if there else ():
        with contextlib.suppress(psutil.Error):
            there -= {mapped.path for mapped in process.memory_maps()}
    return there


def stays(found: Callable[[], set[str]], before: set[str]) -> set[str]:
    """What is new and still there at five looks a twentieth of a second apart: not just being made."""
    new = found() - before
    for _ in range(4):
        threading.Event().wait(0.05)
        new &= found()
    return new


@pytest.mark.whole
def test_a_killed_run_leaves_nothing_but_its_journal(tmp_path: Path) -> None:
    """Killed in the middle of the DataLoader's question, whose workers have children of their own."""
    command = [sys.executable, "-m", "bench", "run", "loader_workers", "--quick", "--budget", "10s"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)}
    before = orphans()
    with (tmp_path / "said").open("w") as said:
        killed = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=said, stderr=said)
        journal = tmp_path / ".benchmarks" / "mtl-bench" / "run.journal"
        coordinator = psutil.Process(killed.pid)
        workers: list[psutil.Process] = []
        while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2 and deep(workers)):
            assert killed.poll() is None, (tmp_path / "said").read_text()
            psutil.wait_procs([coordinator], timeout=0.05)
            workers = coordinator.children(recursive=True)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    assert stays(orphans, before) == set()
    assert list(scratch.iterdir()) == []
    kept = journal.read_bytes()
    other = bench("run", "loader_workers", "--quick", "--budget", "11s", "--resume", folder=tmp_path)
    assert other.returncode == 2
    assert "budget was 10s, is 11s" in other.stderr
    assert journal.read_bytes() == kept


@pytest.mark.whole
def test_a_run_that_is_ended_tells_how_to_go_on(tmp_path: Path) -> None:
    """By SIGTERM; pytest, which runs underneath, does not go on with the next variant."""
    command = [sys.executable, "-m", "bench", "run", "second_head", "--budget", "10m"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / ".benchmarks" / "mtl-bench" / "run.journal"
    try:
        while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
            assert ended.poll() is None
            psutil.wait_procs([psutil.Process(ended.pid)], timeout=0.05)
        workers = psutil.Process(ended.pid).children(recursive=True)
        ended.send_signal(signal.SIGTERM)
        _, said = ended.communicate(timeout=60)
    finally:
        ended.kill()
    assert ended.returncode == 143
    assert said.splitlines()[-1].endswith(" second_head --budget 10m --resume")
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def deep(workers: list[psutil.Process]) -> bool:
    """Whether a worker has children of its own at this moment."""
    parents = {worker.pid for worker in workers}
    with contextlib.suppress(psutil.NoSuchProcess):
        return any(worker.ppid() in parents for worker in workers)
    return False
