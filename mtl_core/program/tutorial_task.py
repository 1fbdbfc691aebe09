"""The tutorial's network declared as a task: ``--network mtl_core.program.tutorial_task:task``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_core.config import HEADS, Head, NetworkConfig, StepConfig
from mtl_core.data.synthetic import draw_digits
from mtl_core.network import MultiTaskNetwork
from mtl_core.platform.mxnet import mx
from mtl_core.task import Array, Task

SETTINGS = StepConfig()


def _digits(size: int, rng: np.random.Generator) -> tuple[Array, dict[str, Array]]:
    """Images (B, 784) with values from 0 to 1; labels (B,): the digit, and 1.0 for an odd one."""
    split = draw_digits(size, seed=int(rng.integers(2**31)))
    digits = split.labels.astype(np.float32)
    return split.images.reshape(size, -1).astype(np.float32) / 255.0, {
        "digits": digits,
        "odd_even": digits % 2,
    }


def task(heads: Sequence[Head] | None = None) -> Task:
    """Both heads, or one; with one its loss counts whole."""
    chosen = HEADS if heads is None else tuple(head for head in HEADS if head in heads)
    losses = {"digits": mx.gluon.loss.SoftmaxCELoss(), "odd_even": mx.gluon.loss.SigmoidBCELoss()}
    weights = {"digits": 1.0 - SETTINGS.alpha, "odd_even": SETTINGS.alpha}
    return Task(
        network=MultiTaskNetwork(NetworkConfig(heads=chosen)),
        losses={head: losses[head] for head in chosen},
        weights={head: weights[head] if len(chosen) > 1 else 1.0 for head in chosen},
        batch=_digits,
        optimizer=("adam", {"learning_rate": SETTINGS.learning_rate}),
    )
