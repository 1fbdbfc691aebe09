"""git, called so that neither hooks nor what a hook inherits reach it."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from mtl_core.errors import UserError


class GitError(Exception):
    """Git said no; carries its reason in a line."""


@cache
def local_variables() -> frozenset[str]:
    """What ties git to one repository; a hook inherits them, and a worktree would take its index."""
    command = ["git", "rev-parse", "--local-env-vars"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise UserError(f"git itself fails ({' '.join(command)} ended with {done.returncode}): mend it first")
    return frozenset(done.stdout.split())


def command(folder: Path, *arguments: str) -> list[str]:
    """git in a folder, without its hooks."""
    return ["git", "-C", str(folder), "-c", "core.hooksPath=/dev/null", *arguments]


def environment() -> dict[str, str]:
    """This process's, without what ties git to another repository; messages in English."""
    return {**{n: v for n, v in os.environ.items() if n not in local_variables()}, "LC_ALL": "C"}


def git(folder: Path, *arguments: str) -> str:
    """What git says in English, without hooks. Raises GitError, and UserError where there is no git."""
    try:
        asked = command(folder, *arguments)
        done = subprocess.run(
            asked, capture_output=True, text=True, errors="replace", check=False, env=environment()
        )
    except FileNotFoundError:
        raise UserError("git was not found; comparing revisions needs it") from None
    if done.returncode != 0:
        raise GitError(_reason(done.stderr))
    return done.stdout.strip()


def _reason(said: str) -> str:
    """The line in which git gives up, or its last one; after it may come advice."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("fatal: ")]
    return ["git failed", *lines, *fatal][-1]
