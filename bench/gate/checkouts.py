"""Two revisions side by side: a git worktree for each that is not the working tree itself.

A worktree is in a temporary folder that its maker holds locked. It is removed when it is no longer
needed, also after Ctrl-C; what a killed process left behind, known by its open lock, at the next start.
"""

from __future__ import annotations

import fcntl
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.machine.git import GitError, git
from bench.records.regression import GATE_FILE, GATE_FILES
from mtl_core.errors import UserError

PREFIX = "mtl-bench-"  # of a folder with a worktree of ours
OURS = re.compile(PREFIX + r"[^/]{8}/[0-9a-f]{12}")  # such a worktree: mkdtemp's folder, a commit's name
LOCK = "lock"


class Checkout(NamedTuple):
    """One revision's files."""

    root: Path
    revision: str  # a full hash, with "+dirty" for a working tree with changes


def _answer(repository: Path, *arguments: str) -> str:
    """What git says where only a damaged or a foreign repository keeps it from it. Raises UserError."""
    try:
        return git(repository, *arguments)
    except GitError as error:
        command = shlex.join(["git", "-C", str(repository), *arguments])
        raise UserError(f"{command} failed ({error}); mend the repository first") from None


def repository(folder: Path) -> Path:
    """The root of the repository around a folder. Raises UserError outside one."""
    try:
        return Path(git(folder, "rev-parse", "--show-toplevel"))
    except GitError as error:
        raise UserError(_no_repository(folder, str(error))) from None


def _no_repository(folder: Path, reason: str) -> str:
    foreign = re.search(r"(?:dubious ownership in repository at|unsafe repository) \(?'(.*?)'", reason)
    if foreign:
        trust = f"git config --global --add safe.directory {shlex.quote(foreign[1])}"
        return f"{folder} is another user's repository, which git refuses ({reason}); trust it by {trust}"
    return f"{folder} is not in a git repository that can be read ({reason}); run it in the one to compare"


def resolve(repository: Path, revision: str, option: str) -> str:
    """The full hash of a revision. Raises UserError for an unknown one."""
    try:
        return git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    except GitError:
        shallow = _answer(repository, "rev-parse", "--is-shallow-repository") == "true"
        more = "fetch the whole history first (git fetch --unshallow)" if shallow else "see git log"
        raise UserError(f"{option} {revision!r} is no revision of {repository}; {more}") from None


def gate_path(repository: Path, commit: str) -> str | None:
    """Where a commit declares its gate; None from before there was one."""
    for path in GATE_FILES:
        with suppress(GitError):
            git(repository, "cat-file", "-e", f"{commit}:{path}")
            return path
    return None


def check_age(repository: Path, commit: str) -> None:
    """Raise UserError for a base from before the gate, before an environment is made for it."""
    if gate_path(repository, commit) is None:
        raise UserError(
            "base is too old for regress: its worker does not know the gate "
            f"(no {GATE_FILE} in {commit[:12]})"
        )


def working_tree(repository: Path) -> Checkout:
    """The files as they are there."""
    try:
        commit = git(repository, "rev-parse", "--verify", "HEAD")
    except GitError:
        raise UserError(f"{repository} has no commit yet: there is nothing to compare with") from None
    changed = _answer(repository, "status", "--porcelain", "--untracked-files=no")
    return Checkout(repository, commit + ("+dirty" if changed else ""))


@contextmanager
def worktree(repository: Path, commit: str) -> Iterator[Checkout]:
    """A checkout of a commit in a folder of its own, removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    root = folder / commit[:12]
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            try:
                git(repository, "worktree", "add", "--detach", str(root), commit)
            except GitError as error:
                raise UserError(f"no checkout of {commit[:12]} could be made: {error}") from None
            yield Checkout(root, commit)
        finally:
            _remove(repository, root)


def prune(repository: Path) -> int:
    """Remove what killed processes left behind; how many worktrees that were."""
    listed = _answer(repository, "worktree", "list", "--porcelain").splitlines()
    roots = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    left = [root for root in roots if _ours(root) and not _held(root.parent)]
    for root in left:
        _remove(repository, root)
    return len(left)


def _ours(root: Path) -> bool:
    return OURS.fullmatch("/".join(root.parts[-2:])) is not None


def _held(folder: Path) -> bool:
    """Whether its maker still lives, and so holds the lock; taken for granted where that cannot be known.

    Another user's folder is not ours to look into, nor to remove.
    """
    try:
        with (folder / LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        return True
    return False


def _remove(repository: Path, root: Path) -> None:
    """Remove one worktree of ours with its folder; git's prune would forget others' that are unmounted.

    The folder goes first, since git refuses a worktree whose making was cut off, but not one that is gone;
    the second --force is for the lock that git itself holds while it makes one.
    """
    shutil.rmtree(root.parent, ignore_errors=True)
    with suppress(GitError):  # it was never added
        git(repository, "worktree", "remove", "--force", "--force", str(root))
