"""Both answers are probabilities, and those of the network in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.data.synthetic import draw_digits
from mtl_core.errors import UserError
from mtl_core.program import checkpoint
from mtl_core.program.checkpoint import Checkpoint
from mtl_core.program.predict import load_network, predict
from mtl_core.step import TrainingStep

IMAGE = draw_digits(1, seed=3).images[0]


def saved(path: Path, network: NetworkConfig) -> TrainingStep:
    step = TrainingStep(network, StepConfig(seed=9))
    checkpoint.save(path, Checkpoint({}, (), (), step.snapshot()))
    return step


def test_the_answer_is_the_saved_networks(tmp_path: Path) -> None:
    step = saved(tmp_path / "run.npz", NetworkConfig())
    answer = predict(load_network(tmp_path / "run.npz"), IMAGE)
    again = predict(step, IMAGE)
    assert answer.digits.shape == (10,)
    assert answer.digits.sum() == pytest.approx(1.0)
    assert answer.digit == answer.digits.argmax()
    np.testing.assert_array_equal(answer.digits, again.digits)
    assert answer.odd == again.odd
    assert 0.0 < answer.odd < 1.0


def test_a_sure_answer_does_not_overflow(tmp_path: Path) -> None:
    step = saved(tmp_path / "run.npz", NetworkConfig())
    for parameter in step.parameter_arrays():
        parameter *= 30
    answer = predict(step, IMAGE)
    assert np.isfinite([*answer.digits, answer.odd]).all()
    assert answer.digits.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    step = TrainingStep(NetworkConfig(), StepConfig(seed=9))
    step.parameter_arrays()[0][:] = value
    checkpoint.save(tmp_path / "run.npz", Checkpoint({}, (), (), step.snapshot()))
    with pytest.raises(UserError, match="training diverged") as refused:
        load_network(tmp_path / "run.npz")
    assert "\n" not in str(refused.value)


def test_scores_that_overflow_are_refused(tmp_path: Path) -> None:
    step = saved(tmp_path / "run.npz", NetworkConfig())
    for parameter in step.parameter_arrays()[-4:]:  # of both heads
        parameter[:] = 3e38
    with pytest.raises(UserError, match="overflow"):
        predict(step, IMAGE)


def test_another_network_is_refused(tmp_path: Path) -> None:
    saved(tmp_path / "run.npz", NetworkConfig(trunk=(16,)))
    with pytest.raises(UserError, match="holds another network"):
        load_network(tmp_path / "run.npz")
