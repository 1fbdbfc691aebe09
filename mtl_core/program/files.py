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
from mtl_core.platform.on_disk import LONGEST_NAME, Write, beside_of, reason_of, replace_whole
from mtl_core.platform.segments import FOLDER

ELSEWHERE = "choose another place"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
MOST_NUMBERED = 1000  # files of one name that are told apart


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
    _written(path, option, write, lambda target: target)


def write_new(path: Path, write: Write, option: str) -> Path:
    """The same under the first name like this one that no file has, which is returned: whatever two commands
    that began in one second are to write, neither writes over the other. Raises NotWrittenError."""
    return _written(path, option, write, _claimed)


def _written(path: Path, option: str, write: Write, claim: Callable[[Path], Path]) -> Path:
    try:
        target = resolved(path)  # a link stays a link
        if _special(target) is None:
            return replace_whole(target, write, claim)
        with open(target, "wb", opener=_at_once) as file:
            write(file)
        return target
    except (OSError, ValueError) as error:
        kept = kept_elsewhere(path.name, lambda place: replace_whole(place, write))
        raise NotWrittenError(lost(path, option, error, kept), kept) from None


def _claimed(place: Path) -> Path:
    """The first name like this one that nothing has, made ours by an empty file."""
    for name in _numbered(place):
        with suppress(FileExistsError):
            name.touch(exist_ok=False)
            return name
    raise FileExistsError(errno.EEXIST, f"there are {MOST_NUMBERED} of that name already")


def _numbered(place: Path) -> Iterator[Path]:
    yield place
    for number in range(2, MOST_NUMBERED):
        yield place.with_name(f"{place.stem}-{number}{place.suffix}")


def _special(target: Path) -> int | None:
    """The mode of what is there and neither file nor folder, such as a pipe; None for all else."""
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else mode


def _at_once(name: str, _flags: int) -> int:
    """Open for writing without waiting: a pipe that nobody reads would keep its writer for ever."""
    opened = os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    os.set_blocking(opened, True)
    return opened


def check_place(path: Path, option: str, *, grows: bool = False) -> None:
    """Fail before the work rather than after it: UserError where the file could not be written.

    Leaves nothing behind, folders included. A file that ``grows`` cannot be a device or a pipe.
    """
    try:
        target = resolved(path)
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        mode = _special(target)
        if mode is None:
            _try_beside(target)
        elif grows or stat.S_ISSOCK(mode) or stat.S_ISBLK(mode):
            raise OSError(None, "it is no ordinary file")
        elif stat.S_ISCHR(mode):
            with open(target, "wb", buffering=0, opener=_at_once) as device:
                device.write(b"")  # one that is always full refuses even that
        elif not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
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
def folder_to_fill(
    path: Path, option: str, *, new: bool = False
) -> Iterator[tuple[Path, Callable[[Fill], Path]]]:
    """A folder to work in, and what to call with the last thing to be put into it: it becomes ``path`` then,
    or with ``new`` the first name like it that is free, and is returned.

    Removed when the work ends otherwise. Raises UserError before the work where ``path`` could not be
    made; NotWrittenError after it, where the whole folder had to be kept elsewhere.
    """
    check_folder(path, option)
    target = resolved(path)
    working = beside_of(target)
    missing = [above for above in target.parents if not above.exists()]

    def finish(fill: Fill) -> Path:
        try:
            fill(working)
            made = _become(working, _numbered(target) if new else iter([target]))
            return path.with_name(made.name) if target.name == path.name else made  # as it was given
        except (OSError, NotWrittenError) as error:
            kept = kept_elsewhere(path.name, lambda place: _copied(working, place, fill))
            if isinstance(error, NotWrittenError) and error.kept is not None and kept is not None:
                error.kept.unlink(missing_ok=True)  # the one file: it lies in the folder that was kept
            raise NotWrittenError(lost(path, option, error, kept), kept) from None

    try:
        working.mkdir(parents=True)
        yield working, finish
    except OSError as error:
        if error.errno not in NO_ROOM and not str(error.filename or "").startswith(str(working)):
            raise  # it is of something else
        raise UserError(f"{option} {path} cannot be filled ({reason_of(error)}); {ELSEWHERE}") from None
    finally:
        shutil.rmtree(working, ignore_errors=True)
        with suppress(OSError):  # there is something in it
            for above in missing:
                above.rmdir()


def resolved(path: Path) -> Path:
    """Where the path leads, links followed. Raises OSError for links in a circle, whatever the Python.

    The place itself need not be there yet. A device or a pipe is left as it is: standard output's has no
    name of its own.
    """
    if _special(path) is not None:
        return path
    try:
        target = path.resolve()
    except RuntimeError:  # Python before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    with suppress(FileNotFoundError, NotADirectoryError):
        target.stat()  # newer Pythons leave a circle as it is: the system knows it
    return target


def _try_beside(target: Path) -> None:
    """Make and remove a file where one is to be; where its folder is not there, a folder beside that one.

    Folders that are missing are not made: another command may be about to write into them.
    """
    there = next((above for above in target.parents if os.path.lexists(above)), target.parent)
    for part in target.relative_to(there).parts:
        with suppress(FileNotFoundError):
            (there / part).lstat()  # a name that is too long fails here
    with suppress(FileNotFoundError):
        target.lstat()
    probe = beside_of(there / "x")
    if there == target.parent:
        probe.touch(exist_ok=False)
        probe.unlink()
    else:
        probe.mkdir()
        probe.rmdir()


def _become(working: Path, names: Iterator[Path]) -> Path:
    """Move a folder to the first of these places that is free; where that is a mount point, which nothing can
    replace, into it."""
    error = FileExistsError(errno.EEXIST, "it is there already")
    for target in names:
        try:
            return working.replace(target)
        except OSError as why:
            error = why if isinstance(why, FileExistsError) else error
            if not target.is_dir():
                raise
            if not any(target.iterdir()):
                for part in sorted(working.iterdir()):
                    shutil.move(part, target / part.name)
                return target
    raise error


def _copied(working: Path, place: Path, fill: Fill) -> None:
    try:
        shutil.copytree(working, place)
        fill(place)
    except NotWrittenError as error:  # no room there either
        raise OSError(str(error)) from None


def kept_elsewhere(name: str, put: Callable[[Path], object]) -> Path | None:
    """Put what could not be written into the first folder that takes it; its place, None without one."""
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
        temporary = Path(tempfile.gettempdir())
        of_a_worker = os.environ.get(FOLDER)  # goes with it
        yield temporary.parent if of_a_worker and temporary.samefile(of_a_worker) else temporary
    yield Path("/var/tmp")
    with suppress(RuntimeError):  # no home
        yield Path.home()
    with suppress(OSError):  # the current folder is gone
        yield Path.cwd()
    yield Path("/dev/shm")


def lost(path: Path, option: str, error: Exception, kept: Path | None) -> str:
    """One line: what could not be written, why, and where it is kept."""
    why = "its last file" if isinstance(error, NotWrittenError) else reason_of(error)
    where = f"it is kept as {kept}" if kept else "and no other place took it either"
    return f"{option} {path} could not be written ({why}); {where}"
