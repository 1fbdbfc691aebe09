"""Somebody's repository, in which ``mtl-bench run`` measures their network in their words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from bench.commands.network import Network, names_of, network_of
from bench.harness import declaring
from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.workloads.declared import build
from mtl_core.errors import UserError
from tests.processes import ROOT

NETWORK = """
import numpy as np
from mxnet import gluon
from mtl_core.task import Task
print("a line of theirs, which is no answer of the protocol's")

class Net(gluon.HybridBlock):
    def __init__(self, heads):
        super().__init__()
        self.heads = heads
        for head in heads:
            setattr(self, head, gluon.nn.Dense(2))

    def hybrid_forward(self, F, x):
        return tuple(getattr(self, head)(x) for head in self.heads)

def batch(size, rng):
    return rng.random((size, 3)), {"nose": rng.random((size, 2)), "tail": rng.random((size, 2))}

def task(heads=None):
    heads = tuple(heads or ("nose", "tail"))
    losses = {"nose": gluon.loss.L2Loss(), "tail": gluon.loss.L1Loss()}
    return Task(network=Net(heads), losses=losses, batch=batch, optimizer="sgd").of(heads)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A package with a network; packages that have the names of the suite's, as many have."""
    for name in ("acme", "bench", "reports", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"print('their {name}')\n", encoding="utf-8")
    (tmp_path / "acme" / "net.py").write_text(NETWORK, encoding="utf-8")
    config = '[tool.mtl-bench]\nnetwork = "acme.net:task"\nbatch-size = 4\n'
    (tmp_path / "pyproject.toml").write_text(config, encoding="utf-8")
    script = tmp_path / "scripts" / "mtl-bench"  # as an installed one stands in a folder of its own
    script.parent.mkdir()
    script.write_text("from bench.__main__ import main\nmain()\n", encoding="utf-8")
    return tmp_path


def mtl_bench(repository: Path, *arguments: str, suite: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(repository / "scripts" / "mtl-bench"), *arguments],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(suite), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.whole
def test_a_run_answers_in_the_users_names(repository: Path) -> None:
    ran = mtl_bench(repository, "run", "heads", "--quick", "--budget", "1s", "--full", "--json", "mine.json")
    assert ran.returncode == 0, ran.stderr
    assert "nose alone takes" in ran.stdout
    assert "tail costs" in ran.stdout
    assert "2 separate networks take" in ran.stdout
    assert "Measured is acme.net:task: nose and tail; batches of 4; 16 parameters" in ran.stdout
    told = json.loads((repository / "mine.json").read_text(encoding="utf-8"))
    assert [b["name"] for b in told["benchmarks"]] == [
        f"test_task[heads/step/{variant}]"
        for variant in ("all", "nose alone", "tail alone", "separate", "control")
    ]
    assert str(repository) not in (repository / "mine.json").read_text(encoding="utf-8")


def test_what_is_wrong_costs_a_line_and_exit_code_2(repository: Path) -> None:
    with (repository / "acme" / "net.py").open("a", encoding="utf-8") as file:
        file.write("raise RuntimeError('first\\nthe last')\n")
    ran = mtl_bench(repository, "run", "hybridize")
    line = NETWORK.count("\n") + 1
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == f"error: acme.net:task: acme/net.py:{line}: RuntimeError: the last"
    assert "Traceback" not in ran.stderr


def test_a_package_with_our_name_that_the_network_needs_is_told(repository: Path) -> None:
    with (repository / "acme" / "net.py").open("a", encoding="utf-8") as file:
        file.write("import reports.formats.own\n")
    ran = mtl_bench(repository, "run", "hybridize")
    assert ran.returncode == 2
    assert "the package 'reports' is this suite's own here: rename yours" in ran.stderr


def test_the_configuration_names_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PROJECT", "")  # so that what is set here is taken back
    assert network_of(None, None, tmp_path) is None
    (tmp_path / "pyproject.toml").write_text('[tool.mtl-bench]\nnetwork = "a.b:c"\n', encoding="utf-8")
    assert network_of(None, None, tmp_path) == Network("a.b:c", 32)
    assert network_of(None, 7, tmp_path) == Network("a.b:c", 7)
    assert network_of("d:e", None, tmp_path) == Network("d:e", 32)
    assert network_of("tutorial", None, tmp_path) is None
    assert os.environ["BENCH_PROJECT"] == str(tmp_path)


@pytest.mark.parametrize("name", ["acme", "acme:", ":task", "a b:c", "../a:b", "a.b:c:d", ""])
def test_what_names_no_network_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"--network is .*; expected module:factory, such as acme\.bench:task"
    ):
        network_of(name, None, tmp_path)


def test_an_unknown_question_is_refused_with_the_likeliest() -> None:
    with pytest.raises(UserError, match="no question of a network is named 'haeds'; did you mean heads"):
        names_of(["haeds"])


class Ends:
    """A worker that does not survive what a network does."""

    def __init__(self, reason: str) -> None:
        self.reason, self.ended = reason, False

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "hello":
            return {}
        raise WorkerFailedError(self.reason, ["", "what it said last"])

    def end(self) -> None:
        self.ended = True


@pytest.mark.parametrize("reason", ["hung: no answer within 120 s", "ended with exit code 3"])
def test_a_network_that_hangs_or_ends_the_process_costs_a_line(reason: str) -> None:
    worker = Ends(reason)
    with pytest.raises(UserError) as raised:
        declaring.declared("acme.net:task", 4, start=lambda environment: worker)  # type: ignore[arg-type, return-value]
    said = "acme.net:task could not be tried: the worker " + reason + " (what it said last)"
    assert (str(raised.value), worker.ended) == (said, True)


def test_a_shell_completes_the_commands(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"_MTL_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": "mtl-bench re", "COMP_CWORD": "1"}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    assert mtl_bench(repository).stdout.split() == ["report", "regress"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import bench\nbench.build()", "AttributeError: module 'bench' has no attribute 'build'"),
        ("from reports import chart", "ImportError: cannot import name 'chart' from 'reports'"),
        ("import bench.models", "ModuleNotFoundError: No module named 'bench.models'"),
        ("from mtl_core import theirs", "ImportError: cannot import name 'theirs' from 'mtl_core'"),
    ],
)
def test_what_a_package_with_our_name_lacks_is_told_with_the_remedy(
    line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a module as it is imported, and in the factory as it is called."""
    top = line.split()[1].partition(".")[0]
    (tmp_path / top).mkdir()
    monkeypatch.setenv("BENCH_PROJECT", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    late = "def task():\n" + "".join(f"    {each}\n" for each in line.splitlines())
    early, later = (f"{when}_{tmp_path.name}" for when in ("early", "late"))  # of this case alone
    for name, code in ((early, f"{line}\n"), (later, late)):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        with pytest.raises(UserError) as raised:
            build(f"{name}:task")
        told = str(raised.value)
        assert told.startswith(f"{name}:task: {name}.py:") and said in told
        assert told.endswith(
            f"; the package {top!r} is this suite's own here: rename yours, or keep what the network needs "
            "in another package"
        )
        assert told.count("rename yours") == 1


def test_without_a_package_of_theirs_there_is_nothing_to_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_PROJECT", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mistyped_it.py").write_text("import bench.modles\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"No module named 'bench\.modles'$"):
        build("mistyped_it:task")


class Slow(Ends):
    """A worker that answers only after a word was said, as where a module takes a minute to import."""

    def __init__(self) -> None:
        super().__init__("")
        self.said: list[str] = []
        self.spoken = Event()

    def say(self, line: str) -> None:
        self.said.append(line)
        self.spoken.set()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "hello":
            return {}
        assert self.spoken.wait(timeout=60)
        return {"declared": {"network": "a:b", "heads": ["x"], "batch_size": 4, "takes_heads": False}}


def test_a_network_that_takes_long_to_import_is_waited_for_with_a_word() -> None:
    worker = Slow()
    task = declaring.declared("a:b", 4, start=lambda environment: worker, say=worker.say, patience_s=0.01)  # type: ignore[arg-type, return-value]
    assert (task.network, worker.ended) == ("a:b", True)
    assert worker.said == ["a:b is still being imported and built; it is waited for up to 120 s"]


@pytest.mark.whole
def test_a_network_that_reads_standard_input_takes_none_of_the_workers_commands(repository: Path) -> None:
    reading = "import sys, threading\nthreading.Thread(target=sys.stdin.read, daemon=True).start()\n"
    (repository / "acme" / "net.py").write_text(reading + NETWORK, encoding="utf-8")
    done = mtl_bench(repository, "run", "hybridize", "--quick", "--budget", "1s", "--json", "r.json")
    assert done.returncode == 0, done.stderr
    assert "hung" not in done.stderr
    assert (repository / "r.json").exists()


def test_an_error_of_megabytes_is_cut(repository: Path) -> None:
    long = "def task(heads=None):\n    raise ValueError('\\x1b[2J' * 1_000_000)\n"
    (repository / "acme" / "net.py").write_text(long, encoding="utf-8")
    done = mtl_bench(repository, "run", "hybridize", "--budget", "1s")
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("error: ")]
    assert done.returncode == 2
    assert len(done.stderr) < 20_000 and " characters ... " in line and "\x1b" not in done.stderr


def test_a_worker_that_cannot_be_started_costs_a_line(tmp_path: Path) -> None:
    def start(_environment: dict[str, str]) -> Any:
        return WorkerProcess({}, python=str(tmp_path))

    with pytest.raises(
        UserError, match=r"acme:task could not be tried: the worker could not be started \(Perm"
    ):
        declaring.declared("acme:task", 4, start)


@pytest.mark.parametrize("package", ["bench", "mtl_core"])
def test_files_of_theirs_with_names_of_pythons_own_do_no_harm(tmp_path: Path, package: str) -> None:
    for name in ("random", "secrets", "numpy", "typer"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('theirs')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", package, "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage" in done.stdout
