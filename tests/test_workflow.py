"""What the workflow tells of a pull request: its own steps, run by bash with a played ``gh``."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from reports.regression import MARKER
from tests.revisions import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "bench.yml"
GH = """#!/bin/sh
case "$*" in
  *--paginate*) printf %s "$FOUND";;
  *) echo "$*" >> calls; for a in "$@"; do case "$a" in body=@*) cat "${a#body=@}" > body;; esac; done;;
esac
"""


def script(step: str) -> str:
    """The commands of a step of the workflow."""
    _, _, rest = WORKFLOW.read_text(encoding="utf-8").partition(f"- name: {step}\n")
    _, _, commands = rest.partition("        run: |\n")
    lines = commands.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(" " * 10)), None)
    return textwrap.dedent("".join(lines[:end]))


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A checkout in which the counters were written, and nothing more."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "work.txt").write_text("step/static: 1 more synchronisation a step\n")
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    return tmp_path


def tell(job: Path, *, work: str = "success", timed: str = "success", found: str = "") -> str:
    """Run both steps as the runner does; what became the comment."""
    told = {
        **os.environ,
        "PATH": f"{job}{os.pathsep}{os.environ['PATH']}",
        "RESULTS": "results",
        "WORK": work,
        "TIMED": timed,
        "RUN": "run",
        "FOUND": found,
        "GITHUB_STEP_SUMMARY": "summary",
        "GITHUB_REPOSITORY": "owner/name",
        "NUMBER": "7",
    }
    for step in ("Words for the reader", "Comment, updated in place"):
        subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script(step)],
            cwd=job,
            env=told,
            check=True,
        )
    assert (job / "summary").read_text() == (job / "body").read_text()
    return (job / "body").read_text()


def test_a_comparison_without_a_result_replaces_the_comment_of_an_earlier_push(job: Path) -> None:
    said = tell(job, timed="failure", found="42\n")
    assert said.startswith(MARKER + "\n")
    assert "no timings" in said and "(failure)" in said
    assert "--method PATCH repos/owner/name/issues/comments/42" in (job / "calls").read_text()


def test_the_table_is_the_comment_and_the_counters_only_where_they_changed(job: Path) -> None:
    (job / "results" / "regress.md").write_text(f"{MARKER}\na table\n")
    assert tell(job) == f"{MARKER}\na table\n"
    assert "--method POST repos/owner/name/issues/7/comments" in (job / "calls").read_text()
    (job / "summary").unlink()
    said = tell(job, work="failure", timed="failure")
    assert said.startswith(f"{MARKER}\na table\n")
    assert "1 more synchronisation a step" in said


def test_results_do_not_make_the_checkout_dirty() -> None:
    (line,) = [line for line in WORKFLOW.read_text().splitlines() if line.startswith("  RESULTS: ")]
    folder = line.split()[1]
    assert f"{folder}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert f"mkdir -p {folder}" in (ROOT / "docs" / "ci.md").read_text()
