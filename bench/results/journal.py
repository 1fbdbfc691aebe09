"""Files: written whole or not at all, validated when read, never unpickled; and the journal of a run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.records.run import Block, Failure, Weather
from bench.results.growing import GrowingFile, Say
from bench.results.plausible import (
    LONGEST_TIME_S,
    DamagedError,
    check_interleaved,
    check_set_ups,
    ensure,
)
from mtl_core.errors import UserError, visible
from mtl_core.platform.on_disk import LARGEST_NUMBER, ForeignError, content, json_object

LARGEST_FILE = 200 * 2**20  # bytes; a journal is a few MB
WHAT = "--journal"
BEGINNING = b'{"identity":'  # of its first line
LONG = len(BEGINNING)
RESUMED = "there is nothing to resume: run without --resume"
VARIANTS = "variants of "  # before a group's name, in what identifies a run
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


class Journal:
    """Every finished block on disk at once, a JSON line each, so that nothing finished is lost.

    Only one run holds it, from here until it is closed or removed. ``say`` is told where it had to move.
    Raises UserError where another run holds it, or ``new`` is asked for and it has something in it.
    """

    def __init__(
        self, path: Path, identity: Identity, *, new: bool = False, say: Say = lambda line, place: None
    ) -> None:
        self.lines = GrowingFile(path, WHAT, say)
        if self.lines.size == 0:
            self.add(JournalLine(identity=identity))
        elif new:
            self.close()
            raise UserError(f"{path} is of another run; give --resume to go on with it")

    @property
    def path(self) -> Path:
        """Where it lies now."""
        return self.lines.path

    def add(self, line: JournalLine) -> None:
        """Raises NotWrittenError where no place at all takes it."""
        self.lines.add(msgspec.json.encode(line))

    def remove(self) -> None:
        """All that is in it is kept in a result file."""
        self.lines.remove()

    def close(self) -> None:
        self.lines.close()


def finished_in(path: Path) -> bool:
    """Whether a run had finished anything by the time its journal ended: whole lines after its identity.

    Raises UserError for what is no journal, which is not ours to remove.
    """
    raw = content(path, LARGEST_FILE, RESUMED)
    first, whole, rest = raw.partition(b"\n")
    ours = first.startswith(BEGINNING) if whole else BEGINNING.startswith(first[:LONG])
    if not ours:
        raise UserError(f"{path} is no journal of this suite; remove it or give another --journal")
    return b"\n" in rest


def read_journal(path: Path, identity: Identity) -> list[JournalLine]:
    """What an interrupted run had finished; a last line cut off in the middle is left out.

    Raises UserError when the journal is of another machine, revision or other settings, naming them.
    """
    raw = content(path, LARGEST_FILE, RESUMED)
    whole = raw[: raw.rfind(b"\n") + 1].splitlines()
    try:
        lines = [msgspec.convert(json_object(line, largest=LARGEST_NUMBER), JournalLine) for line in whole]
    except (msgspec.MsgspecError, ForeignError) as error:
        raise UserError(
            f"{path} is no journal of this suite ({visible(str(error))}); remove it and run again"
        ) from None
    if not lines or lines[0].identity is None:
        raise UserError(f"{path} is no journal of this suite; remove it and run again")
    differing = _differences(lines[0].identity, identity)
    if differing:
        raise UserError(f"cannot resume {path}: {'; '.join(differing)}; run without --resume to start anew")
    try:
        _check(lines[1:], identity)
    except DamagedError as error:
        raise UserError(f"{path} is damaged ({visible(str(error))}); remove it and run again") from None
    return lines[1:]


def _check(lines: list[JournalLine], identity: Identity) -> None:
    """Raise DamagedError where a block cannot be one of this run."""
    variants_of = {
        name.removeprefix(VARIANTS): variants.split(", ")
        for name, variants in identity.cases.items()
        if name.startswith(VARIANTS)
    }
    blocks = [line.block for line in lines if line.block]
    for line in lines:
        ensure(0.0 <= line.spent_s <= LONGEST_TIME_S, f"spent_s is {line.spent_s:g}")
    for block in blocks:
        ensure(block.group in variants_of, f"{block.group!r:.40} is no part of the run")
        ensure(set(block.set_ups) <= set(variants_of[block.group]), f"unknown variants in {block.group}")
        ensure(0.0 <= block.seconds <= LONGEST_TIME_S, f"seconds of {block.group} is {block.seconds:g}")
        alike = all(
            (s.block, s.invocation) == (block.index, block.invocation) for s in block.set_ups.values()
        )
        ensure(alike and block.index >= 0 <= block.invocation, f"blocks of {block.group} are mixed up")
    for group, variants in variants_of.items():
        mine = [block for block in blocks if block.group == group]
        check_interleaved(group, [set_up for block in mine for set_up in block.set_ups.values()])
        for variant in variants:
            set_ups = [block.set_ups[variant] for block in mine if variant in block.set_ups]
            if set_ups:
                check_set_ups(f"{group}/{variant}", set_ups)


def _differences(then: Identity, now: Identity) -> list[str]:
    differences = []
    if then.machine != now.machine:
        differences.append(f"machine was {_short(then.machine)}, is {_short(now.machine)}")
    if then.revision != now.revision:
        differences.append(f"revision was {_short(then.revision)}, is {_short(now.revision)}")
    # Other settings measure other cases, in tens of lines that follow from one or two.
    for field in ("settings", "versions") if then.settings != now.settings else ("cases", "versions"):
        before, after = getattr(then, field), getattr(now, field)
        differences += [
            f"{_short(name)} was {_short(before.get(name))}, is {_short(after.get(name))}"
            for name in _unlike(before, after)
        ]
    edited = [*_unlike(then.project, now.project), *_unlike(then.code, now.code)]
    if edited:
        differences.append(f"changed since: {', '.join(map(_short, edited[:MOST_NAMED]))}{_more(edited)}")
    return differences[:MOST_NAMED] + ([_more(differences)[2:]] if _more(differences) else [])


def _unlike(then: dict[str, str], now: dict[str, str]) -> list[str]:
    return [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]


def _short(value: str | None) -> str:
    shown = "unset" if value is None else visible(value)
    return shown if len(shown) <= LONGEST_VALUE else shown[: LONGEST_VALUE - 3] + "..."


def _more(items: list[str]) -> str:
    return f", {len(items) - MOST_NAMED} more" if len(items) > MOST_NAMED else ""
