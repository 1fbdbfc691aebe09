"""Two revisions compared as a person does it: a small repository, real workers, real exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.__main__ import main
from bench.commands import regress as command
from bench.commands.formats import format_named
from bench.gate.revisions import seed_of
from bench.records.regression import Regression
from bench.records.run import VERDICTS
from mtl_core.errors import ExitCode
from reports import formats
from tests.revisions import commit, environment, files_at, git, write_gate, write_speed

LONGER = 1.5  # times as long as in the base everything takes in the head


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base, and a head whose benchmark ``spin`` is slower, ``gone`` is gone and ``added`` is new."""
    root: Path = tmp_path_factory.mktemp("regress") / "repo"
    root.mkdir()
    files_at(root)
    write_gate(root, {"spin": {}, "gone": {}})
    commit(root, "base")
    write_gate(root, {"spin": {}, "added": {}, "broken": {"fault": "raise"}})
    write_speed(root, LONGER)
    commit(root, "head")
    return root


def regress(repo: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "regress", *arguments],
        cwd=repo,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={**environment(repo.parent), **more},
    )


def clean(repo: Path) -> bool:
    """Nothing is left of a comparison: no worktree, no folder, no change."""
    left = [path for path in repo.parent.iterdir() if path.name.startswith("mtl-bench-")]
    return git(repo, "worktree", "list").count("\n") == 0 and not left and not git(repo, "status", "--short")


@pytest.fixture(scope="module")
def compared(repo: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any], Path]:
    files = repo.parent / "files"
    done = regress(
        repo, "spin", "gone", "added", "--base", "HEAD~1", "--budget", "10m", "--format", "json",
        "--output", str(files / "r.md"), "--output", str(files / "r.txt"), GITHUB_ACTIONS="true",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return done, json.loads(done.stdout), files


def test_a_slow_down_is_found_and_fails_the_gate(compared: Any) -> None:
    spin = compared[1]["comparisons"][0]
    assert compared[1]["schema"] == 1
    assert {"benchmark", "effect", "verdict", "seconds"} <= set(spin)
    assert set(spin["effect"]) == {"ratio", "low", "high", "confidence", "n"}
    assert (spin["benchmark"], spin["verdict"]) == ("spin", "slower")
    assert spin["effect"]["ratio"] == pytest.approx(LONGER)
    assert all(c["verdict"] in VERDICTS for c in compared[1]["comparisons"])


def test_the_order_of_rounds_follows_from_both_revisions(repo: Path, compared: Any) -> None:
    assert compared[1]["seed"] == seed_of(git(repo, "rev-parse", "HEAD~1"), git(repo, "rev-parse", "HEAD"))


def test_a_benchmark_on_one_side_only_is_told(compared: Any) -> None:
    gone, added = compared[1]["comparisons"][1:]
    assert (gone["missing"], gone["effect"]) == ("head", None)
    assert (added["missing"], added["effect"]) == ("base", None)
    markdown = (compared[2] / "r.md").read_text()
    assert "gone vanished" in markdown
    assert "added is new" in markdown


def test_files_and_annotations_tell_the_same(compared: Any) -> None:
    assert "slower: spin" in (compared[2] / "r.md").read_text()
    assert max(map(len, (compared[2] / "r.txt").read_text().splitlines())) <= 100
    assert "::error file=bench/questions/gate.py,line=" in compared[0].stderr
    assert "title=slower%3A spin::" in compared[0].stderr


def test_a_file_has_no_colour_and_is_there_before_anything_is_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A reader that has gone away takes nothing with it."""
    outcome, file = (
        Regression(base="a", head="b", budget_s=1.0, confidence=0.95, comparisons=[]),
        tmp_path / "r.txt",
    )
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def gone(*_: object, **__: object) -> None:
        assert file.exists()
        raise BrokenPipeError

    monkeypatch.setattr(formats, "write", gone)
    with pytest.raises(BrokenPipeError):
        command._tell(outcome, format_named("json"), [file])
    assert "\x1b" not in file.read_text() and "b against a" in file.read_text()


@pytest.mark.usefixtures("compared")
def test_nothing_is_left_of_a_comparison(repo: Path) -> None:
    assert clean(repo)


def test_a_head_that_fails_is_no_pass(repo: Path) -> None:
    """Both sides are the same commit, so that its broken benchmark is on both."""
    done = regress(repo, "broken", "--base", "HEAD", "--head", "HEAD", "--budget", "5s")
    assert done.returncode == 6, done.stderr
    assert "could not be measured" in done.stdout
    assert "no such thing" in " ".join(done.stdout.split())
    assert "same commit" in done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert clean(repo)


def test_a_base_from_before_the_gate_is_refused_before_anything_is_made_for_it(repo: Path) -> None:
    """Its dependencies differ: an environment of its own would be a gigabyte for nothing."""
    head = git(repo, "rev-parse", "HEAD")
    for there in ("questions", "gating"):
        (repo / "bench" / there / "gate.py").unlink()
    project = repo / "pyproject.toml"
    project.write_text(project.read_text().replace("dependencies = [", 'dependencies = ["no-such-thing",', 1))
    old = commit(repo, "old")
    git(repo, "reset", "--quiet", "--hard", head)
    done = regress(repo, "spin", "--base", old, "--budget", "0.01s")
    assert done.returncode == 2
    assert done.stderr == (
        "error: base is too old for regress: its worker does not know the gate "
        f"(no bench/questions/gate.py in {old[:12]})\n"
    )
    assert not (repo.parent / "cache").exists()
    assert clean(repo)


@pytest.mark.parametrize(
    ("by", "times", "code"),
    [(signal.SIGHUP, 1, ExitCode.HUNG_UP), (signal.SIGTERM, 2, ExitCode.TERMINATED)],
)
def test_a_comparison_that_is_ended_leaves_nothing(
    repo: Path, by: signal.Signals, times: int, code: ExitCode
) -> None:
    """As a closed terminal ends it, and ``timeout``, which sends SIGTERM twice: to the group as well."""
    command = [sys.executable, "-m", "bench", "regress", "spin", "--base", "HEAD~1", "--budget", "10m"]
    write_speed(repo, 1.0)  # the same as the base: undecided until the end
    ended = subprocess.Popen(
        command, cwd=repo, env=environment(repo.parent), stderr=subprocess.PIPE, text=True
    )
    try:
        assert ended.stderr is not None
        while ended.stderr.readline() != "measuring spin\n":
            assert ended.poll() is None
        workers = psutil.Process(ended.pid).children(recursive=True)
        for _ in range(times):
            ended.send_signal(by)
        _, said = ended.communicate(timeout=60)
    finally:
        ended.kill()
        git(repo, "checkout", "--quiet", "--", ".")
    assert (ended.returncode, said) == (code, "")
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    assert clean(repo)


def test_undecided_fails_only_when_asked_to(repo: Path) -> None:
    """A budget for one unit has no interval."""
    arguments = ("spin", "--base", "HEAD", "--budget", "0.01s")
    assert regress(repo, *arguments).returncode == 0
    done = regress(repo, *arguments, "--strict")
    assert done.returncode == 3
    assert "Too few invocations" in done.stdout


def test_changes_that_are_not_committed_are_told(repo: Path) -> None:
    before = (repo / ".gitignore").read_text()
    (repo / ".gitignore").write_text(before + "x\n")
    try:
        done = regress(repo, "spin", "--base", "HEAD", "--budget", "0.01s")
    finally:
        (repo / ".gitignore").write_text(before)
    assert "not committed" in done.stderr
    assert "+dirty" in done.stdout


def test_a_tolerance_holds_from_a_subfolder_and_for_no_unknown_name(repo: Path) -> None:
    project = repo / "pyproject.toml"
    before = project.read_text()
    project.write_text(before + '\n[tool.mtl-bench.tolerance]\nspni = "3%"\n')
    try:
        done = regress(
            repo / "tests", "spin", "--base", "HEAD", PYTHONPATH=str(repo), TMPDIR=str(repo.parent)
        )
    finally:
        project.write_text(before)
    assert done.returncode == 2, done.stdout
    assert "'spni' in [tool.mtl-bench.tolerance] of pyproject.toml is no benchmark" in done.stderr
    assert clean(repo)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "compared with what?"),
        (("--base", "HEAD", "--baseline", "x.json"), "compared with what?"),
        (("--baseline", "x.json", "--head", "HEAD"), "--head goes with --base"),
        (("--baseline", "x.json"), "x.json cannot be read"),
        (("--base", "nowhere"), "--base 'nowhere' is no revision"),
        (("--base", "HEAD", "--head", "nowhere"), "--head 'nowhere' is no revision"),
        (("spni", "--base", "HEAD"), "no benchmark of the gate is named 'spni'; expected one of spin"),
        (("added", "--base", "HEAD~1"), "nothing to compare: the base does not have added; name a benchmark"),
        (("--base", "HEAD", "--tolerance", "two"), "--tolerance is 'two'"),
        (("--base", "HEAD", "--budget", "0s"), "budget is '0s'"),
        (("--base", "HEAD", "--output", "r.xml"), "--output r.xml ends in '.xml'; expected"),
    ],
)
def test_bad_input_costs_one_line(
    repo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(repo)
    monkeypatch.setattr(sys, "argv", ["bench", "regress", *arguments])
    monkeypatch.setattr(tempfile, "tempdir", str(repo.parent))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capfd.readouterr().err
    assert [line for line in told.splitlines() if line.startswith("error: ") and said in line]
    assert "Traceback" not in told
    assert clean(repo)
