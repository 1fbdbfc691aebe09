"""Work counted, profiles and two revisions of somebody's repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.gate.checkouts import Checkout
from bench.gate.task_side import Compared, gate_of, task_side
from bench.records.declared import Declared
from mtl_core.errors import ExitCode, UserError
from tests.test_network_command import mtl_bench, repository

__all__ = ["repository"]


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def committed(repository: Path) -> Path:
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    return repository


def deeper(folder: Path) -> None:
    """A head that does more than it did."""
    file = folder / "acme" / "net.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("getattr(self, head)(x) for", "getattr(self, head)(x.sin()) for"), encoding="utf-8"
    )


@pytest.mark.whole
def test_a_revision_that_does_more_is_told_by_its_operators(committed: Path) -> None:
    deeper(committed)
    ran = mtl_bench(committed, "regress", "step", "--base", "HEAD", "--budget", "1s")
    assert ran.returncode in (0, 1), ran.stderr  # the verdict is the machine's
    assert "one training step of acme.net:task" in ran.stdout
    assert "sin" in ran.stdout


def test_a_base_without_the_declaration_is_told_how_to_begin(committed: Path) -> None:
    git(committed, "mv", "acme/net.py", "acme/other.py")
    git(committed, "commit", "-qm", "two")
    ran = mtl_bench(committed, "regress", "--base", "HEAD~1", "--network", "acme.other:task")
    assert ran.returncode == 2
    said = ran.stderr.splitlines()[-1]
    assert said.startswith("error: base does not declare the network: acme.other:task: there is no module")
    assert said.endswith("commit it to the base first: from then on revisions compare")


@pytest.mark.whole
def test_work_is_held_against_a_golden_file_in_the_repository(committed: Path) -> None:
    with (committed / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('golden = "counts/step.json"\n')
    (committed / "counts").mkdir()
    written = mtl_bench(committed, "work", "--update")
    assert written.returncode == 0, written.stderr
    assert (committed / "counts" / "step.json").exists()
    deeper(committed)
    changed = mtl_bench(committed, "work", "--check")
    assert changed.returncode == ExitCode.COUNTERS_CHANGED
    assert "sin" in changed.stdout


@pytest.mark.whole
def test_a_profile_of_a_declared_network_names_its_lines(committed: Path) -> None:
    ran = mtl_bench(committed, "profile", "hybridize/step/imperative", "--seconds", "3", "-o", "profiled")
    assert ran.returncode == 0, ran.stderr
    assert (committed / "profiled").is_dir()
    assert "FullyConnected" in ran.stdout


def test_what_guards_a_network_is_named_after_it() -> None:
    task = Declared(
        network="a.b:c", heads=["x"], batch_size=4, takes_heads=False, impossible={"hybridized": "no"}
    )
    gate = gate_of(task)
    assert list(gate) == ["step", "forward"]
    assert gate["step"].asks == "one training step of a.b:c"
    assert gate["step"].settings["mode"] == "imperative"


def test_a_side_imports_from_its_own_checkout(committed: Path, tmp_path: Path) -> None:
    compared = Compared("acme.net:task", 4)
    side = task_side("head", Checkout(committed, "0" * 40), compared)
    assert side.benchmarks["step"].settings["network"] == "acme.net:task"
    assert side.project == committed
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UserError, match=r"head does not declare the network: acme\.net:task: there is no module"
    ):
        task_side("head", Checkout(tmp_path / "empty", "0" * 40), compared)
