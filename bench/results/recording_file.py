"""A recording as a file: a head, then a line a unit with its raw rounds, packed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from bench.results.growing import GrowingFile, Say
from bench.stats.estimates import Floats
from mtl_core.errors import UserError, visible
from mtl_core.platform.on_disk import LARGEST_NUMBER, ForeignError, content, json_object

SCHEMA = 3  # of a recording; 1 and 2 held medians of an earlier rule, not rounds
LARGEST_FILE = 500 * 2**20  # bytes; an hour has some 5 MB
DIGITS = 5  # of a round that are kept


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: what must be equal for a recording to go on."""

    trust: int = SCHEMA
    machine: str  # its class
    rounds: Annotated[int, msgspec.Meta(ge=1)]  # a set-up
    variants: tuple[str, ...]
    network: str = ""  # a declared one, with its batch size; the tutorial's without
    workers: str = ""  # another interpreter than the coordinator's, and its libraries


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One invocation: every variant in a process and a set-up of its own, rounds interleaved."""

    at: str  # when it began, ISO 8601 in UTC
    condition: str  # what was beside it
    revision: str  # of the suite
    pair_s: float  # what base and one variant alone would have cost a comparison
    iterations: int  # a round
    us: dict[str, list[float]]  # microseconds an iteration, by variant, in the order of the rounds


def packed(rounds: Sequence[float]) -> list[float]:
    """Seconds as microseconds with five significant digits: rounds scatter by far more."""
    return [float(f"{1e6 * each:.{DIGITS}g}") for each in rounds]


def seconds(unit: Unit, variant: str) -> Floats:
    """Seconds an iteration, by round."""
    return np.array(unit.us[variant], dtype=np.float64) / 1e6


def _lines(path: Path) -> list[bytes]:
    """The whole lines of a recording; one cut off in the middle is left out."""
    raw = content(path, LARGEST_FILE, "record first, without --resume")
    return raw[: raw.rfind(b"\n") + 1].splitlines()


def read_head(path: Path) -> Head:
    """What a recording is of. Raises UserError when it is none, or of an earlier rule."""
    lines = _lines(path)
    try:
        fields = json_object(lines[0] if lines else b"")
        schema = fields["trust"]
    except (ForeignError, KeyError):
        raise UserError(f"{path} is no recording of trust; remove it and record again") from None
    if schema != SCHEMA:
        raise UserError(
            f"{path} is a recording of schema {schema!r:.20}; this version reads {SCHEMA}: "
            "record into another"
        )
    try:
        return msgspec.convert(fields, Head)
    except msgspec.MsgspecError as error:
        raise UserError(
            f"{path} is no recording of trust ({visible(str(error))}); remove it and record again"
        ) from None


def read(path: Path, head: Head | None = None) -> list[Unit]:
    """The units of a recording.

    Raises UserError when it is none, damaged, or of another machine or other settings than ``head``.
    """
    kept = read_head(path)
    differing = [n for n in Head.__struct_fields__ if head and getattr(kept, n) != getattr(head, n)]
    if head and differing:
        was = "; ".join(f"{n} was {getattr(kept, n)}, is {getattr(head, n)}" for n in differing)
        raise UserError(f"cannot go on with {path}: {was}; record into another --file to start anew")
    try:
        fields = [json_object(line, largest=LARGEST_NUMBER) for line in _lines(path)[1:]]
        units = [msgspec.convert(each, Unit) for each in fields]
    except (msgspec.MsgspecError, ForeignError) as error:
        raise UserError(f"{path} is damaged ({visible(str(error))}); remove it and record again") from None
    for number, unit in enumerate(units, 1):
        _check(path, number, unit, kept)
    return units


def _check(path: Path, number: int, unit: Unit, head: Head) -> None:
    """Raise UserError for a unit that the rule could not read."""
    whole = all(len(unit.us.get(name, ())) == head.rounds for name in head.variants)
    if not whole or not all(each > 0 for rounds in unit.us.values() for each in rounds) or unit.pair_s <= 0:
        raise UserError(
            f"{path} is damaged: unit {number} lacks rounds that its head promises, or has times of 0; "
            "remove that line or record again"
        )
    if not _is_moment(unit.at):
        raise UserError(
            f"{path} is damaged: unit {number} began at {visible(unit.at)[:40]!r}; expected a time of ISO "
            "8601 with its zone: remove that line or record again"
        )


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def opened(path: Path, head: Head, *, new: bool, say: Say = lambda line, place: None) -> GrowingFile:
    """The recording to go on with, with its head; no other command's until it is closed.

    Raises UserError where another command holds it, or ``new`` is asked for and it has something in it.
    """
    lines = GrowingFile(path, "--file", say)
    if lines.size == 0:
        lines.add(msgspec.json.encode(head))
    elif new:
        lines.close()
        raise there_already(path)
    return lines


def there_already(path: Path) -> UserError:
    """Why a recording is not begun."""
    return UserError(f"{path} is there already; go on with it by --resume, or give another --file")


def append(lines: GrowingFile, unit: Unit) -> None:
    """One unit more, on the disk when this returns. Raises NotWrittenError where no place takes it."""
    lines.add(msgspec.json.encode(unit))
