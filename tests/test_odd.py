"""Odd attempts at the command line: each ends in time, in one line or with what was asked for, in no bug.

One in fifteen; all of them where ``MTL_ATTACK`` is set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mtl_core.errors import ExitCode
from tests.attack.odd import Attempt, attempts, furnish
from tests.processes import ROOT

EVERY = 1 if "MTL_ATTACK" in os.environ else 15
USUAL = {
    ExitCode.GOOD,
    ExitCode.SLOWER,
    ExitCode.BAD_INPUT,
    ExitCode.MEASURED_NOTHING,
    ExitCode.OUTPUT_CLOSED,
}


def complaint(attempt: Attempt, told: dict[str, object]) -> str | None:
    """What is wrong with how it ended."""
    said = str(told["err"])
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    if told["code"] not in USUAL or "Traceback" in said:
        return f"{attempt} ended with {told['code']}: {said[-1500:]}"
    heard = attempt.get("stream") not in ("closed errors", "closed all")
    if told["code"] == ExitCode.BAD_INPUT and heard and attempt["arguments"] and len(lines) != 1:
        return f"{attempt} told {len(lines)} errors: {said[-1500:]}"
    return f"{attempt} said {said[:300]!r}" if len(said.splitlines()) > 12 and attempt["arguments"] else None


def test_odd_attempts_end_as_they_should(tmp_path: Path) -> None:
    furnish(tmp_path)
    tried = attempts()[::EVERY]
    done = subprocess.run(
        [sys.executable, "-m", "tests.attack.odd"],
        input="".join(json.dumps(each) + "\n" for each in tried),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=1800,
        check=True,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    found = [complaint(attempt, each) for attempt, each in zip(tried, told, strict=True)]
    assert [each for each in found if each] == []
