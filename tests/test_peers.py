"""The study of peers: where its tables go, and what it says of what it cannot do."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.harness.pool import WorkerFailedError
from mtl_core.errors import UserError
from tests.revisions import ROOT

RECORDINGS = ROOT / "docs" / "studies" / "recordings"
SCRIPT = ROOT / "docs" / "studies" / "peers.py"


@pytest.fixture(scope="module")
def peers() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_the_page_has_the_place_for_its_figures(peers: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "trust.md"
    page.write_bytes(peers["PAGE"].read_bytes())
    before, _, after = page.read_text().partition(peers["BEGIN"])
    peers["write_between"](page, ["| a |", "| b |"])
    first = page.read_text()
    assert first.startswith(before)
    assert f"{peers['BEGIN']}\n| a |\n| b |\n{peers['END']}" in first
    assert first.endswith(after.partition(peers["END"])[2])
    peers["write_between"](page, ["| a |", "| b |"])
    assert page.read_text() == first


def test_a_page_without_the_place_is_left_alone(peers: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "trust.md"
    page.write_text(f"{peers['BEGIN']} and no end")
    with pytest.raises(UserError, match="nowhere to write"):
        peers["write_between"](page, [])
    assert page.read_text() == f"{peers['BEGIN']} and no end"


def test_several_recordings_are_judged_as_one_but_for_where_they_end(
    peers: dict[str, Any], tmp_path: Path
) -> None:
    found = peers["shared_out"]([[1, 2, 3], [4], [5, 6]], 2)
    drawn = list(map(frozenset, found))
    assert len(drawn) == peers["DRAWS"]  # of the middle one none can be drawn
    assert set(drawn) == {frozenset(pair) for pair in ((1, 2), (1, 3), (2, 3), (5, 6))}
    assert drawn.count(frozenset((5, 6))) == round(peers["DRAWS"] * 2 / 5)
    pairs = list(peers["disjoint"]([[{"0": [1.0]}] * 3, [{"0": [2.0]}] * 2], 1))
    assert [(len(base), len(head)) for base, head in pairs] == [(1, 1)] * 2
    for number in ("1", "2"):
        shutil.copytree(RECORDINGS / "1", tmp_path / number)
    trust, processes = peers["recordings"](tmp_path, "quiet")
    (alone,), (of_it,) = peers["recordings"](RECORDINGS / "1", "quiet")
    assert (trust, processes) == ([alone] * 2, [of_it] * 2)


def test_a_worker_that_fails_costs_one_line(peers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __init__(self, environment: dict[str, str]) -> None: ...

        def ask(self, do: str, **_: object) -> None:
            raise WorkerFailedError("crashed: signal SIGSEGV", ["at last"])

        def end(self) -> None: ...

    monkeypatch.setitem(peers["one_process"].__globals__, "WorkerProcess", Failing)
    with pytest.raises(UserError, match="a worker failed: crashed: signal SIGSEGV: at last"):
        peers["one_process"](0, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected record FOLDER MINUTES, or judge FOLDER [--write]"),
        (("judge", "nowhere"), "nowhere/trust_quiet.jsonl"),
    ],
)
def test_bad_input_costs_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1
