"""Files as they are: read within bounds before anything is decoded, replaced whole or not at all.

What is read may be anybody's: a pipe that never speaks, a device that never ends, brackets nested a
million deep, a number of a thousand digits. Nothing of that gets as far as a decoder.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import secrets
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from mtl_core.errors import UserError, visible

Write = Callable[[BinaryIO], object]
DEEPEST = 24  # levels of nesting; the deepest of ours has 9
LARGEST_NUMBER = 1e18  # of seconds, bytes, ratios: what is larger is no measurement
LARGEST_INT = 2**53  # beyond it a float could not hold it
MOST_DIGITS = 400  # of a number as it is written; the longest of a double has 17, and an exponent
LONGEST_NAME = 55  # characters of a file's name in what is written beside it; four bytes each at most, of 255
_OTHER_BYTES = bytes(set(range(256)) - set(b"[]{}"))
_UNIFIED = bytes.maketrans(b"{}", b"[]")
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # of a pair of surrogates, unless the other half is beside it


class ForeignError(Exception):
    """Why a content is not what it is taken for, in words."""


# What NumPy and zipfile raise for a damaged archive; which one depends on the byte.
DAMAGED_ARCHIVE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    EOFError,
    SyntaxError,
    MemoryError,
    RuntimeError,  # also RecursionError, and NotImplementedError: a flag that says encrypted
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    ForeignError,
)


def unpacked(raw: bytes, most: int, largest: int) -> dict[str, bytes]:
    """The members of an archive of arrays, by name without ``.npy``.

    How many they are and how large together is known before one is unpacked. Raises one of DAMAGED_ARCHIVE.
    """
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = archive.infolist()
        if len(members) > most or len({member.filename for member in members}) < len(members):
            raise ForeignError("too many arrays, or one twice")
        if sum(member.file_size for member in members) > largest:
            raise ForeignError("too large when unpacked")
        return {member.filename.removesuffix(".npy"): archive.read(member) for member in members}


def content(path: Path, largest: int, expected: str) -> bytes:
    """All bytes of an ordinary file of at most ``largest`` bytes; ``expected`` ends the complaint.

    Opened without waiting, since a pipe that nobody writes to would keep its reader for ever.
    Raises UserError naming the file for what is missing, no file, too large or cannot be read.
    """
    held = _read(path, largest + 1, expected)
    if len(held) > largest:
        raise UserError(f"{path} is larger than {_size(largest)}; {expected}")
    return held


def check_file(path: Path, expected: str) -> None:
    """Fail before the work: UserError as from :func:`content` for what is no file that can be read."""
    _read(path, 0, expected)


def _read(path: Path, most: int, expected: str) -> bytes:
    try:
        with _opened(path) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise UserError(f"{path} is {_kind(about.st_mode)}, no file; {expected}")
            if 0 < most <= about.st_size:
                raise UserError(f"{path} is larger than {_size(most - 1)}; {expected}")
            return file.read(most)
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise UserError(f"{path} cannot be read ({reason_of(error)}); {expected}") from None


def _opened(path: Path) -> BinaryIO:
    if os.path.isdir(path):  # noqa: PTH112  # no error for a name that is too long
        raise IsADirectoryError(None, "it is a folder")
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def _kind(mode: int) -> str:
    """What something is that is no ordinary file."""
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((word for holds, word in kinds if holds(mode)), "a device")


def _size(count: int) -> str:
    return f"{count >> 20} MB" if count >= 2**20 else f"{count >> 10} kB"


def reason_of(error: Exception) -> str:
    """The system's words for what went wrong, without the path."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def json_value(raw: bytes, *, endless: bool = False, largest: float = math.inf) -> Any:
    """What JSON says, its depth looked at before it is decoded and every number as it is met.

    Integers lie within 2**53 either way, floats are finite and no larger than ``largest`` either way;
    ``endless`` lets NaN and the infinities through, as Python writes them. Raises ForeignError for the rest,
    and for text with half a character in it, which cannot be written again.
    """
    if _too_deep(raw):
        raise ForeignError(f"nested deeper than {DEEPEST} levels")
    constant = float if endless else _no_number

    def bounded(text: str) -> float:
        number = _float(text)
        return number if abs(number) <= largest else _no_number(text)

    try:
        value = json.loads(raw, parse_constant=constant, parse_float=bounded, parse_int=_integer)
        if _HALF.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise ForeignError("a text in it has half a character") from None
    except ValueError as error:  # also of bytes that are no text
        raise ForeignError(f"not JSON or cut off: {visible(str(error))}") from None
    except RecursionError:
        raise ForeignError("nested too deep") from None


def json_object(raw: bytes, *, endless: bool = False, largest: float = math.inf) -> dict[str, Any]:
    """The same for an object. Raises ForeignError."""
    value = json_value(raw, endless=endless, largest=largest)
    if not isinstance(value, dict):
        raise ForeignError("it holds no JSON object")
    return value


def _too_deep(raw: bytes) -> bool:
    """Whether brackets are nested deeper than ours are; those in texts do not count. Never by recursion."""
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(plain.split(b'"')[::2]).translate(_UNIFIED, _OTHER_BYTES)
    for _ in range(DEEPEST):
        brackets = brackets.replace(b"[]", b"")  # the innermost level
    return b"[]" in brackets or brackets.count(b"[") > DEEPEST


def _no_number(text: str) -> float:
    raise ValueError(f"{text[:20]} is no number")


def _float(text: str) -> float:
    number = float(text) if len(text) <= MOST_DIGITS else math.inf
    return number if math.isfinite(number) else _no_number(text)


def _integer(text: str) -> int:
    return int(text) if len(text) <= 17 and abs(int(text)) <= LARGEST_INT else int(_no_number(text))


def replace_whole(target: Path, write: Write, claim: Callable[[Path], Path] = lambda target: target) -> Path:
    """Have ``write`` fill the file; what stood there before stays until all of it is on disk.

    ``claim`` says at the last moment what the file is called, which is returned. Raises OSError where the
    file cannot be written; then nothing is left beside it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = beside_of(target)
    try:
        with beside.open("xb") as file:  # not mkstemp: others may read it as the umask allows
            write(file)
            file.flush()
            os.fsync(file.fileno())
        return beside.replace(claim(target))
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def beside_of(target: Path) -> Path:
    """A name beside a file that nothing has, no longer than a name may be where the file's is none."""
    return target.with_name(f".{target.name[:LONGEST_NAME]}.{secrets.token_hex(4)}.part")
