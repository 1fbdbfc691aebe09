"""Real workers of two checkouts: which files they load, and what is said of a checkout that cannot."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.gate.revisions import Settings, compare
from bench.gate.sides import SIDE, Side, SidePool, check_files, declared
from bench.harness.pool import WorkerFailedError
from bench.questions.gate import GATE
from mtl_core.errors import UserError
from tests.revisions import ROOT, files_at, write_gate


@pytest.fixture
def two(tmp_path: Path) -> tuple[Side, Side]:
    made = []
    for name in ("base", "head"):
        root = tmp_path / name
        root.mkdir()
        files_at(root)
        write_gate(root, {"spin": {"step_ns": 1}})
        made.append(Side(name, root, sys.executable))
    return made[0], made[1]


@pytest.mark.parametrize("safe_path", ["", "1"])
def test_each_side_loads_its_own_files_whatever_is_installed(
    two: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch, safe_path: str
) -> None:
    """This checkout is installed in the environment and on PYTHONPATH, and loses to both."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONSAFEPATH", safe_path)
    pool = SidePool(two)
    try:
        for side in two:
            (worker,) = pool.workers_for({SIDE: side.name}, 1)
            files = worker.ask("gate")["files"]
            assert Path(files["bench"]) == side.root / "bench" / "__init__.py"
            assert Path(files["mtl_core"]) == side.root / "mtl_core" / "__init__.py"
    finally:
        pool.end()


def test_a_side_that_does_not_start_is_the_one_that_fails(two: tuple[Side, Side]) -> None:
    """And the other answers what it is asked."""
    (two[0].root / "mtl_core" / "platform" / "mxnet.py").write_text("raise ImportError('no libmxnet')")
    pool = SidePool(two)
    try:
        with pytest.raises(WorkerFailedError) as failed:
            pool.workers_for({SIDE: "base"}, 1)
        assert "no libmxnet" in failed.value.last_lines[-1]
        (head,) = pool.workers_for({SIDE: "head"}, 1)
        assert head.ask("gate")["protocol"] == 1
        with pytest.raises(WorkerFailedError):
            pool.workers_for({SIDE: "base"}, 1)
    finally:
        pool.end()


def test_files_from_elsewhere_are_refused(two: tuple[Side, Side]) -> None:
    files = {"bench": str(two[0].root / "bench" / "__init__.py"), "mtl_core": str(ROOT / "mtl_core")}
    with pytest.raises(UserError, match="base loaded mtl_core from"):
        check_files(two[0], files)


def test_a_side_declares_its_own_benchmarks(two: tuple[Side, Side]) -> None:
    write_gate(two[1].root, {"spin": {"step_ns": 2}, "more": {}})
    base, head = map(declared, two)
    assert base.benchmarks["spin"].settings == {"step_ns": 1}
    assert set(head.benchmarks) == {"spin", "more"}
    assert head.benchmarks["spin"].settings == {"step_ns": 2}


def test_a_base_without_the_protocol_is_too_old(two: tuple[Side, Side]) -> None:
    worker = two[0].root / "bench" / "worker" / "process.py"
    worker.write_text(worker.read_text().replace("def gate(", "def another("))
    with pytest.raises(UserError, match="base is too old for regress"):
        declared(two[0])


def test_a_base_without_a_worker_is_too_old(two: tuple[Side, Side]) -> None:
    shutil.rmtree(two[0].root / "bench" / "worker")
    with pytest.raises(UserError, match="base is too old for regress"):
        declared(two[0])


def test_a_module_that_a_checkout_misses_does_not_make_it_old(two: tuple[Side, Side]) -> None:
    """As after a rename that is half done."""
    for side in two:
        worker = side.root / "bench" / "worker" / "process.py"
        worker.write_text("import bench.renamed")
        with pytest.raises(UserError, match=rf"{side.name} could not be started.*bench\.renamed"):
            declared(side)


def test_a_head_without_a_worker_is_broken_not_old(two: tuple[Side, Side]) -> None:
    shutil.rmtree(two[1].root / "bench" / "worker")
    with pytest.raises(UserError, match=r"head could not be started.*bench\.worker"):
        declared(two[1])


def test_another_protocol_is_refused(two: tuple[Side, Side]) -> None:
    write_gate(two[0].root, {"spin": {}}, protocol=99)
    with pytest.raises(UserError, match="base speaks protocol 99"):
        declared(two[0])


def test_a_broken_checkout_is_not_called_old(two: tuple[Side, Side]) -> None:
    (two[1].root / "bench" / "questions" / "gate.py").write_text("raise ValueError('broken on purpose')")
    with pytest.raises(UserError, match=r"head could not be started.*broken on purpose"):
        declared(two[1])


def test_benchmarks_declared_differently_are_not_compared() -> None:
    """Half the batch would pass for a step that became faster; nothing is measured, and it is no pass."""
    step = GATE[0]
    halved = replace(step, settings={**step.settings, "batch_size": 64})
    sides = tuple(
        Side(name, Path(), sys.executable, {step.name: declared})
        for name, declared in (("base", step), ("head", halved))
    )
    (told,) = compare([], sides, Settings(budget_s=1.0, tolerance=lambda _: 0.02))  # type: ignore[arg-type]
    assert (told.effect, told.verdict, told.seconds) == (None, "undecided", 0.0)
    assert told.failure is not None
    assert "batch_size 128 -> 64" in told.failure


def test_a_gate_that_could_compare_nothing_does_not_pass() -> None:
    """What vanished is a finding; what is new is none."""
    step, forward = GATE[:2]
    head = Side("head", Path(), sys.executable, {step.name: step})
    settings = Settings(budget_s=1.0, tolerance=lambda _: 0.02)
    for others in ({}, {forward.name: forward}):
        with pytest.raises(UserError, match="nothing to compare: the base does not have step; "):
            compare([step.name], (Side("base", Path(), sys.executable, others), head), settings)
    base = Side("base", Path(), sys.executable, {forward.name: forward})
    found = compare([], (base, head), settings)
    assert {c.benchmark: (c.missing, c.passes) for c in found} == {
        "step": ("base", True),
        "forward": ("head", False),
    }


NOISE = ["[]", "{}", "null", "no line of JSON", '{\\"pid\\": 1}']


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize(
    "module", ["bench", "bench/worker", "bench/questions", "mtl_core", "mtl_core/platform"]
)
def test_what_a_checkout_prints_as_it_is_imported_does_no_harm(
    two: tuple[Side, Side], module: str, noise: str
) -> None:
    for side in two:
        file = side.root / module / "__init__.py"
        file.write_text(f'{file.read_text()}\nprint("{noise}", flush=True)\n')
        assert set(declared(side).benchmarks) == {"spin"}


@pytest.mark.parametrize("gate", ["5", "(1, 2)", "None", "({'name': 3},)"])
def test_a_gate_that_is_none_is_refused_in_a_line(two: tuple[Side, Side], gate: str) -> None:
    with (two[1].root / "bench" / "questions" / "gate.py").open("a") as file:
        file.write(f"\nGATE = {gate}\n")
    with pytest.raises(UserError, match=r"head .*(no answer|no benchmark)") as refused:
        declared(two[1])
    assert "\n" not in str(refused.value)


EARLIER_WORKER = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
FILES = {"bench": "bench/__init__.py", "mtl_core": "mtl_core/__init__.py"}
FILES = {name: os.path.abspath(path) for name, path in FILES.items()}
SPIN = {"name": "spin", "asks": "a spin", "workload": "tests.played:Played"}
SAID = {
    "gate": {"protocol": 1, "benchmarks": [SPIN], "files": FILES},
    "hello": {"pid": os.getpid(), "mxnet": "played", **FILES},
    "set_up": {"images": 1, "set_up_ns": 5, "first_call_ns": 7},
    "round": {"ns": 1_000_000, "facts": {}},
    "facts": {},
    "tear_down": {},
}
for line in sys.stdin:
    answers.write(json.dumps(SAID[json.loads(line)["do"]]) + "\\n")
    answers.flush()
"""


@pytest.mark.parametrize("noise", ["", 'print("[]")\n', 'print("{}")\n'])
def test_a_base_that_answers_on_standard_output_is_measured_still(two: tuple[Side, Side], noise: str) -> None:
    """As workers did before they had a channel of their own, under the same protocol."""
    base = two[0]
    shutil.rmtree(base.root / "bench" / "worker")
    (base.root / "bench" / "worker.py").write_text(noise + EARLIER_WORKER.replace("\\\\n", "\\n"))
    assert declared(base).benchmarks["spin"].workload == "tests.played:Played"
    pool = SidePool((base, two[1]))
    try:
        for name in ("base", "head"):
            (worker,) = pool.workers_for({SIDE: name}, 1)
            answer = worker.ask("set_up", workload="tests.played:Played", settings={}, seed=1)
            assert answer["images"] == 1
            assert worker.ask("round", iterations=1)["ns"] > 0
            assert worker.ask("tear_down") == {}
    finally:
        pool.end()


DIES_ONCE = """
import os, pathlib
mark = pathlib.Path(__file__).parents[2] / "died"
with mark.open("a") as file:
    file.write("x")
if len(mark.read_text()) <= {times}:
    os._exit(9)
from types import SimpleNamespace
mx = SimpleNamespace(__version__="played")
"""


def test_a_worker_that_dies_while_it_starts_is_tried_once_more(
    two: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # which is not told apart within a second
    module = two[0].root / "mtl_core" / "platform" / "mxnet.py"
    for times, comes_up in ((1, True), (2, False)):
        (two[0].root / "died").unlink(missing_ok=True)
        module.write_text(DIES_ONCE.format(times=times))
        pool = SidePool(two)
        try:
            if comes_up:
                pool.workers_for({SIDE: "base"}, 1)
            else:
                with pytest.raises(WorkerFailedError, match="exit code 9"):
                    pool.workers_for({SIDE: "base"}, 1)
            pool.workers_for({SIDE: "head"}, 1)
        finally:
            pool.end()
