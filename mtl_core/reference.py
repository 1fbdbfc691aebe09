"""The same network, losses, gradients and Adam in NumPy: the oracle of the tests, a peer in the benchmarks.

Gradients by hand after Rumelhart, Hinton & Williams (Nature 323, 1986); Adam after Kingma & Ba
(arXiv 1412.6980) in MXNet's arrangement, where the correction of the bias is folded into the learning
rate and epsilon stands beside the uncorrected root. Nothing here imports MXNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.config import Head, NetworkConfig, StepConfig

Array = NDArray[Any]  # float32, or float64 where the parameters are

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # MXNet's defaults
# MXNet hands the decays to its operator as float32, but corrects the bias with the exact ones. That makes
# 1 - 0.999 smaller by 1.3e-5 of itself, which shows in the course of a training, so it is kept.
DECAY1, DECAY2 = float(np.float32(BETA1)), float(np.float32(BETA2))


@dataclass(frozen=True)
class ReferenceForward:
    """What one forward pass gave, by head in the config's order; as :class:`mtl_core.step.Forward`."""

    outputs: tuple[Array, ...]  # raw scores, (B, units) each
    losses: tuple[Array, ...]  # (B,) each
    total: Array  # (B,)


def softmax_cross_entropy(scores: Array, labels: Array) -> tuple[Array, Array]:
    """Loss (B,) of scores (B, classes) against labels (B,), and its gradient (B, classes).

    The largest score is taken away first, so that no exponential overflows (Gluon's SoftmaxCELoss).
    """
    rows, classes = np.arange(len(scores)), labels.astype(np.intp)
    shifted = scores - scores.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)  # (B, 1), at least 1
    gradient = exponentials / sums
    gradient[rows, classes] -= 1
    return np.log(sums[:, 0]) - shifted[rows, classes], gradient


def sigmoid_cross_entropy(scores: Array, labels: Array) -> tuple[Array, Array]:
    """Loss (B,) of scores (B, 1) against labels 0 or 1 (B,), and its gradient (B, 1).

    ``max(x, 0) - x z + log(1 + exp(-|x|))``: no exponential overflows (Gluon's SigmoidBCELoss).
    """
    x, z = scores[:, 0], labels.astype(scores.dtype, copy=False)
    small = np.exp(-np.abs(x))  # 0 to 1
    loss = np.maximum(x, 0) - x * z + np.log1p(small)
    probability = np.where(x >= 0, 1, small) / (1 + small)
    return loss, (probability - z)[:, None]


LOSSES = {"digits": softmax_cross_entropy, "odd_even": sigmoid_cross_entropy}


class ReferenceStep:
    """A step that takes the calls of :class:`mtl_core.step.TrainingStep`, on NumPy arrays.

    ``parameters`` are copied and set the precision: weight (units, inputs) and bias (units,) of each
    layer, the trunk's first, then the heads' in the config's order. ``gradients``, ``means`` and
    ``variances`` are shaped and ordered alike. ``config.mode`` has no meaning here.
    """

    def __init__(self, network: NetworkConfig, config: StepConfig, parameters: Sequence[Array]) -> None:
        self.heads: tuple[Head, ...] = network.heads
        self.trunk = len(network.trunk)
        self.learning_rate = config.learning_rate
        blend = {"digits": 1.0 - config.alpha, "odd_even": config.alpha}
        self.weights = [blend[head] if len(self.heads) > 1 else 1.0 for head in self.heads]
        self.parameters = [np.array(parameter) for parameter in parameters]
        if len(self.parameters) != 2 * (self.trunk + len(self.heads)):
            raise ValueError(f"{len(self.parameters)} parameters; expected a weight and a bias a layer")
        self.gradients = [np.zeros_like(parameter) for parameter in self.parameters]
        self.means = [np.zeros_like(parameter) for parameter in self.parameters]
        self.variances = [np.zeros_like(parameter) for parameter in self.parameters]
        self.updates = 0

    def _dense(self, layer: int, x: Array) -> Array:
        """(B, inputs) -> (B, units)"""
        product: Array = x @ self.parameters[2 * layer].T
        product += self.parameters[2 * layer + 1]
        return product

    def _run(
        self, images: Array, labels: Sequence[Array]
    ) -> tuple[ReferenceForward, list[Array], list[Array]]:
        """The forward pass; what each layer read; the gradient at each head's scores."""
        kept = [images.reshape(len(images), -1)]  # (B, 784)
        for layer in range(self.trunk):  # (B, 784) -> (B, 128) -> (B, 64) -> (B, 10)
            x = self._dense(layer, kept[-1])
            kept.append(np.maximum(x, 0, out=x))
        outputs = [self._dense(self.trunk + i, kept[-1]) for i in range(len(self.heads))]
        pairs = [LOSSES[head](x, y) for head, x, y in zip(self.heads, outputs, labels, strict=True)]
        losses = tuple(loss for loss, _ in pairs)  # (B,) each
        blended = [loss * weight for loss, weight in zip(losses, self.weights, strict=True)]
        total = blended[0] if len(blended) == 1 else blended[0] + blended[1]
        slopes = [slope * weight for (_, slope), weight in zip(pairs, self.weights, strict=True)]
        return ReferenceForward(tuple(outputs), losses, total), kept, slopes

    def forward(self, images: Array, *labels: Array) -> ReferenceForward:
        """Outputs and losses of images (B, 784) and one label array (B,) a head."""
        return self._run(images, labels)[0]

    def forward_backward(self, images: Array, *labels: Array) -> ReferenceForward:
        """Forward, then the gradients of the summed loss into ``gradients``."""
        forward, kept, slopes = self._run(images, labels)
        above = list(enumerate(slopes, start=self.trunk))  # the layers that read what is below them
        for layer, slope in above:
            self._keep_gradient(layer, kept[-1], slope)
        for layer in reversed(range(self.trunk)):
            back = sum(slope @ self.parameters[2 * reader] for reader, slope in above)  # (B, units)
            slope = back * (kept[layer + 1] > 0)  # relu passes where it was open
            self._keep_gradient(layer, kept[layer], slope)
            above = [(layer, slope)]
        return forward

    def _keep_gradient(self, layer: int, x: Array, slope: Array) -> None:
        """A layer's gradients from what it read, (B, inputs), and the slope at its output, (B, units)."""
        np.matmul(slope.T, x, out=self.gradients[2 * layer])  # (units, inputs)
        np.sum(slope, axis=0, out=self.gradients[2 * layer + 1])  # (units,)

    def __call__(self, images: Array, *labels: Array) -> ReferenceForward:
        """One whole step: forward, backward, Adam on the gradient's mean over the batch."""
        forward = self.forward_backward(images, *labels)
        self._adam(1.0 / len(images))
        return forward

    def _adam(self, rescale: float) -> None:
        self.updates += 1
        rate = self.learning_rate * sqrt(1 - BETA2**self.updates) / (1 - BETA1**self.updates)
        moments = zip(self.parameters, self.gradients, self.means, self.variances, strict=True)
        for parameter, gradient, mean, variance in moments:
            rescaled = gradient * rescale
            mean *= DECAY1
            mean += (1 - DECAY1) * rescaled
            variance *= DECAY2
            variance += (1 - DECAY2) * rescaled * rescaled
            parameter -= rate * mean / (np.sqrt(variance) + EPSILON)

    def parameter_arrays(self) -> list[Array]:
        """The parameters themselves, in the order of the network."""
        return self.parameters

    def gradient_arrays(self) -> list[Array]:
        """The gradients themselves, in the order of the network."""
        return self.gradients

    def state_arrays(self) -> list[Array]:
        """Adam's mean and variance of each parameter, in the order of the network."""
        return [array for pair in zip(self.means, self.variances, strict=True) for array in pair]

    def snapshot(self) -> tuple[list[Array], int]:
        """What :meth:`restore` returns to: copies of parameters and Adam's state, and the updates so far."""
        return [array.copy() for array in self.parameters + self.state_arrays()], self.updates

    def restore(self, snapshot: tuple[list[Array], int]) -> None:
        """Return to the snapshot in place."""
        arrays, self.updates = snapshot
        for target, source in zip(self.parameters + self.state_arrays(), arrays, strict=True):
            target[...] = source
