"""One whole file of each kind, as small as it can be with everything in it."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
from PIL import Image

from bench.harness import session as harness_session
from bench.harness.session import Session
from bench.records.regression import Comparison, Regression
from bench.records.run import Estimate, Run, WorkChange
from bench.results.costs import keep_costs
from bench.results.journal import Identity
from bench.results.profile_file import PROFILE_FILE, write_profile
from bench.workloads.peers import problem_file
from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.program import checkpoint
from mtl_core.program.training import EpochResult
from mtl_core.step import TrainingStep
from reports.formats import text
from reports.pages.regression import regression_page
from tests.made_up import MACHINE
from tests.peers_played import problem
from tests.recordings import HEAD, units
from tests.test_harness import PlayedPool
from tests.test_profiles import PROFILE
from tests.test_session import ASKED, CEILINGS, Stopping

EPOCH = EpochResult(0, 0.9, 0.95, 0.3, 0.2, 60_000, 4.0, 0.0)
SETTINGS = {"alpha": 0.5, "batch_size": 128, "data": "mnist", "epochs": 5, "seed": 42}
DECLARED: dict[str, Any] = {
    "project": {
        "name": "x",
        "dependencies": ["numpy>=1.26", "msgspec"],
        "optional-dependencies": {"cpu": ["mxnet"]},
    },
    "tool": {
        "mtl-bench": {
            "network": "acme.bench:task",
            "batch-size": 8,
            "golden": "counts.json",
            "tolerance": {"step": "2%", "forward": 0.05},
        },
        "uv": {"override-dependencies": ["numpy<2"], "constraint-dependencies": ["scipy<1.18"]},
    },
}


class Resumed(Session):
    """A session of one identity, so that hashing every file of ours is not what takes the time."""

    def _identity(self, *_: object) -> Identity:
        cases = harness_session.cases_in_words(ASKED[0].groups())
        return Identity(machine="m", revision="r", settings={"seed": "0"}, cases=cases)


def measured(journal: Path, resume: bool, pool: PlayedPool) -> Run:
    """A run of played workers whose journal this is."""
    made = Resumed(1e-6, 0, journal, resume)
    made.harness.pool = pool  # type: ignore[assignment]
    made.harness.new_pool = lambda: pool  # type: ignore[assignment,return-value]
    stand_ins = {"collect": lambda: MACHINE, "measure_ceilings": lambda environment: CEILINGS}
    with mock.patch.multiple(harness_session, **stand_ins):
        try:
            return made.measure(ASKED)
        finally:
            made.close_journal()


@cache
def journal() -> bytes:
    """Of a run that finished two blocks and a failure before somebody stopped it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        try:
            made = Resumed(1e6, 0, path)
            pool = Stopping(3)
            made.harness.pool = pool  # type: ignore[assignment]
            made.harness.new_pool = lambda: pool  # type: ignore[assignment,return-value]
            with mock.patch.multiple(
                harness_session, collect=lambda: MACHINE, measure_ceilings=lambda environment: CEILINGS
            ):
                made.measure(ASKED)
        except KeyboardInterrupt:
            pass
        failure = {"failure": {"case": "q/p/quick", "reason": "crashed", "last_lines": ["so"]}}
        return path.read_bytes() + json.dumps(failure).encode() + b"\n"


def _estimate(value: float) -> Estimate:
    return Estimate(value=value, low=0.9 * value, high=1.1 * value, confidence=0.95, n=8)


@cache
def regression() -> bytes:
    """What ``regress --format json`` prints, with everything that it can tell."""
    full = Comparison(
        benchmark="step", asks="a training step", effect=_estimate(1.1), verdict="slower", tolerance=0.02,
        seconds=3.0, set_ups=8, spread=0.01, base_s=_estimate(1e-3), head_s=_estimate(1.1e-3),
        detectable=0.02, times_the_budget=2.0, sums=_estimate(1.1), now_and_then=_estimate(0.01),
        cause="at rest", typical=_estimate(1.1), notes=["noisy"],
    )  # fmt: skip
    gone = msgspec.structs.replace(full, benchmark="gone", effect=None, verdict="undecided", missing="head")
    broken = msgspec.structs.replace(gone, benchmark="broken", missing=None, failure="head crashed")
    change = WorkChange(steps=["step/both"], counter="operators", before=31, after=59, parts={"dot": 28})
    whole = Regression(
        base="main", head="branch", budget_s=60.0, confidence=0.95, comparisons=[full, gone, broken],
        notes=["same commit"], seed=3, work=[change], against="main",
    )  # fmt: skip
    return text(regression_page(whole), "json").encode()


@cache
def profile() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_profile(PROFILE, Path(folder))
        return Path(folder, PROFILE_FILE).read_bytes()


@cache
def recording() -> bytes:
    """Two variants in six invocations under two conditions."""
    head = msgspec.structs.replace(HEAD, rounds=20, variants=HEAD.variants[:3])
    lines = [msgspec.json.encode(head)]
    for condition in ("alone", "busy"):
        for unit in units(3, condition=condition):
            us = {name: rounds[:20] for name, rounds in unit.us.items() if name in head.variants}
            lines.append(msgspec.json.encode(msgspec.structs.replace(unit, us=us)))
    return b"\n".join(lines) + b"\n"


@cache
def trained() -> bytes:
    """A checkpoint of the tutorial's network as it begins."""
    snapshot = TrainingStep(NetworkConfig(), StepConfig(mode="imperative")).snapshot()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.npz")
        checkpoint.save(path, checkpoint.Checkpoint(SETTINGS, (EPOCH,), (7, 9), snapshot))
        return path.read_bytes()


def archive(**about: Any) -> bytes:
    """A checkpoint of no network at all: whole, and small."""
    file = io.BytesIO()
    made = {"format": 1, "updates": 0, "settings": SETTINGS, "rolled_over": [1], **about}
    made.setdefault("history", [{name: getattr(EPOCH, name) for name in EPOCH.__dataclass_fields__}])
    text = np.frombuffer(json.dumps(made).encode(), np.uint8)
    np.savez(file, about=text, parameter_0=np.ones((3, 2), np.float32))
    return file.getvalue()


@cache
def costs() -> bytes:
    """What two runs kept of their set-ups."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "set-ups.costs")
        for asked in ("a machine", "another machine"):
            keep_costs(path, asked, {"a/x": 2.0, "b/y": 0.5})
        return path.read_bytes()


@cache
def peers_problem() -> bytes:
    """A problem that is as small as can be: batches of 8, and one check a rule."""
    few = replace(problem(), checks={rule: checks[:1] for rule, checks in problem().checks.items()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "problem.npz")
        problem_file.write(few, path)
        return path.read_bytes()


def image(kind: str, mode: str = "L") -> bytes:
    """A stroke on black: PNG, JPEG, ..., of 8 or 16 bits, grey, in colour or with a palette."""
    pixels = np.zeros((40, 30), np.uint8)
    pixels[5:35, 12:18] = 255
    drawn = Image.fromarray(pixels.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(pixels)
    file = io.BytesIO()
    (drawn if mode == "I;16" else drawn.convert(mode)).save(file, kind)
    return file.getvalue()
