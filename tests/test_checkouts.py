"""Worktrees in real repositories: made, removed, pruned, and what is said where there is none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bench.gate import checkouts
from bench.gate.checkouts import check_age, gate_path, prune, repository, resolve, working_tree, worktree
from bench.machine.git import git as answer_of_git
from bench.machine.git import local_variables
from bench.machine.identity import revision
from mtl_core.errors import UserError
from tests.revisions import ROOT, commit, git


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits of one file."""
    root = tmp_path / "repo"
    root.mkdir()
    for text in ("old", "new"):
        (root / "file").write_text(text)
        commit(root, text)
    monkeypatch.setattr(checkouts.tempfile, "tempdir", str(tmp_path))
    return root


def listed(repo: Path) -> int:
    return git(repo, "worktree", "list").count("\n") + 1


def test_a_worktree_has_the_files_of_its_commit_and_goes_away(repo: Path) -> None:
    commit_ = resolve(repo, "HEAD~1", "--base")
    with worktree(repo, commit_) as found:
        assert (found.root / "file").read_text() == "old"
        assert found.revision == commit_
        assert listed(repo) == 2
    assert listed(repo) == 1
    assert not found.root.parent.exists()
    assert git(repo, "status", "--porcelain") == ""


def test_a_hook_s_index_is_left_alone(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git hands its hooks the index of the commit in the making."""
    index = repo / ".git" / "index"
    before = index.read_bytes()
    monkeypatch.setenv("GIT_INDEX_FILE", str(index))
    monkeypatch.setenv("GIT_PREFIX", "")
    with worktree(repo, resolve(repo, "HEAD~1", "--base")) as found:
        assert (found.root / "file").read_text() == "old"
        assert index.read_bytes() == before


@pytest.mark.parametrize("path", ["bench/questions/gate.py", "bench/gating/gate.py", "bench/gate.py"])
def test_a_revision_with_a_gate_is_not_too_old(repo: Path, path: str) -> None:
    (repo / path).parent.mkdir(parents=True)
    (repo / path).touch()
    made = commit(repo, "gate")
    check_age(repo, made)
    assert gate_path(repo, made) == path


def test_a_hook_does_not_change_what_revision_a_run_is_of(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git gives its hooks the repository that they run in: a run started there may lie in another."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("as it was")
    head = commit(other, "of another repository")
    monkeypatch.setenv("GIT_DIR", str(repo / ".git"))
    assert revision(other) == head
    (other / "file").write_text("changed")
    assert revision(other) == f"{head}+dirty"


def test_an_interrupt_leaves_nothing(repo: Path) -> None:
    with pytest.raises(KeyboardInterrupt), worktree(repo, resolve(repo, "HEAD", "--base")) as found:
        raise KeyboardInterrupt
    assert listed(repo) == 1
    assert not found.root.parent.exists()


def test_what_a_killed_process_left_is_pruned_and_what_is_in_use_is_not(repo: Path) -> None:
    script = f"""
        import signal, sys, tempfile
        from pathlib import Path
        tempfile.tempdir = {str(repo.parent)!r}
        from bench.gate.checkouts import resolve, worktree
        root = Path({str(repo)!r})
        with worktree(root, resolve(root, "HEAD", "--base")) as found:
            print(found.root, flush=True)
            signal.pause()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    maker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)})
    assert maker.stdout is not None
    left = Path(maker.stdout.readline().strip())
    assert prune(repo) == 0
    assert left.exists()
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    maker.stdout.close()
    assert prune(repo) == 1
    assert not left.exists()
    assert listed(repo) == 1


@pytest.mark.parametrize("folder", ["elsewhere/feature", "mtl-bench-work/feature"])
def test_another_s_worktree_that_is_absent_comes_back_and_works(
    repo: Path, tmp_path: Path, folder: str
) -> None:
    """As on a disk that is not mounted: git's own prune would forget its HEAD and index."""
    theirs, away = tmp_path / folder, tmp_path / "away"
    git(repo, "worktree", "add", "--quiet", "-b", "theirs", str(theirs))
    (theirs / "file").write_text("staged")
    git(theirs, "add", "file")
    theirs.rename(away)
    with worktree(repo, resolve(repo, "HEAD", "--base")):
        pass
    assert prune(repo) == 0
    away.rename(theirs)
    assert git(theirs, "status", "--short", "--branch") == "## theirs\nM  file"


def test_another_s_worktree_in_a_folder_named_like_ours_stays(repo: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "mtl-bench-work" / "feature"
    git(repo, "worktree", "add", "--quiet", "-b", "theirs", str(theirs))
    assert prune(repo) == 0
    assert (theirs / "file").exists()


def test_what_a_killed_process_left_is_forgotten_when_its_folder_is_gone(repo: Path, tmp_path: Path) -> None:
    """As after a restart with temporary files in memory."""
    commit_ = resolve(repo, "HEAD", "--base")
    left = tmp_path / f"{checkouts.PREFIX}a1b2c3d4" / commit_[:12]
    git(repo, "worktree", "add", "--quiet", "--detach", str(left), commit_)
    git(repo, "worktree", "lock", str(left))  # as git does while it makes one
    shutil.rmtree(left.parent)
    assert prune(repo) == 1
    assert listed(repo) == 1


def test_the_working_tree_tells_of_changes(repo: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    assert working_tree(repo) == (repo, head)
    (repo / "report.html").write_text("what a command has just written")
    assert working_tree(repo).revision == head
    (repo / "file").write_text("changed")
    assert working_tree(repo).revision == head + "+dirty"


def test_the_repository_is_found_from_a_folder_in_it(repo: Path) -> None:
    (repo / "deep").mkdir()
    assert repository(repo / "deep").samefile(repo)


def test_what_is_no_revision_is_named(repo: Path) -> None:
    with pytest.raises(UserError, match=r"--base 'mian' is no revision"):
        resolve(repo, "mian", "--base")
    with pytest.raises(UserError, match=r"--head '--all' is no revision"):
        resolve(repo, "--all", "--head")


def test_outside_a_repository_there_is_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not in a git repository .*\(fatal: not a git rep"):
        repository(tmp_path)


def test_another_user_s_repository_is_told_with_git_s_remedy(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's last line is its remedy, so that the reason stands further up."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(UserError) as raised:
        repository(repo)
    said = str(raised.value)
    assert "another user's repository" in said and "fatal: detected dubious ownership" in said
    assert said.endswith(f"git config --global --add safe.directory {repo}")
    assert "\n" not in said


def test_git_is_asked_in_english_since_its_reason_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_variables()  # from git itself
    (tmp_path / "git").write_text('#!/bin/sh\necho "fatal: said in $LC_ALL" >&2\nexit 128\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    with pytest.raises(UserError, match="fatal: said in C"):
        repository(tmp_path)


def test_an_empty_repository_has_nothing_to_compare(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(UserError, match="no commit yet"):
        working_tree(tmp_path)


def test_a_shallow_clone_is_told_to_fetch(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repo}", "shallow")
    with pytest.raises(UserError, match="--unshallow"):
        resolve(tmp_path / "shallow", "HEAD~1", "--base")


def test_without_git_one_line_says_so(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="git was not found"):
        repository(repo)


def test_another_user_s_leftover_is_left_to_them(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after sudo: mkdtemp's folder lets nobody but its maker in."""
    commit_ = resolve(repo, "HEAD", "--base")
    theirs = repo.parent / f"{checkouts.PREFIX}a1b2c3d4" / commit_[:12]
    git(repo, "worktree", "add", "--quiet", "--detach", str(theirs), commit_)
    opened = Path.open

    def refused(path: Path, *arguments: str) -> object:
        if path.name == checkouts.LOCK:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", refused)
    assert prune(repo) == 0
    assert (theirs / "file").exists()


def test_a_damaged_index_costs_one_line(repo: Path) -> None:
    (repo / ".git" / "index").write_text("no index")
    with pytest.raises(UserError, match=r"status --porcelain .* failed \(fatal: .*index") as raised:
        working_tree(repo)
    assert "\n" not in str(raised.value)


def test_worktrees_that_cannot_be_listed_cost_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"worktree list --porcelain failed \(fatal: not a git repository"):
        prune(tmp_path)


def test_a_git_that_fails_by_itself_costs_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "git"
    broken.write_text("#!/bin/sh\nkill -SEGV $$\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    local_variables.cache_clear()
    try:
        with pytest.raises(
            UserError, match=r"git itself fails \(git rev-parse --local-env-vars ended with -11\)"
        ):
            answer_of_git(tmp_path, "status")
    finally:
        local_variables.cache_clear()
