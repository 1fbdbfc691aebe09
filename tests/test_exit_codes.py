"""One exit code a kind of outcome; 1 is slower and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_core.errors import ExitCode

ROOT = Path(__file__).parent.parent
PROGRAM = """
import typer
from mtl_core.errors import NothingMeasuredError, UserError
from mtl_core.program.command_line import run
app = typer.Typer()

@app.command()
def command(): {body}

run(app, "program")
"""


def ended(body: str, **how: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM.format(body=body)]
    how = {"stdout": subprocess.PIPE, **how}
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False, timeout=60, **how
    )


@pytest.mark.parametrize(
    ("body", "code", "lines"),
    [
        ("pass", ExitCode.GOOD, 0),
        ("raise UserError('no such file')", ExitCode.BAD_INPUT, 1),
        ("raise NothingMeasuredError('no worker starts')", ExitCode.MEASURED_NOTHING, 1),
        ("raise typer.Exit(4)", ExitCode.COUNTERS_CHANGED, 0),
        ("raise KeyboardInterrupt", ExitCode.INTERRUPTED, 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", ExitCode.TERMINATED, 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGHUP)", ExitCode.HUNG_UP, 0),
        ("raise OSError(24, 'Too many open files')", ExitCode.BAD_INPUT, 1),
    ],
)
def test_an_outcome_has_its_code(body: str, code: ExitCode, lines: int) -> None:
    done = ended(body)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, lines), done.stderr


@pytest.mark.parametrize("body", ["1 / 0", "import no_such_module", "raise MemoryError"])
def test_a_bug_keeps_its_traceback_and_is_not_taken_for_slower(body: str) -> None:
    done = ended(body)
    assert done.returncode == ExitCode.BUG
    assert "Traceback" in done.stderr


def test_a_bug_while_modules_are_imported_is_none_of_the_others() -> None:
    code = "from mtl_core.errors import tell_bugs_apart\ntell_bugs_apart()\nimport no_such_module"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.BUG
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize("module", ["numpy", "typer"])
@pytest.mark.parametrize(
    "start",
    [
        ("-m", "mtl_core"),
        ("-m", "bench"),
        ("-c", "from mtl_core.platform.ours_first import mtl_bench; mtl_bench()"),  # as the script does
    ],
    ids=["mtl_core", "bench", "mtl-bench"],
)
def test_a_bug_while_a_program_is_imported_is_a_bug_too(
    start: tuple[str, str], module: str, tmp_path: Path
) -> None:
    (tmp_path / f"{module}.py").write_text("1 / 0")
    done = subprocess.run(
        [sys.executable, *start, "train"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.BUG
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("columns", ["0", "-3", "wide", ""])
def test_a_width_that_is_none_is_as_good_as_unset(columns: str) -> None:
    body = "from rich.console import Console; Console().print('-' * 79, 'end')"
    done = ended(body, env={**os.environ, "COLUMNS": columns})
    assert done.stdout == "-" * 79 + " \nend\n" or done.stdout == "-" * 79 + "\nend\n"


WRITERS = [
    "print('x' * 100_000)",
    "typer.echo('x')",
    "from rich.console import Console; Console().print('x')",
]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
@pytest.mark.parametrize("body", WRITERS)
def test_an_output_that_is_full_costs_one_line(body: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = ended(body, stdout=full)
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stderr.startswith("error: standard output cannot be written (No space left on device)")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("body", WRITERS)
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(body: str) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = ended(body, stdout=writes)
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (ExitCode.OUTPUT_CLOSED, "")


def test_the_documentation_has_every_code() -> None:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert {int(code) for row in rows for code in row.split(",")} == set(ExitCode)


def test_pipelines_do_not_go_through_nox() -> None:
    """It ends with 1 whatever a command ended with."""
    for name in ("docs/ci.md", "action.yml", ".gitlab/mtl-bench.yml"):
        assert "nox -s" not in (ROOT / name).read_text(encoding="utf-8")
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    coded = [line for line in lines if "nox -s" in line and "exit code" in line]
    assert coded and all("`python -m bench" in line for line in coded), "whose exit code is it?"


def test_the_pipelines_call_what_the_documentation_names() -> None:
    for name in ("action.yml", ".gitlab/mtl-bench.yml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "mtl-bench regress" in text and "python -m bench" not in text
    assert "A pipeline calls `mtl-bench`" in (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["run hybridize", "regress", "work --check", "trust --quick"])
def test_a_current_folder_that_was_removed_costs_one_line(command: str, tmp_path: Path) -> None:
    line = f'mkdir gone && cd gone && rmdir ../gone && exec "{sys.executable}" -m bench {command}'
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == ExitCode.BAD_INPUT, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if "getcwd" not in line]  # which bash says
    assert said == "error: the current folder was removed; change into one that is there"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise UserError('no such file')", ExitCode.BAD_INPUT),
        ("1 / 0", ExitCode.BUG),
        ("typer.echo('x')", 0),
    ],
)
def test_a_complaint_that_nobody_hears_keeps_its_code(body: str, code: int) -> None:
    """Never 1, which is slower."""
    hears, speaks = os.pipe()
    os.close(hears)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(body=body)], cwd=ROOT, stderr=speaks, check=False
        )
    finally:
        os.close(speaks)
    assert done.returncode == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    ("body", "code"),
    [("raise UserError('x')", ExitCode.BAD_INPUT), ("typer.echo('x', err=True)", ExitCode.GOOD)],
)
def test_a_full_standard_error_keeps_the_code(body: str, code: int) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(body=body)], cwd=ROOT, stderr=full, check=False
        )
    assert done.returncode == code


def test_a_standard_output_that_can_only_be_read_costs_one_line(tmp_path: Path) -> None:
    (tmp_path / "read").touch()
    with (tmp_path / "read").open() as reading:
        done = ended("import sys; sys.stdout.write('x' * 99999); sys.stdout.flush()", stdout=reading)
    assert (done.returncode, len(done.stderr.splitlines())) == (ExitCode.BAD_INPUT, 1), done.stderr
