"""Files: written whole or not at all, validated when read, never unpickled; and the journal of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from bench.records.run import Block, Failure, Weather
from mtl_core.errors import UserError
from mtl_core.on_disk import LARGEST_NUMBER, ForeignError, content, json_object
from mtl_core.program.files import write_whole

try:
    import fcntl
except ImportError:  # no Unix
    fcntl = None  # type: ignore[assignment]

LARGEST_FILE = 200 * 2**20  # bytes; a journal is a few MB
RESUMED = "there is nothing to resume: run without --resume"
MOST_NAMED, LONGEST_VALUE = 5, 60  # of what differs: a refusal is a line


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What must be equal for a run to be resumed: mixing anything else would be a lie."""

    machine: str
    revision: str
    settings: dict[str, str]
    cases: dict[str, str] = {}  # what is measured: "data of drift/epoch" and such
    code: dict[str, str] = {}  # a digest of each file of ours
    versions: dict[str, str] = {}  # of what is installed, by distribution
    project: dict[str, str] = {}  # a digest of each file of a declared network's repository


class JournalLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a journal: who it is of first, then what was finished."""

    identity: Identity | None = None
    block: Block | None = None
    failure: Failure | None = None
    spent_s: float = 0.0
    weather: Weather | None = None  # of the whole run up to here


def write_atomically(path: Path, data: bytes) -> None:
    """The file has its old content or all of the new one, whatever happens.

    Raises UserError when it cannot be written.
    """
    write_whole(path, lambda file: file.write(data), "--json")


def _locked(file: BinaryIO) -> bool:
    """Whether the file could be locked for this process; true where files cannot be locked at all."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def in_use(path: Path) -> bool:
    """Whether a run that is under way writes this journal."""
    with path.open("ab") as file:
        return not _locked(file)


class Journal:
    """Every finished block on disk at once, a JSON line each, so that nothing finished is lost."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_atomically(path, msgspec.json.encode(JournalLine(identity=identity)) + b"\n")
        self.file = path.open("ab")
        if not _locked(self.file):
            self.file.close()
            raise UserError(
                f"{path} belongs to a run that is under way; wait for it, or run in another folder"
            )

    def add(self, line: JournalLine) -> None:
        self.file.write(msgspec.json.encode(line) + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        self.file.close()


def finished_in(path: Path) -> bool:
    """Whether a run had finished anything by the time its journal ended: whole lines after its identity."""
    return content(path, LARGEST_FILE, RESUMED).count(b"\n") > 1


def read_journal(path: Path, identity: Identity) -> list[JournalLine]:
    """What an interrupted run had finished; a last line cut off in the middle is left out.

    Raises UserError when the journal is of another machine, revision or other settings, naming them.
    """
    raw = content(path, LARGEST_FILE, RESUMED)
    whole = raw[: raw.rfind(b"\n") + 1].splitlines()
    try:
        lines = [msgspec.convert(json_object(line, largest=LARGEST_NUMBER), JournalLine) for line in whole]
    except (msgspec.MsgspecError, ForeignError) as error:
        raise UserError(f"{path} is no journal of this suite ({error}); remove it and run again") from None
    if not lines or lines[0].identity is None:
        raise UserError(f"{path} is no journal of this suite; remove it and run again")
    differing = _differences(lines[0].identity, identity)
    if differing:
        raise UserError(f"cannot resume {path}: {'; '.join(differing)}; run without --resume to start anew")
    if len(raw) > raw.rfind(b"\n") + 1:
        write_atomically(path, raw[: raw.rfind(b"\n") + 1])
    return lines[1:]


def _differences(then: Identity, now: Identity) -> list[str]:
    differences = []
    if then.machine != now.machine:
        differences.append(f"machine was {then.machine}, is {now.machine}")
    if then.revision != now.revision:
        differences.append(f"revision was {then.revision}, is {now.revision}")
    # Other settings measure other cases, in tens of lines that follow from one or two.
    for field in ("settings", "versions") if then.settings != now.settings else ("cases", "versions"):
        before, after = getattr(then, field), getattr(now, field)
        differences += [
            f"{name} was {_short(before.get(name))}, is {_short(after.get(name))}"
            for name in _unlike(before, after)
        ]
    edited = [*_unlike(then.project, now.project), *_unlike(then.code, now.code)]
    if edited:
        differences.append(f"changed since: {', '.join(edited[:MOST_NAMED])}{_more(edited)}")
    return differences[:MOST_NAMED] + ([_more(differences)[2:]] if _more(differences) else [])


def _unlike(then: dict[str, str], now: dict[str, str]) -> list[str]:
    return [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]


def _short(value: str | None) -> str:
    shown = "unset" if value is None else value
    return shown if len(shown) <= LONGEST_VALUE else shown[: LONGEST_VALUE - 3] + "..."


def _more(items: list[str]) -> str:
    return f", {len(items) - MOST_NAMED} more" if len(items) > MOST_NAMED else ""
