"""A real /dev/shm of 1 MB, mounted where only the program that is tried sees it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

MOUNTED = 'mount -t tmpfs -o size=1m small /dev/shm && exec "$@"'
APART = ["unshare", "--mount", "sh", "-c", MOUNTED, "sh"]
LINE = r"/dev/shm has 1\.0 MiB free of 1\.0, and \d DataLoader workers with batches of 128 need \d\.\d MiB: "


def refused() -> str | None:
    """Why nothing can be mounted here; None where it can."""
    try:
        done = subprocess.run([*APART, "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return done.stderr.strip() or "unshare failed" if done.returncode else None


WORKER = """
from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.questions.question import Asked
from bench.benchmarks.test_loader_workers import QUESTION
case = next(c for g in QUESTION.groups(Asked()) for c in g.cases.values() if c.variant == "tutorial")
worker = WorkerProcess(case.environment)
try:
    worker.ask("set_up", workload=case.workload, settings=case.settings, seed=0)
except WorkerFailedError as failure:
    print(failure.reason, *failure.last_lines, sep="\\n")
finally:
    worker.end()
"""


@pytest.mark.whole
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="shared memory is files on Linux alone")
def test_neither_training_nor_a_run_starts_loader_workers_without_room(tmp_path: Path) -> None:
    why = refused()
    if why is not None:
        pytest.skip(f"no file system can be mounted here: {why}")
    train = ["-m", "mtl_core", "train", "--loader", "tutorial", "--data", "synthetic", "--epochs", "1"]
    done = subprocess.run(
        [*APART, sys.executable, *train], capture_output=True, text=True, check=False, cwd=ROOT, timeout=300
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert re.match("error: " + LINE, line)
    done = subprocess.run(
        [*APART, sys.executable, "-c", WORKER],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=300,
    )
    reason, *lines = done.stdout.splitlines()
    assert reason == "ended with exit code 2", done.stderr
    assert re.match(LINE, lines[-1])
    assert not list(tmp_path.iterdir())
