"""The wheel, installed into an environment inside somebody's repository, whose folders have our names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.processes import ROOT

NETWORK = """
import numpy as np
from mxnet import gluon
from mtl_core.task import Task

WIDTH = 64

class Detector(gluon.HybridBlock):
    def __init__(self, heads):
        super().__init__()
        self.heads = heads
        self.trunk = gluon.nn.Dense(WIDTH, activation="relu")
        self.deep = gluon.nn.Dense(WIDTH, activation="relu")
        for head in heads:
            setattr(self, head, gluon.nn.Dense(4))

    def hybrid_forward(self, F, x):
        x = self.deep(self.trunk(x))
        return tuple(getattr(self, head)(x) for head in self.heads)

def batch(size, rng):
    return rng.random((size, 64)), {"box": rng.random((size, 4)), "class": rng.integers(0, 4, size)}

def task(heads=None):
    heads = list(heads or ("box", "class"))
    losses = {"box": gluon.loss.HuberLoss(), "class": gluon.loss.SoftmaxCELoss()}
    return Task(network=Detector(heads), losses=losses, batch=batch, optimizer="adam").of(heads)
"""
# What a repository may say to its own pytest, and what ours must not hear.
PYPROJECT = """
[tool.mtl-bench]
network = "acme.net:task"
golden = "counts/step.json"

[tool.pytest.ini_options]
addopts = "--of-a-plugin-that-is-not-there"
python_functions = "check_*"
required_plugins = "pytest-of-theirs"
"""
TO_ITS_OWN = {"PYTEST_ADDOPTS": "--of-theirs", "PYTEST_PLUGINS": "of_theirs"}


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One revision of a package with a network, in a repository with our names and a pytest of its own."""
    folder = tmp_path / "repository"
    for name in ("acme", "bench", "reports", "tests"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(
            "" if name == "acme" else "raise RuntimeError('theirs')\n", encoding="utf-8"
        )
    (folder / "conftest.py").write_text("raise RuntimeError('their conftest')\n", encoding="utf-8")
    (folder / "acme" / "net.py").write_text(NETWORK, encoding="utf-8")
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (folder / ".gitignore").write_text(".venv/\nbench-results/\n", encoding="utf-8")
    (folder / "counts").mkdir()
    (folder / "counts" / ".keep").touch()
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the project's own build backend."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def installer() -> list[str]:
    """The installer at hand, up to the interpreter that it installs for."""
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    return [uv, "pip", "install", "--python"] if uv else [sys.executable, "-m", "pip", "--python"]


def install(python: Path, *what: str) -> None:
    command = [*installer(), str(python), *(["install"] if "-m" in installer() else []), *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def mtl_bench(
    repository: Path, *arguments: str, code: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The script that was installed, with theirs first on the path."""
    ran = subprocess.run(
        [str(repository / ".venv" / "bin" / "mtl-bench"), *arguments],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository), "COLUMNS": "200", **TO_ITS_OWN, **environment},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert ran.returncode == code, f"{arguments}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


@pytest.mark.whole
def test_the_wheel_installed_inside_a_repository_runs_and_reports(repository: Path, wheel: Path) -> None:
    """What it needs is this environment's own, by path; the wheel itself is installed."""
    venv = repository / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    install(venv / "bin" / "python", "--no-deps", str(wheel))
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    ran = mtl_bench(repository, "run", "hybridize", "--quick", "--budget", "1s", "--json", "mine.json")
    assert "Results: mine.json" in ran.stdout
    told = json.loads((repository / "mine.json").read_text(encoding="utf-8"))
    name = told["benchmarks"][0]["fullname"]
    assert name.startswith("bench/benchmarks/of_task.py::test_task[hybridize/step/")
    page = mtl_bench(repository, "report", "mine.json", "--format", "markdown")
    assert "acme.net:task" in page.stdout


def overrides() -> list[str]:
    """What docs/your-network.md tells of Python 3.13, as it is told."""
    if sys.version_info < (3, 13):
        return []
    page = (ROOT / "docs" / "your-network.md").read_text(encoding="utf-8")
    shown = re.search(r"^echo '([^']+)' > (\S+)\nuv pip install --override \2 ", page, re.MULTILINE)
    assert shown is not None
    line, file = shown.groups()
    Path(file).write_text(f"{line}\n", encoding="utf-8")
    return ["--override", file]


def wider(repository: Path) -> None:
    """A head that does far more."""
    file = repository / "acme" / "net.py"
    file.write_text(file.read_text(encoding="utf-8").replace("WIDTH = 64", "WIDTH = 2048"), encoding="utf-8")


@pytest.mark.wheel
def test_every_command_in_a_repository_with_the_wheel_and_all_that_it_needs(
    repository: Path, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    venv = repository / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    install(venv / "bin" / "python", *overrides(), f"mtl-bench[cpu] @ {wheel.as_uri()}")

    run = ("run", "hybridize", "heads", "--budget", "30s", "--json", "mine.json", "--full")
    ran = mtl_bench(repository, *run)
    assert "Measured is acme.net:task: box and class" in ran.stdout
    print(ran.stdout)
    mtl_bench(repository, "report", "mine.json", "--format", "html", "-o", "mine.html")
    assert "acme.net:task" in (repository / "mine.html").read_text(encoding="utf-8")

    mtl_bench(repository, "work", "--update")
    assert (repository / "counts" / "step.json").exists()
    mtl_bench(repository, "work", "--check")
    mtl_bench(repository, "profile", "heads/step/all", "--seconds", "3", "-o", "profiled")
    mtl_bench(repository, "report", "profiled")
    assert "FullyConnected" in (repository / "profiled" / "profile.html").read_text(encoding="utf-8")

    wider(repository)
    git(repository, "commit", "-qam", "two")
    assert "parameters" in mtl_bench(repository, "work", "--check", code=4).stdout
    slower = mtl_bench(repository, "regress", "step", "--base", "HEAD~1", "--budget", "10m", code=1)
    print(slower.stdout)
    assert "slower" in slower.stdout
