"""Exact counters: the golden file holds, and every slip is caught in a real worker and told in words."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bench.__main__ import app
from bench.commands import work as command
from bench.counters.work import COUNTERS, amount, changes
from bench.harness.counting import counted
from bench.records.run import Case, Setting, Work, WorkChange
from bench.results.work_file import GOLDEN, read_golden, write_golden
from mtl_core.config import HEADS, MODES, NetworkConfig
from mtl_core.cost import cost
from mtl_core.errors import UserError
from reports.pages.work import WORDS, operators_lines, sentence
from tests.revisions import commit

ROOT = Path(__file__).parent.parent
BOTH: list[str] = list(HEADS)


def case(workload: str, **settings: Setting) -> Case:
    name = workload if ":" in workload else f"tests.slips:{workload}"
    told: dict[str, Setting] = {"mode": "hybridized", "batch_size": 128, **settings}
    return Case(question="", part="step", variant="", workload=name, settings=told)


SLIPS = {
    "asnumpy": case("Waits"),
    "asnumpy twice": case("Waits", times=2),
    "asnumpy every tenth": case("Waits", every=10),
    "wait_to_read": case("Waits", way="wait_to_read"),
    "waitall": case("Waits", way="waitall"),
    "metric": case("Metric"),
    "numpy": case("FromNumPy"),
    "not hybridized": case("NotHybridized"),
    "traced again": case("TracedAgain"),
    **{f"loss twice, {mode}": case("LossTwice", mode=mode) for mode in MODES},
    "a head more": case("bench.workloads.steps:StepWorkload", heads=BOTH),
    "copied twice": case("CopiedTwice", device="cpu(1)", copy_each_batch=True),
}


@pytest.fixture(scope="module")
def slipped() -> dict[str, Work]:
    """The work of every slip, counted by one worker after the other in one process."""
    return counted(SLIPS)[1]


@pytest.fixture(scope="module")
def golden() -> dict[str, Work]:
    return read_golden(GOLDEN).work


def told(golden: dict[str, Work], step: str, slip: Work) -> list[str]:
    """What --check says when ``step`` does what the slip does; the lines of code without their numbers."""
    lines = [sentence(change) for change in changes({step: golden[step]}, {step: slip})]
    return [re.sub(r"\.py:\d+", ".py:LINE", line) for line in lines]


def test_the_steps_do_what_the_golden_file_says_whatever_the_environment() -> None:
    """The check itself; threads, another engine and another bulking set outside change nothing."""
    outside = {
        "OMP_NUM_THREADS": "2",
        "MXNET_ENGINE_TYPE": "NaiveEngine",
        "MXNET_EXEC_BULK_EXEC_TRAIN": "0",
        "MXNET_UPDATE_ON_KVSTORE": "0",
        "MTL_DENORMALS": "flush",
        "COLUMNS": "80",
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench", "work", "--check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **outside},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing changed: 8 steps do what the golden file says." in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout + done.stderr


def test_the_tutorial_declared_as_a_task_does_what_the_golden_file_says(golden: dict[str, Work]) -> None:
    """Operators, pushes, calls, waits, copies, bytes and FLOP; each head by itself in two networks."""
    told: dict[str, Setting] = {"network": "mtl_core.program.tutorial_task:task"}
    modes = ("imperative", "hybridized", "whole_graph")
    cases = {f"step/{mode}": case("bench.workloads.task:TaskWorkload", mode=mode, **told) for mode in modes}
    cases["step/separate"] = case("bench.workloads.task:SeparateTasks", heads=BOTH, **told)
    assert changes({name: golden[name] for name in cases}, counted(cases)[1]) == []


def test_every_step_that_is_compared_is_counted_once(golden: dict[str, Work]) -> None:
    names = (*MODES, "digits", "odd_even", "separate", "copied")
    assert list(command.declared()) == [f"step/{name}" for name in names]
    assert set(golden) == set(command.declared())


def test_a_step_of_ours_neither_waits_nor_traces_again_nor_copies_unless_it_is_meant_to(
    golden: dict[str, Work],
) -> None:
    for name, work in golden.items():
        batch = {"host to host": 3} if name == "step/copied" else {}  # images and two labels
        assert (work.synchronisations, work.copies, work.graphs_retraced) == ({}, batch, 0)


def test_the_golden_counts_are_what_theory_demands(golden: dict[str, Work]) -> None:
    """Five dense layers, four of them with an activation or in the loss; two arrays of parameters each."""
    work, told = golden["step/imperative"], cost(NetworkConfig())
    assert work.operators["FullyConnected"] == work.operators["_backward_FullyConnected"] == 5
    assert work.operators["adam_update"] == 10
    assert work.operators["log_softmax"] == 1
    assert (work.parameters, work.flop) == (told.parameters, told.training_flop)
    assert work.optimizer_bytes == told.optimizer_bytes
    assert {name: golden[f"step/{name}"].graphs_traced for name in (*MODES, "separate")} == {
        "imperative": 0,
        "hybridized": 1,
        "static": 1,
        "whole_graph": 1,
        "separate": 2,
    }
    assert golden["step/hybridized"].operators == work.operators
    assert golden["step/hybridized"].pushes < work.pushes


def test_two_networks_are_the_sum_of_each(golden: dict[str, Work]) -> None:
    alone = [golden["step/digits"], golden["step/odd_even"]]
    for counter in COUNTERS:
        assert amount(golden["step/separate"], counter) == sum(amount(one, counter) for one in alone)


@pytest.mark.parametrize("way", ["asnumpy", "wait_to_read", "waitall"])
def test_a_synchronisation_slipped_in_is_caught_and_comes_first(
    golden: dict[str, Work], slipped: dict[str, Work], way: str
) -> None:
    said = told(golden, "step/hybridized", slipped[way])
    expected = f"step/hybridized: 1 more synchronisation a step: {way}, at tests/slips.py:LINE (0 -> 1)"
    assert expected in said[:2]
    assert len(said) == (2 if way == "asnumpy" else 1)  # asnumpy copies as well


def test_the_number_of_synchronisations_is_told(golden: dict[str, Work], slipped: dict[str, Work]) -> None:
    twice = told(golden, "step/hybridized", slipped["asnumpy twice"])
    assert twice[0].startswith("step/hybridized: 2 more synchronisations a step: asnumpy")
    tenth = told(golden, "step/hybridized", slipped["asnumpy every tenth"])
    assert tenth[0].startswith("step/hybridized: 0.1 more synchronisations a step: asnumpy")


def test_a_metric_waits_twice(golden: dict[str, Work], slipped: dict[str, Work]) -> None:
    assert told(golden, "step/hybridized", slipped["metric"])[0].startswith(
        "step/hybridized: 2 more synchronisations a step: asnumpy, at tests/slips.py"
    )


def test_unhybridizing_is_caught(golden: dict[str, Work], slipped: dict[str, Work]) -> None:
    said = told(golden, "step/hybridized", slipped["not hybridized"])
    assert any(line.startswith("step/hybridized: 7 more engine calls a step") for line in said)
    assert any("more calls from Python a step: +8 operator, -1 graph" in line for line in said), said


def test_tracing_again_is_caught(golden: dict[str, Work], slipped: dict[str, Work]) -> None:
    said = told(golden, "step/hybridized", slipped["traced again"])
    assert said[0] == "step/hybridized: 1 more graph traced again a step (0 -> 1)"


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "whole_graph"])
def test_a_loss_evaluated_twice_is_caught(
    golden: dict[str, Work], slipped: dict[str, Work], mode: str
) -> None:
    said = told(golden, f"step/{mode}", slipped[f"loss twice, {mode}"])
    operators = [line for line in said if "more operators a step" in line]
    assert len(operators) == 1
    assert "1 log_softmax" in operators[0] and "1 pick" in operators[0]


def test_in_the_graph_of_the_losses_mxnet_evaluates_the_loss_once_and_only_the_sum_is_more(
    golden: dict[str, Work], slipped: dict[str, Work]
) -> None:
    """MXNet merges equal expressions of one graph; what is counted is what is run."""
    (said,) = [
        s for s in told(golden, "step/whole_graph", slipped["loss twice, whole_graph"]) if "ators" in s
    ]
    assert "3 more operators a step: 1 _backward_mul_scalar, 1 _mul_scalar, 1 elemwise_add" in said


def test_a_head_more_is_caught(golden: dict[str, Work], slipped: dict[str, Work]) -> None:
    said = "\n".join(told(golden, "step/digits", slipped["a head more"]))
    assert "step/digits: 28 more operators a step: " in said
    assert "step/digits: 11 more parameters (109,496 -> 109,507)" in said
    assert "step/digits: 62 more FLOP an image" in said
    assert "step/digits: 88 more bytes of optimizer state" in said


def test_a_batch_copied_once_more_than_needed_is_caught(
    golden: dict[str, Work], slipped: dict[str, Work]
) -> None:
    said = told(golden, "step/copied", slipped["copied twice"])
    assert "step/copied: 2 more copies a step: host to host (3 -> 5)" in said


def test_copies_are_told_by_where_from_and_to(slipped: dict[str, Work]) -> None:
    assert slipped["numpy"].copies == {"NumPy to MXNet": 1}
    assert slipped["asnumpy"].copies == {"MXNet to NumPy": 1}


COUNTS = st.integers(0, 5) | st.sampled_from([0.1, 0.5, 1.5])
NAMED = st.dictionaries(st.sampled_from("abc"), st.integers(1, 5) | st.just(0.5), max_size=3)
SIZES = ("parameters", "parameter_bytes", "gradient_bytes", "optimizer_bytes", "flop", "graphs_traced")
WORKS = st.builds(
    Work,
    **dict.fromkeys(("operators", "calls", "synchronisations", "copies"), NAMED),
    **dict.fromkeys(("pushes", "graphs_retraced"), COUNTS),
    **dict.fromkeys(SIZES, st.integers(0, 5)),
    waited_at=st.just({}),
)
SIDES = st.dictionaries(st.sampled_from(["step/x", "step/y", "step/z"]), WORKS, max_size=3)


@given(work=SIDES)
def test_what_is_equal_has_no_changes(work: dict[str, Work]) -> None:
    assert changes(work, work) == []


@given(before=SIDES, after=SIDES)
def test_every_difference_is_told_once_and_the_largest_growth_first(
    before: dict[str, Work], after: dict[str, Work]
) -> None:
    found = changes(before, after)
    expected = {(n, "step") for n in before.keys() ^ after.keys()}
    for name in before.keys() & after.keys():
        expected |= {(name, c) for c in COUNTERS if getattr(before[name], c) != getattr(after[name], c)}
    pairs = [(step, change.counter) for change in found for step in change.steps]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected
    assert [c.growth for c in found] == sorted((c.growth for c in found), reverse=True)
    for change in found:
        assert sentence(change).startswith(f"{', '.join(change.steps)}: ")


@given(work=SIDES)
def test_the_golden_file_gives_back_what_was_written(
    work: dict[str, Work], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("golden") / "work.json"
    write_golden(path, "1.9.1", work)
    assert read_golden(path).work == work


def test_the_golden_file_is_what_update_writes(golden: dict[str, Work], tmp_path: Path) -> None:
    write_golden(tmp_path / "again.json", "1.9.1", golden)
    assert (tmp_path / "again.json").read_bytes() == GOLDEN.read_bytes()


def test_the_same_change_in_several_steps_is_told_once(golden: dict[str, Work]) -> None:
    waiting = {
        name: replace(
            counted, synchronisations={"asnumpy": 2}, waited_at={"asnumpy": ["mtl_core/step.py:110"]}
        )
        for name, counted in golden.items()
    }
    (change,) = changes(golden, waiting)
    assert change.steps == sorted(golden)
    assert sentence(change).endswith(
        ": 2 more synchronisations a step: asnumpy, at mtl_core/step.py:110 (0 -> 2)"
    )


def change(**given: Any) -> WorkChange:
    return WorkChange(**{"steps": ["step/x"], "counter": "operators", "before": 5, "after": 5, **given})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (change(after=4, parts={"pick": -1}), "1 fewer operator a step: pick (5 -> 4)"),
        (change(after=7, parts={"pick": 2}), "2 more operators a step: pick (5 -> 7)"),
        (change(after=8, parts={"mean": 2, "pick": 1}), "3 more operators a step: 2 mean, 1 pick (5 -> 8)"),
        (change(after=6, parts={"mean": 2, "pick": -1}), "1 more operator a step: +2 mean, -1 pick (5 -> 6)"),
        (change(parts={"a": 1, "b": -1}), "other operators a step, in all as many: +1 a, -1 b"),
        (change(counter="flop", before=1000, after=3000), "2,000 more FLOP an image (1,000 -> 3,000)"),
        (change(counter="pushes", before=0.3, after=0.1), "0.2 fewer engine calls a step (0.3 -> 0.1)"),
        (change(counter="step", before=None), "a new step, not in the golden file"),
        (change(counter="step", after=None), "no longer there, but in the golden file"),
    ],
)
def test_changes_in_words(changed: WorkChange, said: str) -> None:
    assert sentence(changed) == f"step/x: {said}"


def test_every_counter_has_words() -> None:
    assert set(WORDS) == set(COUNTERS) == {field.name for field in fields(Work)} - {"waited_at"}


def test_steps_that_run_the_same_operators_share_a_line(golden: dict[str, Work]) -> None:
    lines = operators_lines({f"step/{mode}": golden[f"step/{mode}"] for mode in MODES})
    assert lines[0].startswith("imperative, hybridized, static: 10 adam_update, 5 ")
    assert lines[1].startswith("whole_graph: ")


@pytest.fixture
def counted_is(monkeypatch: pytest.MonkeyPatch, golden: dict[str, Work]) -> dict[str, Work]:
    """What the command counts, to be changed by the test; no worker is started."""
    now = dict(golden)
    monkeypatch.setattr(command, "counted", lambda cases, show=None: ("1.9.1", now))
    return now


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["work", *arguments])


def test_the_check_fails_for_better_and_worse_and_update_settles_it(
    counted_is: dict[str, Work], tmp_path: Path
) -> None:
    path = tmp_path / "golden.json"
    assert run("--update", "--golden", str(path)).exit_code == 0
    assert run("--check", "--golden", str(path)).exit_code == 0
    for pushes in (30, 28):
        counted_is["step/hybridized"] = replace(counted_is["step/hybridized"], pushes=pushes)
        done = run("--check", "--golden", str(path))
        assert done.exit_code == 4
        assert "step/hybridized: " in done.output and "engine call" in done.output
        updated = run("--update", "--golden", str(path))
        assert updated.exit_code == 0 and "engine call" in updated.output
        assert run("--check", "--golden", str(path)).exit_code == 0
    del counted_is["step/separate"]
    assert "step/separate: no longer there" in run("--check", "--golden", str(path)).output


def test_a_check_that_passes_is_a_line_and_one_that_fails_ends_with_what_differs(
    counted_is: dict[str, Work],
) -> None:
    same = f"Nothing changed: {len(counted_is)} steps do what the golden file says.\n"
    assert run("--check").output == f"Work: what a training step does\n\n{same}"
    counted_is["step/static"] = replace(counted_is["step/static"], copies={"host to host": 1})
    said = run("--check").output.splitlines()
    assert len(said) > 12
    assert said[-1] == "step/static: 1 more copy a step: host to host (0 -> 1)"


def test_another_release_of_mxnet_is_told_in_a_line(counted_is: dict[str, Work], tmp_path: Path) -> None:
    path = tmp_path / "golden.json"
    write_golden(path, "1.8.0", counted_is)
    done = run("--check", "--golden", str(path))
    assert done.exit_code == 0
    assert "counted under MXNet 1.9.1, the golden file under 1.8.0" in done.output
    write_golden(path, "1.9.1", counted_is)
    assert "counted under" not in run("--check", "--golden", str(path)).output


def waiting(work: Work, *places: str) -> Work:
    told = {"synchronisations": {"asnumpy": len(places)}, "waited_at": {"asnumpy": list(places)}}
    return replace(work, **told)


@pytest.fixture
def on_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a repository of one file, with an environment beside it that the repository does not keep."""
    for path in ("mtl_core/step.py", ".venv/other.py"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    (tmp_path / ".gitignore").write_text(".venv\n")
    commit(tmp_path, "one file")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


def annotations() -> list[str]:
    return [line for line in run("--check").output.splitlines() if line.startswith("::error ")]


@pytest.mark.usefixtures("on_github")
def test_a_change_stands_beside_its_line_on_github(
    counted_is: dict[str, Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted_is["step/static"] = waiting(counted_is["step/static"], "mtl_core/step.py:9")
    counted_is["step/digits"] = replace(counted_is["step/digits"], graphs_traced=3)
    said = annotations()
    assert [line.partition(",title=")[0] for line in said] == [
        "::error file=mtl_core/step.py,line=9",
        "::error file=bench/work.golden.json,line=1",
    ]
    assert said[0].endswith(
        "::step/static: 1 more synchronisation a step: asnumpy, at mtl_core/step.py:9 (0 -> 1)"
    )
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert annotations() == []


@pytest.mark.usefixtures("on_github")
@pytest.mark.parametrize("place", ["module.py:9", ".venv/other.py:9", "<string>:1"])
def test_where_github_has_no_such_file_the_golden_one_is_marked(
    counted_is: dict[str, Work], place: str
) -> None:
    counted_is["step/static"] = waiting(counted_is["step/static"], place)
    (said,) = annotations()
    assert said.startswith("::error file=bench/work.golden.json,line=1,")
    assert f"at {place} (0 -> 1)" in said


@pytest.mark.usefixtures("on_github")
def test_more_lines_than_github_shows_are_told_as_their_number(counted_is: dict[str, Work]) -> None:
    for name, lines in (("step/static", range(1, 9)), ("step/digits", range(9, 14))):
        counted_is[name] = waiting(counted_is[name], *(f"mtl_core/step.py:{line}" for line in lines))
    said = annotations()
    assert len(said) == 10
    assert said[-1].startswith("::error file=mtl_core/step.py,line=")
    assert said[-1].endswith(",title=4 more::4 more in the summary")


def test_json_has_the_counts_the_changes_and_their_words(counted_is: dict[str, Work]) -> None:
    counted_is["step/static"] = replace(counted_is["step/static"], copies={"host to host": 1})
    done = run("--check", "--format", "json")
    document = json.loads(done.stdout)
    assert done.exit_code == 4
    assert set(document["work"]) == set(counted_is)
    assert [c["words"] for c in document["changes"]] == [
        "step/static: 1 more copy a step: host to host (0 -> 1)"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"{", "is damaged"),
        (b"\xff", "is damaged"),
        (b'{"schema": 1, "mxnet": "1.9.1", "work": {"step/x": {}}}', "is damaged"),
        (b'{"schema": 9, "mxnet": "1.9.1", "work": {}}', "has schema 9"),
    ],
)
def test_a_golden_file_that_is_none_costs_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "golden.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(said)) as raised:
        read_golden(path)
    assert str(path) in str(raised.value) and "--update" in str(raised.value)


def test_a_damaged_golden_file_is_written_anew(counted_is: dict[str, Work], tmp_path: Path) -> None:
    path = tmp_path / "golden.json"
    path.write_text("{")
    assert isinstance(run("--check", "--golden", str(path)).exception, UserError)
    assert run("--update", "--golden", str(path)).exit_code == 0
    assert read_golden(path).work == {n: replace(w, waited_at={}) for n, w in counted_is.items()}


def test_check_and_update_exclude_each_other() -> None:
    done = run("--check", "--update")
    assert isinstance(done.exception, UserError)
    assert "give one" in str(done.exception)


def test_a_worker_that_fails_is_told_in_a_line() -> None:
    with pytest.raises(UserError, match=r"counting failed: ended with exit code 1: .*no_such_module"):
        counted({"step/x": case("no_such_module:Nothing")})
