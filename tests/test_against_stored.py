"""Head against stored runs: only on the same machine, and as wide as its days differ."""

from __future__ import annotations

import importlib
import math
import pkgutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import benchmarks
from bench.gate import stored as against_stored
from bench.gate.revisions import Settings
from bench.gate.sides import Side, SidePool
from bench.gate.stored import (
    DayMean,
    Found,
    against,
    check_conditions,
    check_machine,
    check_work,
    effect,
    in_mode,
    judged,
    levels,
    stored,
)
from bench.gate.tolerances import Tolerances
from bench.harness.pool import WorkerFailedError
from bench.questions.gate import GATE, Benchmark
from bench.records.regression import GATE_FILE, GATE_FILES, Comparison
from bench.records.run import Block, Case, Estimate, Machine, Measured, Run, Verdict
from bench.stats.estimates import Mean
from mtl_core.errors import UserError
from reports.pages.regression import method, sentence
from tests.made_up import MACHINE
from tests.revisions import ROOT, commit
from tests.test_compare import CEILINGS

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
    assert stored(run("2024-05-01", 0.001), replace(STEP, settings={"part": "step"})) is None


@pytest.mark.parametrize("guarded", [b for b in GATE if b.in_runs], ids=lambda b: b.name)
def test_a_full_run_has_the_work_of_the_gate(guarded: Benchmark) -> None:
    """Else no stored run could serve as a baseline. The first call of a run is another: that of a set-up."""
    cases = [
        case
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if module.name.startswith("test_")
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
    other = replace(STEP, settings={**STEP.settings, "batch_size": 64})
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


@pytest.mark.parametrize("place", GATE_FILES)
def test_what_was_removed_from_the_gate_since_is_no_pass(
    place: str, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the revision of then has it."""
    root = tmp_path / "repo"
    gate = root / place
    gate.parent.mkdir(parents=True)
    gate.write_text((ROOT / GATE_FILE).read_text().replace('name="epoch"', 'name="gone"'))
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


def days(values: list[float]) -> list[DayMean]:
    return [DayMean(f"2024-05-{number:02}", value) for number, value in enumerate(values, 1)]


def test_one_day_has_no_interval() -> None:
    found = effect([0.0, 0.0], days([0.0]), days([0.0])).interval()
    assert (found.low, found.high) == (-math.inf, math.inf)


@given(st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=10), st.floats(-0.3, 0.3))
def test_the_interval_is_never_narrower_than_days_differ(spread: list[float], head: float) -> None:
    around = days(spread)
    found = effect([head] * 5, around[:1], around).interval()
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
        found = effect(list(mood + rng.normal(0.0, 0.002, size=10)), around[:1], around).interval()
        held += found.low <= 0.0 <= found.high
    assert 925 <= held <= 985


HERE = {"mxnet": "1.9.1", "numpy": "1.26.4"}


def under(day: str = "2024-05-01", mxnet: str = "1.9.1", numpy: str = "1.26.4", **machine: object) -> Run:
    """A stored run of this class of machine, with what is not part of the class."""
    ceilings = msgspec.structs.replace(CEILINGS, mxnet=mxnet, numpy=numpy)
    told = run(day, 0.001, msgspec.structs.replace(MACHINE, **machine))
    return msgspec.structs.replace(told, ceilings=ceilings)


def test_another_environment_or_mxnet_is_refused_naming_both_values() -> None:
    """Else the threads of another setting would pass for a change of the code."""
    now = msgspec.structs.replace(MACHINE, environment={"OMP_NUM_THREADS": "2", "MXNET_X": "1"})
    then = under(mxnet="1.8.0", environment={"OMP_NUM_THREADS": "1", "MTL_DENORMALS": "flush"})
    with pytest.raises(UserError) as refused:
        check_conditions(Path("a.json"), then, now, HERE)
    line = str(refused.value)
    assert line.startswith(
        "a.json was measured under other conditions: MTL_DENORMALS was flush, is not set; "
        "MXNET_X was not set, is 1; OMP_NUM_THREADS was 1, is 2; mxnet was 1.8.0, is 1.9.1."
    )
    assert "--base" in line and "\n" not in line


@pytest.mark.parametrize("here", [HERE, {"mxnet-cu112": "1.9.1"}, {}])
def test_what_is_alike_or_not_known_of_mxnet_is_accepted(here: dict[str, str]) -> None:
    check_conditions(Path("a.json"), under(python="3.12.1", numpy="2.1.0"), MACHINE, here)
    check_conditions(Path("a.json"), run("2024-05-01", 0.001), MACHINE, here)


def test_another_python_or_numpy_is_told(played: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against_stored, "versions", lambda: HERE)
    monkeypatch.setattr(against_stored, "read_run", lambda path: under(python="3.12.1", numpy="2.1.0"))
    notes = against(["step"], [played], Settings(60.0, lambda name: 0.02)).notes
    said = "stored.json is of another build: python was 3.12.1, is 3.11.7; numpy was 2.1.0, is 1.26.4"
    assert [note for note in notes if note.startswith(said)]
    monkeypatch.setattr(against_stored, "read_run", lambda path: under())
    notes = against(["step"], [played], Settings(60.0, lambda name: 0.02)).notes
    assert not [note for note in notes if "another build" in note]


def test_a_stored_run_of_another_environment_stops_the_comparison(
    played: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = under(environment={"OMP_NUM_THREADS": "1"})
    monkeypatch.setattr(against_stored, "read_run", lambda path: other)
    with pytest.raises(UserError, match="OMP_NUM_THREADS was 1, is not set"):
        against(["step"], [played], Settings(60.0, lambda name: 0.02))


def test_only_runs_of_this_environment_and_mxnet_tell_how_days_differ(
    played: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five days of which three had another environment or MXNet are two days."""
    monkeypatch.setattr(against_stored, "versions", lambda: HERE)
    here = [under(f"2024-05-0{n}", numpy="2.1.0", python="3.12.1") for n in (1, 2)]
    others = [under("2024-05-03", mxnet="1.8.0")]
    others += [under(f"2024-05-0{n}", environment={"OMP_NUM_THREADS": "1"}) for n in (4, 5)]
    monkeypatch.setattr(against_stored, "neighbours", lambda files: [*here, *others])
    told = against(["step"], [played], Settings(60.0, lambda name: 0.02))
    (step,) = told.comparisons
    assert step.effect is not None and step.effect.n == 2
    assert step.verdict == "undecided" and "of 2 days" in step.notes[0]
    assert [note for note in told.notes if note.startswith("3 stored runs of this machine had another")]


def judge_these(*effects: tuple[float, float]) -> list[Comparison]:
    """Benchmarks with these log ratios and standard errors, known from so many days that t is normal."""
    return judged(
        [
            Found(
                Comparison(
                    benchmark=str(n), asks="", effect=None, verdict="undecided", tolerance=0.02, seconds=0
                ),
                Mean(value, error, 1000.0, 1001),
            )
            for n, (value, error) in enumerate(effects)
        ]
    )


def test_verdicts_share_the_error_rate_among_what_is_compared_step_by_step() -> None:
    """The second is clear at 5 % and not at 5 % / 2: what the first one leaves decides it (Holm)."""
    border = math.log(1.02) + 2.1 * 0.01, 0.01
    words: list[list[Verdict]] = [[c.verdict for c in judge_these(*[border] * n)] for n in (1, 2)]
    assert words == [["slower"], ["undecided"] * 2]
    clear, second, unclear = judge_these((0.5, 0.01), (0.4, 0.01), (math.log(1.02) + 0.019, 0.01))
    assert [c.verdict for c in (clear, second, unclear)] == ["slower", "slower", "undecided"]
    left = judge_these((0.5, 0.01), border)
    assert [c.verdict for c in left] == ["slower", "slower"]
    for told in (clear, second, unclear, *left, *judge_these(border, border)):
        assert told.effect is not None
        assert (told.effect.low > 1.02) == (told.verdict == "slower")
    with_lost = judged([Found(clear), Found(second, Mean(*border, 1000.0, 1001))])
    assert [c.verdict for c in with_lost] == ["slower", "slower"]  # what is not compared takes no share


def test_the_order_of_rounds_follows_from_the_revisions(
    played: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | None] = []

    def measure(_: Benchmark, __: Side, chosen: Settings) -> tuple[list[float], list[Block], None]:
        seen.append(chosen.seed)
        return [0.0], [], None

    monkeypatch.setattr(against_stored, "measure", measure)
    told = []
    for source, seed in (("a" * 40, None), ("a" * 40, None), ("b" * 40, None), ("b" * 40, 7)):
        then = run("2024-05-01", 0.001, msgspec.structs.replace(MACHINE, source=source))
        monkeypatch.setattr(against_stored, "read_run", lambda path, then=then: then)
        told.append(against(["step"], [played], Settings(60.0, lambda name: 0.02, seed=seed)).seed)
    assert told == seen
    assert told[0] == told[1] != told[2]
    assert told[3] == 7
