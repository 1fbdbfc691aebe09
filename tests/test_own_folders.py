"""Nothing outside the folders that a run is given changes: not a device, not a file of the user's."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.harness.pool import WorkerProcess

STEP = {"mode": "hybridized", "part": "forward", "batch_size": 8, "data": "synthetic"}


def everything(*folders: Path) -> dict[str, tuple[int, ...]]:
    """Kind, device, inode, size and time of change of all that lies there, by path."""
    there = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    states = {str(path): path.lstat() for path in there}
    return {
        name: (state.st_mode, state.st_rdev, state.st_ino, state.st_size, state.st_mtime_ns)
        for name, state in states.items()
    }


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A home, a folder for temporary files, and one with a stand-in for /dev/null, which is no plain file."""
    folders = {name: tmp_path / name for name in ("home", "devices", "temporary", "start")}
    for folder in folders.values():
        folder.mkdir()
    os.mkfifo(folders["devices"] / "null")
    (folders["home"] / "kept").write_text("the user's")
    null = str(folders["devices"] / "null")
    (folders["start"] / "sitecustomize.py").write_text(f"import os\nos.devnull = {null!r}\n")
    return folders


@contextmanager
def unchanged(places: dict[str, Path]) -> Iterator[WorkerProcess]:
    """A worker that ends with the block; then everything is as it was before."""
    watched = [places["home"], places["devices"], places["temporary"]]
    before = everything(*watched)
    worker = WorkerProcess(
        {
            "HOME": str(places["home"]),
            "TMPDIR": str(places["temporary"]),
            "PYTHONPATH": str(places["start"]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
    )
    try:
        yield worker
    finally:
        worker.end()
    after = everything(*watched)
    temporary = str(places["temporary"])
    assert {n: s for n, s in after.items() if n != temporary} == {
        n: s for n, s in before.items() if n != temporary
    }
    assert stat.S_ISFIFO((places["devices"] / "null").stat().st_mode)


@pytest.mark.parametrize("ended", ["by itself", "in the middle"])
def test_counting_touches_nothing_but_a_folder_of_its_workers(places: dict[str, Path], ended: str) -> None:
    """It hands MXNet's profiler a file as well; in the middle that file's folder is there."""
    with unchanged(places) as worker:
        asked: dict[str, Any] = {"workload": "bench.workloads.steps:StepWorkload", "settings": STEP}
        if ended == "by itself":
            assert worker.ask("count", **asked)["operators"]
            return
        worker.send("count", **asked)
        own = Path(worker.folder)
        until = time.monotonic() + 60
        while not (begun := any(each.is_dir() for each in own.iterdir())) and time.monotonic() < until:
            time.sleep(0.002)
        assert begun, "counting began nothing within a minute"
        worker.process.kill()


@pytest.mark.parametrize("timeline", [False, True])
@pytest.mark.parametrize("ended", ["torn down", "in the middle"])
def test_mxnets_profiler_touches_nothing_but_a_folder_of_the_workers_own(
    places: dict[str, Path], tmp_path: Path, timeline: bool, ended: str
) -> None:
    """MXNet removes the file that its profiler is given, which as root took /dev/null away."""
    drawn = tmp_path / "timeline.json"
    with unchanged(places) as worker:
        settings = {"workload": "bench.workloads.steps:StepWorkload", "settings": json.dumps(STEP)}
        more = {"timeline": str(drawn)} if timeline else {}
        worker.ask(
            "set_up", workload="bench.workloads.profiling:Profiled", settings={**settings, **more}, seed=0
        )
        worker.ask("round", iterations=1)
        if ended == "torn down":
            worker.ask("tear_down")
            assert drawn.exists() == timeline
    if timeline and drawn.exists():
        assert json.loads(drawn.read_bytes())["traceEvents"]
