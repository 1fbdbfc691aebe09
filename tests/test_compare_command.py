"""``compare`` and ``history`` as their users meet them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.__main__ import main

ROOT = Path(__file__).parent.parent
OLD = ROOT / "tests" / "old_runs"
TWO = (str(OLD / "schema1.json"), str(OLD / "schema2.json"))


@dataclass
class Done:
    """What a command said and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def bench(*arguments: str) -> Done:
    """The command in this process, which saves seconds of imports; two tests below start real ones."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["bench", *arguments])
        patch.setenv("COLUMNS", "80")
        patch.chdir(ROOT)
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, its output in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        check=False,
        timeout=240,
        env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **environment},
    )


def without(folder: Path, path: str, variant: str) -> str:
    """The same run with a variant gone."""
    document = json.loads(Path(path).read_text())
    entries = document["benchmarks"]
    ours = [e for e in entries if e["extra_info"]["mtl_bench"]["case"]["variant"] != variant]
    assert len(ours) < len(entries)
    (folder / "without.json").write_text(json.dumps({**document, "benchmarks": ours}))
    return str(folder / "without.json")


def slowed(folder: Path, factor: float, cpu: str | None = None) -> str:
    """The newest old run with another time for its step with both heads, in a file of its own."""
    document = json.loads((OLD / "schema2.json").read_text())
    if cpu:
        document["mtl_bench"]["machine"]["cpu"] = cpu
    for entry in document["benchmarks"]:
        ours = entry["extra_info"]["mtl_bench"]
        for number, set_up in enumerate(ours["set_ups"]):
            of_variant = factor if ours["case"]["variant"] == "both" else 1.0
            for timed in set_up["rounds"]:
                timed["seconds"] = timed["iterations"] * 1e-3 * of_variant * (1 + 0.001 * number)
    path = folder / f"slowed{factor}{cpu or ''}.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_a_comparison_is_plain_and_80_columns_wide_in_a_pipe() -> None:
    done = started("compare", *TWO)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    for said in (
        "one machine class",
        "What differs",
        "Ceilings",
        "second_head/step",
        "Geometric means",
        "Equal: cpu",
    ):
        assert (said in done.stdout) == (said != "What differs")  # the two tell the same
    assert done.stdout.count("946ab7741023+dirty") == 2  # no revision is broken


@pytest.mark.parametrize("form", ["markdown", "json", "csv"])
def test_every_format_is_written(form: str) -> None:
    done = bench("compare", *TWO, "--format", form, "--sort", "ratio")
    assert done.returncode == 0, done.stderr
    if form == "json":
        assert {b["name"] for b in json.loads(done.stdout)["benchmarks"]} >= {"second_head/step/both"}
    else:
        assert "digits" in done.stdout


def test_slower_fails_where_it_is_asked_to(tmp_path: Path) -> None:
    before, after = slowed(tmp_path, 1.0), slowed(tmp_path, 1.2)
    assert bench("compare", before, after).returncode == 0
    done = bench("compare", before, after, "--fail-on", "slower")
    assert done.returncode == 1
    assert done.stderr == "slower: second_head/forward/both, second_head/step/both\n"
    assert bench("compare", after, before, "--fail-on", "slower").returncode == 0


def test_a_benchmark_that_is_gone_is_no_pass(tmp_path: Path) -> None:
    before = slowed(tmp_path, 1.0)
    after = without(tmp_path, before, "both")
    assert bench("compare", before, after).returncode == 0
    done = bench("compare", before, after, "--fail-on", "slower")
    assert done.returncode == 5
    assert done.stderr.startswith("missing or failed in the later run: second_head/")
    assert bench("compare", before, after, "--fail-on", "slower", "--only", "digits").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare",), "FILE|FOLDER"),
        (("compare", TWO[0]), "1 run found; compare takes two or more"),
        (("compare", TWO[0], "nowhere.json"), "nowhere.json cannot be read"),
        (("compare", TWO[0], "x" * 300), "cannot be read (File name too long)"),
        (("compare", TWO[0], "x/" * 3000 + "a.json"), "cannot be read (File name too long)"),
        (("compare", *TWO, "--format", "pdf"), "--format is 'pdf'; expected one of terminal"),
        (("compare", *TWO, "--tolerance", "much"), "--tolerance is 'much'"),
        (("history", "nowhere"), "nowhere is no folder"),
        (("history", str(OLD), "--only", "xyz"), "no benchmark in these runs has 'xyz'"),
        (("history", str(OLD), "--machine", "xyz"), "no run is of a machine with 'xyz'"),
    ],
)
def test_bad_input_costs_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_unlike_machines_are_not_asked_which_is_slower(tmp_path: Path) -> None:
    done = bench("compare", slowed(tmp_path, 1.0), slowed(tmp_path, 1.2, "Z80"), "--fail-on", "slower")
    assert done.returncode == 2
    assert "these differ in cpu" in done.stderr


def test_a_run_that_is_not_judged_is_told(tmp_path: Path) -> None:
    """Its benchmarks are slower, and no exit code would say so."""
    before, after, other = (
        slowed(tmp_path, factor, cpu) for factor, cpu in ((1.0, None), (1.01, None), (1.2, "Z80"))
    )
    done = bench("compare", before, after, other, "--fail-on", "slower")
    assert done.returncode == 0
    assert done.stderr == "not judged: C (slowed1.2Z80.json) is of another machine class than A: cpu\n"
    assert bench("compare", before, after, other).stderr == ""
    old = bench("compare", before, after, str(OLD / "pytest_benchmark.json"), "--fail-on", "slower")
    assert "not judged: C (pytest_benchmark.json) " in old.stderr
    assert old.stderr.endswith(": one of the two tells no machine\n")


def test_runs_with_nothing_in_common_say_so_first_and_an_empty_file_is_none(tmp_path: Path) -> None:
    done = bench("compare", str(OLD / "pytest_benchmark.json"), TWO[0])
    assert done.returncode == 0
    assert done.stdout.splitlines()[3] == "The runs have no benchmark in common."  # below the titles
    (tmp_path / "empty.json").write_text('{"benchmarks": []}')
    empty = bench("compare", str(tmp_path / "empty.json"), TWO[0])
    assert empty.returncode == 2
    assert empty.stderr.count("\n") == 1 and "holds no benchmark at all" in empty.stderr


def test_a_hostile_name_reaches_no_terminal(tmp_path: Path) -> None:
    evil = tmp_path / "\x1b[2J\u202e.json"
    shutil.copy(TWO[0], evil)
    done = bench("compare", str(evil), TWO[1])
    assert done.returncode == 0, done.stderr
    evil.write_text("{")
    broken = bench("compare", str(evil), TWO[1])
    assert broken.returncode == 2
    for said in (done.stdout, broken.stderr):
        assert "\x1b" not in said and "\u202e" not in said
        assert r"\x1b" in said


def test_a_folder_is_compared_and_what_is_no_result_is_told(tmp_path: Path) -> None:
    for name in ("schema1.json", "schema2.json"):
        shutil.copy(OLD / name, tmp_path)
    (tmp_path / "other.json").write_text("[]")
    done = bench("compare", str(tmp_path), "--format", "csv")
    assert done.returncode == 0
    assert "left out: other.json is no result" in done.stderr
    assert "schema1.json" in done.stdout and "schema2.json" in done.stdout


def test_a_history_is_drawn_in_ascii_where_the_terminal_has_no_more() -> None:
    done = started("history", str(OLD), PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "nothing is claimed" in done.stdout
    assert "left out: pytest_benchmark.json" in done.stdout
