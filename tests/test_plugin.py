"""``pytest bench`` as a user of pytest-benchmark types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.plugin import budget_s
from tests.processes import ROOT

ONE = ("-k", "hybridize and step and not forward", "--mtl-quick", "--mtl-budget", "1s")


def bench(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """pytest on the benchmarks; in a folder that is not the project's, so that files do not land there."""
    command = [sys.executable, "-m", "pytest", str(ROOT / "bench"), "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False, timeout=240
    )


@pytest.mark.whole
def test_the_options_of_pytest_benchmark_do_what_they_do_elsewhere(tmp_path: Path) -> None:
    """All in one run: --benchmark-only, -save, -compare with a file that is there, -histogram."""
    kept = tmp_path / "kept" / "elsewhere"
    kept.mkdir(parents=True)
    before = json.loads((ROOT / "tests" / "old_runs" / "pytest_benchmark.json").read_text())
    name = "test_hybridize[hybridize/step/hybridized]"
    before["benchmarks"][0] |= {
        "name": name,
        "fullname": f"bench/benchmarks/test_hybridize.py::{name}",
        "group": "hybridize/step",
    }
    (kept / "0001_before.json").write_text(json.dumps(before))
    options = ("--benchmark-only", "--benchmark-save=one", "--benchmark-compare=*/0001")
    more = (f"--benchmark-storage={kept.parent}", f"--benchmark-histogram={tmp_path / 'drawn'}")
    done = bench(*ONE, *options, *more, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
    assert "0001_before)" in done.stdout
    assert "measuring hybridize/step, 0 set-ups so far; 1 of 1 part undecided; " in done.stdout
    summary = done.stdout.partition(" mtl-bench ")[2]
    assert "What does hybridizing buy?\n  Hybridized, the step takes " in summary
    assert "! few set-ups" in summary
    (file,) = kept.parent.rglob("*_one.json")
    told = json.loads(file.read_text())
    assert {entry["group"] for entry in told["benchmarks"]} == {"hybridize/step"}
    assert told["mtl_bench"]["settings"]["budget"] == "1s"
    drawn = "".join(path.read_text() for path in tmp_path.glob("drawn*.svg"))
    assert "hybridized" in drawn


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--benchmark-json=.",), "--benchmark-json . cannot be written (it is a folder)"),
        (("--benchmark-json=README.md/x.json",), "--benchmark-json README.md/x.json cannot be written"),
        (("-p", "no:benchmark"), "the benchmarks need pytest-benchmark: leave out -p no:benchmark"),
    ],
)
def test_what_would_be_lost_at_the_end_is_refused_at_the_start(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "README.md").touch()
    done = bench(*ONE, *options, folder=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"README.md", ".benchmarks"}


def test_nothing_is_measured_where_benchmarks_are_disabled(tmp_path: Path) -> None:
    done = bench(*ONE, "--benchmark-disable", "-rs", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" not in done.stdout
    assert "benchmarks are disabled, so that nothing is measured" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-n", "2"), "give -n 0"),
        (("--mtl-budget", "soon"), "budget is 'soon'; expected a time above zero"),
    ],
)
def test_bad_options_cost_one_line(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = bench(*options, folder=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.strip())
    assert said in line


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, 300.0), ({"--mtl-quick": True}, 60.0), ({"--mtl-quick": True, "--mtl-budget": "9s"}, 9.0)],
)
def test_a_quick_run_has_a_budget_of_its_own(options: dict[str, object], seconds: float) -> None:
    assert budget_s({"--mtl-quick": False, "--mtl-budget": None, **options}.__getitem__) == seconds


def test_pytest_benchmark_s_own_commands_need_no_test_library() -> None:
    """``pytest-benchmark compare`` loads the conftest of the checkout, after any documented install."""
    code = "import runpy, sys; sys.modules['hypothesis'] = None; runpy.run_path('tests/conftest.py')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
