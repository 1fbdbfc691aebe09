"""A small repository with two revisions of this suite, for the tests that compare them.

It holds the real packages but for two files: a gate with benchmarks that only spin, and a stand-in for
MXNet, so that a worker starts in a fraction of a second.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent

GATE = """
from __future__ import annotations
from dataclasses import dataclass, field
from bench.records.shared import Setting

PROTOCOL = {protocol}

@dataclass(frozen=True, kw_only=True)
class Benchmark:
    name: str
    asks: str
    workload: str
    settings: dict[str, Setting] = field(default_factory=dict)
    rounds: int = 2
    set_ups: int = 1
    warm_ups: int = 2

GATE = (
{benchmarks}
)
"""
NO_MXNET = """
from types import SimpleNamespace
mx = SimpleNamespace(__version__="played")
"""
# A workload whose time is played: it sets the clock by which its worker times it.
PLAYED = """
import sys
from types import SimpleNamespace

SPEED = {speed}

class Played:
    images = 1

    def __init__(self, step_ns=1_000_000):
        self.step_ns, self.now = step_ns, 0
        sys.modules["bench.worker.process"].time = SimpleNamespace(perf_counter_ns=lambda: self.now)

    def prepare(self): ...
    def run(self, iterations): self.now += int(self.step_ns * SPEED) * iterations
    def synchronise(self): ...
    def round_facts(self): return {{}}
    def facts(self): return {{}}
    def close(self): ...
"""
SPIN = '    Benchmark(name="{name}", asks="a spin", workload="{workload}", settings={settings}),'


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write_gate(root: Path, benchmarks: dict[str, dict[str, object]], protocol: int = 1) -> None:
    """Benchmarks by name with their settings; one with a fault is faulty, the others are played."""
    lines = "\n".join(
        SPIN.format(
            name=name,
            settings=settings,
            workload="tests.faulty:Spin" if "fault" in settings else "tests.played:Played",
        )
        for name, settings in benchmarks.items()
    )
    (root / "bench" / "questions" / "gate.py").write_text(GATE.format(benchmarks=lines, protocol=protocol))


def write_speed(root: Path, speed: float) -> None:
    """How many times as long everything that is played takes."""
    (root / "tests" / "played.py").write_text(PLAYED.format(speed=speed))


def files_at(root: Path) -> None:
    """The packages, without MXNet, not yet a repository."""
    ignore = shutil.ignore_patterns("__pycache__")
    for package in ("bench", "mtl_core", "reports"):
        shutil.copytree(ROOT / package, root / package, ignore=ignore)
    (root / "tests").mkdir()
    for name in ("__init__.py", "faulty.py"):
        shutil.copy(ROOT / "tests" / name, root / "tests" / name)
    shutil.copy(ROOT / "pyproject.toml", root)
    write_speed(root, 1.0)
    (root / ".gitignore").write_text("__pycache__/\n")
    (root / "mtl_core" / "platform" / "mxnet.py").write_text(NO_MXNET)


def commit(root: Path, message: str) -> str:
    if not (root / ".git").exists():
        git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "HEAD")


def environment(folder: Path) -> dict[str, str]:
    """For a command that is run there: temporary files where the test can see them, 80 columns."""
    kept = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "GITHUB_ACTIONS")}
    return {**kept, "TMPDIR": str(folder), "COLUMNS": "80", "XDG_CACHE_HOME": str(folder / "cache")}
