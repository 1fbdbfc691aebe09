"""Runs killed at random moments and gone on with: no finished block is lost, and nothing is left behind.

Each is killed three times. One run with a stand-in for MXNet; ten where ``MTL_ATTACK`` is set, with MXNet,
and a third of them of real DataLoader workers.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.records.run import Block
from bench.results.run_file import read_run
from mtl_core.errors import ExitCode
from tests.attack.killed import BLOCKS, JOURNAL, LOADING, PARTS, SPIN, Moment, Runs, moments

FULL = "MTL_ATTACK" in os.environ
ENDS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: ExitCode.TERMINATED}


@contextmanager
def started(runs: Runs) -> Iterator[subprocess.Popen[str]]:
    """A run, gone on with where there is something to go on with; it does not outlive the test."""
    running = runs.start(*(["--resume"] if (runs.folder / JOURNAL).exists() else []))
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()


def killed(runs: Runs, kills: list[Moment]) -> list[Block]:
    """Start a run, and kill until its coordinator is gone; the blocks that were finished by then."""
    with started(runs) as running:
        while kills:
            at = kills.pop(0)
            runs.kill(at, running)
            if at.whom == "coordinator":
                break
        else:
            runs.wait_for(10**6, running)
        said, _ = running.communicate(timeout=120)
    assert "Traceback" not in said, said
    if not (runs.folder / "result.json").exists():
        # By the bare signal where it came before anybody heard it: a shell tells both alike.
        assert running.returncode in (ENDS[at.by], -at.by), said
    assert runs.left() == []
    return runs.finished()


@pytest.mark.parametrize("number", range(10 if FULL else 1))
def test_a_run_that_is_killed_goes_on_and_loses_nothing(number: int, tmp_path: Path) -> None:
    runs, kills = (
        Runs(tmp_path, LOADING if FULL and number % 3 == 0 else SPIN, stand_in=not FULL),
        moments(number),
    )
    finished: list[Block] = []
    while not (runs.folder / "result.json").exists():
        finished += killed(runs, kills)
    run = read_run(runs.folder / "result.json")
    for block in finished:
        (kept,) = (each for each in run.blocks[block.group] if each.index == block.index)
        assert rounds_of(kept) == rounds_of(block)
    counts = {group: len(blocks) for group, blocks in run.blocks.items()}
    assert counts == {f"spins/{part}": BLOCKS for part in PARTS}
    assert len({failure.case for failure in run.failures}) <= 1, run.failures  # whose worker was killed
    assert not (runs.folder / JOURNAL).exists()


def rounds_of(block: Block) -> dict[str, object]:
    return {variant: set_up.rounds for variant, set_up in block.set_ups.items()}
