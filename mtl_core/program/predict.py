"""One image, both answers with their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.data.dataset import Bytes
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.program import checkpoint
from mtl_core.step import TrainingStep


@dataclass(frozen=True)
class Prediction:
    """Probabilities: ``digits`` (10,) sums to 1, ``odd`` is that of an odd digit."""

    digits: NDArray[np.float64]
    odd: float

    @property
    def digit(self) -> int:
        return int(self.digits.argmax())


def load_network(path: Path) -> TrainingStep:
    """The network of a checkpoint. Raises UserError when the file is not one of this network's."""
    saved = checkpoint.load(path)
    step = TrainingStep(NetworkConfig(), StepConfig(mode="imperative"))
    checkpoint.check_network(path, saved.snapshot, step)
    step.restore(saved.snapshot)
    return step


def predict(step: TrainingStep, image: Bytes) -> Prediction:
    """Both answers for one (28, 28) image of bytes, light on dark.

    Raises UserError where the weights are so large that the scores overflow.
    """
    pixels = mx.nd.array(image.reshape(1, -1).astype(np.float32) / 255, ctx=step.device)
    scores, logit = (output.asnumpy().astype(np.float64) for output in step.network(pixels))
    if not (np.isfinite(scores).all() and np.isfinite(logit).all()):
        raise UserError(
            "the network's scores of this image overflow: its training diverged; "
            "train again with a smaller --learning-rate"
        )
    powers = np.exp(scores[0] - scores[0].max())
    return Prediction(powers / powers.sum(), float(np.exp(-np.logaddexp(0, -logit[0, 0]))))
