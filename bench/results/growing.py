"""A file that grows by whole lines while something is measured, in one process's hands at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mtl_core.errors import UserError
from mtl_core.platform.on_disk import reason_of, replace_whole
from mtl_core.program.files import ELSEWHERE, NotWrittenError, kept_elsewhere, lost

try:
    import fcntl
except ImportError:  # no Unix
    fcntl = None  # type: ignore[assignment]

Say = Callable[[str, Path], None]  # why, and where it lies now
TRIES = 100  # to open a file that another process is just putting aside


def _locked(file: BinaryIO) -> bool:
    """Whether the file could be locked for this process; true where files cannot be locked at all."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def held(path: Path) -> BinaryIO | None:
    """The file open to append to, made where it is missing, and nobody else's until it is closed.

    None where another process holds it. Raises OSError where it cannot be opened.
    """
    for _ in range(TRIES):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
        if not _locked(file):
            file.close()
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        file.close()  # it was put aside or removed meanwhile, and what is held has no name any more
    return None


def taken(path: Path, what: str) -> BinaryIO:
    """The same. Raises UserError for both."""
    try:
        file = held(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{what} {path} cannot be written ({reason_of(error)}); {ELSEWHERE}") from None
    if file is None:
        raise UserError(f"{path} belongs to a run that is under way: wait for it, or give another {what}")
    return file


class GrowingFile:
    """Each line is on disk when :meth:`add` returns.

    Where its place takes no more, all of it moves to where there is room, and ``say`` tells so; ``path`` is
    where it lies now. A line cut off in the middle, of a process that was killed, is dropped at the start.
    """

    def __init__(self, path: Path, what: str, say: Say = lambda line, place: None) -> None:
        self.what, self.say = what, say
        self.path = path
        self.made = [above for above in path.parents if not above.exists()]
        self.file = taken(path, what)
        raw = self.path.read_bytes()
        self.size = raw.rfind(b"\n") + 1  # bytes of whole lines
        if self.size < len(raw):
            self.file.truncate(self.size)

    def add(self, line: bytes) -> None:
        """Raises NotWrittenError where no place takes it; what was there before is still there then."""
        whole = line + b"\n"
        try:
            _append(self.file, whole)
        except OSError as error:
            self._move(whole, error)
        self.size += len(whole)

    def _move(self, line: bytes, error: OSError) -> None:
        before = self.path.read_bytes()[: self.size]
        kept = kept_elsewhere(
            self.path.name, lambda place: replace_whole(place, lambda file: file.write(before + line))
        )
        moved = None if kept is None else held(kept)
        complaint = lost(self.path, self.what, error, kept)
        if kept is None or moved is None:
            with suppress(OSError):
                self.file.truncate(self.size)
            raise NotWrittenError(complaint, None)
        self.path.unlink(missing_ok=True)  # while it is held: no other process takes half of it up
        _close(self.file)
        self.path, self.file = kept, moved
        self.say(complaint, kept)

    def remove(self) -> None:
        """The file is needed no more, nor are the folders that were made for it and hold nothing else."""
        self.path.unlink(missing_ok=True)
        self.close()
        with suppress(OSError):
            for above in self.made:
                above.rmdir()

    def close(self) -> None:
        _close(self.file)


def _append(file: BinaryIO, line: bytes) -> None:
    """Past Python's buffer, which would keep what the disk refused and write it later after all."""
    left = memoryview(line)
    while left:
        left = left[os.write(file.fileno(), left) :]
    os.fsync(file.fileno())


def _close(file: BinaryIO) -> None:
    with suppress(OSError):
        file.close()
