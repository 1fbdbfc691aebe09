"""``python -m bench report`` as its user meets it: files, endings, mistakes, pipes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from mtl_core.errors import UserError
from tests.reported import KEPT

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(KEPT, tmp_path / "run.json"))


def called(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["report", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_a_page_stands_beside_the_result(run_file: Path) -> None:
    said = called(run_file)
    page = run_file.with_suffix(".html")
    assert str(page) in said.replace("\n", "")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.md", "## Benchmark run"),
        ("a.csv", "table,variant"),
        ("a.txt", "Benchmark run"),
        ("a.HTM", "<!doctype"),
    ],
)
def test_the_ending_tells_the_format(run_file: Path, name: str, start: str) -> None:
    called(run_file, "-o", run_file.parent / name)
    assert (run_file.parent / name).read_text(encoding="utf-8").startswith(start)


def test_a_text_file_has_no_colours(run_file: Path) -> None:
    called(run_file, "-o", run_file.parent / "a.txt")
    assert "\x1b" not in (run_file.parent / "a.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("form", "start"), [("markdown", "## Benchmark run"), ("csv", "table"), ("terminal", "Ben")]
)
def test_without_a_file_the_others_are_printed(run_file: Path, form: str, start: str) -> None:
    assert called(run_file, "--format", form).startswith(start)
    assert list(run_file.parent.iterdir()) == [run_file]


def test_the_page_is_opened(run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def no_browser(url: str) -> bool:
        opened.append(url)
        return False

    monkeypatch.setattr(webbrowser, "open", no_browser)
    assert "no browser was found" in called(run_file, "--open")
    assert opened == [run_file.with_suffix(".html").resolve().as_uri()]


def test_mistakes_are_named(run_file: Path) -> None:
    assert "ends in '.pdf'" in refused(run_file, "-o", "a.pdf")
    assert "is the result file itself" in refused(run_file, "-o", run_file, "--format", "csv")
    assert "--open shows HTML" in refused(run_file, "--open", "-o", run_file.parent / "a.md")
    assert "cannot be written" in refused(run_file, "-o", run_file / "a.md")
    assert "cannot be read" in refused(run_file.parent / "none.json", "-o", run_file.parent / "a.md")
    assert list(run_file.parent.iterdir()) == [run_file]


def test_a_closed_pipe_and_an_ascii_locale_are_no_errors(run_file: Path) -> None:
    command = f"{sys.executable} -m bench report {run_file} --format terminal | head -n 1"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "NO_COLOR": "1", "COLUMNS": "80"}
    told = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    assert told.stdout.startswith("Benchmark run")
    assert told.stderr == ""
