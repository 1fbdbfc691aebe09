"""What the workflow tells of a pull request: its own steps, run by bash with a played ``gh``."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from reports.pages import regression
from tests.revisions import ROOT

MARKER = f"<!-- {regression.MARKER} -->"  # as a comment begins
WORKFLOW = ROOT / ".github" / "workflows" / "bench.yml"
GH = """#!/bin/sh
case "$*" in
  *--paginate*) printf %s "$FOUND"; exit "${LISTED:-0}";;
  *) echo "$*" >> calls; for a in "$@"; do case "$a" in body=@*) cat "${a#body=@}" > body;; esac; done;;
esac
"""
# What GitHub makes of a workflow's word for a shell, and of none at all.
SHELLS = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"], None: ["bash", "-e"]}


def script(step: str) -> str:
    """The commands of a step of the workflow."""
    _, _, rest = WORKFLOW.read_text(encoding="utf-8").partition(f"- name: {step}\n")
    _, _, commands = rest.partition("        run: |\n")
    lines = commands.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(" " * 10)), None)
    return textwrap.dedent("".join(lines[:end]))


def run_step(step: str, job: Path, environment: dict[str, str]) -> int:
    """The exit code of a step in the shell that the workflow names for every step."""
    named = re.search(
        r"^defaults:\n  run:\n    shell: (\S+)", WORKFLOW.read_text(encoding="utf-8"), re.MULTILINE
    )
    shell = SHELLS[named[1] if named else None]
    told = {
        **os.environ,
        "PATH": f"{job}{os.pathsep}{os.environ['PATH']}",
        "RESULTS": "results",
        **environment,
    }
    return subprocess.run([*shell, "-c", script(step)], cwd=job, env=told, check=False).returncode


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A checkout in which the counters were written, and nothing more."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "work.txt").write_text("step/static: 1 more synchronisation a step\n")
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    return tmp_path


def tell(job: Path, *, work: str = "success", timed: str = "success", **more: str) -> int:
    """Run both steps; the exit code of the second."""
    told = {
        "WORK": work,
        "TIMED": timed,
        "RUN": "run",
        "FOUND": "",
        "GITHUB_STEP_SUMMARY": "summary",
        "GITHUB_REPOSITORY": "owner/name",
        "NUMBER": "7",
        **more,
    }
    assert run_step("Words for the reader", job, told) == 0
    return run_step("Comment, updated in place", job, told)


def comment(job: Path, **given: str) -> str:
    """What became the comment, and the summary too."""
    assert tell(job, **given) == 0
    assert (job / "summary").read_text() == (job / "body").read_text()
    return (job / "body").read_text()


def test_a_comparison_without_a_result_replaces_the_comment_of_an_earlier_push(job: Path) -> None:
    said = comment(job, timed="failure", FOUND="42\n")
    assert said.startswith(MARKER + "\n")
    assert "no timings" in said and "(failure)" in said
    assert "--method PATCH repos/owner/name/issues/comments/42" in (job / "calls").read_text()


def test_the_table_is_the_comment_and_the_counters_only_where_they_changed(job: Path) -> None:
    (job / "results" / "regress.md").write_text(f"{MARKER}\na table\n")
    assert comment(job) == f"{MARKER}\na table\n"
    assert "--method POST repos/owner/name/issues/7/comments" in (job / "calls").read_text()
    (job / "summary").unlink()
    said = comment(job, work="failure", timed="failure")
    assert said.startswith(f"{MARKER}\na table\n")
    assert "1 more synchronisation a step" in said


def test_results_do_not_make_the_checkout_dirty() -> None:
    (line,) = [line for line in WORKFLOW.read_text().splitlines() if line.startswith("  RESULTS: ")]
    folder = line.split()[1]
    assert f"{folder}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert f"mkdir -p {folder}" in (ROOT / "docs" / "ci.md").read_text()


def test_of_many_comments_the_first_is_updated(job: Path) -> None:
    """More than a pipe holds."""
    (job / "results" / "regress.md").write_text(f"{MARKER}\na table\n")
    comment(job, FOUND="42\n" + "43\n" * 30_000)
    assert "--method PATCH repos/owner/name/issues/comments/42 " in (job / "calls").read_text()


def test_where_the_comments_cannot_be_listed_no_second_one_is_posted(job: Path) -> None:
    assert tell(job, LISTED="1") == 1
    assert not (job / "calls").exists()


def test_counters_that_changed_fail_their_step_though_what_they_say_is_piped(job: Path) -> None:
    (job / "uv").write_text("#!/bin/sh\necho 1 more synchronisation\nexit 1\n")
    (job / "uv").chmod(0o755)
    assert run_step("Work counters", job, {}) == 1
    assert (job / "results" / "work.txt").read_text() == "1 more synchronisation\n"


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ({"CI_MERGE_REQUEST_DIFF_BASE_SHA": "cut"}, "cut"),
        ({"CI_MERGE_REQUEST_DIFF_BASE_SHA": "cut", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": ""}, "cut"),
        ({"CI_MERGE_REQUEST_DIFF_BASE_SHA": "cut", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "target"}, "target"),
    ],
    ids=["branch", "branch, set and empty", "merged results"],
)
def test_gitlab_s_base_is_what_the_head_was_made_from(given: dict[str, str], base: str) -> None:
    """In a merged-results pipeline the head is a merge, which has what the target did since the cut."""
    text = (ROOT / "docs" / "ci.md").read_text()
    (line,) = re.findall(r"^    - (base=.*)$", text, re.MULTILINE)
    assert 'regress --base "$base" ' in text
    said = subprocess.run(["bash", "-c", f"{line}; echo $base"], env=given, capture_output=True, check=True)
    assert said.stdout == f"{base}\n".encode()
