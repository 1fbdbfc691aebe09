"""The declared networks of docs/examples: each can be asked everything, and the captioner learns."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from bench.workloads.profiling import steps_in
from bench.workloads.task_check import TaskCheck
from bench.workloads.task_loading import TaskTraining
from mtl_core.platform.mxnet import mx

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
FLOP = {"three_heads": 1, "captioner": 1, "resnet": 1e9}


@pytest.fixture(autouse=True)
def from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PROJECT", str(EXAMPLES))
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("three_heads", ["box", "kind", "mask"]),
        ("captioner", ["caption", "kind"]),
        ("resnet", ["class", "turn"]),
    ],
)
def test_an_example_can_be_asked_everything(name: str, heads: list[str]) -> None:
    answer = TaskCheck(network=f"{name}:task", batch_size=8).answer
    declared = answer.get("declared", answer)
    assert declared["heads"] == heads
    assert declared["takes_heads"]
    assert not declared["impossible"] and not declared["differs"] and not declared["heads_impossible"]
    assert declared["training_flop"] > FLOP[name]
    assert declared["uncounted"] == []


def test_a_profile_counts_the_steps_of_a_piece_of_training_that_goes_on() -> None:
    training = TaskTraining(network="three_heads:task", batch_size=8, steps=6, pieces=2)
    training.run(1)
    assert steps_in(training) == 3
    training.close()


def test_the_captioner_reads_combinations_that_it_has_never_seen() -> None:
    """Both heads learn; guessing gets nothing, since no caption of these was ever seen."""
    captioner = importlib.import_module("captioner")
    mx.random.seed(1)
    np.random.seed(1)
    exact, kind, guessed = captioner.scores(captioner.trained())
    assert exact >= 0.9
    assert kind >= 0.9
    assert guessed == 0.0
