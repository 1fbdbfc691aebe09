"""The study of peers: where its tables go, and what it says of what it cannot do."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.harness.pool import WorkerFailedError
from mtl_core.errors import UserError
from tests.recordings import HEAD, kept_in, units
from tests.revisions import ROOT

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


def process(peers: dict[str, Any], level: float, condition: str = "alone", *, long: bool = False) -> Any:
    names = ["identical"] if long else list(peers["CHANGES"])
    slower = {"operator": 1.2, "small_operator": 1.02, "every_20": 1.05}
    rounds = {name: [level * slower.get(name, 1.0) * (1 + i / 1e4) for i in range(50)] for name in names}
    return peers["Process"](condition=condition, long=long, start_s=2.0, rounds=rounds)


def write(peers: dict[str, Any], folder: Path) -> None:
    """A recording of trust, and of the peers under both conditions."""
    folder.mkdir()
    kept_in(folder / peers["TRUST"], HEAD, [*units(12), *units(12, condition="busy")])
    several = [process(peers, 1.0 + i / 1e3, c) for c in peers["CONDITIONS"] for i in range(6)]
    several += [process(peers, 1.0, c, long=True) for c in peers["CONDITIONS"] for _ in range(2)]
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in several)
    (folder / peers["PEERS"]).write_bytes(lines)


def test_several_recordings_are_judged_as_one_but_for_where_they_end(
    peers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(peers["judge"].__globals__, "DRAWS", 4)
    for number in ("1", "2"):
        write(peers, tmp_path / number)
    lines = peers["judge"](tmp_path, "busy")
    assert lines[0] == "**One core kept busy**"
    of_mean = next(line for line in lines if line.startswith("| pytest-benchmark, mean"))
    cells = [cell.strip() for cell in of_mean.strip("|").split("|")]
    assert cells[1].startswith("0 of 6")  # three disjoint pairs of six processes a recording
    assert cells[2].startswith("6 of 6")  # a fifth slower
    assert "of 30" in cells[2]  # 15 pairs in each, none across
    assert next(line for line in lines if line.startswith("| the same, 54 s")).count("not recorded") == 3
    assert "24 invocations in 2 hours. 12 processes of the peers" in lines[-1]
    assert any(line.startswith("| regress step, at most 60 s") for line in lines)
    alone = peers["judge"](tmp_path / "1", "alone")
    assert "12 invocations in 1 hours. 6 processes" in alone[-1]


def test_a_worker_that_fails_costs_one_line(peers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __init__(self, environment: dict[str, str]) -> None: ...

        def ask(self, do: str, **_: object) -> None:
            raise WorkerFailedError("crashed: signal SIGSEGV", ["at last"])

        def end(self) -> None: ...

    monkeypatch.setitem(peers["one_process"].__globals__, "WorkerProcess", Failing)
    with pytest.raises(UserError, match="a worker failed: crashed: signal SIGSEGV: at last"):
        peers["one_process"](0, "alone")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected record FOLDER MINUTES, or judge FOLDER [--write]"),
        (("judge", "nowhere"), "nowhere/trust.jsonl"),
    ],
)
def test_bad_input_costs_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1
