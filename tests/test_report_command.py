"""``python -m bench report`` as its user meets it: files, endings, mistakes, pipes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from bench.__main__ import app
from bench.records.regression import Comparison, Regression
from bench.records.run import Estimate, Verdict
from bench.results.profile_file import write_profile
from mtl_core.errors import UserError
from reports.pages.regression import regression_page
from tests.reported import KEPT, as_json
from tests.test_profiles import PROFILE

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


def later(run_file: Path, day: int) -> Path:
    """The same run, measured on another day."""
    told = run_file.read_text(encoding="utf-8").replace("2026-11-24T05", f"2026-11-{day}T05")
    file = run_file.parent / f"run{day}.json"
    file.write_text(told, encoding="utf-8")
    return file


def test_several_results_are_compared_and_a_folder_is_a_history(run_file: Path) -> None:
    other = later(run_file, 25)
    compared = run_file.parent / "compared.html"
    called(run_file, other, "-o", compared)
    page = compared.read_text(encoding="utf-8")
    assert "run25.json against run.json" in page
    assert "Within-machine ratios against those of the first run" in page
    history = run_file.parent / "history.html"
    called(run_file.parent, "-o", history)
    assert "2 runs on 1 kinds of machine" in history.read_text(encoding="utf-8")
    assert "give one with -o" in refused(run_file, other)


def test_what_regress_printed_is_a_page_too(tmp_path: Path) -> None:
    effect = Estimate(value=1.05, low=1.03, high=1.07, confidence=0.95, n=8)
    endless = Estimate(value=1.05, low=float("-inf"), high=float("inf"), confidence=0.95, n=1)
    found: list[tuple[str, Estimate | None, Verdict]] = [
        ("both", effect, "slower"),
        ("odd", endless, "undecided"),
        ("gone", None, "undecided"),
    ]
    told = Regression(
        base="main",
        head="<b>branch</b>",
        budget_s=60,
        confidence=0.95,
        comparisons=[
            Comparison(
                benchmark=f"second_head/step/{name}",
                asks="a step",
                effect=ratio,
                verdict=verdict,
                tolerance=0.02,
                seconds=3.0,
            )
            for name, ratio, verdict in found
        ],
    )
    file = tmp_path / "regress.json"
    file.write_text(as_json(regression_page(told)), encoding="utf-8")
    called(file)
    page = (tmp_path / "regress.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;branch&lt;/b&gt; against main" in page
    assert "1.05" in page and "(1.030 to 1.070)" in page
    assert "slower: second_head/step/both" in page
    file.write_text('{"schema": 9, "comparisons": []}', encoding="utf-8")
    assert "is not what regress --format json prints" in refused(file)
    file.write_text('{"schema": 1, "comparisons": [3]}', encoding="utf-8")
    assert "is not what regress --format json prints" in refused(file)


@pytest.fixture
def profile_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "profile"
    folder.mkdir()
    write_profile(replace(PROFILE, files={"flame graph": ["flames.svg"]}), folder)
    (folder / "flames.svg").write_text("<svg><text>flames</text></svg>", encoding="utf-8")
    return folder


def test_a_profile_is_a_page_beside_it(profile_folder: Path) -> None:
    called(profile_folder)
    page = (profile_folder / "profile.html").read_text(encoding="utf-8")
    assert PROFILE.case.name in page
    assert "data:image/svg+xml" in page


def test_a_profile_is_a_section_of_a_runs_page(run_file: Path, profile_folder: Path) -> None:
    page = run_file.with_suffix(".html")
    called(run_file, profile_folder, "-o", page)
    told = page.read_text(encoding="utf-8")
    assert f"Profile of {PROFILE.case.name}" in told
    assert "What does the second head cost?" in told


def test_a_profile_without_its_flame_graph_is_still_told(profile_folder: Path) -> None:
    (profile_folder / "flames.svg").unlink()
    called(profile_folder / "profile.json")
    assert "data:image/svg+xml" not in (profile_folder / "profile.html").read_text(encoding="utf-8")


def test_a_flame_graph_outside_the_folder_is_not_taken(profile_folder: Path) -> None:
    (profile_folder.parent / "secret.svg").write_text("<svg><text>secret</text></svg>", encoding="utf-8")
    write_profile(replace(PROFILE, files={"flame graph": ["../secret.svg"]}), profile_folder)
    called(profile_folder)
    assert "data:image/svg+xml" not in (profile_folder / "profile.html").read_text(encoding="utf-8")
