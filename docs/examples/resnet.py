"""ResNet-18 of Gluon's model zoo with two heads on 32 x 32 pictures: the class, and how it is turned.

python -m bench run hybridize --network resnet:task --batch-size 8
"""

import numpy as np
from mxnet import gluon
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from mtl_core.task import Task

UNITS = {"class": 10, "turn": 4}


class TwoHeads(gluon.HybridBlock):
    """Pictures (B, 3, 32, 32); scores of 10 classes (B, 10) and of 4 quarter turns (B, 4)."""

    def __init__(self, heads):
        super().__init__()
        self.heads = heads
        with self.name_scope():
            self.trunk = vision.resnet18_v1(thumbnail=True).features
            for head in heads:
                setattr(self, f"{head}_head", nn.Dense(UNITS[head]))

    def hybrid_forward(self, F, pictures):
        shared = self.trunk(pictures)
        return tuple(getattr(self, f"{head}_head")(shared) for head in self.heads)


def batch(size, rng):
    """Stripes of ten widths, turned by a quarter as often as the label says."""
    classes, turns = rng.integers(0, 10, size), rng.integers(0, 4, size)
    ramp = np.linspace(0, 1, 32)
    stripes = [np.tile(np.sin(ramp * (c + 1) * 6.0) + ramp, (3, 32, 1)) for c in classes]
    pictures = np.array([np.rot90(picture, turn, axes=(1, 2)) for picture, turn in zip(stripes, turns)])
    return pictures + rng.normal(0, 0.1, pictures.shape), {"class": classes, "turn": turns}


def task(heads=None):
    """Both heads, or one."""
    chosen = tuple(head for head in UNITS if heads is None or head in heads)
    return Task(
        network=TwoHeads(chosen),
        losses={head: gluon.loss.SoftmaxCELoss() for head in chosen},
        batch=batch,
        optimizer=("sgd", {"learning_rate": 0.01, "momentum": 0.9}),
    )
