"""Head against stored runs: only on the same machine, and as wide as its days differ."""

from __future__ import annotations

import importlib
import math
import pkgutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import benchmarks
from bench.gating import against_stored
from bench.gating.against_stored import (
    Level,
    against,
    check_machine,
    check_work,
    effect,
    in_mode,
    levels,
    stored,
)
from bench.gating.gate import GATE, Benchmark
from bench.gating.regress import Settings
from bench.gating.sides import Side, SidePool
from bench.gating.tolerances import Tolerances
from bench.pool import WorkerFailedError
from bench.records import Case, Estimate, Machine, Measured, Run
from mtl_core.errors import UserError
from reports.regression import method, sentence
from tests.made_up import MACHINE
from tests.revisions import ROOT, commit

STEP = next(benchmark for benchmark in GATE if benchmark.name == "step")
EVEN = Estimate(value=1.0, low=1.0, high=1.0, confidence=0.95, n=3)


def run(day: str, seconds: float, machine: Machine | None = MACHINE) -> Run:
    """A stored run that has the gate's step among its cases."""
    case = Case(
        question="hybridize",
        part="step",
        variant="hybridized",
        workload=STEP.workload,
        settings=dict(reversed(STEP.settings.items())),
    )
    measured = Measured(
        case=case,
        images=128,
        iteration_s=msgspec.structs.replace(EVEN, value=seconds),
        images_per_s=EVEN,
        first_call_s=EVEN,
        facts={},
        effect=None,
        extra_first_call_s=None,
        times_s=[seconds],
        course_facts=[],
    )
    stamp = f"{day}T12:00:00+00:00"
    return Run(
        name=day, measured_at=stamp, machine=machine, measured={"hybridize/step": {"hybridized": measured}}
    )


def test_the_same_work_is_found_under_any_question() -> None:
    assert stored(run("2024-05-01", 0.001), STEP) is not None
    assert stored(run("2024-05-01", 0.001), msgspec.structs.replace(STEP, settings={"part": "step"})) is None


@pytest.mark.parametrize("guarded", [b for b in GATE if b.in_runs], ids=lambda b: b.name)
def test_a_full_run_has_the_work_of_the_gate(guarded: Benchmark) -> None:
    """Else no stored run could serve as a baseline. The first call of a run is another: that of a set-up."""
    cases = [
        case
        for module in pkgutil.iter_modules(benchmarks.__path__)
        for group in importlib.import_module(f"bench.benchmarks.{module.name}").QUESTION.groups()
        for case in group.cases.values()
    ]
    there = [(case.workload, case.settings) for case in cases if not case.environment]
    assert (guarded.workload, guarded.settings) in there


def test_what_no_run_measures_is_left_out_unless_it_is_asked_for() -> None:
    side = Side("head", Path(), "python", {benchmark.name: benchmark for benchmark in GATE})
    picked, left_out = in_mode([], side)
    assert [b.name for b in picked] == ["step", "forward", "loader", "epoch"]
    assert left_out == ["first_call"]
    assert in_mode(["first_call"], side) == ([side.benchmarks["first_call"]], [])


def test_a_run_without_any_work_of_the_gate_is_refused() -> None:
    """As one stored with another batch size, which would compare nothing and so pass."""
    other = msgspec.structs.replace(STEP, settings={**STEP.settings, "batch_size": 64})
    with pytest.raises(UserError, match=r"a\.json: nothing to compare, .* of step was .*--batch-size"):
        check_work([Path("a.json")], [run("2024-05-01", 0.001)], [other])
    check_work([Path("a.json")], [run("2024-05-01", 0.001)], [other, STEP])


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stored run of this machine; the head is this checkout and measures in no time."""
    side = Side("head", Path(), "python", {benchmark.name: benchmark for benchmark in GATE})
    monkeypatch.setattr(against_stored, "collect", lambda: MACHINE)
    monkeypatch.setattr(against_stored, "declared", lambda side_: side)
    monkeypatch.setattr(against_stored, "read_run", lambda path: run("2024-05-01", 0.001))
    monkeypatch.setattr(against_stored, "measure", lambda *more: ([math.log(0.001)] * 5, [], None))
    return tmp_path / "stored.json"


def test_what_the_stored_run_lacks_is_told_and_is_no_pass(played: Path) -> None:
    told = against(["step", "loader"], [played], Settings(60.0, lambda name: 0.02))
    step, loader = told.comparisons
    assert (step.missing, step.passes, loader.missing, loader.passes) == (None, True, "stored", False)
    assert "not in the stored run" in sentence(loader)
    assert not told.passes
    assert "the head alone" in method(told)


def test_what_is_left_out_is_told(played: Path) -> None:
    told = against([], [played], Settings(60.0, lambda name: 0.02))
    assert "first_call" not in [c.benchmark for c in told.comparisons]
    assert any(note.startswith("first_call is left out") for note in told.notes)


def test_what_was_removed_from_the_gate_since_is_no_pass(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "repo"
    gate = root / against_stored.GATE_FILE
    gate.parent.mkdir(parents=True)
    gate.write_text((ROOT / against_stored.GATE_FILE).read_text().replace('name="epoch"', 'name="gone"'))
    then = msgspec.structs.replace(MACHINE, source=commit(root, "then"))
    monkeypatch.setattr(against_stored, "ROOT", root)
    monkeypatch.setattr(against_stored, "read_run", lambda path: run("2024-05-01", 0.001, then))
    told = against([], [played], Settings(60.0, lambda name: 0.02))
    assert [c.benchmark for c in told.comparisons if c.missing == "head"] == ["gone"]
    assert against_stored.REVISION_UNKNOWN not in told.notes
    assert not told.passes


@pytest.mark.parametrize("source", [None, "0123456789abcdef", "--output=evil", "HEAD"])
def test_a_revision_that_is_not_here_is_told(played: Path, source: str | None) -> None:
    known = run("2024-05-01", 0.001, msgspec.structs.replace(MACHINE, source=source))
    assert against_stored.gate_then(known) is None
    assert against_stored.REVISION_UNKNOWN in against([], [played], Settings(60.0, lambda name: 0.02)).notes


def test_a_tolerance_for_no_benchmark_is_refused_here_too(played: Path) -> None:
    edges = Tolerances(own={"stpe": 0.03})
    with pytest.raises(UserError, match="'stpe'"):
        against([], [played], Settings(60.0, edges, check=edges.check))


def test_a_worker_that_does_not_start_costs_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise WorkerFailedError("ended with exit code 1", ["ImportError: libmxnet.so"])

    monkeypatch.setattr(SidePool, "workers_for", refuse)
    side = Side("head", Path(), "python", {STEP.name: STEP})
    with pytest.raises(UserError, match=r"no worker could be started: ended .*libmxnet\.so"):
        against_stored.measure(STEP, side, Settings(60.0, lambda name: 0.02))


def test_runs_of_one_day_are_one_level() -> None:
    found = levels([run("2024-05-01", 0.001), run("2024-05-01", 0.004), run("2024-05-02", 0.001)], STEP)
    assert [level.day for level in found] == ["2024-05-01", "2024-05-02"]
    assert math.exp(found[0].log_s) == pytest.approx(0.002)


def test_the_same_class_of_machine_is_accepted_whatever_its_load() -> None:
    other = msgspec.structs.replace(MACHINE, load=9.0, kernel="5")
    check_machine(Path("a.json"), run("2024-05-01", 0.001, other), MACHINE)


def test_another_machine_is_refused_naming_the_fields() -> None:
    other = msgspec.structs.replace(MACHINE, cpu="Other CPU", memory_gib=16)
    with pytest.raises(UserError) as refused:
        check_machine(Path("a.json"), run("2024-05-01", 0.001, other), MACHINE)
    line = str(refused.value)
    assert "cpu was Other CPU, is Some CPU; memory_gib was 16, is 8" in line
    assert "--base" in line
    assert "work" in line
    assert "architecture" not in line


def test_a_run_that_does_not_name_its_machine_is_refused() -> None:
    with pytest.raises(UserError, match="does not say on what machine"):
        check_machine(Path("a.json"), run("2024-05-01", 0.001, None), MACHINE)


def days(values: list[float]) -> list[Level]:
    return [Level(f"2024-05-{number:02}", value) for number, value in enumerate(values, 1)]


def test_one_day_has_no_interval() -> None:
    found = effect([0.0, 0.0], days([0.0]), days([0.0]), 0.05)
    assert (found.low, found.high) == (-math.inf, math.inf)


@given(st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=10), st.floats(-0.3, 0.3))
def test_the_interval_is_never_narrower_than_days_differ(spread: list[float], head: float) -> None:
    around = days(spread)
    found = effect([head] * 5, around[:1], around, 0.05)
    deviation = float(np.std(spread, ddof=1))
    assert found.value == pytest.approx(head - spread[0])
    assert found.high - found.value >= 1.95 * math.sqrt(2) * deviation - 1e-12


def test_the_interval_holds_no_change_as_often_as_it_says() -> None:
    """Head and stored days drawn alike: 95 % of the intervals hold 0."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        around = days(list(rng.normal(0.0, 0.03, size=6)))
        mood = rng.normal(0.0, 0.03)
        found = effect(list(mood + rng.normal(0.0, 0.002, size=10)), around[:1], around, 0.05)
        held += found.low <= 0.0 <= found.high
    assert 925 <= held <= 985
