"""What the action tells of a pull request: its own steps, run by bash with a played ``gh``."""

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
ACTION = ROOT / "action.yml"
PIPELINE = ROOT / ".gitlab" / "mtl-bench.yml"
GH = """#!/bin/sh
case "$*" in
  *--paginate*) printf %s "$FOUND"; exit "${LISTED:-0}";;
  *) echo "$*" >> calls; for a in "$@"; do case "$a" in body=@*) cat "${a#body=@}" > body;; esac; done;;
esac
"""
# What GitHub makes of an action's word for a shell, which every step of one needs.
SHELLS = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}


def parts(step: str) -> tuple[str, str]:
    """The shell and the commands of a step of the action."""
    _, _, rest = ACTION.read_text(encoding="utf-8").partition(f"- name: {step}\n")
    shown = re.search(r"^      shell: (\w+)\n      run: \|.*\n((?:(?: {8}.*)?\n)+)", rest, re.MULTILINE)
    assert shown is not None and "- name:" not in rest[: shown.start()], step
    return shown[1], textwrap.dedent(shown[2])


def run_step(step: str, job: Path, environment: dict[str, str]) -> int:
    """The exit code of a step in the shell that it names."""
    shell, commands = parts(step)
    told = {
        **os.environ,
        "PATH": f"{job}{os.pathsep}{os.environ['PATH']}",
        "RESULTS": "results",
        **environment,
    }
    return subprocess.run([*SHELLS[shell], "-c", commands], cwd=job, env=told, check=False).returncode


def played(job: Path, name: str, script: str) -> None:
    """A program of this name, which the steps find first."""
    (job / name).write_text(f"#!/bin/sh\n{script}\n")
    (job / name).chmod(0o755)


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


def test_every_run_step_names_its_shell_and_its_folder() -> None:
    """Without a shell an action is refused, and without pipefail what fails before a pipe passes."""
    text = ACTION.read_text(encoding="utf-8")
    names = re.findall(r"^    - name: (.+)$", text, re.MULTILINE)
    run = [name for name in names if name != "Keep the results"]
    assert [parts(name)[0] for name in run] == ["bash"] * len(run) == ["bash"] * text.count("\n      run: ")
    assert text.count("RESULTS: ${{ inputs.results }}") == len(run)
    (folder,) = re.findall(r"results:\n    description: .*\n    default: (\S+)", text)
    assert f"{folder}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert f"mkdir -p {folder}" in PIPELINE.read_text()


@pytest.mark.parametrize(
    ("python", "more", "said"),
    [
        ("3.12", "", "-e suite[cpu]"),
        ("3.13", "", "--override temp/overrides.txt -e suite[cpu]"),
        ("3.12", "-e . -r needs.txt", "-e suite[cpu] -e . -r needs.txt"),
    ],
)
def test_the_suite_is_installed_from_the_action_itself(job: Path, python: str, more: str, said: str) -> None:
    played(job, "uv", 'echo "$@" >> installed')
    (job / "temp").mkdir()
    told = {"PYTHON": python, "INSTALL": more, "SUITE": "suite", "RUNNER_TEMP": "temp", "GITHUB_PATH": "path"}
    assert run_step("Install", job, told) == 0
    environment, installed = (job / "installed").read_text().splitlines()
    assert environment == f"venv --python {python} temp/mtl-bench"
    assert installed == f"pip install --python temp/mtl-bench --compile-bytecode {said}"
    assert (job / "path").read_text() == "temp/mtl-bench/bin\n"


@pytest.mark.parametrize(("network", "asked"), [("", ""), ("a.b:c", " --network a.b:c")])
def test_the_network_is_handed_on_where_one_is_given(job: Path, network: str, asked: str) -> None:
    played(job, "mtl-bench", 'echo "$@" >> asked')
    told = {"NETWORK": network, "BASE": "HEAD^1", "BUDGET": "60s", "MINUTES": "20"}
    assert (
        run_step("Work counters", job, told) == run_step("Timings against the target branch", job, told) == 0
    )
    files = "--output results/regress.md --output results/regress.json"
    assert (job / "asked").read_text().splitlines() == [
        f"work --check{asked}",
        f"regress --base HEAD^1 --budget 60s{asked} {files}",
    ]


def test_timings_that_run_out_of_time_fail_their_step(job: Path) -> None:
    played(job, "mtl-bench", "sleep 60")
    told = {"NETWORK": "", "BASE": "main", "BUDGET": "60s", "MINUTES": "0.01"}
    assert run_step("Timings against the target branch", job, told) == 124


def test_of_many_comments_the_first_is_updated(job: Path) -> None:
    """More than a pipe holds."""
    (job / "results" / "regress.md").write_text(f"{MARKER}\na table\n")
    comment(job, FOUND="42\n" + "43\n" * 30_000)
    assert "--method PATCH repos/owner/name/issues/comments/42 " in (job / "calls").read_text()


def test_where_the_comments_cannot_be_listed_no_second_one_is_posted(job: Path) -> None:
    assert tell(job, LISTED="1") == 1
    assert not (job / "calls").exists()


def test_counters_that_changed_fail_their_step_though_what_they_say_is_piped(job: Path) -> None:
    played(job, "mtl-bench", "echo 1 more synchronisation; exit 1")
    assert run_step("Work counters", job, {"NETWORK": ""}) == 1
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
    text = PIPELINE.read_text()
    (line,) = re.findall(r"^    - (base=.*)$", text, re.MULTILINE)
    assert 'regress --base "$base" ' in text
    said = subprocess.run(["bash", "-c", f"{line}; echo $base"], env=given, capture_output=True, check=True)
    assert said.stdout == f"{base}\n".encode()
