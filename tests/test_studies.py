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


def test_what_the_command_said_of_known_changes_is_counted() -> None:
    """By the command itself: a change is called as it is, or not; identical code is called or not."""
    found = runpy.run_path(str(STUDIES / "by_commands.py"))

    def outcome(change: str, verdict: str, cause: str | None = None) -> dict[str, Any]:
        effect = {"ratio": 1.0, "low": 0.99, "high": 1.01, "n": 10}
        comparison = {"verdict": verdict, "cause": cause, "effect": effect, "seconds": 40.0}
        return {"at": "2026-11-27T20:00:00+00:00", "change": change, "said": {"comparisons": [comparison]}}

    lines = found["table"](
        [
            *(outcome("identical", verdict) for verdict in ("same", "same", "faster", "undecided")),
            *(outcome("operator", "slower", cause) for cause in ("at rest", "at rest", "now and then")),
            outcome("every_20", "slower", "now and then"),
        ]
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:5]]
    assert [row[1].partition(" (")[0] for row in rows] == ["1 of 4", "2 of 3", "1 of 1"]
    assert [row[2] for row in rows] == ["0 / 0 / 1 / 2 / 1", "2 / 1 / 0 / 0 / 0", "0 / 1 / 0 / 0 / 0"]
    assert rows[0][3:] == ["1.00 %", "40"]
    assert lines[-1].startswith("8 comparisons")


def test_the_changes_of_that_study_still_fit_the_step(tmp_path: Path) -> None:
    """Each is a commit on top of the same base, and compiles."""
    found = runpy.run_path(str(STUDIES / "by_commands.py"))
    clone = tmp_path / "clone"
    (clone / "mtl_core").mkdir(parents=True)
    for name in ("README.md", "mtl_core/step.py"):
        (clone / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    found["git"](tmp_path, "init", "-q", str(clone))
    found["git"](clone, "add", ".")
    found["git"](clone, "commit", "-q", "-m", "base")
    found["branches"](clone)
    for name in found["CHANGES"]:
        added = found["git"](clone, "diff", "--numstat", "base", name).split()
        assert int(added[0]) >= 1 and added[1] == "0", name
        compile(found["git"](clone, "show", f"{name}:mtl_core/step.py"), name, "exec")


def test_moments_at_rest_are_told_by_their_length() -> None:
    """One core at rest for 10 ms of every 20, the other all the time but for 2 ms in the middle of each."""
    found = runpy.run_path(str(STUDIES / "spells.py"))
    began = np.arange(0.0, 2.0, 5e-5)
    within = began % 0.02
    cores = [within >= 0.01, (within >= 0.004) & (within < 0.006)]
    recorded = [found["Loops"](began, np.where(slow, 1e-4, 5e-5)) for slow in cores]
    both = found["spells"](np.logical_and.reduce(found["at_rest"](recorded)))
    assert both.share == pytest.approx(0.4, abs=0.02)
    assert both.lengths_s[1:-1] == pytest.approx(0.004, abs=2e-4)
    lines = found["table"]([0, 1], recorded)
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["core 0", "core 1", "all at once"]
    assert [cell.strip() for cell in lines[4].strip("|").split("|")][1:] == [
        *("40%", "4.0", "100%", "0%", "0%", "0%")
    ]
