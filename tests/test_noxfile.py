"""The sessions, played with a session that records what it is told to install and to run."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import nox.registry
import pytest

ROOT = Path(__file__).parent.parent
ON_EVERY_CORE = ["-n", "auto", "--dist", "loadscope", "--benchmark-disable"]
WITH_WHOLE = ["-m", "not gpu_wheels and not wheel and not real_peers"]
PASSED_ON = {
    "bench": ["python", "-m", "bench", "run"],
    "report": ["python", "-m", "bench", "report"],
    "compare": ["python", "-m", "bench", "compare"],
    "work": ["python", "-m", "bench", "work"],
    "profile": ["python", "-m", "bench", "profile"],
    "regress": ["python", "-m", "bench", "regress"],
    "peers": ["python", "-m", "bench", "peers"],
    "train": ["python", "-m", "mtl_core", "train"],
    "tests": ["python", "-m", "pytest", *ON_EVERY_CORE],
    "tests_whole": ["python", "-m", "pytest", *ON_EVERY_CORE, "-m", "whole"],
    "tests_each": ["python", "-m", "pytest", *ON_EVERY_CORE],
    "coverage": ["python", "-m", "tests.scenarios"],
    "attack": [
        *("python", "-m", "pytest", "-n", "auto", "--benchmark-disable", *WITH_WHOLE),
        *("tests/test_attack.py", "tests/test_kills.py", "tests/test_odd.py"),
    ],
    "examples": [
        *("mtl-bench", "run", "heads", "--network", "three_heads:task"),
        *("--quick", "--budget", "30s", "--batch-size", "8"),
    ],
    "notebook": ["jupyter", "execute", "--inplace", "--timeout=900", "docs/notebook.ipynb"],
    "plots": [
        *("python", "-m", "pytest", "--benchmark-disable", *WITH_WHOLE),
        *("tests/test_report_in_browser.py", "tests/test_charts.py"),
    ],
    "gpu_wheels": ["python", "-m", "pytest", "-m", "gpu_wheels", "tests/test_gpu_wheels.py"],
    "wheel": ["python", "-m", "pytest", "-m", "wheel", "tests/test_wheel.py"],
    "peers_tests": ["python", "-m", "pytest", "-m", "real_peers", "tests/test_real_peers.py"],
    "lint": ["ruff", "check"],
}
BEFORE = {"peers_tests": [["python", "-m", "bench", "peers", "--install"]]}  # what a session runs first


class SessionStoppedError(Exception):
    """What nox raises where a session gives up."""


@dataclass
class PlayedSession:
    """Records in place of installing and running."""

    folder: Path
    python: str | None = None
    venv_backend: str = "uv"
    posargs: tuple[str, ...] = ("--some", "argument")
    installed: list[tuple[str, ...]] = field(default_factory=list)
    environments: list[dict[str, str]] = field(default_factory=list)
    ran: list[list[str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def virtualenv(self) -> SimpleNamespace:
        return SimpleNamespace(location=str(self.folder))

    def install(self, *arguments: str, env: dict[str, str]) -> None:
        self.installed.append(arguments)
        self.environments.append(env)

    def run(self, *command: str, env: dict[str, str] | None = None) -> None:
        self.ran.append(list(command))

    def chdir(self, folder: str) -> AbstractContextManager[None]:
        assert (ROOT / folder).is_dir()
        return nullcontext()

    def log(self, line: str) -> None:
        self.said.append(line)

    def error(self, line: str) -> NoReturn:
        raise SessionStoppedError(line)


def load(monkeypatch: pytest.MonkeyPatch, device: str) -> dict[str, Any]:
    """What the noxfile defines; its sessions are forgotten before, since nox keeps them for the process."""
    monkeypatch.setenv("MTL_DEVICE", device)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(nox.registry, "_REGISTRY", {})
    return runpy.run_path(str(ROOT / "noxfile.py"))


@pytest.fixture
def noxfile(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return load(monkeypatch, "cpu")


@pytest.fixture
def session(tmp_path: Path) -> PlayedSession:
    return PlayedSession(tmp_path)


def listed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nox", "--non-interactive", *arguments]
    env = {**os.environ, "MTL_DEVICE": "cpu", "NO_COLOR": "1", **environment}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)


def test_nox_lists_the_sessions_and_runs_lint_and_tests_without_a_name() -> None:
    lines = [line.split() for line in listed("-l").stdout.splitlines() if line[:2] in ("* ", "- ")]
    names = [name for _, name, *_ in lines]
    assert {name.partition("-")[0] for name in names} == PASSED_ON.keys()
    assert [name for name in names if name.startswith("tests_each")] == [
        f"tests_each-3.{minor}" for minor in (10, 11, 12, 13)
    ]
    assert {name.partition("-")[0] for mark, name, *_ in lines if mark == "*"} == {"lint", "tests"}
    assert all("->" in line for line in lines), "a session without a docstring"


def test_a_mistyped_device_costs_one_line() -> None:
    told = listed("-l", MTL_DEVICE="cuda")
    assert told.returncode == 2
    assert told.stderr.startswith('error: MTL_DEVICE is "cuda"')
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("name", PASSED_ON)
def test_a_session_passes_its_arguments_on(
    noxfile: dict[str, Any], session: PlayedSession, name: str
) -> None:
    noxfile[name](session)
    first = BEFORE.get(name, [])
    assert session.ran[: len(first) + 1] == [*first, [*PASSED_ON[name], "--some", "argument"]]


def test_uv_is_installed_where_peers_are_asked_for(noxfile: dict[str, Any], session: PlayedSession) -> None:
    session.posargs = ("peers", "--budget", "2m")
    noxfile["bench"](session)
    assert session.installed == [("-e", ".[cpu,onnx,peers]")]


def test_plots_are_looked_at_with_the_oldest_and_the_newest_plotly(
    noxfile: dict[str, Any], session: PlayedSession
) -> None:
    noxfile["plots"](session)
    assert session.installed[1:] == [("--upgrade", "plotly==6"), ("--upgrade", "plotly")]
    assert session.ran == [[*PASSED_ON["plots"], "--some", "argument"]] * 2


def test_lint_checks_style_format_types_and_workflows(
    noxfile: dict[str, Any], session: PlayedSession
) -> None:
    session.posargs = ()
    noxfile["lint"](session)
    assert session.ran == [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy", "--strict", "bench", "mtl_core", "reports"],
        [
            "check-jsonschema",
            "--builtin-schema",
            "vendor.github-workflows",
            ".github/workflows/bench.yml",
            ".github/workflows/tests.yml",
        ],
        ["check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml"],
        ["check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", ".gitlab/mtl-bench.yml"],
    ]


def test_the_device_decides_what_is_installed_and_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for device in ("cpu", "gpu"):
        sessions = load(monkeypatch, device)
        session = PlayedSession(tmp_path / device)
        session.folder.mkdir()
        sessions["tests"](session)
        assert session.installed == [("-e", f".[{device},onnx,test]")]
        assert session.said[0].startswith(f"MTL_DEVICE={device}")
        assert sessions["nox"].options.envdir == f".nox/{device}"


def test_bytecode_is_compiled_while_installing(noxfile: dict[str, Any], session: PlayedSession) -> None:
    noxfile["bench"](session)
    assert session.environments == [{"UV_COMPILE_BYTECODE": "1"}]


def test_nothing_is_installed_twice(noxfile: dict[str, Any], session: PlayedSession) -> None:
    noxfile["bench"](session)
    noxfile["train"](session)  # the same extras
    assert len(session.installed) == 1
    noxfile["tests"](session)
    assert session.installed[1:] == [("-e", ".[cpu,onnx,test]")]


def test_a_changed_project_is_installed_anew(
    noxfile: dict[str, Any], session: PlayedSession, tmp_path: Path
) -> None:
    other = tmp_path / "checkout"
    other.mkdir()
    shutil.copy(ROOT / "pyproject.toml", other)
    noxfile["install"].__globals__["ROOT"] = other
    noxfile["bench"](session)
    with (other / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    noxfile["bench"](session)
    assert len(session.installed) == 2


def test_an_install_that_failed_is_tried_again(
    noxfile: dict[str, Any], session: PlayedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(SessionStoppedError):
        patch.setattr(session, "install", lambda *_, **__: session.error("no network"))
        noxfile["bench"](session)
    noxfile["bench"](session)
    assert len(session.installed) == 1


@pytest.mark.parametrize(("python", "refused"), [("3.12", False), ("3.13", True)])
def test_without_uv_a_python_that_pip_cannot_serve_is_refused_before_it_tries(
    noxfile: dict[str, Any], session: PlayedSession, python: str, refused: bool
) -> None:
    session.venv_backend, session.python = "virtualenv", python
    if refused:
        with pytest.raises(SessionStoppedError, match=r"pip install \"nox\[uv\]\""):
            noxfile["tests_each"](session)
    else:
        noxfile["tests_each"](session)
    assert bool(session.installed) is not refused
