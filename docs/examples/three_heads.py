"""A convolutional network with three heads: where a shape lies, what kind it is, which pixels it covers.

python -m bench run heads --network three_heads:task
"""

import numpy as np
from mxnet import gluon
from mxnet.gluon import nn

from mtl_core.task import Task

SIDE = 16
HEADS = ("box", "kind", "mask")


class Detector(gluon.HybridBlock):
    """Pictures (B, 1, 16, 16); a box (B, 4), scores of 3 kinds (B, 3), a mask (B, 256)."""

    def __init__(self, heads=HEADS):
        super().__init__()
        self.heads = heads
        units = {"box": 4, "kind": 3, "mask": SIDE * SIDE}
        with self.name_scope():
            self.trunk = nn.HybridSequential()
            self.trunk.add(
                nn.Conv2D(16, 3, padding=1, activation="relu"),
                nn.BatchNorm(),
                nn.MaxPool2D(),
                nn.Conv2D(32, 3, padding=1, activation="relu"),
                nn.BatchNorm(),
                nn.Flatten(),
                nn.Dense(64, activation="relu"),
            )
            for head in heads:
                setattr(self, head, nn.Dense(units[head]))

    def hybrid_forward(self, F, pictures):
        shared = self.trunk(pictures)
        return tuple(getattr(self, head)(shared) for head in self.heads)


def batch(size, rng):
    """Rectangles, bars and columns somewhere in the picture, with noise."""
    kinds = rng.integers(0, 3, size)
    corners = rng.integers(0, SIDE // 2, (size, 2))
    sides = np.array([(6, 6), (2, 8), (8, 2)])[kinds]
    ends = corners + sides
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inside = [
        (rows >= y) & (rows < b) & (columns >= x) & (columns < r) for (y, x), (b, r) in zip(corners, ends)
    ]
    masks = np.array(inside).astype("float32")
    pictures = masks[:, None] + rng.normal(0, 0.1, (size, 1, SIDE, SIDE))
    boxes = np.concatenate([corners, ends], axis=1).astype("float32") / SIDE
    return pictures, {"box": boxes, "kind": kinds, "mask": masks.reshape(size, -1)}


def task(heads=None):
    """All three heads, or some of them."""
    chosen = tuple(head for head in HEADS if heads is None or head in heads)
    return Task(
        network=Detector(chosen),
        losses={
            "box": gluon.loss.HuberLoss(),
            "kind": gluon.loss.SoftmaxCELoss(),
            "mask": gluon.loss.SigmoidBCELoss(),
        },
        weights={"box": 1.0, "kind": 0.5, "mask": 0.5},
        batch=batch,
        optimizer=("adam", {"learning_rate": 1e-3}),
    )
