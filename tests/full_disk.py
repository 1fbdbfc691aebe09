"""A disk without room: a file system of some pages where one can be mounted, else one that is played."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

SIZE = 256 * 1024  # bytes
BALLAST = "ballast"


@contextmanager
def small_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a disk of its own, which :func:`fill` leaves no room on."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "small", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:  # no such command
        mounted = False
    if not mounted:
        _play(folder, monkeypatch)
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def _play(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to_disk = os.fsync

    def no_room(number: int) -> None:
        place = Path(f"/dev/fd/{number}").resolve()
        if (folder / BALLAST).exists() and place.is_relative_to(folder.resolve()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        to_disk(number)

    monkeypatch.setattr(os, "fsync", no_room)


def fill(folder: Path) -> None:
    """Take what room there is left."""
    with suppress(OSError), (folder / BALLAST).open("ab", buffering=0) as ballast:
        for _ in range(SIZE // 4096):
            ballast.write(bytes(4096))
        ballast.write(bytes(4096))


def left_in(folder: Path) -> list[str]:
    """What lies there beside what took the room."""
    return sorted(path.name for path in folder.iterdir() if path.name != BALLAST)
