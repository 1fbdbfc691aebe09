"""Runs killed at random moments: a small benchmark of real processes, and what is left of one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.records.run import Block
from tests.processes import ROOT

BLOCKS = 3  # of each part, in every run that comes to its end
PARTS = ("plain", "busy")
# A benchmark beside those of the suite. Its variants do unlike work, of which no ratio decides: so it takes
# just as many blocks, however restless the machine is.
QUESTION = f"""
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Variant
QUESTION = Question(
    name="spins", asks="Which spins longer?", workload="{{workload}}", baseline="short", control=False,
    variants={{{{"short": Variant(settings={{short}}), "long": Variant(settings={{long}})}}}},
    parts={{{{{", ".join(f'"{part}": Part()' for part in PARTS)}}}}}, answer=lambda results: ["So it is."],
    plan=Plan(rounds=4, warm_ups=2, least_blocks={BLOCKS}, target=1e9),
)
def test_spins(measured_variant): measured_variant()
"""
SPIN = ("tests.faulty:Spin", {"spin_s": 2e-4, "images": 1}, {"spin_s": 4e-4, "images": 2})
LOADED = {"batch_size": 64, "data": "synthetic"}
LOADING = (
    "bench.workloads.loading:LoadingWorkload",
    LOADED | {"workers": 0, "images": 256},
    LOADED | {"workers": 2, "images": 512},
)
# The command line with one benchmark more, and without the seconds that the ceilings take.
COORDINATOR = """
import sys
import bench.benchmarks, bench.harness.session
from bench.__main__ import main
from bench.records.run import Ceilings
CEILINGS = Ceilings(
    mxnet_gflop_per_s=1.0, numpy_gflop_per_s=1.0, memory_gb_per_s=1.0, python_loops_per_s=1.0,
    mxnet="1.9.1", numpy="1.26", features=[], libraries=[],
)
bench.benchmarks.__path__.append(sys.argv[1])
bench.harness.session.measure_ceilings = lambda environment: CEILINGS
sys.argv = ["bench", "run", "spins", "--budget", "120s", "--json", "result.json", *sys.argv[2:]]
main()
"""
JOURNAL = Path(".benchmarks", "mtl-bench", "run.journal")


@dataclass(frozen=True)
class Moment:
    """When what is killed by which signal: after so many more lines of the journal, and a while."""

    whom: str  # "coordinator" or "worker"
    by: signal.Signals
    lines: int
    later_s: float


def moments(number: int) -> list[Moment]:
    """Three kills of one run, the same for each number: a worker, and the coordinator by either signal."""
    rng = random.Random(f"kill {number}")
    signals = [signal.SIGKILL, signal.SIGTERM]
    kinds = [("coordinator", signals[0]), ("coordinator", signals[1]), ("worker", rng.choice(signals))]
    rng.shuffle(kinds)
    made = []
    for whom, by in kinds:
        lines = rng.randrange(2) if whom == "coordinator" else 1
        made.append(Moment(whom, by, lines, rng.random() * (0.3 if lines else 2.0)))
    return made


class Runs:
    """Runs in one folder, with a folder of their own for what is temporary."""

    def __init__(self, folder: Path, work: tuple[str, Any, Any], stand_in: bool) -> None:
        self.folder, self.temporary = folder / "here", folder / "temporary"
        for each in (self.folder, self.temporary, folder / "benchmarks"):
            each.mkdir()
        workload, short, long = work
        made = QUESTION.format(workload=workload, short=short, long=long)
        (folder / "benchmarks" / "test_spins.py").write_text(made)
        self.command = [sys.executable, "-c", COORDINATOR, str(folder / "benchmarks")]
        path = [str(ROOT)]
        if stand_in:  # for MXNet, which takes a worker seconds to load
            (folder / "benchmarks" / "mxnet").mkdir()
            (folder / "benchmarks" / "mxnet" / "__init__.py").write_text("__version__ = '1.9.1'\n")
            path.insert(0, str(folder / "benchmarks"))
        self.environment = {**os.environ, "PYTHONPATH": ":".join(path), "TMPDIR": str(self.temporary)}
        self.environment.pop("MTL_ATTACK", None)
        self.started: list[psutil.Process] = []

    def start(self, *more: str) -> subprocess.Popen[str]:
        running = subprocess.Popen(
            [*self.command, *more],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return running

    def journal(self) -> list[dict[str, Any]]:
        """The whole lines of the journal; none where there is no journal."""
        path = self.folder / JOURNAL
        raw = path.read_bytes() if path.exists() else b""
        return [json.loads(line) for line in raw[: raw.rfind(b"\n") + 1].splitlines()]

    def finished(self) -> list[Block]:
        """The blocks in the journal."""
        return [msgspec.convert(line["block"], Block) for line in self.journal() if line.get("block")]

    def wait_for(self, lines: int, running: subprocess.Popen[str]) -> None:
        """Until the journal has so many lines, or the run is over."""
        deadline = time.monotonic() + 120
        while len(self.journal()) < lines and running.poll() is None:
            assert time.monotonic() < deadline, f"{lines} lines were never written"
            time.sleep(0.005)

    def kill(self, at: Moment, running: subprocess.Popen[str]) -> None:
        """At the moment, counted from now."""
        self.wait_for(len(self.journal()) + at.lines, running)
        time.sleep(at.later_s)
        family = self.family(running)
        workers = [each for each in family[1:] if "bench.worker" in " ".join(_command(each))]
        if at.whom == "coordinator":
            running.send_signal(at.by)
        elif workers:
            workers[random.Random(str(at)).randrange(len(workers))].send_signal(at.by)

    def family(self, running: subprocess.Popen[str]) -> list[psutil.Process]:
        """The coordinator and all that it started, remembered until the end."""
        try:
            coordinator = psutil.Process(running.pid)
            found = [coordinator, *coordinator.children(recursive=True)]
        except psutil.NoSuchProcess:
            found = []
        self.started += [each for each in found if each not in self.started]
        return found

    def left(self) -> list[str]:
        """What is still there of all runs: processes, temporary files, shared memory."""
        _, alive = psutil.wait_procs(self.started, timeout=20)
        processes = [str(each) for each in alive if _status(each) != psutil.STATUS_ZOMBIE]
        numbers = {f"{each.pid:x}" for each in self.started}
        shared = [path.name for path in Path("/dev/shm").glob("mx_*") if path.name.split("_")[1] in numbers]
        return [*processes, *(path.name for path in self.temporary.iterdir()), *shared]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_ZOMBIE)
