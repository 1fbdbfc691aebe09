"""The study of estimators: on made-up rounds whose truth is known."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_core.errors import UserError
from tests.made_up import at_rest_pairs
from tests.revisions import ROOT
from tests.scenarios import CALM, RESTLESS, Hour

TRUTHS = {"A2": 0.0, "W": 0.05, "B": 0.11}


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "studies" / "at_rest.py"))


def write(path: Path, hour: Hour, seed: int) -> None:
    """Sixteen set-ups of one condition, rounds of 12 ms and some that are too short."""
    rng = np.random.default_rng(seed)
    sides = {name: at_rest_pairs(rng, hour, effect=truth, set_ups=16) for name, truth in TRUTHS.items()}
    lines = [json.dumps({"L": 3.0, "rec": {}})]
    for number in range(16):
        ms = {name: (1e3 * pairs[number].variant).tolist() for name, pairs in sides.items()}
        lines.append(
            json.dumps({"L": 12.0, "rec": {"A": (1e3 * sides["A2"][number].baselines[0]).tolist(), **ms}})
        )
    path.write_text("\n".join(lines) + "\n")


def test_the_calm_value_is_that_of_the_calmest_recording(study: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "calm.jsonl", CALM, 0)
    write(tmp_path / "restless.jsonl", RESTLESS, 1)
    recordings = study["load"](tmp_path)
    assert {(r.condition, r.length_ms, len(r.set_ups)) for r in recordings} == {
        ("calm", 12.0, 16),
        ("restless", 12.0, 16),
    }
    values = study["calm_values"](recordings)
    for name, truth in TRUTHS.items():
        assert values[12.0, name] == pytest.approx(truth, abs=0.004)


def test_medians_are_off_in_a_restless_hour_and_the_low_tail_is_not(
    study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(study["scored"].__globals__, "DRAWS", 10)
    write(tmp_path / "restless.jsonl", RESTLESS, 2)
    (recording,) = study["load"](tmp_path)
    scores = study["scored"](recording, "B", TRUTHS["B"])
    errors = {name: score[0] ** 0.5 for name, score in scores.items()}
    assert errors["medians of paired ratios"] > 3 * errors["the same and the disagreement (used)"]
    lines = study["table"]([recording])
    assert len(lines) == 2 + len(study["ESTIMATORS"])


def test_a_folder_without_rounds_costs_one_line(study: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no recorded rounds"):
        study["load"](tmp_path)
