"""Which Python a revision runs with: this one, or one made for it and kept; the making is played."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bench.gate import environments
from bench.gate import revisions as regress
from bench.gate.environments import dependencies, differing, installed, python_for
from bench.gate.sides import Side
from mtl_core.errors import UserError
from tests.revisions import commit

HEADER = '[project]\nname = "x"\n'


class Made:
    """Plays the commands that make an environment."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], folder: Path) -> None:
        self.commands.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MTL_DEVICE", "cpu")


def checkout(tmp_path: Path, name: str, *needed: str, more: str = "") -> Path:
    root = tmp_path / name
    root.mkdir()
    (root / "pyproject.toml").write_text(f"{HEADER}dependencies = {list(needed)}\n{more}")
    return root


def test_the_same_dependencies_share_this_python(tmp_path: Path) -> None:
    said: list[str] = []
    one, other = checkout(tmp_path, "a", "x>=1", "y"), checkout(tmp_path, "b", "y", "x>=1")
    assert python_for(other, one, said.append) == sys.executable
    assert said == []


@pytest.mark.parametrize(
    "more",
    [
        '[project.optional-dependencies]\ncpu = ["mxnet"]\n',
        '[tool.uv]\noverride-dependencies = ["numpy<2"]\n',
        '[tool.uv]\nconstraint-dependencies = ["scipy<1.18"]\n',
    ],
)
def test_another_mxnet_override_or_constraint_makes_them_differ(tmp_path: Path, more: str) -> None:
    one, other = checkout(tmp_path, "a"), checkout(tmp_path, "b", more=more)
    assert dependencies(one, "cpu") != dependencies(other, "cpu")


def test_what_only_the_tests_need_makes_no_difference(tmp_path: Path) -> None:
    more = '[project.optional-dependencies]\ntest = ["hypothesis"]\n'
    one, other = checkout(tmp_path, "a"), checkout(tmp_path, "b", more=more)
    assert dependencies(one, "cpu") == dependencies(other, "cpu")


@pytest.mark.parametrize("uv", [None, "/bin/uv"])
def test_other_dependencies_get_an_environment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uv: str | None
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: uv)
    said: list[str] = []
    made = Made()
    base, head = checkout(tmp_path, "base", "x>=1"), checkout(tmp_path, "head", "x>=2")
    first = python_for(base, head, said.append, run=made)
    assert first.startswith(str(tmp_path / "cache"))
    assert first == python_for(base, head, said.append, run=made)
    assert len(made.commands) == 2
    assert ("x>=1" in made.commands[1]) == (uv is None)
    assert "base" in said[0]
    assert "differ" in said[0]


def test_pip_is_given_the_constraints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    made, more = Made(), '[tool.uv]\nconstraint-dependencies = ["scipy<1.18"]\n'
    base, head = checkout(tmp_path, "base", "x>=1", more=more), checkout(tmp_path, "head", "x>=1")
    python_for(base, head, lambda line: None, run=made)
    command = made.commands[1]
    file = Path(command[command.index("--constraint") + 1])
    assert file.read_text() == "scipy<1.18\n"


def test_an_environment_that_could_not_be_made_is_made_again(tmp_path: Path) -> None:
    made = Made()
    base, head = checkout(tmp_path, "base", "x>=1"), checkout(tmp_path, "head", "x>=2")

    def fail(command: list[str], folder: Path) -> None:
        made(command, folder)
        raise UserError("no network")

    with pytest.raises(UserError, match="no network"):
        python_for(base, head, lambda line: None, run=fail)
    python_for(base, head, lambda line: None, run=made)
    assert len(made.commands) == 3


def test_what_the_maker_said_last_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"python.*no such thing"):
        environments._run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)


def test_a_checkout_without_a_project_is_none_of_this_suite(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkout of this suite"):
        dependencies(tmp_path, "cpu")


def an_environment(folder: Path, **versions: str) -> str:
    """A Python that finds these distributions, and what is installed here behind them."""
    for name, version in versions.items():
        told = folder / f"{name}-{version}.dist-info" / "METADATA"
        told.parent.mkdir(parents=True)
        told.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)


def two_environments(tmp_path: Path) -> tuple[tuple[str, Path], tuple[str, Path]]:
    more = "[project.optional-dependencies]\ncpu = [\"My.Library[fast]>=1; python_version > '3'\"]\n"
    base = checkout(tmp_path, "base", "numpy>=1.26", "rich", more=more), {"numpy": "1.26.4", "rich": "13.0"}
    head = checkout(tmp_path, "head", "numpy>=2", "rich"), {"numpy": "2.1.0", "rich": "13.0"}
    one, other = (
        (an_environment(tmp_path / f"of_{root.name}", mxnet="1.9.1", **has), root)
        for root, has in (base, head)
    )
    an_environment(tmp_path / "of_base", my_library="3.0")
    return one, other


def test_what_is_installed_otherwise_is_named(tmp_path: Path) -> None:
    """What is the same is not; nor is what neither checkout declares."""
    base, head = two_environments(tmp_path)
    assert differing(base, head) == ["my-library 3.0 -> none", "numpy 1.26.4 -> 2.1.0"]
    assert differing(head, head) == []


def test_an_environment_of_its_own_is_told_in_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a change of a library would pass for one of the code."""
    (base, base_root), (head, head_root) = two_environments(tmp_path)
    other = Side("head", head_root, head)
    like = an_environment(tmp_path / "like", mxnet="1.9.1", numpy="2.1.0", rich="13.0")
    gate = tmp_path / "repo" / "bench" / "questions" / "gate.py"
    gate.parent.mkdir(parents=True)
    gate.touch()
    commit(tmp_path / "repo", "base")
    monkeypatch.setattr(regress, "compare", lambda *_: [])
    notes, said = [], []
    for one in (Side("base", base_root, base), Side("base", head_root, like), other):
        monkeypatch.setattr(regress, "both_sides", lambda *_, one=one: (one, other))
        settings = regress.Settings(1.0, lambda name: 0.02, say=said.append)
        notes.append(regress.between([], "HEAD", None, tmp_path / "repo", settings).notes[1:])
    assert notes[0] == [
        "base ran in an environment of its own: my-library 3.0 -> none, numpy 1.26.4 -> 2.1.0"
    ]
    assert notes[1] == [
        "base ran in an environment of its own, with the same versions of all that either declares"
    ]
    assert notes[2] == []
    assert notes[0][0] in said


def test_an_interpreter_that_does_not_answer_costs_one_line(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'no such library' >&2; exit 1\n")
    python.chmod(0o755)
    with pytest.raises(UserError, match="does not tell what is installed: no such library; remove "):
        installed(str(python), ["numpy"])
