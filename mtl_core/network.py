"""The multi-task network: one trunk that the tasks share, one small head a task.

After Apache MXNet's multi-task tutorial; hard parameter sharing as in Caruana, "Multitask
Learning", Machine Learning 28 (1997).
"""

from __future__ import annotations

from typing import Any

from mtl_core.config import HEAD_UNITS, NetworkConfig
from mtl_core.platform.mxnet import mx

nn = mx.gluon.nn


class MultiTaskNetwork(mx.gluon.HybridBlock):  # type: ignore[misc]  # MXNet has no types
    """Trunk Dense 128-64-10 with relu; head ``digits`` Dense 10, head ``odd_even`` Dense 1.

    Call with images (B, 784), or any shape (B, ...) with 784 values an image; returns a tuple of
    raw scores, one (B, units) for each head of the config, in the config's order.
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        with self.name_scope():
            self.trunk = nn.HybridSequential(prefix="trunk_")
            with self.trunk.name_scope():
                inputs = self.config.inputs
                for units in self.config.trunk:  # (B, inputs) -> (B, 128) -> (B, 64) -> (B, 10)
                    self.trunk.add(nn.Dense(units, in_units=inputs, activation="relu"))
                    inputs = units
            for head in self.config.heads:  # (B, 10) -> (B, 10) and (B, 1)
                setattr(self, head, nn.Dense(HEAD_UNITS[head], in_units=inputs, prefix=f"{head}_"))

    def hybrid_forward(self, F: Any, images: Any) -> tuple[Any, ...]:
        shared = self.trunk(images)  # (B, 10)
        return tuple(getattr(self, head)(shared) for head in self.config.heads)
