"""What pytest-benchmark is handed: its file says what the terminal said, whatever failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import plugin
from bench import session as session_module
from bench.pool import WorkerFailedError
from bench.records import Run
from bench.runs import read_run
from bench.session import Session
from tests.test_harness import SPEED_NS, Played, PlayedPool
from tests.test_session import CEILINGS

MODULE = """
from bench.questions import Question, Variant

QUESTION = Question(
    name="q",
    asks="?",
    workload="m:W",
    variants={name: Variant(settings={"speed": name}) for name in ("slow", "quick", "wearing")},
    baseline="slow",
    answer=lambda results: [],
    also=(("quick", "wearing"),),
    target=10.0,  # four set-ups are enough
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


def test_what_was_measured_before_a_failure_is_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "measure_ceilings", lambda environment: CEILINGS)
    (tmp_path / "test_q.py").write_text(MODULE)
    pool, session = WearingPool(), Session(60.0)
    session.harness.pool, session.harness.new_pool = pool, lambda: pool  # type: ignore[assignment]
    frame = Frame(session)
    options = ["-p", "no:mtl_bench", "-p", "no:cacheprovider", "-q", "-o", "addopts="]
    file = tmp_path / "x.json"
    where = [str(tmp_path / "test_q.py"), f"--rootdir={tmp_path}"]
    code = pytest.main([*where, *options, f"--benchmark-json={file}"], plugins=[plugin, frame])
    assert code == pytest.ExitCode.TESTS_FAILED  # the failure is told
    assert frame.outcome is not None
    assert [failure.case for failure in frame.outcome.failures] == ["q/step/wearing"]
    read = read_run(file)
    assert read.measured["q/step"]["wearing"].iteration_s.n == 2
    assert read.measured["q/step"]["quick"].beside["wearing"].estimate.n == 2
    assert read.measured == frame.outcome.measured
