"""The one way in which every command writes: checked before the work, whole or not at all after it.

What was worked for is never lost for want of a place: where it cannot be written it is kept where there
is room, and the complaint says where.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mtl_core.errors import UserError
from mtl_core.on_disk import LONGEST_NAME, Write, beside_of, reason_of, replace_whole

ELSEWHERE = "choose another place"


class NotWrittenError(UserError):
    """A file could not be written; ``kept`` is where its content lies now, None where there was no room."""

    def __init__(self, line: str, kept: Path | None) -> None:
        super().__init__(line)
        self.kept = kept


def write_whole(path: Path, write: Write, option: str) -> None:
    """Have ``write`` fill the file; what stood there before stays until all of it is on disk.

    A pipe or a terminal is written to directly. Raises NotWrittenError naming the option, and where the
    content was kept; ``write`` may so be called more than once.
    """
    try:
        target = resolved(path)  # a link stays a link
        if os.path.lexists(target) and not (target.is_file() or target.is_dir()):
            with target.open("wb") as file:
                write(file)
        else:
            replace_whole(target, write)
    except (OSError, ValueError) as error:
        kept = _kept(path.name, lambda place: replace_whole(place, write))
        raise NotWrittenError(_lost(path, option, error, kept), kept) from None


def check_place(path: Path, option: str) -> None:
    """Fail before the work rather than after it: UserError where the file could not be written."""
    try:
        target = resolved(path)
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if not target.exists() or target.is_file():
            _try_beside(target)
        elif stat.S_ISSOCK(target.stat().st_mode):
            raise OSError(None, "it is a socket")
    except (OSError, ValueError) as error:
        raise UserError(f"{option} {path} cannot be written ({reason_of(error)}); {ELSEWHERE}") from None


def check_folder(path: Path, option: str) -> None:
    """Fail before the work: UserError unless the folder can be made, or is there, empty and can be filled."""
    try:
        target = resolved(path)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UserError(f"{option} {path} is there already and not an empty folder; {ELSEWHERE}")
        _try_beside(target / "x" if target.exists() else target)
    except (OSError, ValueError) as error:
        raise UserError(f"{option} {path} cannot be made ({reason_of(error)}); {ELSEWHERE}") from None


Fill = Callable[[Path], object]


@contextmanager
def folder_to_fill(path: Path, option: str) -> Iterator[tuple[Path, Callable[[Fill], None]]]:
    """A folder to work in, and what to call with the last thing to be put into it: it becomes ``path`` then.

    Removed when the work ends otherwise. Raises UserError before the work where ``path`` could not be
    made; NotWrittenError after it, where the whole folder had to be kept elsewhere.
    """
    check_folder(path, option)
    target = resolved(path)
    working = beside_of(target)

    def finish(fill: Fill) -> None:
        try:
            fill(working)
            _become(working, target)
        except (OSError, NotWrittenError) as error:
            kept = _kept(path.name, lambda place: _copied(working, place, fill))
            if isinstance(error, NotWrittenError) and error.kept is not None:
                error.kept.unlink(missing_ok=True)  # the one file: it lies in the folder that was kept
            raise NotWrittenError(_lost(path, option, error, kept), kept) from None

    try:
        working.mkdir(parents=True)
        yield working, finish
    except OSError as error:
        raise UserError(f"{option} {path} cannot be filled ({reason_of(error)}); {ELSEWHERE}") from None
    finally:
        shutil.rmtree(working, ignore_errors=True)


def resolved(path: Path) -> Path:
    """Where the path leads, links followed. Raises OSError for links in a circle, whatever the Python.

    The place itself need not be there yet.
    """
    try:
        target = path.resolve()
    except RuntimeError:  # Python before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    with suppress(FileNotFoundError, NotADirectoryError):
        target.stat()  # newer Pythons leave a circle as it is: the system knows it
    return target


def _try_beside(target: Path) -> None:
    """Make and remove a file where one is to be, under a name as long as its own."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        target.lstat()  # a name that is too long fails here
    probe = beside_of(target)
    probe.touch(exist_ok=False)
    probe.unlink()


def _become(working: Path, target: Path) -> None:
    """Move a folder to its place; where that is a mount point, which nothing can replace, into it."""
    try:
        working.replace(target)
    except OSError:
        if not target.is_dir():
            raise
        for part in sorted(working.iterdir()):
            shutil.move(part, target / part.name)


def _copied(working: Path, place: Path, fill: Fill) -> None:
    try:
        shutil.copytree(working, place)
        fill(place)
    except NotWrittenError as error:  # no room there either
        raise OSError(str(error)) from None


def _kept(name: str, put: Callable[[Path], None]) -> Path | None:
    """Put what could not be written into the first folder that takes it; its place there."""
    for folder in _with_room():
        place = folder / f"mtl-bench-{secrets.token_hex(4)}-{name[-LONGEST_NAME:] or 'kept'}"
        try:
            put(place)
        except (OSError, shutil.Error):
            shutil.rmtree(place, ignore_errors=True)
            continue
        return place
    return None


def _with_room() -> Iterator[Path]:
    """Folders to keep something in, those first that outlast a restart of the machine."""
    with suppress(OSError):  # none that can be written at all
        yield Path(tempfile.gettempdir())
    yield Path("/var/tmp")
    with suppress(RuntimeError):  # no home
        yield Path.home()
    with suppress(OSError):  # the current folder is gone
        yield Path.cwd()
    yield Path("/dev/shm")


def _lost(path: Path, option: str, error: Exception, kept: Path | None) -> str:
    why = "its last file" if isinstance(error, NotWrittenError) else reason_of(error)
    where = f"it is kept as {kept}" if kept else "and no other place took it either"
    return f"{option} {path} could not be written ({why}); {where}"
