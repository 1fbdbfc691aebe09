"""What pytest-benchmark is handed: its file says what the terminal said, whatever failed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import plugin
from bench.harness import session as session_module
from bench.harness.pool import WorkerFailedError
from bench.harness.session import Session
from bench.records.run import Run
from bench.results.run_file import read_run
from tests.test_harness import SPEED_NS, Played, PlayedPool
from tests.test_session import CEILINGS

MODULE = """
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Variant

NEEDS = "step"
QUESTION = Question(
    name="q",
    asks="?",
    workload="m:W",
    variants={name: Variant(settings={"speed": name}) for name in ("slow", "quick", "wearing")},
    baseline="slow",
    answer=lambda results: ["The step is known: " + results[NEEDS]["quick"].effect.verdict],
    parts={"first": Part(), "step": Part()},
    headline="step",
    also=(("quick", "wearing"),),
    plan=Plan(target=10.0),  # four set-ups are enough
)


def test_q(measured_variant):
    measured_variant()
"""


class Wearing(Played):
    """A worker with which one variant can be set up twice and fails from then on; rounds vary."""

    rng = np.random.default_rng(0)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "round":
            self.log.append((do, self.variant))
            speed = SPEED_NS.get(self.variant, 1_500_000) * np.exp(self.rng.normal(0.0, 0.02))
            return {"ns": int(speed * arguments["iterations"]), "facts": {}}
        told = super().ask(do, **arguments)
        if do == "set_up" and self.log.count(("set_up", "wearing")) > 2 and self.variant == "wearing":
            raise WorkerFailedError("out of memory", ["the last thing it said"])
        return told


class WearingPool(PlayedPool):
    def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
        self.held += [Wearing(self.log) for _ in range(count - len(self.held))]
        return self.held[:count]


class Frame:
    """Gives pytest the session, and takes the outcome from it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.outcome: Run | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[plugin.SESSION] = self.session

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self.outcome = config.stash.get(plugin.OUTCOME, None)


class StoppedPool(WearingPool):
    """Somebody types Ctrl-C when the third set-up is about to begin."""

    blocks = 2

    def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
        if self.blocks == 0:
            raise KeyboardInterrupt
        self.blocks -= 1
        return super().workers_for(environment, count)


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Run | None]]:
    """pytest on one made-up question, with workers that are played: its exit code and what came out."""
    monkeypatch.setattr(session_module, "measure_ceilings", lambda environment: CEILINGS)

    def measured(pool: PlayedPool, *more: str, module: str = MODULE) -> tuple[int, Run | None]:
        (tmp_path / "test_q.py").write_text(module)
        session = Session(60.0)
        session.harness.pool, session.harness.new_pool = pool, lambda: pool  # type: ignore[assignment]
        frame = Frame(session)
        options = ["-p", "no:mtl_bench", "-p", "no:cacheprovider", "-q", "-o", "addopts="]
        where = [str(tmp_path / "test_q.py"), f"--rootdir={tmp_path}"]
        file = f"--benchmark-json={tmp_path / 'x.json'}"
        monkeypatch.delitem(sys.modules, "test_q", raising=False)
        return int(pytest.main([*where, *options, file, *more], plugins=[plugin, frame])), frame.outcome

    return measured


def test_what_was_measured_before_a_failure_is_in_the_file(tmp_path: Path, measure: Any) -> None:
    code, outcome = measure(WearingPool(), "-k", "step")
    assert code == pytest.ExitCode.TESTS_FAILED  # the failure is told
    assert [failure.case for failure in outcome.failures] == ["q/step/wearing"]
    read = read_run(tmp_path / "x.json")
    assert read.measured["q/step"]["wearing"].iteration_s.n == 2
    assert read.measured["q/step"]["quick"].beside["wearing"].estimate.n == 2
    assert read.measured == outcome.measured


def test_the_parameter_in_the_file_is_the_name_alone(tmp_path: Path, measure: Any) -> None:
    """As it stands in the heads of ``pytest-benchmark compare --group-by=param:measured_variant``."""
    measure(WearingPool(), "-k", "step and not wearing")
    entries = json.loads((tmp_path / "x.json").read_text())["benchmarks"]
    assert [entry["name"] for entry in entries] == [
        f"test_q[q/step/{name}]" for name in ("slow", "quick", "control")
    ]
    for entry in entries:
        assert entry["params"] == {"measured_variant": entry["param"]}
        assert entry["name"] == f"test_q[{entry['param']}]"


@pytest.mark.filterwarnings("ignore:Not saving anything")  # pytest-benchmark's own, of a stopped run
def test_who_stops_pytest_is_told_what_keeps_a_journal(
    measure: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code, outcome = measure(StoppedPool())
    assert (code, outcome) == (pytest.ExitCode.INTERRUPTED, None)
    said = capsys.readouterr().out
    assert said.count(plugin.LOST) == 1
    assert "not used at all" not in said


@pytest.mark.parametrize("needs", ["step", "first"])
def test_some_parts_answer_what_needs_no_other(
    measure: Any, capsys: pytest.CaptureFixture[str], needs: str
) -> None:
    """In the question's own sentences, or else ratio by ratio; beside them the run's noise floor."""
    module = MODULE.replace('NEEDS = "step"', f"NEEDS = {needs!r}")
    _, outcome = measure(WearingPool(), "-k", "step and not wearing", module=module)
    (answer,) = outcome.answers
    if needs == "step":
        assert answer.sentences == ["The step is known: faster"]
    else:
        assert answer.sentences[0] == "Answered in part only; not selected: first."
        assert answer.sentences[1].startswith("step: quick takes 0.")
        assert answer.sentences[1].endswith(" the time of slow: faster.")
    said = capsys.readouterr().out
    assert "Noise floor of step: two measurements of slow differ by " in said
