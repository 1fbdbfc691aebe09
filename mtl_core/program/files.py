"""Files are written whole or not at all: under another name first, then moved into place."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mtl_core.errors import UserError

Write = Callable[[BinaryIO], object]


def write_whole(path: Path, write: Write, option: str) -> None:
    """Have ``write`` fill the file; what stood there before stays until all of it is on disk.

    A pipe or a terminal is written to directly. Raises UserError naming the option.
    """
    try:
        target = path.resolve()  # a link stays a link
        if target.exists() and not (target.is_file() or target.is_dir()):
            with target.open("wb") as file:
                write(file)
        else:
            _replace(target, write)
    except OSError as error:
        raise _cannot(path, option, error) from None


def check_place(path: Path, option: str) -> None:
    """Fail before the work rather than after it: UserError where the file could not be written."""
    try:
        target = path.resolve()
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if not target.exists() or target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            probe = _beside(target)
            probe.touch(exist_ok=False)
            probe.unlink()
    except OSError as error:
        raise _cannot(path, option, error) from None


def _replace(target: Path, write: Write) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(target)
    try:
        with beside.open("xb") as file:  # not mkstemp: others may read it as the umask allows
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


def _cannot(path: Path, option: str, error: OSError) -> UserError:
    return UserError(f"{option} {path} cannot be written ({error.strerror or error}); choose another place")
