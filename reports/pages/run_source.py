"""How to get the code that a run measured, as commands; what is missing where nothing brings it back."""

from __future__ import annotations

from re import fullmatch
from shlex import quote

from bench.records.changes import MOST_DIFF, Changes
from bench.records.run import Run


def _source(revision: str, changed: bool, changes: Changes | None, file: str) -> list[str]:
    """How to get the code that was measured; what is missing where no revision and no file holds it."""
    if not fullmatch(r"[0-9a-f]{7,64}", revision):
        return ["# the source was not under git: take the same files"]
    return [*_untracked(changes), *_tracked(revision, changed, changes, file)]


def _untracked(changes: Changes | None) -> list[str]:
    if changes is None or not changes.untracked:
        return []
    names = ", ".join(" ".join(name.split()) for name in changes.untracked)
    more = f" and {changes.more} more" if changes.more > 0 else ""
    return [f"# not under git, and not in this file: {names}{more}"]


def _tracked(revision: str, changed: bool, changes: Changes | None, file: str) -> list[str]:
    if not changed:
        return [f"git checkout {revision}"]
    if changes is None or not changes.diff:
        return [
            f"# the source was {revision} with changes that were not committed and are not in this file "
            "(--keep-diff keeps them): without them this measures other code"
        ]
    if not changes.whole:
        return [
            f"# the source was {revision} with changes that were not committed, of which this file has the "
            f"first {MOST_DIFF >> 20} MB (python -m bench report {quote(file)} --diff): they do not apply"
        ]
    return [
        f"python -m bench report {quote(file)} --diff > changes.diff",
        f"git checkout {revision} && git apply changes.diff",
    ]


def sources(run: Run, file: str) -> list[str]:
    """Of the suite, and of the network where that is somebody's own."""
    source = (run.machine.source if run.machine else None) or ""
    revision, changes = source.partition("+")[0], run.changes
    if changes is None or changes.of == "suite":
        return _source(revision, "+" in source, changes, file)
    return [
        *_source(revision, "+" in source, None, file),
        "# in the repository of the network:",
        *_source(changes.revision, changes.changed, changes, file),
    ]
