"""The scripts whose figures the documentation shows: that they still fit what they measure with."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.records.run import CONTROL, Block, Round, SetUp
from tests.processes import ROOT

STUDIES = ROOT / "docs" / "studies"


def blocks(names: list[str], count: int, rounds: int) -> list[Block]:
    """Set-ups of identical variants, their rounds 3 % apart."""
    rng, made = np.random.default_rng(5), []

    def drawn() -> list[Round]:
        return [Round(seconds=0.02 * np.exp(0.03 * rng.normal()), iterations=1) for _ in range(rounds)]

    for index in range(count):
        set_ups = {
            name: SetUp(
                case=name,
                images=128,
                set_up_s=0.1,
                first_call_s=0.1,
                warm_up=[],
                rounds=drawn(),
                steady=True,
            )
            for name in names
        }
        made.append(Block(group="g", invocation=0, index=index, seconds=1.0, set_ups=set_ups))
    return made


def script(name: str, monkeypatch: pytest.MonkeyPatch, made: list[Block]) -> dict[str, Any]:
    """A study with a recording of ours in place of its own."""
    found = runpy.run_path(str(STUDIES / name))
    monkeypatch.setitem(found["main"].__globals__, "record", lambda seconds: made)
    return found


def test_the_control_is_cut_into_disjoint_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script("control.py", monkeypatch, blocks(["digits", CONTROL], 205, 16))["main"](1.0, 10)
    told = capsys.readouterr().out
    held, _, of = told.partition(" runs of 10 blocks hold 1")[0].splitlines()[-1].partition(" of ")
    assert int(of) == 20 and 15 <= int(held) <= 20


def test_the_spread_is_told_of_every_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conditions = list(runpy.run_path(str(STUDIES / "spread.py"))["CONDITIONS"])
    made = blocks([f"{name} {side}" for name in conditions for side in "ab"], 12, 16)
    script("spread.py", monkeypatch, made)["main"](1.0, tmp_path / "spread.json")
    lines = capsys.readouterr().out.splitlines()
    assert [line[:20].strip() for line in lines[2:]] == conditions
    assert set(json.loads((tmp_path / "spread.json").read_text())) == set(conditions)
