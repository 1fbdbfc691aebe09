"""Workers in another interpreter, which has MXNet and NumPy and nothing else."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from bench.commands.python import use_python
from bench.harness.pool import HOME, WorkerProcess
from bench.machine import interpreter
from bench.machine.identity import collect
from bench.machine.interpreter import Interpreter, use
from mtl_core.errors import UserError
from mtl_core.platform.proportional import proportional_bytes
from tests.environments import MXNET_AND_NUMPY, environment
from tests.test_network_command import mtl_bench, repository

__all__ = ["repository"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with MXNet and NumPy alone."""
    return environment(tmp_path_factory.mktemp("bare") / "venv", *MXNET_AND_NUMPY)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test sets for this process is taken back."""
    monkeypatch.setenv(interpreter.PYTHON, "")
    yield


def played(folder: Path, told: object) -> Path:
    """A program that says this, whatever it is asked."""
    program, words = folder / "python", told if isinstance(told, str) else json.dumps(told)
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{words}\nEND\n", encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.mark.whole
def test_a_run_in_another_interpreter_has_its_libraries_and_tells_both(repository: Path, bare: Path) -> None:
    run = ("run", "hybridize", "--quick", "--budget", "1s", "--json", "mine.json")
    (repository / "table.npy").write_bytes(b"theirs")
    with (repository / "acme" / "net.py").open("a", encoding="utf-8") as file:
        file.write(
            "import sys, importlib.util\n"
            "assert importlib.util.find_spec('msgspec') is None, 'the library of another environment'\n"
            f"assert sys.prefix == {str(bare.parents[1])!r}, sys.prefix\n"
            "open('table.npy').close()  # a path from where one stands\n"
        )
    ran = mtl_bench(repository, *run, "--python", str(bare), "--full")
    assert ran.returncode == 0, ran.stderr
    told = json.loads((repository / "mine.json").read_text(encoding="utf-8"))["mtl_bench"]
    assert told["machine"]["python"] == told["machine"]["coordinator"] == platform.python_version()
    assert told["ceilings"]["loaded"]  # by a library that is lent
    assert "Python of the coordinator" in ran.stdout
    assert not list(bare.parents[1].glob("lib/python*/site-packages/bench*"))


def test_the_configuration_names_the_interpreter(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    use_python(None)
    assert interpreter.workers_python() == sys.executable
    (tmp_path / "theirs").symlink_to(bare.parents[1])
    (tmp_path / "pyproject.toml").write_text('[tool.mtl-bench]\npython = "theirs"\n', encoding="utf-8")
    use_python(None)
    assert interpreter.workers_python() == str(tmp_path / "theirs" / "bin" / "python")
    assert collect().coordinator == platform.python_version()
    (tmp_path / "pyproject.toml").write_text("[tool.mtl-bench]\npython = 3.1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"^python in \[tool\.mtl-bench\] is 3\.1; expected a path"):
        use_python(None)


def test_the_versions_shown_are_the_workers(tmp_path: Path) -> None:
    there = Interpreter(python="3.10.1", versions={"mxnet": "1.9.1", "numpy": "1.23.5"}, missing=[])
    use(str(played(tmp_path, msgspec.to_builtins(there))))
    machine = collect()
    assert (machine.python, machine.coordinator) == ("3.10.1", platform.python_version())
    assert interpreter.versions() == {"mxnet": "1.9.1", "numpy": "1.23.5"}
    assert interpreter.in_words() == "Python 3.10.1, mxnet 1.9.1, numpy 1.23.5"


TOO_OLD = {"python": "3.8.18", "versions": {}, "missing": []}
NO_MXNET = {"python": "3.11.7", "versions": {}, "missing": ["mxnet", "setuptools"]}
NO_DISTUTILS = {"python": "3.13.0", "versions": {}, "missing": ["setuptools"]}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (TOO_OLD, "is Python 3.8.18; workers need 3.10 or newer"),
        (NO_MXNET, "(Python 3.11.7) has no MXNet; install it into that environment"),
        ({**NO_MXNET, "missing": ["mxnet", "numpy"]}, "has no MXNet and no NumPy; install"),
        (NO_DISTUTILS, "(Python 3.13.0) has no setuptools, whose distutils MXNet imports; install"),
        ("hello\x1b[1A", "is no Python: it said 'hello"),
        ("{}", "is no Python"),
        ("[" * 10_000, "is no Python"),
        ("", "is no Python: it said 'it said nothing'"),
    ],
)
def test_an_interpreter_that_will_not_do_costs_one_line(told: object, said: str, tmp_path: Path) -> None:
    path = played(tmp_path, told)
    with pytest.raises(UserError) as raised:
        use(str(path))
    line = str(raised.value)
    assert line.startswith(f"--python {path} ") and said in line
    assert line.isprintable()
    assert interpreter.workers_python() == sys.executable


def _script(path: Path, mode: int) -> None:
    path.write_text("no program", encoding="utf-8")
    path.chmod(mode)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no such file"),
        (Path.mkdir, "is a folder without bin/python"),
        (lambda path: _script(path, 0o755), "cannot be run"),
    ],
)
def test_a_path_to_no_interpreter_costs_one_line(
    make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    make(tmp_path / "x")
    with pytest.raises(UserError) as raised:
        use("x", folder=tmp_path)
    assert str(raised.value).startswith("--python ") and said in str(raised.value)


@pytest.mark.parametrize("stream", ["1", "2"])
def test_what_prints_for_ever_is_not_listened_to_for_ever(stream: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(f"#!/bin/sh\nwhile :; do echo yes >&{stream} || exit; done\n")
    (tmp_path / "x").chmod(0o755)
    with pytest.raises(UserError, match="is no Python: it said 'y"):
        use("x", folder=tmp_path)


def test_what_lacks_mxnet_ends_a_command_with_2(repository: Path, tmp_path: Path) -> None:
    empty = environment(tmp_path / "empty")
    ran = mtl_bench(repository, "work", "--python", str(empty))
    (line,) = ran.stderr.splitlines()
    said = f"error: --python {empty} (Python {platform.python_version()}) has no MXNet and no NumPy"
    assert (ran.returncode, line[: len(said)]) == (2, said)


SPAWNS = """
import multiprocessing

def home():
    import mtl_core.errors
    return mtl_core.errors.__file__

def main():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(home), home(), sep="\\n")
"""


def test_a_worker_elsewhere_finds_our_packages_and_so_do_processes_that_it_spawns(
    bare: Path, tmp_path: Path
) -> None:
    """Theirs, called like ours, lie in the folder that it starts in and on its path."""
    for name in ("bench", "mtl_core", "reports"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('theirs')\n", encoding="utf-8")
    (tmp_path / "spawns.py").write_text(SPAWNS, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = interpreter.command("spawns:main", python=str(bare))
    ran = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout.splitlines() == [str(HOME / "mtl_core" / "errors.py")] * 2, ran.stderr
    worker = WorkerProcess({"BENCH_PROJECT": str(tmp_path)}, python=str(bare))
    try:
        files = worker.ask("gate")["files"]
    finally:
        worker.end()
    assert files["bench"] == str(HOME / "bench" / "__init__.py")


def test_memory_without_a_library(tmp_path: Path) -> None:
    """Of a process with a child, as Linux tells it; nothing where it does not."""
    for number, kib, children in ((7, 10, "8 9"), (8, 5, "")):
        process = tmp_path / str(number)
        (process / "task" / "1").mkdir(parents=True)
        (process / "task" / "1" / "children").write_text(children)
        (process / "smaps_rollup").write_text(f"Rss: 99 kB\nPss:   {kib} kB\nPss_Dirty: 3 kB\n")
    assert proportional_bytes(tmp_path, 7) == 15 * 1024
    assert proportional_bytes(tmp_path / "none", 7) == 0
    (tmp_path / "8" / "smaps_rollup").unlink()
    (tmp_path / "8" / "smaps").write_text("a\nPss: 2 kB\nb\nPss: 1 kB\n")
    assert proportional_bytes(tmp_path, 7) == 13 * 1024
