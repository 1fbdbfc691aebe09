"""What git checkout alone does not bring back is told, and kept where the user asks for it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.commands import regress as regress_command
from bench.machine.changes import MOST_NAMED, changes_of, check_under_git
from bench.records.changes import MOST_DIFF, Changes
from bench.records.regression import Regression
from bench.records.run import Run
from bench.results.recognise import read_regression
from bench.results.run_file import BLOCK, header, read_run
from mtl_core.errors import UserError
from reports.formats import text
from reports.model.page import made_harmless
from reports.pages.regression import regression_page
from reports.pages.run import run_page
from tests.reported import kept

OLD = Path(__file__).parent / "old_runs"
REVISION = "0123456789abcdef0123456789abcdef01234567"
LATIN = "x = 'caf\xe9'\n".encode("latin-1")


def git(folder: Path, *arguments: str) -> str:
    said = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return said.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with a file of the suite's in it, and a configuration that would spoil a difference."""
    root = tmp_path / "repo"
    (root / "bench").mkdir(parents=True)
    (root / "bench" / "a.py").write_text("a = 1\n")
    (root / "binary").write_bytes(bytes(range(256)))
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    for name, value in (("diff.noprefix", "true"), ("color.ui", "always"), ("diff.external", "false")):
        git(root, "config", name, value)
    return root


def test_what_differs_is_told_and_kept_only_where_that_is_asked_for(repo: Path) -> None:
    clean = changes_of(repo, keep_diff=True)
    assert clean == Changes(revision=git(repo, "rev-parse", "HEAD"))
    (repo / "bench" / "a.py").write_text("a = 2\n")
    (repo / "bench" / "test_mine.py").touch()
    (repo / "notes.py").touch()
    changed = changes_of(repo)
    assert changed is not None
    assert (changed.changed, changed.untracked, changed.diff) == (True, ["bench/test_mine.py"], None)
    whole = changes_of(repo / "bench", "network", keep_diff=True)
    assert whole is not None and whole.diff is not None
    assert whole.untracked == ["bench/test_mine.py", "notes.py"]
    assert "-a = 1" in whole.diff and "\x1b" not in whole.diff


def test_outside_git_there_is_nothing_to_keep(tmp_path: Path) -> None:
    assert changes_of(tmp_path) is None
    with pytest.raises(UserError, match="git says: fatal: not a git repository"):
        check_under_git(tmp_path)


def test_more_untracked_files_than_are_named_are_counted(repo: Path) -> None:
    for number in range(MOST_NAMED + 3):
        (repo / "bench" / f"test_{number:02}.py").touch()
    changes = changes_of(repo)
    assert changes is not None
    assert (len(changes.untracked), changes.more) == (MOST_NAMED, 3)


def test_a_difference_without_end_is_cut_and_said_to_be(repo: Path) -> None:
    (repo / "bench" / "a.py").write_text("b = 1\n" * MOST_DIFF)
    changes = changes_of(repo, keep_diff=True)
    assert changes is not None and changes.diff is not None
    assert (len(changes.diff), changes.whole) == (MOST_DIFF, False)


def with_changes(path: Path, changes: Changes) -> Path:
    """A result file of now, which keeps these changes."""
    document = json.loads((OLD / "schema2.json").read_bytes())
    run = msgspec.structs.replace(read_run(OLD / "schema2.json"), changes=changes)
    document[BLOCK] = header(run)
    path.write_text(json.dumps(document))
    return path


def test_what_is_kept_applies_to_the_revision(repo: Path, tmp_path: Path) -> None:
    """Another encoding, line ends of another system and bytes included."""
    (repo / "bench" / "a.py").write_bytes(LATIN + b"b = 2\r\n")
    (repo / "binary").write_bytes(bytes(range(255, -1, -1)))
    changes = changes_of(repo, keep_diff=True)
    assert changes is not None and changes.encoding == "latin-1"
    file = with_changes(tmp_path / "mine.json", changes)
    assert read_run(file).changes == changes
    printed = CliRunner().invoke(app, ["report", str(file), "--diff"])
    assert printed.exit_code == 0
    git(tmp_path, "clone", "-q", str(repo), "fresh")
    fresh = tmp_path / "fresh"
    subprocess.run(["git", "-C", str(fresh), "apply"], input=printed.stdout_bytes, check=True)
    for name in ("bench/a.py", "binary"):
        assert (fresh / name).read_bytes() == (repo / name).read_bytes()


@pytest.mark.parametrize("name", ["schema1.json", "schema2.json"])
def test_a_file_of_before_keeps_none_and_reads_as_it_did(name: str) -> None:
    assert read_run(OLD / name).changes is None
    done = CliRunner().invoke(app, ["report", str(OLD / name), "--diff"])
    assert isinstance(done.exception, UserError)
    assert "run and regress keep one with --keep-diff" in str(done.exception)


def reproduced(source: str, changes: Changes | None, name: str = "mine.json") -> list[str]:
    run = kept()
    assert run.machine is not None
    machine = msgspec.structs.replace(run.machine, source=source)
    run = msgspec.structs.replace(run, machine=machine, changes=changes, name=name)
    return list(made_harmless(run_page(run)).reproduce)


def test_the_commands_say_what_is_missing_or_bring_it_back() -> None:
    clean = Changes(revision=REVISION)
    assert reproduced(REVISION, clean)[0] == f"git checkout {REVISION}"
    changed = msgspec.structs.replace(clean, changed=True, untracked=["bench/test_a.py"], more=2)
    lines = reproduced(f"{REVISION}+dirty", changed)
    assert lines[0] == "# not under git, and not in this file: bench/test_a.py and 2 more"
    assert "are not in this file (--keep-diff keeps them)" in lines[1]
    assert not any(line.startswith("git checkout") for line in lines)
    with_diff = msgspec.structs.replace(clean, changed=True, diff="diff")
    assert reproduced(f"{REVISION}+dirty", with_diff, "my file.json")[:2] == [
        "python -m bench report 'my file.json' --diff > changes.diff",
        f"git checkout {REVISION} && git apply changes.diff",
    ]
    cut = msgspec.structs.replace(with_diff, whole=False)
    assert "first 1 MB" in reproduced(f"{REVISION}+dirty", cut)[0]
    assert reproduced(f"{REVISION}+dirty", with_diff, "run.json")[-1].endswith("report again.json --open")


def test_of_a_network_its_own_repository_is_told() -> None:
    theirs = Changes(revision="f" * 40, of="network", changed=True, diff="diff")
    assert reproduced(REVISION, theirs)[:4] == [
        f"git checkout {REVISION}",
        "# in the repository of the network:",
        "python -m bench report mine.json --diff > changes.diff",
        f"git checkout {'f' * 40} && git apply changes.diff",
    ]


@pytest.mark.parametrize("name", ["a\nrm -rf x", "\x1b[2J", "a\u2028b", "a\rb"])
def test_no_name_in_a_file_becomes_a_command(name: str) -> None:
    hostile = Changes(revision="; rm", of="network", changed=True, untracked=[name])
    ours = Changes(revision=REVISION, untracked=[name])
    for line in (*reproduced(REVISION, ours), *reproduced(REVISION, hostile)):
        assert line.startswith(("#", "git checkout 0", "python -m bench"))
        assert line.isprintable()


def test_a_comparison_keeps_what_its_head_has(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "bench" / "a.py").write_text("a = 2\n")
    monkeypatch.chdir(repo)
    empty = Regression(base="a", head="working tree", budget_s=1.0, confidence=0.95, comparisons=[])
    changes = regress_command._kept(None, None)
    page = regression_page(msgspec.structs.replace(empty, changes=changes))
    file = tmp_path / "r.json"
    file.write_text(text(page, "json"))
    assert read_regression(file).changes == changes
    assert "prints it for git apply" in text(page, "markdown")
    printed = CliRunner().invoke(app, ["report", str(file), "--diff"])
    assert changes is not None and printed.stdout == changes.diff
    with pytest.raises(UserError, match="given as --head has all of it"):
        regress_command._kept("HEAD", None)


def test_a_run_asks_for_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def measure(*_: Any, **options: Any) -> Run:
        asked.update(options)
        raise UserError("enough")

    monkeypatch.chdir(repo)
    monkeypatch.setattr("bench.commands.run.measure", measure)
    CliRunner().invoke(app, ["run", "hybridize", "--keep-diff"])
    assert asked == {"project": None, "keep_diff": True}
