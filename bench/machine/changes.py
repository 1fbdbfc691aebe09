"""Asks git how the source differs from its revision."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

from bench.machine.git import GitError, command, environment, git
from bench.records.changes import MOST_DIFF, Changes
from mtl_core.errors import UserError

SUITE = Path(__file__).parents[2]
MOST_NAMED = 10  # untracked files
SOURCE = {"suite": ("bench/*.py", "mtl_core/*.py"), "network": ("*.py",)}  # what is measured, as git names it
PLAIN = ("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")


def changes_of(
    folder: Path, of: Literal["suite", "network"] = "suite", *, keep_diff: bool = False
) -> Changes | None:
    """What differs in the repository around a folder from its HEAD; None where git knows of none."""
    try:
        root = Path(git(folder, "rev-parse", "--show-toplevel"))
        revision = git(root, "rev-parse", "HEAD")
        changed = bool(git(root, "status", "--porcelain", "--untracked-files=no"))
        listed = git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *SOURCE[of])
        raw, whole = _diff(root) if changed and keep_diff else (b"", True)
    except (GitError, UserError):
        return None
    untracked = [name for name in listed.split("\0") if name]
    text, encoding = _as_text(raw)
    return Changes(
        revision=revision,
        of=of,
        changed=changed,
        untracked=untracked[:MOST_NAMED],
        more=max(0, len(untracked) - MOST_NAMED),
        diff=text or None,
        encoding=encoding,
        whole=whole,
    )


def check_under_git(folder: Path) -> None:
    """Raise UserError where there is no difference to be kept."""
    try:
        git(folder, "rev-parse", "HEAD")
    except GitError as error:
        raise UserError(f"--keep-diff keeps what git diff HEAD says; of {folder} git says: {error}") from None


def _diff(root: Path) -> tuple[bytes, bool]:
    """What ``git diff HEAD`` says, as ``git apply`` takes it, and whether that is all of it.

    Raises GitError.
    """
    asked = command(root, "-c", "core.fsmonitor=false", "diff", "HEAD", *PLAIN)
    with subprocess.Popen(
        asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as running:
        assert running.stdout is not None
        raw = running.stdout.read(MOST_DIFF + 1)
        if len(raw) > MOST_DIFF:
            running.kill()
            return raw[:MOST_DIFF], False
    if running.returncode != 0:
        raise GitError("git diff HEAD failed")
    return raw, True


def _as_text(raw: bytes) -> tuple[str, Literal["utf-8", "latin-1"]]:
    """Text that has the same bytes again in its encoding: a source file may be in any."""
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "latin-1"
