"""Which Python a revision runs with: this one, or one made for it and kept; the making is played."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bench.gating import environments
from bench.gating.environments import dependencies, python_for
from mtl_core.errors import UserError

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
