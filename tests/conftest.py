"""How every test runs: no time limit on a drawn example, the same examples on every CI run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.full_disk import small_disk

try:
    from hypothesis import settings
except ModuleNotFoundError:  # pytest-benchmark's own commands load this file, after any install
    pass
else:
    # A shared machine stalls at any time: an example's duration says nothing about the code.
    settings.register_profile("work", deadline=None)
    settings.register_profile("ci", deadline=None, derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "work")

# What the tests start is no part of xdist, under which pytest-benchmark would measure nothing.
os.environ.pop("PYTEST_XDIST_WORKER", None)


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a disk that can be filled; nothing that was kept elsewhere outlives the test."""
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr("mtl_core.program.files.tempfile.gettempdir", lambda: str(room))
    with small_disk(tmp_path / "full", monkeypatch) as folder:
        yield folder
