"""What a run says besides its answers: what to type next, how to go on, what it kept."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.commands import measuring
from bench.commands import run as under_test
from bench.commands.measuring import Files
from bench.results.growing import taken
from mtl_core.errors import ExitCode, UserError
from tests.processes import ROOT, all_said, in_pty

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.parametrize(
    ("through_nox", "typed"),
    [
        (False, "python -m bench report 'my run.json' --open"),
        (True, "uvx nox -s report -- 'my run.json' --open"),
    ],
)
def test_the_next_command_is_for_who_came_this_way(
    monkeypatch: pytest.MonkeyPatch, through_nox: bool, typed: str
) -> None:
    monkeypatch.delenv("NOX_CURRENT_SESSION", raising=False)
    if through_nox:
        monkeypatch.setenv("NOX_CURRENT_SESSION", "bench")
    assert under_test._command("report", "my run.json", "--open") == typed


def test_who_came_by_the_script_goes_on_by_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/mtl-bench", "run"])
    assert under_test._command("run", "heads", "--resume") == "mtl-bench run heads --resume"


def test_every_journal_put_aside_is_kept(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    kept = []
    for content in ("first", "second", "third"):
        journal.write_text(content)
        kept.append(measuring._put_aside(journal))
    assert [path.read_text() for path in kept] == ["first", "second", "third"]
    assert not journal.exists()


def files_of(folder: Path, *, resume: bool = False) -> Files:
    return Files(folder / "result.json", folder / "run.journal", resume, lambda journal: f"again {journal}")


def test_a_journal_is_kept_only_with_something_finished_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "run.journal"
    for empty in ("", '{"iden', '{"identity":{}}\n'):
        journal.write_text(empty)
        measuring.make_room(files_of(tmp_path))
        assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""
    journal.write_text('{"identity":{}}\na block\n')
    measuring.make_room(files_of(tmp_path, resume=True))
    assert [path.name for path in tmp_path.iterdir()] == ["run.journal"]
    measuring.make_room(files_of(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["run.journal.old.1"]
    assert f"go on with it by --journal {tmp_path}/run.journal.old.1 --resume" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["my diary", "my diary\n", "two\nlines\n"])
def test_what_is_no_journal_is_not_removed(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.journal").write_text(content)
    with pytest.raises(UserError, match="is no journal of this suite"):
        measuring.make_room(files_of(tmp_path))
    assert (tmp_path / "run.journal").read_text() == content


def test_the_journal_of_a_run_under_way_is_nobody_elses(tmp_path: Path) -> None:
    with taken(tmp_path / "run.journal", "--journal"):
        with pytest.raises(UserError, match="belongs to a run that is under way"):
            measuring.make_room(files_of(tmp_path))
        assert (tmp_path / "run.journal").exists()


def test_a_question_named_twice_is_asked_once() -> None:
    names = [module.QUESTION.name for module in under_test.chosen(["drift", "second_head", "drift"])]
    assert names == ["drift", "second_head"]


def test_a_name_that_is_nearly_one_is_guessed() -> None:
    with pytest.raises(UserError, match=r"named 'secnd_head'; did you mean second_head\? expected one of"):
        under_test.chosen(["secnd_head"])
    with pytest.raises(UserError, match=r"named 'wxyz'; expected one of"):
        under_test.chosen(["wxyz"])


@pytest.mark.parametrize(
    ("options", "said"), [({"batch_size": 4}, "--batch-size changes nothing"), ({"budget": "90"}, "mean 90s")]
)
def test_bad_input_is_refused_where_nothing_can_be_measured_too(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, object], said: str
) -> None:
    (device,) = under_test.chosen(["device"])
    monkeypatch.setattr(device, "QUESTION", replace(device.QUESTION, skipped=lambda: "no GPU"))
    under_test.run(["device"])
    with pytest.raises(UserError, match=said):
        under_test.run(["device"], **options)  # type: ignore[arg-type]


@pytest.mark.whole
def test_a_run_is_watched_stopped_hung_up_on_and_goes_on_to_its_end(tmp_path: Path) -> None:
    """Ctrl-C names the command to go on with; that one's terminal is closed; the third finishes."""
    options = "hybridize --quick --budget 30s --seed 7 --json result.json --threads 1"
    start = [sys.executable, "-m", "bench", "run", *options.split()]
    journal = tmp_path / ".benchmarks" / "mtl-bench" / "run.journal"
    said = b""
    with in_pty(*start, folder=tmp_path) as (running, terminal):
        for piece in all_said(terminal):
            said += piece
            if b" left" in said:
                assert len(journal.read_bytes().splitlines()) == 1, "seen only afterwards"
                os.kill(running.pid, signal.SIGINT)
                break
        said += b"".join(all_said(terminal))
        assert running.wait() == 130
    lines = re.split(r"[\r\n]+", ESCAPES.sub(b"", said).decode())
    bar = re.compile(r"hybridize/step \(0 set-ups\) \S+ \d:\d\d spent, \d:\d\d left")
    watched = [line for line in lines if bar.search(line)]
    assert watched and max(map(len, watched)) <= 80
    (again,) = (line.strip() for line in lines if "--resume" in line)
    assert again == f"python -m bench run {options} --resume"
    resume = [sys.executable, *shlex.split(again)[1:]]
    said = b""
    with in_pty(*resume, folder=tmp_path) as (running, terminal):
        for piece in all_said(terminal):
            said += piece
            if b"(1 set-up)" in said:
                break
        os.close(terminal)
        assert running.wait() in (-signal.SIGHUP, ExitCode.HUNG_UP)  # a shell would tell both as 129
    assert len(journal.read_bytes().splitlines()) == 2
    with in_pty(*resume, folder=tmp_path) as (running, terminal):
        said = b"".join(all_said(terminal))
        assert running.wait() == 0, said.decode(errors="replace")
    lines = ESCAPES.sub(b"", said).decode().partition("Benchmark run:")[2].splitlines()
    asked = next(number for number, line in enumerate(lines) if line.startswith("hybridize "))
    assert lines[asked].startswith("hybridize  Hybridized, the step takes ")
    assert any(line.startswith("Results: result.json") for line in lines[asked:])
    assert len(lines) <= 45 and max(map(len, lines)) <= 80
    assert "comparison" in lines[-1]  # the verdict, last above the prompt
    assert b"(1 set-up)" in said
    assert b"(0 set-ups)" not in said
    assert (tmp_path / "result.json").exists()
    assert not journal.exists()


BROKEN = """
from bench.questions.question import Question, Variant
QUESTION = Question(
    name="broken", asks="Does it?", workload="tests.faulty:Spin", baseline="a", control=False,
    variants={"a": Variant(settings={"fault": "raise"})}, answer=lambda results: [],
)
def test_broken(measured_variant): measured_variant()
"""
RUN = """
import test_broken
from pathlib import Path
from bench.commands.measuring import Files, measure
from bench.commands.run import _report
from bench.questions.question import Asked
files = Files(Path("result.json"), Path("run.journal"), False, lambda journal: "again")
outcome = measure([test_broken], 5.0, Asked(), 0, files)
assert not outcome.measured and outcome.place is None and outcome.lost is None
_report(outcome, False)
"""


@pytest.mark.whole
def test_a_run_of_which_nothing_could_be_measured_says_so_and_writes_no_file(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text(BROKEN)
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "nothing could be measured, so that no results were written" in done.stderr
    assert "ValueError: no such thing" in done.stderr  # what the worker said last
    assert done.returncode == 0
    assert not list(tmp_path.glob("**/*.json")) and not list(tmp_path.glob("**/*.journal"))


def test_a_folder_that_takes_no_journal_costs_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".benchmarks").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="the journal of a run, which is in the current folder"):
        Files(tmp_path / "result.json", measuring.JOURNAL, False, str).check()
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize("option", ["--resume", "--list"])
def test_help_has_an_example(option: str) -> None:
    lines = (under_test.run.__doc__ or "").splitlines()
    examples = [shlex.split(line) for line in lines if line.strip().startswith("python -m bench run")]
    assert any(option in example for example in examples)


FEW_FILES = """
import resource, sys
from bench import __main__ as program
from bench.harness import session
session.measure_ceilings = lambda environment: None  # before any worker is started
resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
sys.argv = ["bench", "run", "hybridize", "--budget", "4s"]
program.main()
"""


def test_a_run_that_may_open_few_files_costs_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FEW_FILES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = [
        line for line in done.stderr.splitlines() if not line.startswith(("before measuring", "measuring"))
    ]
    assert (done.returncode, done.stdout) == (2, "")
    assert lines == [
        "error: too many open files (Too many open files): raise the limit, such as with ulimit -n 1024"
    ]
