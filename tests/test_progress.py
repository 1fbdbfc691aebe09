"""What a person sees while it is measured: a bar in a terminal, plain lines in a pipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil

from tests.processes import ROOT, all_said, in_pty

RUN = (sys.executable, "-m", "bench", "run", "hybridize", "--quick", "--budget", "1s")
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def test_a_terminal_shows_the_group_with_time_spent_and_left_before_the_run_ends(tmp_path: Path) -> None:
    said = b""
    with in_pty(*RUN, "--json", "result.json", folder=tmp_path) as (running, terminal):
        for piece in all_said(terminal):
            said += piece
            if b" left" in said:
                break
        assert psutil.Process(running.pid).children(), "it was measured before anything was seen"
        said += b"".join(all_said(terminal))
        assert running.wait() == 0, said.decode(errors="replace")
    shown = ESCAPES.sub(b"", said).decode()
    assert re.search(r"hybridize/step \(\d set-ups\) \S+ \d:\d\d spent, \d:\d\d left", shown)
    assert all(len(line) <= 80 for line in re.split(r"[\r\n]+", shown))
    assert "Hybridizing makes the step" in shown


def test_a_pipe_gets_a_plain_line_a_group(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        RUN, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "measuring hybridize/step\n"
